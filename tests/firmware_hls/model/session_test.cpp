// What a reset leaves of the session before it: nothing (DESIGN 4, "Opening assumes nothing").
#include "driver/card/records/commands.hpp"
#include "driver/card/records/hash_placement.hpp"
#include "firmware_hls/model/inline_card.hpp"
#include "tests/firmware_hls/esp/fixture.hpp"
#include "tests/firmware_hls/macsec/fixture.hpp"
#include "tests/firmware_hls/model/card_host.hpp"

namespace linecrypt::firmware_test {
namespace {

constexpr auto egress = abi::Direction::egress;
constexpr auto ingress = abi::Direction::ingress;

// Cards of a few SAs: a sweep of their tables takes a moment only.
constexpr std::uint32_t few = 64;
using Encapsulate = firmware::EspEncapsulate<few>;
using Decapsulate = firmware::EspDecapsulate<few>;
using Protect = firmware::MacsecProtect<few>;
using Validate = firmware::MacsecValidate<few>;
using firmware::Chain;
using firmware::Pass;

std::unique_ptr<firmware::ClockedCard> make_few(const firmware::MemoryHost& host, abi::CardMode mode, bool in_line) {
  using abi::CardMode;
  if (in_line) {
    if (mode == CardMode::esp) return firmware::make_inline_card<Encapsulate, Pass, Pass, Decapsulate>(host, mode, few);
    if (mode == CardMode::macsec) return firmware::make_inline_card<Pass, Protect, Validate, Pass>(host, mode, few);
    return firmware::make_inline_card<Encapsulate, Protect, Validate, Decapsulate>(host, mode, few);
  }
  if (mode == CardMode::esp)
    return firmware::make_card<Chain<Encapsulate, Pass>, Chain<Pass, Decapsulate>>(host, mode, few);
  if (mode == CardMode::macsec)
    return firmware::make_card<Chain<Pass, Protect>, Chain<Validate, Pass>>(host, mode, few);
  return firmware::make_card<Chain<Encapsulate, Protect>, Chain<Validate, Decapsulate>>(host, mode, few);
}

struct Session {
  explicit Session(abi::CardMode with = abi::CardMode::both, bool ports = false) : mode(with), in_line(ports) {}
  abi::CardMode mode;
  bool in_line;
  CardMemory memory;
  std::unique_ptr<firmware::ClockedCard> card = make_few(memory.host(), mode, in_line);
  CardHost host{memory, *card};
};

bool has_esp(abi::CardMode mode) {
  return mode != abi::CardMode::macsec;
}
bool has_macsec(abi::CardMode mode) {
  return mode != abi::CardMode::esp;
}

// Beats wait in a port's store until they are sent. A packet's sums of GHASH are gone at its end, and a new packet
// writes each before it reads it.
bool is_table(const firmware::ClockedMemory& memory) {
  return memory.holds() != typeid(Beat) && memory.holds() != typeid(ap_uint<128>);
}

std::size_t words_left(firmware::ClockedMemory& memory) {
  std::size_t left = 0;
  for (std::size_t i = 0; i < memory.words(); ++i) left += memory.is_zero(i) ? 0U : 1U;
  return left;
}

// Tables of `card` that hold something.
std::size_t tables_left(const firmware::ClockedCard& card) {
  std::size_t left = 0;
  for (firmware::ClockedMemory* const memory : card.clock().memories()) {
    if (!is_table(*memory) || words_left(*memory) == 0) continue;
    UNSCOPED_INFO(words_left(*memory) << " of " << memory->words() << " words of a table of "
                                      << memory->holds().name());
    ++left;
  }
  return left;
}

// An SA of each protocol and direction on a card, its packets' generation and place the same in each session.
constexpr SaId place{5, 77};
constexpr std::size_t count = 200;
constexpr std::uint32_t window = 256;

EspSa esp_sa(Direction direction) {
  EspSa sa = make_sa({}, direction);
  sa.replay_window = window;
  return sa;
}
MacsecSa macsec_sa(Direction direction) {
  MacsecSa sa = make_macsec({}, direction);
  sa.secy.replay_window = window;
  sa.secy.duplicate_bitmap = window;
  return sa;
}

struct Stage {
  abi::Operation out;
  abi::Operation in;
};
constexpr Stage esp_stage{abi::Operation::esp_encapsulate, abi::Operation::esp_decapsulate};
constexpr Stage macsec_stage{abi::Operation::macsec_protect, abi::Operation::macsec_validate};

JobIn job(abi::Operation operation, Bytes packet, std::uint16_t l2) {
  JobIn one;
  one.packet = std::move(packet);
  one.operation[0] = operation;
  one.stage[0] = {place.index, place.generation};
  one.l2 = l2;
  return one;
}

// `count` packets of the protocol's SA, protected by the card.
std::vector<Bytes> protect(Session& session, const Stage& stage) {
  std::vector<JobIn> jobs;
  const bool esp = stage.out == abi::Operation::esp_encapsulate;
  for (std::size_t i = 0; i < count; ++i)
    jobs.push_back(job(stage.out, esp ? test::sized_packet(Family::ipv4, 60) : clear_frame(60), esp ? 0 : 14));
  std::vector<Bytes> out;
  for (JobOut& one : session.host.work(egress, jobs)) {
    REQUIRE(one.completion.verdict == static_cast<std::uint8_t>(Verdict::ok));
    out.push_back(std::move(one.packet));
  }
  return out;
}

std::vector<Verdict> open(Session& session, const Stage& stage, const std::vector<Bytes>& packets) {
  std::vector<JobIn> jobs;
  for (const Bytes& packet : packets)
    jobs.push_back(job(stage.in, packet, stage.in == abi::Operation::esp_decapsulate ? 0 : 14));
  std::vector<Verdict> out;
  for (const JobOut& one : session.host.work(ingress, jobs))
    out.push_back(static_cast<Verdict>(one.completion.verdict));
  return out;
}

void install(Session& session, Direction direction) {
  const Lease lease{1, 1000};
  constexpr std::uint64_t ceiling = 1000;
  if (has_esp(session.mode))
    REQUIRE(session.host.install(card::install_commands(place, esp_sa(direction), lease, 0, ceiling)));
  if (has_macsec(session.mode))
    REQUIRE(session.host.install(card::install_commands(place, macsec_sa(direction), lease, 0, ceiling)));
}

}  // namespace

TEST_CASE("An SA at the place and of the generation of an earlier session's begins with an empty window") {
  const auto mode = GENERATE(abi::CardMode::esp, abi::CardMode::macsec, abi::CardMode::both);
  const bool in_line = GENERATE(false, true);
  INFO("mode " << static_cast<int>(mode) << (in_line ? ", in-line" : ", look-aside"));
  Session session(mode, in_line);
  session.host.open();
  install(session, Direction::egress);
  std::vector<Stage> stages;
  std::vector<std::vector<Bytes>> packets;
  if (has_esp(mode)) stages.push_back(esp_stage);
  if (has_macsec(mode)) stages.push_back(macsec_stage);
  for (const Stage& stage : stages) packets.push_back(protect(session, stage));

  // The first session has seen all of them. In the second the newest comes first: each other lies in the window then,
  // where a word of the first session would call it a duplicate.
  for (int i = 0; i < 2; ++i) {
    install(session, Direction::ingress);
    for (std::size_t s = 0; s < stages.size(); ++s) {
      for (const Verdict verdict : open(session, stages[s], packets[s])) REQUIRE(name(verdict) == "ok");
      for (const Verdict verdict : open(session, stages[s], packets[s])) REQUIRE(name(verdict) == "replay_duplicate");
      std::reverse(packets[s].begin(), packets[s].end());
    }
    session.host.reset();
    session.host.enable();
  }
}

TEST_CASE("A reset makes every word of every table zero, whatever was in it") {
  const auto mode = GENERATE(abi::CardMode::esp, abi::CardMode::macsec, abi::CardMode::both);
  const bool in_line = GENERATE(false, true);
  INFO("mode " << static_cast<int>(mode) << (in_line ? ", in-line" : ", look-aside"));
  Session session(mode, in_line);
  session.host.start();
  std::size_t tables = 0;
  for (firmware::ClockedMemory* const memory : session.card->clock().memories()) {
    if (!is_table(*memory)) continue;
    ++tables;
    memory->spoil();
    REQUIRE(words_left(*memory) == memory->words());
  }
  // Rows and generations of records, numbers and keys, the numbers' state, counts; on ingress buckets, windows and the
  // mirror's four as well.
  const std::size_t protocols = mode == abi::CardMode::both ? 2 : 1;
  REQUIRE(tables == protocols * (8 + 15) + (in_line ? 2U : 0U));
  session.host.reset();
  CHECK(tables_left(*session.card) == 0);
}

TEST_CASE("What a session's packets and SAs leave is gone behind a reset") {
  Session session;
  session.host.open();
  install(session, Direction::egress);
  const std::vector<Bytes> esp = protect(session, esp_stage);
  const std::vector<Bytes> macsec = protect(session, macsec_stage);
  install(session, Direction::ingress);
  open(session, esp_stage, esp);
  open(session, macsec_stage, macsec);
  card::HashPlacement spis(abi::Block::esp_decapsulate, few);
  session.host.run(spis.insert({esp_sa(Direction::ingress).spi, 0}, place).value());
  CHECK(tables_left(*session.card) > 40);
  session.host.reset();
  CHECK(tables_left(*session.card) == 0);
}

TEST_CASE("No sum of GHASH stays in the card when its packet is through, whatever its length") {
  Session session;
  session.host.open();
  install(session, Direction::egress);
  for (const std::size_t size : {20U, 64U, 200U, 500U, 700U, 1500U, 9000U}) {
    const Bytes packet = test::sized_packet(Family::ipv4, static_cast<std::uint32_t>(size));
    session.host.work(egress, {job(abi::Operation::esp_encapsulate, packet, 0)});
    std::size_t rings = 0;
    for (firmware::ClockedMemory* const memory : session.card->clock().memories()) {
      if (memory->holds() != typeid(ap_uint<128>)) continue;
      ++rings;
      INFO(size << " bytes");
      CHECK(words_left(*memory) == 0);
    }
    REQUIRE(rings == 4);
  }
}

// The processes themselves, their registers and what they hold on to; FIFOs have memory of their own.
TEST_CASE("No process keeps a key that it has used") {
  CardMemory memory;
  using Both = firmware::Card<Chain<Encapsulate, Protect>, Chain<Validate, Decapsulate>>;
  Both card(memory.host(), firmware::CardFacts{abi::CardMode::both, abi::feature::look_aside, few, 0});
  CardHost host(memory, card);
  host.open();
  const auto list = card::install_commands(place, esp_sa(Direction::egress), {1, 1000}, 0);
  REQUIRE(host.install(list));
  const JobIn one = job(abi::Operation::esp_encapsulate, test::sized_packet(Family::ipv4, 700), 0);
  REQUIRE(host.work(egress, {one})[0].completion.verdict == static_cast<std::uint8_t>(Verdict::ok));
  const auto* const begin = reinterpret_cast<const unsigned char*>(&card);
  const unsigned char* const end = begin + sizeof card;
  std::size_t looked_for = 0;
  for (const abi::Command& command : list.commands()) {
    if (command.table != abi::Table::key) continue;
    for (const std::uint8_t* part = command.payload; part != command.payload + sizeof command.payload; part += 16) {
      if (std::all_of(part, part + 16, [](std::uint8_t byte) { return byte == 0; })) continue;
      ++looked_for;
      INFO("word " << static_cast<int>(command.word) << ", byte " << part - command.payload);
      CHECK(std::search(begin, end, part, part + 16) == end);
    }
  }
  CHECK(looked_for >= 27);
}

}  // namespace linecrypt::firmware_test
