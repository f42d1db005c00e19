// The control kernel's registers by name, for `linecryptctl card dump`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "driver/card/engine/card_engine.hpp"

namespace linecrypt::ctl {

struct RegisterValue {
  std::string name;
  std::uint32_t offset = 0;
  std::uint32_t value = 0;
};

// Every register of the card. The bitstream is loaded where another or none runs; its session, if any, goes on. No
// register holds key material.
Result<std::vector<RegisterValue>> read_registers(const card::CardOptions& options);

}  // namespace linecrypt::ctl
