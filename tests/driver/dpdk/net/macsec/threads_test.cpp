// Many threads at once. (Not through the ethdev: its loop has one sender a queue.)
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/driver/dpdk/net/macsec/rig.hpp"

using namespace linecrypt::test;

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
