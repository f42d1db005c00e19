// DelayingEngine: wraps another engine, accepts partial bursts and completes late, in order per SA, so that nobody
// writes a gateway that only works with a synchronous engine. For tests.
#pragma once

#include <cstdint>
#include <memory>

#include "linecrypt/engine.hpp"

namespace linecrypt::engines {

struct DelayingOptions {
  std::uint64_t seed = 1;
  std::uint32_t most_accepted = 7;    // per submit: 0..most_accepted at random
  std::uint32_t most_polls_late = 5;  // a job comes out after 1..this many polls
  std::uint32_t capacity = 512;       // jobs held per queue
};

std::unique_ptr<Engine> make_delaying_engine(std::unique_ptr<Engine> inner, const DelayingOptions& options = {});

}  // namespace linecrypt::engines
