// Events: how a worker tells the control thread that something happened to an SA. Per queue; no lock, no loss.
//
// Each slot has one byte of flags, one bit a kind. Raising a kind sets its bit; the raise that finds the byte empty
// also puts the slot's index into its queue's ring. The control thread takes an index out, then takes all bits at once.
// So an index is in at most one ring, a ring as large as the slot array never overflows, and a burst of one kind for
// one SA is one event.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "linecrypt/engine.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt {

// The flag bytes of all slots, shared by the queues of one engine.
class EventFlags {
 public:
  explicit EventFlags(std::span<const SaSlot> slots)
      : slots_(slots), bits_(std::make_unique<std::atomic<std::uint8_t>[]>(slots.size())) {}

  [[nodiscard]] std::span<const SaSlot> slots() const noexcept { return slots_; }
  [[nodiscard]] std::atomic<std::uint8_t>& bits(std::uint32_t index) const noexcept { return bits_[index]; }
  [[nodiscard]] static constexpr std::uint8_t bit(EventKind kind) noexcept {
    return static_cast<std::uint8_t>(1U << static_cast<std::uint32_t>(kind));
  }

 private:
  std::span<const SaSlot> slots_;
  std::unique_ptr<std::atomic<std::uint8_t>[]> bits_;
};

class Events {
 public:
  // `flags` outlives this.
  explicit Events(EventFlags& flags)
      : flags_(&flags),
        size_(std::bit_ceil(flags.slots().size() + 1)),
        ring_(std::make_unique<std::uint32_t[]>(size_)) {}

  // Worker of the queue.
  void raise(const SaSlot& slot, EventKind kind) noexcept {
    const auto index = static_cast<std::uint32_t>(&slot - flags_->slots().data());
    std::atomic<std::uint8_t>& bits = flags_->bits(index);
    // 1. Told already and not taken yet: a flood of drops costs one load each.
    const std::uint8_t bit = EventFlags::bit(kind);
    if ((bits.load(std::memory_order_relaxed) & bit) != 0) return;
    // 2. The first bit of a slot also announces the slot.
    if (bits.fetch_or(bit, std::memory_order_acq_rel) != 0) return;
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    ring_[tail & (size_ - 1)] = index;
    tail_.store(tail + 1, std::memory_order_release);
  }

  // Control thread: the next slot with something to tell, and what, as bits of EventFlags::bit. False: nothing left.
  bool take(std::uint32_t& index, std::uint8_t& kinds) noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    index = ring_[head & (size_ - 1)];
    head_.store(head + 1, std::memory_order_release);
    kinds = flags_->bits(index).exchange(0, std::memory_order_acq_rel);
    return true;
  }

 private:
  EventFlags* flags_;
  std::size_t size_;
  std::unique_ptr<std::uint32_t[]> ring_;
  alignas(64) std::atomic<std::size_t> tail_{0};
  alignas(64) std::atomic<std::size_t> head_{0};
};

}  // namespace linecrypt
