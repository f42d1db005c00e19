// Many threads, each with its queues, over one port: sessions of their own and one together, while others come and go.
// Each thread has its own mbufs, for the pools' own synchronisation is DPDK's.
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/driver/dpdk/net/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

TEST_CASE("Many threads send and receive under one session each and one together, while others come and go",
          "[threads]") {
  start_eal();
  constexpr std::uint16_t threads = 3;
  const std::uint32_t rounds = device_is_slow() ? 5 : 40;
  constexpr std::uint32_t burst = 16;
  {
    const Port port("lower=loopback,queues=6,key_reuse=allow,reserved_spi=allow", threads, threads);
    const EspRule rule(port);
    // What goes out under a session comes back under its other half.
    std::vector<Esp> esps(threads + 1);
    std::vector<std::unique_ptr<Session>> out;
    std::vector<std::unique_ptr<Session>> in;
    for (std::uint32_t i = 0; i < esps.size(); ++i) {
      esps[i].key = fresh_key();
      esps[i].spi = 700 + i;
      esps[i].window = 4096;
      out.push_back(std::make_unique<Session>(port, esps[i], Way::out));
      in.push_back(std::make_unique<Session>(port, esps[i], Way::in));
      REQUIRE_FALSE(out.back()->none());
      REQUIRE_FALSE(in.back()->none());
    }
    const Bytes clear = packet({}, noise(100));
    const Bytes frame = frame_of(clear);
    std::vector<rte_mempool*> pools;
    for (std::uint16_t i = 0; i < threads; ++i)
      pools.push_back(rte_pktmbuf_pool_create(("own" + std::to_string(i)).c_str(), 255, 0, 0, 2048, 0));
    std::atomic<bool> failed{false};
    std::atomic<std::uint32_t> running{threads};
    std::atomic<std::uint64_t> good{0};
    // At half time the threads wait until control has done its part beside them, however late it gets the CPU.
    constexpr std::uint32_t least_sessions = 3;
    std::atomic<std::uint32_t> sessions{0};
    const auto work = [&](std::uint16_t queue) {
      for (std::uint32_t round = 0; round < rounds && !failed; ++round) {
        while (round == rounds / 2 && sessions < least_sessions && !failed) std::this_thread::yield();
        rte_mbuf* mbufs[burst];
        for (std::uint32_t i = 0; i < burst; ++i) {
          mbufs[i] = make_mbuf(pools[queue], frame, i % 5 == 0 ? 60 : 0);
          mbufs[i]->ol_flags |= RTE_MBUF_F_TX_SEC_OFFLOAD;
          mbufs[i]->l2_len = 14;
          const Session& session = i % 2 == 0 ? *out[threads] : *out[queue];
          rte_security_set_pkt_metadata(port.security(), session.get(), mbufs[i], nullptr);
        }
        std::uint32_t sent = 0;
        std::uint32_t got = 0;
        while (got < burst) {
          sent += rte_eth_tx_burst(port.id(), queue, mbufs + sent, static_cast<std::uint16_t>(burst - sent));
          rte_mbuf* back[burst];
          const std::uint16_t count = rte_eth_rx_burst(port.id(), queue, back, static_cast<std::uint16_t>(burst - got));
          for (std::uint16_t i = 0; i < count; ++i, ++got) {
            const std::uint64_t flags =
                back[i]->ol_flags & (RTE_MBUF_F_RX_SEC_OFFLOAD | RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED);
            const Session& session = got % 2 == 0 ? *in[threads] : *in[queue];
            if (flags != RTE_MBUF_F_RX_SEC_OFFLOAD || *rte_security_dynfield(back[i]) != session.userdata() ||
                bytes_of(back[i]) != frame)
              failed = true;
            else
              ++good;
            rte_pktmbuf_free(back[i]);
          }
        }
      }
      --running;
    };
    std::vector<std::thread> all;
    for (std::uint16_t i = 0; i < threads; ++i) all.emplace_back(work, i);
    // Control beside them.
    while (running != 0) {
      Esp esp;
      esp.key = fresh_key();
      esp.spi = 900;
      Session one(port, esp, Way::in);
      if (one.none() || one.stats().ipackets != 0 || one.destroy() != 0) failed = true;
      const EspRule more(port);
      (void)port.stats();
      ++sessions;
    }
    for (std::thread& one : all) one.join();
    CHECK_FALSE(failed);
    CHECK(sessions >= least_sessions);
    CHECK(good == std::uint64_t{threads} * rounds * burst);
    CHECK(out[threads]->stats().opackets == std::uint64_t{threads} * rounds * burst / 2);
    CHECK(in[threads]->stats().ierrors == 0);
    for (rte_mempool* const pool : pools) {
      CHECK(rte_mempool_in_use_count(pool) == 0);
      rte_mempool_free(pool);
    }
  }
  CHECK(frames_out() == 0);
}
