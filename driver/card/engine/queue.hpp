// Queue: the memory rings between one worker and the two transfer threads.
#pragma once

#include <array>
#include <cstdint>

#include "driver/card/engine/spsc_ring.hpp"
#include "linecrypt/abi/registers.hpp"
#include "linecrypt/packet.hpp"

namespace linecrypt::card {

// A job that ended. The worker writes the verdict into the job when it takes it out: until then the job is pending to
// whoever looks, so nobody takes it for one that submit() has finished.
struct Done {
  Job* job = nullptr;
  Verdict verdict = Verdict::pending;
};

struct QueueLane {
  explicit QueueLane(std::uint32_t capacity) : to_card(capacity), done(capacity) {}
  SpscRing<Job*> to_card;
  SpscRing<Done> done;
  // Worker's: jobs that are in. Never more than the capacity, so `done` is never full and no transfer thread waits.
  std::uint32_t inside = 0;
};

struct Queue {
  explicit Queue(std::uint32_t capacity) : capacity_of_lane(capacity), lane{QueueLane(capacity), QueueLane(capacity)} {}
  std::uint32_t capacity_of_lane;
  std::array<QueueLane, abi::directions> lane;
};

}  // namespace linecrypt::card
