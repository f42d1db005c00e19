// Prefetching of a burst's SAs. With many of them each packet finds slot, context and key in memory far away, and each
// of the three says where the next one is: one after the other for every packet that would be three waits. So a burst
// takes each step for all its packets before the next.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "host/software/sa_head.hpp"
#include "host/software/train.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::software {

// All SAs of a table with fewer slots stay in a core's second-level cache: asking for them costs more than it saves.
inline constexpr std::size_t slots_worth_prefetching = 512;
inline constexpr std::size_t cache_line = 64;

// The first line of the slots of a burst's first stages. True: they are of several SAs.
inline bool prefetch_first_slots(std::span<Job* const> jobs, std::span<SaSlot> slots) noexcept {
  std::uint32_t lowest = ~std::uint32_t{0};
  std::uint32_t highest = 0;
  for (const Job* job : jobs) {
    // No access, only an address: an index beyond the table is refused later.
    const std::uint32_t index = job->stages[0].sa.index;
    __builtin_prefetch(slots.data() + index, 1);
    lowest = std::min(lowest, index);
    highest = std::max(highest, index);
  }
  return lowest < highest;
}

// The same for a later stage.
inline void prefetch_slots(const Queue& queue, std::uint8_t stage, std::span<SaSlot> slots) noexcept {
  // No access, only an address: an index beyond the table is refused later.
  for (std::uint32_t i = 0; i < queue.count; ++i)
    __builtin_prefetch(slots.data() + queue.job[i]->stages[stage].sa.index, 1);
}

// Brings what packets touch of their SAs towards the cache, once their slots are on their way. `key_size`: of the
// provider's key contexts, AeadProvider::prefetch_size().
//
// 1. Of slots that still hold the SA named: the context's first line; for egress the line with the numbers, for ingress
//    the word of the window that the next number falls into. A slot that holds another SA is left alone: its context
//    may be anything. Packets of one SA behind each other cost it once.
// 2. The keys.
inline void prefetch_sas(const Queue& queue, std::uint8_t stage, std::span<SaSlot> slots,
                         std::size_t key_size) noexcept {
  std::array<const ContextHead*, burst_largest> heads{};
  std::size_t live = 0;
  // 1.
  SaId last{};
  for (std::uint32_t i = 0; i < queue.count; ++i) {
    const SaId id = queue.job[i]->stages[stage].sa;
    if (id == last || id.index >= slots.size() || !id.valid()) continue;
    last = id;
    SaSlot& slot = slots[id.index];
    if (slot.generation.load(std::memory_order_acquire) != id.generation) continue;
    const void* const context = std::atomic_ref<void*>(slot.context).load(std::memory_order_acquire);
    heads[live] = static_cast<const ContextHead*>(context);
    __builtin_prefetch(heads[live++]);
    const void* const numbers =
        slot.direction == Direction::egress ? static_cast<const void*>(&slot.next_number) : slot.window.next_word();
    __builtin_prefetch(numbers, 1);
  }
  // 2.
  if (key_size == 0) return;
  for (std::size_t i = 0; i < live; ++i) {
    const auto* const key = static_cast<const std::uint8_t*>(heads[i]->key);
    for (std::size_t at = 0; at < key_size; at += cache_line) __builtin_prefetch(key + at);
  }
}

}  // namespace linecrypt::software
