// Machine: what a figure depends on beside the program, as it is now.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt::bench {

// Name and value, in the order in which people read them: "CPU", "instructions", "clock", "governor", ...
using Facts = std::vector<std::pair<std::string, std::string>>;

class Machine {
 public:
  // Pins this thread to `core`; -1: the last core that it may run on, since interrupts prefer the first.
  static Result<Machine> pin(int core);

  [[nodiscard]] int core() const noexcept { return core_; }
  // The cores that it could have been pinned to.
  [[nodiscard]] const std::vector<int>& allowed() const noexcept { return allowed_; }
  // What stood at the beginning (pin()), and what stands now: load, steal.
  [[nodiscard]] Facts facts() const;

 private:
  struct Moment {
    std::string load;               // one, five, fifteen minutes
    std::uint64_t steal = 0;        // ticks that the hypervisor gave to others, of all cores
    std::uint64_t total = 0;        // ticks of all kinds
    std::int64_t pushed_aside = 0;  // how often this process lost its core to another one
  };
  [[nodiscard]] static Moment now();
  [[nodiscard]] std::string still_pinned() const;

  int core_ = 0;
  std::vector<int> allowed_;
  Moment before_;
};

// What this process holds in memory now, in bytes.
[[nodiscard]] std::uint64_t resident_bytes();

// The commit that this program was built from, "unknown" where it was not built in a git checkout; "-dirty" where the
// tree had changes.
[[nodiscard]] std::string commit();

}  // namespace linecrypt::bench
