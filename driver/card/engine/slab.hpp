// Slab: one batch of packets on its way: an input slab that the host writes, an output slab that the card writes.
//
//   input    | descriptor 0 | descriptor 1 | ... | packet 0 | packet 1 | ...      each at a multiple of 64
//   output   | completion 0 | completion 1 | ... | room 0   | room 1   | ...
//
// The card never writes its input, so a job in flight can be given back as it was.
//
// **A transfer that says it is whole and is not.** The host's output slab keeps a stamp, a random number of the session
// that no one else knows, at the head of each line of 64 bytes, and one line more than the batch has comes over with
// it. A line that still has its stamp did not come: the last one shows each transfer that ended early, wherever it
// ended; those of a packet show a piece that is missing inside. Completions show themselves by their cookies. A genuine
// line begins with the stamp once in 2^64: then a card that is well is taken for lost, and nothing wrong is delivered.
// The stamps are put back as the lines are read, while they are in the cache.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "driver/card/engine/card_port.hpp"
#include "driver/card/engine/queue.hpp"
#include "linecrypt/abi/rings.hpp"
#include "linecrypt/packet.hpp"

namespace linecrypt::card {

// One job of a batch, and what was asked of the card for it.
struct InFlight {
  Job* job = nullptr;
  QueueLane* queue = nullptr;
  std::uint32_t cookie = 0;
  std::array<abi::JobStage, 2> stage{};
  std::uint8_t stages = 0;           // that the card runs
  Verdict after = Verdict::pending;  // not pending: what becomes of the job behind them (a second stage that cannot be)
  std::uint32_t output_room = 0;
  std::uint32_t output_offset = 0;  // write() fills it in
};

class Slab {
 public:
  static Result<std::unique_ptr<Slab>> make(CardPort& port, MemoryUse use, std::uint32_t bytes, std::uint64_t stamp);
  ~Slab();
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  void clear() noexcept;
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  // True: a packet of `length` bytes, and `output_room` for its result, fit the batch.
  [[nodiscard]] bool fits(std::uint32_t length, std::uint32_t output_room) const noexcept;
  // Precondition: fits(). The job's source stays where it is until write().
  void add(const InFlight& entry) noexcept;
  // Lays out and copies: descriptors and packets. Nothing of the packets' memory is read later.
  void write(std::uint32_t epoch) noexcept;

  bool to_card() noexcept { return input_->to_card(0, input_bytes_); }
  bool from_card() noexcept { return output_->from_card(0, output_bytes_ + line); }

  // Behind from_card(): the end of the batch is there; the first `length` bytes of result i are.
  [[nodiscard]] bool end_came() const noexcept { return !stamped(output_bytes_); }
  [[nodiscard]] bool result_came(std::uint32_t i, std::uint32_t length) const noexcept;
  // Before the next from_card(): the room of result i, and everything else of the batch.
  void stamp_room(std::uint32_t i) noexcept;
  void stamp_rest() noexcept;

  // The work ring's entry for the batch.
  [[nodiscard]] abi::Batch batch(std::uint32_t epoch, std::uint32_t number) const noexcept;
  [[nodiscard]] const InFlight& entry(std::uint32_t i) const noexcept { return entries_[i]; }
  [[nodiscard]] const abi::Completion& completion(std::uint32_t i) const noexcept {
    return reinterpret_cast<const abi::Completion*>(output_->host())[i];
  }
  [[nodiscard]] const std::uint8_t* result(std::uint32_t i) const noexcept {
    return output_->host() + entries_[i].output_offset;
  }
  [[nodiscard]] std::uint32_t input_bytes() const noexcept { return input_bytes_; }

 private:
  static constexpr std::uint32_t line = 64;
  Slab(std::unique_ptr<CardMemory> input, std::unique_ptr<CardMemory> output, std::uint64_t stamp) noexcept
      : input_(std::move(input)), output_(std::move(output)), stamp_(stamp) {}
  void stamp(std::size_t from, std::size_t bytes) noexcept;
  [[nodiscard]] bool stamped(std::size_t at) const noexcept {
    return std::memcmp(output_->host() + at, &stamp_, sizeof stamp_) == 0;
  }

  std::unique_ptr<CardMemory> input_;
  std::unique_ptr<CardMemory> output_;
  std::uint64_t stamp_;
  std::uint32_t count_ = 0;
  std::uint32_t input_bytes_ = 0;  // of the packets while the batch grows, of all behind write()
  std::uint32_t output_bytes_ = 0;
  std::array<InFlight, abi::batch_jobs> entries_{};
};

}  // namespace linecrypt::card
