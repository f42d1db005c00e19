// A card with one ESP egress SA, ready for work.
#pragma once

#include <cstdint>
#include <memory>

#include "driver/card/records/commands.hpp"
#include "tests/firmware_hls/esp/fixture.hpp"
#include "tests/firmware_hls/model/card_host.hpp"

namespace linecrypt::firmware_test {

struct Opened {
  CardMemory memory;
  std::unique_ptr<firmware::ClockedCard> card = firmware::make_clocked_card(memory.host());
  CardHost host{memory, *card};
  SaId id{3, 9};

  Opened() {
    host.open();
    REQUIRE(host.install(card::install_commands(id, make_sa({}, Direction::egress), {1, 100'000}, 0)));
  }
  [[nodiscard]] JobIn job(std::size_t size = 100) const {
    JobIn one;
    one.packet = test::packet({}, test::noise(size, 5));
    one.operation[0] = abi::Operation::esp_encapsulate;
    one.stage[0] = {id.index, id.generation};
    return one;
  }
};

}  // namespace linecrypt::firmware_test
