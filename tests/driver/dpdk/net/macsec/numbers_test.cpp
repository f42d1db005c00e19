// A PN is an IV: none comes twice under a key.
#include <catch2/catch.hpp>
#include <set>

#include "tests/driver/dpdk/net/macsec/rig.hpp"

using namespace linecrypt::test;

namespace {

std::uint32_t pn_of(const Bytes& frame) {
  std::uint32_t pn = 0;
  for (std::size_t i = 16; i < 20; ++i) pn = pn << 8U | frame[i];
  return pn;
}

}  // namespace

TEST_CASE("No PN comes twice under a key: not in an SA, not in the next one, not on two queues") {
  Port port("", 2);
  Port other("", 1, Port::Engine::software);
  FlowOptions options;
  // No other test knows it.
  options.sas = {{.key = from_hex("5ec0de5ec0de5ec0de5ec0de5ec0de01"), .pn = 1}};
  SealOptions sealed;
  sealed.key = options.sas[0].key;
  std::set<std::uint32_t> numbers;
  std::size_t frames = 0;
  const auto send = [&](Port& by, std::uint32_t queue) {
    const std::vector<Bytes> clear(40, clear_frame());
    const auto wire = by.transmit(clear, {}, queue);
    REQUIRE(wire.size() == clear.size());
    for (const Came& one : wire) {
      sealed.pn = pn_of(one.bytes);
      CHECK(one.bytes == seal(clear_frame(), sealed));
      CHECK(numbers.insert(pn_of(one.bytes)).second);
      ++frames;
    }
  };
  for (int session = 0; session < 3; ++session) {
    const Flow flow(port, tx, options);
    send(port, 0);
    send(port, 1);
    send(port, 0);
    CHECK(flow.sc_stats().pkt_encrypt_cnt == 120);
  }
  {
    const Flow flow(other, tx, options);
    send(other, 0);
  }
  CHECK(numbers.size() == frames);
}

TEST_CASE("More frames than a lease has numbers: none is lost and none is sent twice") {
  Port port;
  FlowOptions options;
  options.sas = {{.key = key_of(16), .pn = 1}};
  options.encrypt = false;
  const Flow flow(port, tx, options);
  // A lease of a 32-bit space has 65536.
  const std::vector<Bytes> clear(400, clear_frame(50));
  constexpr std::uint64_t bursts = 200;
  std::uint32_t next = 1;
  for (std::uint64_t burst = 0; burst < bursts; ++burst) {
    const auto wire = port.transmit(clear);
    REQUIRE(wire.size() == clear.size());
    for (const Came& one : wire) {
      // In order, and without a gap.
      if (pn_of(one.bytes) != next) FAIL("PN " << pn_of(one.bytes) << " where " << next << " was due");
      ++next;
    }
  }
  CHECK(flow.sc_stats().pkt_protected_cnt == bursts * clear.size());
}
