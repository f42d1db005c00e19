// Queue: the memory rings between one worker and the two transfer threads.
#pragma once

#include <array>
#include <cstdint>

#include "driver/card/engine/spsc_ring.hpp"
#include "linecrypt/abi/registers.hpp"

namespace linecrypt::card {

struct QueueLane {
  explicit QueueLane(std::uint32_t capacity) : to_card(capacity), done(capacity) {}
  SpscRing to_card;
  SpscRing done;
  // Worker's: jobs that are in. Never more than the capacity, so `done` is never full and no transfer thread waits.
  std::uint32_t inside = 0;
};

struct Queue {
  explicit Queue(std::uint32_t capacity) : capacity_of_lane(capacity), lane{QueueLane(capacity), QueueLane(capacity)} {}
  std::uint32_t capacity_of_lane;
  std::array<QueueLane, abi::directions> lane;
};

}  // namespace linecrypt::card
