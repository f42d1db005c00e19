// Burst: takes up to max_burst jobs of one queue through their stages, with one call into the provider a stage and
// direction.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "host/software/aead/provider.hpp"
#include "host/software/train.hpp"
#include "host/values/events.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::software {

inline constexpr std::uint32_t packet_largest = 9728;

class Burst {
 public:
  // All outlive this.
  Burst(AeadProvider& provider, std::span<SaSlot> slots, EventFlags& flags)
      : provider_(&provider), key_prefetched_(provider.prefetch_size()), slots_(slots), events_(flags) {}

  // Worker of the queue. At most burst_largest jobs; each has its verdict afterwards.
  void run(std::span<Job* const> jobs) noexcept;

  // Control thread: see Events::take.
  [[nodiscard]] Events& events() noexcept { return events_; }

 private:
  // Takes the jobs of `queue` through a stage; those that go on to another are put into `further`.
  void run_stage(const Queue& queue, Queue& further, std::uint8_t place) noexcept;
  // The next train of the stage's queue as far as the provider's call, or the next job to its verdict.
  void begin(BurstStage& stage) noexcept;

  AeadProvider* provider_;
  std::size_t key_prefetched_;
  std::span<SaSlot> slots_;
  Events events_;
  Queue first_;  // jobs on their way through the first stage, and through the second
  Queue second_;
  std::array<Train, burst_largest> trains_;
  Train* next_train_ = trains_.data();
  Ops seal_;
  Ops open_;
};

}  // namespace linecrypt::software
