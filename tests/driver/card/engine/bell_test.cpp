// The bell between workers and a transfer thread: no ring is lost. A bell that reads its word before the work is seen
// by others loses about three rings in a million on x86, so LINECRYPT_LONG=1 is what shows one: 3 million.
#include "driver/card/engine/bell.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "driver/card/engine/spsc_ring.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;

TEST_CASE("Work that is left at the very moment at which the sleeper lies down is always seen") {
  using SteadyClock = std::chrono::steady_clock;
  const std::uint32_t rounds = test::long_form() ? 3'000'000 : 10'000;
  card::Bell bell;
  card::SpscRing<std::uint32_t> work(64);
  card::SpscRing<std::uint32_t> done(64);
  std::atomic<bool> stop{false};
  std::thread sleeper([&] {
    while (!stop.load()) {
      while (const std::uint32_t* const one = work.front()) {
        (void)done.push(*one);
        work.pop();
      }
      bell.sleep([&] { return !work.empty() || stop.load(); });
    }
  });
  std::uint32_t lost = 0;
  for (std::uint32_t i = 0; i < rounds; ++i) {
    // Another moment each time.
    for (std::uint32_t pause = i * 7 % 400; pause != 0; --pause) std::atomic_signal_fence(std::memory_order_seq_cst);
    (void)work.push(i);
    bell.ring_if_asleep();
    auto began = SteadyClock::now();
    for (std::uint32_t turn = 1; done.front() == nullptr; ++turn) {
      if (turn % 1024 != 0) continue;
      std::this_thread::yield();
      // One that sleeps with work before it never wakes by itself.
      if (SteadyClock::now() - began < std::chrono::seconds(20)) continue;
      ++lost;
      bell.ring();
      began = SteadyClock::now();
    }
    done.pop();
  }
  stop = true;
  bell.ring();
  sleeper.join();
  CHECK(lost == 0);
}
