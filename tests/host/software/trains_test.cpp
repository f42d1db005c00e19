// A burst by trains of one SA: whatever stands behind what, each job ends as if it had been alone.
#include <catch2/catch.hpp>
#include <random>

#include "linecrypt/wire/ipv4.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// The software engine's, alone and under the delaying one, which cuts bursts where it likes.
const std::vector<EngineKind>& software_kinds() {
  static const auto kinds = [] {
    std::vector<EngineKind> list;
    for (const EngineKind& kind : engine_kinds())
      if (!kind.card) list.push_back(kind);
    return list;
  }();
  return kinds;
}

// SAs of every shape that the loops over packets know, by their places: first the egress ones, then their ingress
// halves in the same order.
constexpr std::size_t pairs = 8;
constexpr std::size_t limited = 5;  // ESP with a hard limit, ingress only
constexpr std::size_t leased = 6;   // MACsec with a lease that ends
constexpr std::size_t second = 7;   // MACsec, for second stages only

EspSa esp(std::size_t which, Direction direction) {
  EspSa sa = esp_sa(direction);
  sa.spi = 0x1000 + static_cast<std::uint32_t>(which);
  sa.replay_window = 256;
  if (which == 1 && direction == Direction::egress) sa.tfc_pad_to = 200;
  if (which == 2) sa.udp = UdpEncapsulation{};
  if (which == 2) sa.esn = false;
  if (which == limited && direction == Direction::ingress) sa.lifetime.hard.packets = 150;
  return sa;
}

Sa sa_at(std::size_t which, Direction direction) {
  if (which < 3 || which == limited) return esp(which, direction);
  MacsecSa sa = macsec_sa(direction, which == 3 ? CipherSuite::gcm_aes_128 : CipherSuite::gcm_aes_xpn_256);
  sa.secy.duplicate_bitmap = 256;
  sa.secy.replay_window = 256;
  sa.secy.replay_protect = true;
  if (which == 4) sa.secy.clear_tags = {{0x8100, 5}};
  sa.sci.address.bytes[5] = static_cast<std::uint8_t>(which);
  return sa;
}

Operation operation_of(std::size_t which, Direction direction) {
  const bool out = direction == Direction::egress;
  if (which < 3 || which == limited) return out ? Operation::esp_encapsulate : Operation::esp_decapsulate;
  return out ? Operation::macsec_protect : Operation::macsec_validate;
}

std::vector<SaId> install_all(Rig& rig) {
  std::vector<SaId> ids;
  for (const Direction direction : {Direction::egress, Direction::ingress})
    for (std::size_t i = 0; i < pairs; ++i)
      ids.push_back(rig.install(sa_at(i, direction), i == leased ? Lease{1, 120} : Lease{1, 1'000'000}));
  return ids;
}

Bytes tagged(Bytes frame) {
  const Bytes tag = {0x81, 0x00, 0x00, 0x05};
  frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  return frame;
}

// Clear frames of every kind: common ones, tagged ones, IPv4 with options, broken ones.
Bytes some_frame(std::mt19937_64& random) {
  Bytes frame = clear_frame(random() % 300);
  switch (random() % 10) {
    case 0:
    case 1:
      return tagged(std::move(frame));
    case 2: {
      const Bytes options(8, 1);
      frame.insert(frame.begin() + 34, options.begin(), options.end());
      frame[14] = 0x47;
      wire::store16(&frame[16], static_cast<std::uint16_t>(frame.size() - 14));
      wire::ipv4_set_checksum(&frame[14], 28);
      break;
    }
    case 3:
      frame[15] = static_cast<std::uint8_t>(random());  // TOS, and a wrong checksum
      if (random() % 2 == 0) wire::ipv4_set_checksum(&frame[14], 20);
      break;
    case 4:
      frame.resize(random() % frame.size());
      break;
    default:
      break;
  }
  return frame;
}

std::uint16_t l2_length_of(const Bytes& frame) {
  return frame.size() > 14 && frame[12] == 0x81 ? 18 : 14;
}

}  // namespace

TEST_CASE("Jobs of a burst end as each of them would alone, whatever stands behind what") {
  if (software_kinds().empty()) return;  // only the card is asked for
  const EngineKind& kind = software_kinds()[GENERATE(range(std::size_t{0}, software_kinds().size()))];
  Rig burst(kind, 2 * pairs);
  Rig alone(kind, 2 * pairs);
  Rig maker({"openssl", software::ProviderChoice::openssl, false}, 2 * pairs);  // of what ingress gets
  const auto ids = install_all(burst);
  REQUIRE(install_all(alone) == ids);
  REQUIRE(install_all(maker) == ids);
  std::mt19937_64 random(5);
  const auto one_in = [&](std::uint64_t n) { return random() % n == 0; };
  std::vector<Bytes> earlier(pairs);  // of each ingress SA, a packet of a burst before
  std::uint64_t ended[verdict_count] = {};

  const int rounds = long_form() ? 3'000 : 150;
  for (int round = 0; round < rounds; ++round) {
    // 1. A burst, twice, and mostly of the SA that the job before it has.
    std::vector<std::unique_ptr<Frame>> frames[2];
    std::vector<std::pair<std::size_t, Bytes>> now;
    std::size_t which = random() % second;
    Direction direction = Direction::egress;
    const std::size_t length = 1 + random() % 64;
    for (std::size_t i = 0; i < length; ++i) {
      if (one_in(4)) {
        which = random() % second;
        direction = one_in(2) ? Direction::egress : Direction::ingress;
      }
      const bool out = direction == Direction::egress;
      Bytes bytes = some_frame(random);
      if (!out) {
        Frame made(which == 4 ? tagged(clear_frame(random() % 300)) : clear_frame(random() % 300));
        maker.run(made.with(ids[which], operation_of(which, Direction::egress)));
        bytes = made.bytes();
        // What is forged or repeated may end otherwise in the burst in which its SA comes to the hard limit: which of
        // two reasons is found first.
        if (which != limited) {
          if (one_in(20)) bytes[bytes.size() - 1 - random() % 40] ^= 4;
          // Of an earlier burst: of two copies in one the first look at the window takes both.
          if (one_in(20) && !earlier[which].empty()) bytes = earlier[which];
          now.emplace_back(which, bytes);
        }
      }
      SaId id = ids[which + (out ? 0 : pairs)];
      if (one_in(50)) ++id.generation;
      const Operation operation = one_in(50) ? static_cast<Operation>(random() % 6) : operation_of(which, direction);
      const bool goes_on = operation == Operation::esp_encapsulate && one_in(9);
      for (auto& list : frames) {
        list.push_back(std::make_unique<Frame>(bytes));
        Job* const job = list.back()->with(id, operation);
        if (operation == Operation::esp_encapsulate) job->l2_length = l2_length_of(bytes);
        if (goes_on) job->stages[1] = {ids[second], Operation::macsec_protect};
      }
    }
    // 2. Together, and one by one.
    std::vector<Job*> jobs;
    for (const auto& frame : frames[0]) jobs.push_back(&frame->job);
    burst.run(jobs);
    for (const auto& frame : frames[1]) alone.run(&frame->job);
    // 3. The same.
    for (std::size_t i = 0; i < length; ++i) {
      const Job& one = frames[0][i]->job;
      const Job& other = frames[1][i]->job;
      INFO("round " << round << ", job " << i << " of " << length << ", operation "
                    << static_cast<int>(one.stages[0].operation));
      REQUIRE(one.verdict == other.verdict);
      REQUIRE(one.verdict_stage == other.verdict_stage);
      ++ended[static_cast<std::size_t>(one.verdict)];
      if (is_drop(one.verdict)) continue;
      REQUIRE(one.number == other.number);
      REQUIRE(frames[0][i]->bytes() == frames[1][i]->bytes());
    }
    for (const SaId id : ids) {
      const SaSlot& one = burst.slot(id);
      const SaSlot& other = alone.slot(id);
      INFO("round " << round << ", SA " << id.index);
      REQUIRE(one.next_number.load() == other.next_number.load());
      REQUIRE(one.window.top() == other.window.top());
      REQUIRE(one.expired.load() == other.expired.load());
      REQUIRE(one.counters.packets.get() == other.counters.packets.get());
      REQUIRE(one.counters.bytes.get() == other.counters.bytes.get());
      REQUIRE(one.counters.exhausted.get() == other.counters.exhausted.get());
      REQUIRE(one.counters.bad_icv.get() == other.counters.bad_icv.get());
      REQUIRE(one.counters.duplicate.get() == other.counters.duplicate.get());
      REQUIRE(one.counters.late.get() == other.counters.late.get());
      REQUIRE(one.counters.malformed.get() == other.counters.malformed.get());
    }
    REQUIRE(burst.events() == alone.events());
    for (auto& [at, bytes] : now) earlier[at] = std::move(bytes);
  }
  for (const Verdict verdict :
       {Verdict::ok, Verdict::stale_sa, Verdict::wrong_operation, Verdict::malformed_ip, Verdict::esp_bad_icv,
        Verdict::replay_duplicate, Verdict::macsec_not_valid, Verdict::hard_expired, Verdict::lease_exhausted}) {
    INFO(name(verdict));
    CHECK(ended[static_cast<std::size_t>(verdict)] != 0);
  }
}
