// The clocked model of a FIFO and of the pipeline that writes into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "firmware_hls/base/emulation/card_memory.hpp"
#include "firmware_hls/base/emulation/clock.hpp"

namespace linecrypt {
namespace firmware {

// `latency` >= 1 is the depth of the writing process's pipeline: an item written in cycle t can be read from t +
// latency on. Items on their way wait in that pipeline's registers (latency - 1 of them), `depth` more in the FIFO
// itself. Reading an empty stream and writing a full one are errors of the process and throw.
template <class T>
class Stream {
 public:
  explicit Stream(const Clock& clock, std::size_t depth = 2, unsigned latency = 1)
      : clock_(&clock),
        latency_(latency),
        depth_(clock.depth(depth)),
        slots_(depth_ + latency - (latency != 0 ? 1 : 0)) {
    if (latency == 0) throw std::logic_error("stream: latency 0; allowed: 1 or more");
    if (depth == 0) throw std::logic_error("stream: depth 0; allowed: 1 or more");
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() = default;

  bool empty() const { return count_ == 0 || slots_[head_].ready > clock_->now(); }
  bool full() const { return count_ == slots_.size(); }

  T read() {
    if (empty()) throw std::logic_error("stream: read while empty");
    note_arrivals();
    T item = std::move(slots_[head_].item);
    head_ = next(head_);
    --count_;
    --arrived_;
    return item;
  }

  void write(const T& item) {
    if (full()) throw std::logic_error("stream: written while full");
    note_arrivals();
    Slot& slot = slots_[tail_];
    slot.item = item;
    slot.ready = clock_->now() + latency_;
    tail_ = next(tail_);
    ++count_;
  }

  // For streams inside a composition that gets only its borders.
  const Clock& clock() const { return *clock_; }

  // For the clocked model and tests; kernels have no use for them.
  std::size_t pending() const { return count_; }  // items that can or will be read
  std::size_t depth() const { return depth_; }
  unsigned latency() const { return latency_; }
  // The most items that waited in the FIFO at once.
  std::size_t deepest() {
    note_arrivals();
    return deepest_;
  }

 private:
  struct Slot {
    T item{};
    std::uint64_t ready = 0;
  };

  std::size_t next(std::size_t i) const { return i + 1 == slots_.size() ? 0 : i + 1; }

  // Counts the items that have left the pipeline since the last look.
  void note_arrivals() {
    while (arrived_ < count_ && slots_[arrival_].ready <= clock_->now()) {
      arrival_ = next(arrival_);
      ++arrived_;
    }
    if (arrived_ > deepest_) deepest_ = arrived_;
  }

  const Clock* clock_;
  unsigned latency_;
  std::size_t depth_;
  std::vector<Slot, CardAllocator<Slot>> slots_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::size_t count_ = 0;
  std::size_t arrival_ = 0;  // the next item to arrive in the FIFO
  std::size_t arrived_ = 0;
  std::size_t deepest_ = 0;
};

}  // namespace firmware
}  // namespace linecrypt
