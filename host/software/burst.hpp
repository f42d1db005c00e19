// Burst: takes up to max_burst jobs of one queue through their stages, with one call into the provider a stage and
// direction.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "host/software/aead/provider.hpp"
#include "host/software/work.hpp"
#include "host/values/events.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::software {

inline constexpr std::uint32_t burst_largest = 64;
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
  // Ops of one direction, and whose they are.
  struct Ops {
    std::array<AeadOp, burst_largest> op;
    std::array<std::uint8_t, burst_largest> job{};
    std::uint32_t count = 0;
  };

  // Takes the jobs of `going`, one bit each, through a stage; returns those that go on to another.
  std::uint64_t run_stage(std::uint64_t going, std::uint8_t stage) noexcept;
  // Takes the first jobs of `going`, as many as ask for the operation, out of it and as far as the provider's call.
  template <Operation operation>
  std::uint64_t begin_all(std::uint64_t& going, std::uint8_t stage) noexcept;
  template <Operation operation>
  Verdict begin(Work& work, SaId sa, AeadOp& op) noexcept;
  std::uint64_t finish(Ops& ops, std::uint8_t stage) noexcept;

  AeadProvider* provider_;
  std::size_t key_prefetched_;
  std::span<SaSlot> slots_;
  Events events_;
  std::array<Work, burst_largest> works_{};
  Ops seal_;
  Ops open_;
};

}  // namespace linecrypt::software
