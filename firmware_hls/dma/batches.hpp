// batches: work ring -> batches. The only reader of a work ring; nothing an earlier session left there is taken.
#pragma once

#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/dma/memory.hpp"
#include "firmware_hls/dma/words.hpp"

namespace linecrypt {
namespace firmware {

// What is wrong with a batch, if anything: epoch, addresses, sizes, count.
inline bool batch_good(const BatchOrder& batch, u32 epoch, u64 address_mask) {
  if (batch.epoch != epoch || epoch == 0) return false;
  if (((batch.input | batch.output) & address_mask) != 0) return false;
  if (batch.jobs == 0 || batch.jobs > abi::batch_jobs) return false;
  const u32 entries = batch.jobs * abi::word_bytes;
  // An address near the end of the space would wrap.
  if (batch.input + batch.input_bytes < batch.input || batch.output + batch.output_bytes < batch.output) return false;
  return entries <= batch.input_bytes && entries <= batch.output_bytes;
}

class Batches {
 public:
  Batches(ReadPort& port, Stream<MoverWord>& words, Stream<BatchOrder>& out)
      : port_(port), words_(words), out_(out), state_() {}

  // 1. A word of the control kernel.
  // 2. The entry that was asked for is there: check it, hand it on.
  // 3. Ask for the next: one at a time, so a halt stops at a batch's border.
  // 4. Behind the last batch taken, tell of a bad doorbell, or pass a halt on.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (!words_.empty() && !state_.halting) take(words_.read());
    // 2.
    if (state_.asked && port_.ready() && !out_.full()) {
      state_.asked = false;
      ++state_.next;
      out_.write(order(port_.read()));
      return;
    }
    if (state_.asked) return;
    // 3.
    const u32 waiting = state_.tail - state_.next;
    if (state_.open && !state_.halting && waiting != 0 && waiting <= state_.size && port_.room(1)) {
      port_.request(state_.ring + u64{state_.next & (state_.size - 1)} * sizeof(abi::Batch), 1);
      state_.asked = true;
      return;
    }
    // 4.
    if ((state_.halting || state_.tell) && !out_.full()) {
      BatchOrder order = {};
      order.halt = state_.halting;
      order.head = state_.next;
      order.bad = state_.bad;
      out_.write(order);
      state_.tell = false;
      if (!order.halt) return;
      state_.halting = false;
      state_.open = false;
    }
  }
  bool busy() const {
    const u32 waiting = state_.tail - state_.next;
    return state_.asked || state_.halting || state_.tell || words_.pending() != 0 ||
           (state_.open && waiting != 0 && waiting <= state_.size);
  }

 private:
  struct State {
    bool open;
    bool halting;
    bool asked;
    bool tell;  // of `bad`, though no batch ends
    u32 epoch;
    u64 ring;
    u32 size;  // a power of two
    u32 tail;
    u32 next;
    u32 bad;  // since the card began
  };

  void take(const MoverWord& word) {
    if (word.op == MoverOp::open) {
      const u32 bad = state_.bad;
      state_ = State();
      state_.bad = bad;
      state_.open = true;
      state_.epoch = word.epoch;
      state_.ring = word.ring;
      state_.size = word.size;
    }
    if (word.op == MoverOp::resume) state_.open = state_.size != 0;
    if (word.op == MoverOp::halt) state_.halting = true;
    if (word.op != MoverOp::doorbell) return;
    state_.tail = word.tail;
    // A tail further away than the ring is long is no tail: nothing is taken until another comes.
    if (state_.tail - state_.next <= state_.size) return;
    ++state_.bad;
    state_.tell = true;
  }
  BatchOrder order(const MemoryWord& word) {
    BatchOrder batch = {};
    batch.epoch = static_cast<u32>(word_of(word.data, 0));
    batch.input = word_of(word.data, 1);
    batch.output = word_of(word.data, 2);
    batch.input_bytes = static_cast<u32>(word_of(word.data, 3));
    batch.output_bytes = static_cast<u32>(word_of(word.data, 3) >> 32U);
    batch.jobs = static_cast<u32>(word_of(word.data, 4));
    if (!word.good || !batch_good(batch, state_.epoch, abi::page - 1)) {
      ++state_.bad;
      batch.jobs = 0;
    }
    batch.head = state_.next;
    batch.bad = state_.bad;
    return batch;
  }

  ReadPort& port_;
  Stream<MoverWord>& words_;
  Stream<BatchOrder>& out_;
  State state_;
};

}  // namespace firmware
}  // namespace linecrypt
