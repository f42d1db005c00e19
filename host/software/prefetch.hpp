// Prefetching of a burst's SAs. With many of them each packet finds slot, context and key in memory far away, and each
// of the three says where the next one is: one after the other for every packet that would be three waits. So a burst
// takes each step for all its packets before the next.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "host/software/burst.hpp"
#include "host/software/sa_head.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::software {

inline constexpr std::size_t cache_line = 64;

inline void prefetch_lines(const void* memory, std::size_t size) noexcept {
  const auto* const bytes = static_cast<const std::uint8_t*>(memory);
  for (std::size_t at = 0; at < size; at += cache_line) __builtin_prefetch(bytes + at);
}

// Brings what packets touch of their SAs towards the cache. Packets of one SA behind each other cost it once.
// `key_size`: of the provider's key contexts.
//
// 1. The slots: the line that both directions read, and for egress the one with the numbers.
// 2. Of those that still hold the SA named: the context's first line, and for ingress the word of the window that the
//    next number falls into. A slot that holds another SA is left alone: its context may be anything.
// 3. The keys.
inline void prefetch_sas(std::span<Job* const> jobs, std::uint8_t stage, std::span<SaSlot> slots,
                         std::size_t key_size) noexcept {
  std::array<SaSlot*, burst_largest> found;
  std::array<std::uint32_t, burst_largest> generations;
  std::size_t count = 0;
  // 1.
  SaId last{};
  for (const Job* job : jobs) {
    const Stage& asked = job->stages[stage];
    if (asked.operation == Operation::none || asked.sa == last || asked.sa.index >= slots.size()) continue;
    last = asked.sa;
    SaSlot& slot = slots[asked.sa.index];
    __builtin_prefetch(&slot, 1);
    if (asked.operation == Operation::esp_encapsulate || asked.operation == Operation::macsec_protect)
      __builtin_prefetch(&slot.next_number, 1);
    found[count] = &slot;
    generations[count++] = asked.sa.generation;
  }
  // One SA alone: its lines are in the cache behind the first packet.
  if (count < 2) return;
  // 2.
  std::array<const ContextHead*, burst_largest> heads;
  std::size_t live = 0;
  for (std::size_t i = 0; i < count; ++i) {
    SaSlot& slot = *found[i];
    if (slot.generation.load(std::memory_order_acquire) != generations[i] || generations[i] == 0) continue;
    const void* const context = std::atomic_ref<void*>(slot.context).load(std::memory_order_acquire);
    heads[live] = static_cast<const ContextHead*>(context);
    __builtin_prefetch(heads[live++]);
    if (slot.direction == Direction::ingress && slot.window.size() != 0) __builtin_prefetch(slot.window.next_word(), 1);
  }
  // 3.
  for (std::size_t i = 0; i < live; ++i) prefetch_lines(heads[i]->key, key_size);
}

}  // namespace linecrypt::software
