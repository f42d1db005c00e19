// Events: how a worker tells the control thread that something happened to an SA. Per queue; no lock, no loss.
//
// Each slot has one byte of flags, one bit a kind. Raising a kind sets its bit; the raise that finds the byte empty
// also puts the slot onto its queue's list, through a link that the slot has. The control thread takes the whole list,
// then slot by slot all bits at once. So a slot is on at most one list, its one link is enough for all queues, and a
// burst of one kind for one SA is one event.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "linecrypt/engine.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt {

// The flags and links of all slots, shared by the queues of one engine.
class EventFlags {
 public:
  static constexpr std::uint32_t none = 0xffffffffU;
  static constexpr std::size_t bytes_per_slot = sizeof(std::uint8_t) + sizeof(std::uint32_t);

  explicit EventFlags(std::span<const SaSlot> slots)
      : slots_(slots),
        bits_(std::make_unique<std::atomic<std::uint8_t>[]>(slots.size())),
        links_(std::make_unique<std::atomic<std::uint32_t>[]>(slots.size())) {}

  [[nodiscard]] std::span<const SaSlot> slots() const noexcept { return slots_; }
  [[nodiscard]] std::atomic<std::uint8_t>& bits(std::uint32_t index) const noexcept { return bits_[index]; }
  // The slot behind this one on its list, or none.
  [[nodiscard]] std::atomic<std::uint32_t>& link(std::uint32_t index) const noexcept { return links_[index]; }
  [[nodiscard]] static constexpr std::uint8_t bit(EventKind kind) noexcept {
    return static_cast<std::uint8_t>(1U << static_cast<std::uint32_t>(kind));
  }

 private:
  std::span<const SaSlot> slots_;
  std::unique_ptr<std::atomic<std::uint8_t>[]> bits_;
  std::unique_ptr<std::atomic<std::uint32_t>[]> links_;
};

class Events {
 public:
  // `flags` outlives this.
  explicit Events(EventFlags& flags) : flags_(&flags) {}

  // Worker of the queue. Out of line: nearly all packets go past it.
  [[gnu::noinline]] void raise(const SaSlot& slot, EventKind kind) noexcept {
    const auto index = static_cast<std::uint32_t>(&slot - flags_->slots().data());
    std::atomic<std::uint8_t>& bits = flags_->bits(index);
    // 1. Told already and not taken yet: a flood of drops costs one load each.
    const std::uint8_t bit = EventFlags::bit(kind);
    if ((bits.load(std::memory_order_relaxed) & bit) != 0) return;
    // 2. The first bit of a slot also announces the slot. The control thread takes all there is, never one of many, so
    // the list's head cannot come back unseen.
    if (bits.fetch_or(bit, std::memory_order_acq_rel) != 0) return;
    std::uint32_t head = raised_.load(std::memory_order_relaxed);
    do {
      flags_->link(index).store(head, std::memory_order_relaxed);
    } while (!raised_.compare_exchange_weak(head, index, std::memory_order_release, std::memory_order_relaxed));
  }

  // Control thread: the next slot with something to tell, and what, as bits of EventFlags::bit. False: nothing left.
  // Slots raised together come in the order of their raising.
  bool take(std::uint32_t& index, std::uint8_t& kinds) noexcept {
    if (taken_ == EventFlags::none && !take_list()) return false;
    index = taken_;
    // From the exchange on a worker may use the link again.
    taken_ = flags_->link(index).load(std::memory_order_relaxed);
    kinds = flags_->bits(index).exchange(0, std::memory_order_acq_rel);
    return true;
  }

 private:
  // The worker's list is last in, first out: turned round here.
  bool take_list() noexcept {
    if (raised_.load(std::memory_order_relaxed) == EventFlags::none) return false;
    std::uint32_t at = raised_.exchange(EventFlags::none, std::memory_order_acquire);
    while (at != EventFlags::none) {
      const std::uint32_t next = flags_->link(at).load(std::memory_order_relaxed);
      flags_->link(at).store(taken_, std::memory_order_relaxed);
      taken_ = at;
      at = next;
    }
    return true;
  }

  EventFlags* flags_;
  alignas(64) std::atomic<std::uint32_t> raised_{EventFlags::none};
  alignas(64) std::uint32_t taken_ = EventFlags::none;  // control thread's
};

}  // namespace linecrypt
