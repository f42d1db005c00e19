// Slab: one batch of packets on its way: an input slab that the host writes, an output slab that the card writes.
//
//   input    | descriptor 0 | descriptor 1 | ... | packet 0 | packet 1 | ...      each at a multiple of 64
//   output   | completion 0 | completion 1 | ... | room 0   | room 1   | ...
//
// The card never writes its input, so a job in flight can be given back as it was.
#pragma once

#include <array>
#include <cstdint>
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
  static Result<std::unique_ptr<Slab>> make(CardPort& port, MemoryUse use, std::uint32_t bytes);
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

  // Before from_card(): marks each packet's room, so that what did not come over is known.
  void mark(std::uint64_t canary) noexcept;
  [[nodiscard]] bool came(std::uint32_t i, std::uint64_t canary) const noexcept;

  bool to_card() noexcept { return input_->to_card(0, input_bytes_); }
  bool from_card() noexcept { return output_->from_card(0, output_bytes_); }

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
  Slab(std::unique_ptr<CardMemory> input, std::unique_ptr<CardMemory> output) noexcept
      : input_(std::move(input)), output_(std::move(output)) {}

  std::unique_ptr<CardMemory> input_;
  std::unique_ptr<CardMemory> output_;
  std::uint32_t count_ = 0;
  std::uint32_t input_bytes_ = 0;  // of the packets while the batch grows, of all behind write()
  std::uint32_t output_bytes_ = 0;
  std::array<InFlight, abi::batch_jobs> entries_{};
};

}  // namespace linecrypt::card
