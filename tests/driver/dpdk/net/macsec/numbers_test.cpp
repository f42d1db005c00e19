// A PN is an IV: none comes twice under a key. And many threads at once.
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <set>
#include <thread>

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
  const std::uint64_t bursts = ports_are_slow() ? 200 : 500;
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

TEST_CASE("Workers send and receive while sessions, rules and keys come and go", "[threads]") {
  Port port("key_reuse=allow", 3);
  FlowOptions options;
  options.sas = {{.key = key_of(16), .pn = 1}};
  SealOptions sealed;
  sealed.key = key_of(16);
  std::vector<Bytes> secured;
  for (sealed.pn = 1; sealed.pn <= 32; ++sealed.pn) secured.push_back(seal(clear_frame(), sealed));
  const std::vector<Bytes> clear(32, clear_frame());
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> workers;
  for (std::uint32_t queue = 0; queue < 2; ++queue)
    workers.emplace_back([&, queue] {
      while (!stop) {
        for (const Came& one : port.transmit(clear, {}, queue)) {
          ++sent;
          if (shows(one.bytes, clear_frame())) ++wrong;
        }
      }
    });
  workers.emplace_back([&] {
    while (!stop) {
      for (const Came& one : port.receive(secured, {}, 2)) {
        if (!one.secured() || one.failed()) continue;
        ++accepted;
        if (one.bytes != clear_frame()) ++wrong;
      }
    }
  });
  std::uint64_t rounds = 0;
  const auto began = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - began < std::chrono::seconds(3) || sent < 1000 || accepted < 1000) {
    const Flow out(port, tx, options);
    Flow in(port, rx, options);
    for (int i = 0; i < 5; ++i) {
      in.replace_rule(nullptr, static_cast<std::uint32_t>(i));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      REQUIRE(port.destroy_sa(in.sa(0)) == 0);
      REQUIRE(port.create_sa(sa_conf(rx, options.sas[0])) == in.sa(0));
      CHECK(out.stats().pkt_toolong_cnt == 0);
      (void)in.stats();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ++rounds;
  }
  stop = true;
  for (std::thread& worker : workers) worker.join();
  CHECK(wrong == 0);
  CHECK(rounds > 3);
}
