// Waiting: a test that waits for an engine gives up when nothing has come for a minute, never by a count of turns: on a
// busy machine many turns go by before another thread has had one.
#pragma once

#include <chrono>
#include <thread>

namespace linecrypt::test {

class Waiting {
 public:
  // Behind each turn. False: it is time to give up.
  [[nodiscard]] bool turn(bool came) {
    if (came) {
      turns_ = 0;
      return true;
    }
    // First only the processor is left to others; who waits longer sleeps, for it is others' work that is waited for.
    if (++turns_ < turns_of_yield)
      std::this_thread::yield();
    else if (turns_ == turns_of_yield)
      began_ = Clock::now();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    return turns_ < turns_of_yield || Clock::now() - began_ < std::chrono::minutes(1);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr unsigned turns_of_yield = 1000;
  unsigned turns_ = 0;
  Clock::time_point began_{};
};

}  // namespace linecrypt::test
