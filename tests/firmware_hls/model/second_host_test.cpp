// A card whose host is gone, as behind a kill -9: tables, rings and epoch live on in fabric and card memory. A second
// host opens it as the driver does (halt, reset, sweep, a new epoch, enable) and finds none of the first one's SAs
// usable, by whatever it says.
#include "driver/card/records/commands.hpp"
#include "tests/firmware_hls/esp/fixture.hpp"
#include "tests/firmware_hls/macsec/fixture.hpp"
#include "tests/firmware_hls/model/card_host.hpp"

namespace linecrypt::firmware_test {
namespace {

constexpr auto egress = abi::Direction::egress;
constexpr auto ingress = abi::Direction::ingress;
constexpr std::uint32_t first_epoch = 0x11112222;
constexpr std::uint32_t second_epoch = 0x33334444;
constexpr SaId places[] = {{0, 1}, {5, 77}, {63, 0xfffffffe}};

struct Kind {
  abi::Block block;
  abi::Direction direction;
  abi::Operation operation;
  bool esp;
};
constexpr Kind kinds[] = {
    {abi::Block::esp_encapsulate, egress, abi::Operation::esp_encapsulate, true},
    {abi::Block::macsec_protect, egress, abi::Operation::macsec_protect, false},
    {abi::Block::esp_decapsulate, ingress, abi::Operation::esp_decapsulate, true},
    {abi::Block::macsec_validate, ingress, abi::Operation::macsec_validate, false},
};

// A card at work: every kind of SA at each place, used once. Its packets are what an ingress SA accepts.
struct LiveCard {
  CardMemory memory;
  std::unique_ptr<firmware::ClockedCard> card = firmware::make_clocked_card(memory.host());
  CardHost first{memory, *card, first_epoch};
  Bytes black[2][std::size(places)];  // esp, macsec; by place

  LiveCard() {
    first.open();
    for (const Direction direction : {Direction::egress, Direction::ingress})
      for (const SaId place : places) {
        REQUIRE(first.install(card::install_commands(place, make_sa({}, direction), {1, 1000}, 0)));
        REQUIRE(first.install(card::install_commands(place, make_macsec({}, direction), {1, 1000}, 0)));
      }
    for (const Kind& kind : kinds)
      if (kind.direction == egress)
        for (std::size_t p = 0; p < std::size(places); ++p) {
          // Two each: the second is kept for after the end of this host.
          const auto out = first.work(egress, {clear(kind, p), clear(kind, p)});
          REQUIRE(out[1].completion.verdict == code(Verdict::ok));
          black[kind.esp ? 0 : 1][p] = out[1].packet;
        }
  }
  [[nodiscard]] static JobIn job(const Kind& kind, Bytes packet, SaId place) {
    JobIn one;
    one.packet = std::move(packet);
    one.operation[0] = kind.operation;
    one.stage[0] = {place.index, place.generation};
    one.l2 = kind.esp ? 0 : 14;
    return one;
  }
  [[nodiscard]] static JobIn clear(const Kind& kind, std::size_t p) {
    return job(kind, kind.esp ? test::sized_packet(Family::ipv4, 100) : clear_frame(100), places[p]);
  }
  // What the SA of `kind` at `places[p]` would do.
  [[nodiscard]] JobIn of(const Kind& kind, std::size_t p) const {
    return kind.direction == egress ? clear(kind, p) : job(kind, black[kind.esp ? 0 : 1][p], places[p]);
  }
};

// As driver/card/engine/session.cpp does it.
void take_into_use(CardHost& host) {
  host.command(abi::CardCommand::halt);
  host.set(abi::reg::epoch, 0);
  host.reset();
  host.enable();
}

// How many of the SAs that were there answer to their old names.
std::size_t usable(CardHost& host, const LiveCard& live) {
  std::size_t count = 0;
  for (const Kind& kind : kinds)
    for (std::size_t p = 0; p < std::size(places); ++p) {
      const auto out = host.work(kind.direction, {live.of(kind, p)});
      const bool stale = out[0].completion.verdict == code(Verdict::stale_sa);
      count += stale ? 0U : 1U;
      if (stale) CHECK(out[0].packet.empty());
      const auto read = host.run(std::vector<abi::Command>{card::read_command(places[p], kind.block)});
      REQUIRE(read.size() == 1);
      count += read[0].kind == abi::ResponseKind::refused ? 0U : 1U;
    }
  return count;
}

}  // namespace

TEST_CASE("A second host that opens a card with live tables finds none of them usable") {
  LiveCard live;
  CardHost second(live.memory, *live.card, second_epoch);
  // What is there: the epoch of the first, its SAs enabled.
  REQUIRE(second.reg(abi::reg::epoch) == first_epoch);
  REQUIRE((second.reg(abi::reg::status) & abi::status::enabled) != 0);
  take_into_use(second);
  CHECK(second.reg(abi::reg::epoch) == second_epoch);
  CHECK(usable(second, live) == 0);
  // The place is free, and its new SA begins with its own numbers.
  REQUIRE(second.install(card::install_commands(places[1], make_sa({}, Direction::egress), {5000, 6000}, 0)));
  CHECK(second.work(egress, {live.of(kinds[0], 1)})[0].completion.number[0] == 5000);
}

TEST_CASE("A second host that leaves the sweep out would find them all: the search sees it") {
  LiveCard live;
  // It goes on under the epoch that stands in the register, with rings and heads as they are.
  live.first.command(abi::CardCommand::halt);
  live.first.enable();
  CHECK(usable(live.first, live) == 2 * std::size(kinds) * std::size(places));
}

TEST_CASE("What the first host left in card memory is nothing to a card under another epoch") {
  LiveCard live;
  // 1. Work and commands on their way when it ended: written, not rung for.
  const Slabs slabs = live.first.lay({live.of(kinds[0], 0), live.of(kinds[0], 1)});
  auto list = card::install_commands(SaId{9, 9}, make_sa({}, Direction::egress), {1, 1000}, 0);
  for (const abi::Command& one : list.commands()) live.first.put(one);
  CardHost second(live.memory, *live.card, second_epoch);
  take_into_use(second);
  // 2. The first one's batch, and its descriptors in a batch of the second's.
  const std::uint32_t before = second.head(egress);
  second.post(egress, live.first.batch_of(slabs));
  second.settle();
  CHECK(second.head(egress) == before + 1);
  CHECK(second.bad_work(egress) == 1);
  abi::Batch batch = live.first.batch_of(slabs);
  batch.epoch = second_epoch;
  second.post(egress, batch);
  second.settle();
  CHECK(second.bad_work(egress) >= 2);
  for (std::size_t i = 0; i < 2; ++i) CHECK(live.first.result(slabs, i).completion.epoch != second_epoch);
  // 3. Its commands, in the second's ring: skipped, and the SA is not there.
  std::uint32_t put = 0;
  for (const abi::Command& one : list.commands()) {
    second.put(one);
    live.memory.as<abi::Command>(second.command_ring() + put++ * sizeof(abi::Command)).epoch = first_epoch;
  }
  second.ring();
  second.settle();
  CHECK(second.responses().empty());
  CHECK(second.reg(abi::reg::bad_commands) == put);
  const JobIn job = LiveCard::job(kinds[0], test::sized_packet(Family::ipv4, 100), {9, 9});
  CHECK(second.work(egress, {job})[0].completion.verdict == code(Verdict::stale_sa));
}

}  // namespace linecrypt::firmware_test
