// Installs, changes and removals through the command ring.
#include <chrono>

#include "driver/card/records/key_expansion.hpp"
#include "tests/driver/card/engine/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::card_test;
using namespace linecrypt::test;

TEST_CASE("Installs share transfers and doorbells, and leave no key in the host's memory") {
  CardRig rig(quick_options(), 48);
  for (std::uint32_t i = 0; i < 48; ++i) rig.install(esp_sa(Direction::egress));
  Event some[4];
  for (int i = 0; i < 100; ++i) rig.engine().events(some);
  CHECK(rig.card().command_doorbells < 24);
  for (int i = 0; i < 2000 && rig.card().installed() != 48; ++i) {
    rig.engine().events(some);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(rig.card().installed() == 48);
  CHECK_FALSE(rig.card().host_memory_holds(test_key(32)));
}

namespace {

// What stands in xmm0 to xmm15 of this thread.
struct VectorRegisters {
  alignas(16) std::uint8_t bytes[16][16];
};
#define LINECRYPT_STORE(n) "movdqu %%xmm" #n ", 16*" #n "(%0)\n\t"
[[gnu::always_inline]] inline void store(VectorRegisters& registers) {
  asm volatile(LINECRYPT_STORE(0) LINECRYPT_STORE(1) LINECRYPT_STORE(2) LINECRYPT_STORE(3) LINECRYPT_STORE(4)
                   LINECRYPT_STORE(5) LINECRYPT_STORE(6) LINECRYPT_STORE(7) LINECRYPT_STORE(8) LINECRYPT_STORE(9)
                       LINECRYPT_STORE(10) LINECRYPT_STORE(11) LINECRYPT_STORE(12) LINECRYPT_STORE(13)
                           LINECRYPT_STORE(14) LINECRYPT_STORE(15)
               :
               : "r"(&registers)
               : "memory");
}
#undef LINECRYPT_STORE

// How many of them hold a piece of `entry`, whichever way round.
std::size_t pieces(const VectorRegisters& registers, const abi::KeyEntry& entry) {
  std::size_t found = 0;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&entry);
  for (const auto& one : registers.bytes) {
    Bytes straight(one, one + 16);
    if (straight == Bytes(16)) continue;
    const Bytes turned(straight.rbegin(), straight.rend());
    for (std::size_t at = 0; at + 16 <= offsetof(abi::KeyEntry, salt); at += 16)
      found += std::equal(straight.begin(), straight.end(), bytes + at) ||
                       std::equal(turned.begin(), turned.end(), bytes + at)
                   ? 1
                   : 0;
  }
  return found;
}

}  // namespace

TEST_CASE("An install leaves no piece of a key in the vector registers") {
  abi::KeyEntry entry{};
  card::expand_key(test_key(32), entry);
  // One that is there is seen.
  VectorRegisters behind{};
  asm volatile("movdqu %0, %%xmm9" : : "m"(entry.round_key[3]) : "xmm9");
  store(behind);
  REQUIRE(pieces(behind, entry) != 0);

  CardRig rig;
  const EspSa sa = esp_sa(Direction::egress);
  const Sa installed(sa.duplicate());
  behind = {};
  const auto done = rig.engine().install({0, 1}, installed, {1, 100}, 0);
  store(behind);
  REQUIRE(done.ok());
  CHECK(pieces(behind, entry) == 0);
}

TEST_CASE("The card's view of an SA is the host's") {
  CardRig rig;
  const SaId out = rig.install(esp_sa(Direction::egress), {10, 100});
  for (int i = 0; i < 5; ++i) {
    Frame frame(clear_frame());
    REQUIRE(rig.run(frame.with(out, Operation::esp_encapsulate)) == Verdict::ok);
  }
  auto card = rig.engine().read_back(out);
  auto host = rig.engine().read(out);
  REQUIRE(card.ok());
  REQUIRE(host.ok());
  CHECK(card->next_number == 15);
  CHECK(host->next_number == 15);
  CHECK(card->lease_end == host->lease_end);
}

TEST_CASE("A peer that moves takes numbers, lease and lifetimes along") {
  CardRig rig;
  EspSa sa = esp_sa(Direction::egress);
  sa.udp = UdpEncapsulation{};
  sa.lifetime.hard.packets = 8;
  const SaId out = rig.install(std::move(sa), {1, 5});
  REQUIRE(rig.engine().update(out, GrantLease{{5, 100}}).ok());
  IpAddress there;
  there.bytes = {198, 51, 100, 7};
  for (std::uint64_t i = 1; i <= 8; ++i) {
    REQUIRE(rig.engine().update(out, SetPeer{there, static_cast<std::uint16_t>(4500 + i)}).ok());
    Frame frame(clear_frame());
    REQUIRE(rig.run(frame.with(out, Operation::esp_encapsulate)) == Verdict::ok);
    CHECK(frame.job.number == i);
    CHECK(wire::load16(frame.packet.data + 14 + 22) == 4500 + i);
  }
  Frame frame(clear_frame());
  CHECK(rig.run(frame.with(out, Operation::esp_encapsulate)) == Verdict::hard_expired);
}

TEST_CASE("A window that comes from another engine keeps what is fresh fresh and what was seen seen") {
  CardRig rig;
  const SaId out = rig.install(esp_sa(Direction::egress));
  std::vector<Bytes> sealed;
  for (int i = 0; i < 10; ++i) {
    Frame frame(clear_frame());
    REQUIRE(rig.run(frame.with(out, Operation::esp_encapsulate)) == Verdict::ok);
    sealed.push_back(frame.bytes());
  }
  const std::uint32_t size = esp_sa(Direction::ingress).replay_window;
  std::vector<std::uint64_t> words(ReplayWindow::words_for(size));
  ReplayWindow window;
  window.attach(words.data(), size);
  for (const std::uint64_t number : {1, 2, 4, 8}) window.accept(number);
  const SaId in = rig.install(esp_sa(Direction::ingress), {}, 8);
  REQUIRE(rig.engine().update(in, RestoreWindow{&window}).ok());
  for (std::uint64_t number = 1; number <= 10; ++number) {
    Frame frame(sealed[number - 1]);
    const bool seen = number == 1 || number == 2 || number == 4 || number == 8;
    CHECK(rig.run(frame.with(in, Operation::esp_decapsulate)) == (seen ? Verdict::replay_duplicate : Verdict::ok));
  }
}

TEST_CASE("Entries of an earlier session are nothing to the card, and a closed card holds no SA") {
  CardRig rig;
  rig.install(esp_sa(Direction::egress));
  rig.engine().close();
  CHECK(rig.card().installed() == 0);
  CHECK(rig.card().register_value(abi::reg::epoch) == 0);
  CHECK(rig.engine().open(rig.setup()).ok());
}
