#include "driver/card/engine/slab.hpp"

#include <cstring>

#include "driver/card/engine/command_ring.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::card {
namespace {

constexpr std::uint32_t up64(std::uint32_t bytes) noexcept {
  return (bytes + 63) / 64 * 64;
}

abi::Operation abi_operation(Operation operation) noexcept {
  static_assert(static_cast<int>(Operation::macsec_validate) == static_cast<int>(abi::Operation::macsec_validate));
  static_assert(static_cast<int>(Operation::esp_encapsulate) == static_cast<int>(abi::Operation::esp_encapsulate));
  return static_cast<abi::Operation>(operation);
}

}  // namespace

Result<std::unique_ptr<Slab>> Slab::make(CardPort& port, MemoryUse use, std::uint32_t bytes, std::uint64_t stamp) {
  auto input = port.allocate(use, bytes);
  if (!input) return input.error();
  auto output = port.allocate(use, bytes);
  if (!output) return output.error();
  // Clear text passes through both.
  exclude_from_dumps(**input);
  exclude_from_dumps(**output);
  // What an earlier user of the card left in its memory is not ours to read: gaps between results come over as well.
  std::memset((*output)->host(), 0, (*output)->size());
  if (!(*output)->to_card(0, (*output)->size())) return Error{"the first transfer to the card failed"};
  std::unique_ptr<Slab> slab(new Slab(std::move(*input), std::move(*output), stamp));
  slab->stamp(0, slab->output_->size());
  return slab;
}

Slab::~Slab() {
  cleanse(input_->host(), input_->size());
  cleanse(output_->host(), output_->size());
}

void Slab::clear() noexcept {
  count_ = 0;
  input_bytes_ = 0;
  output_bytes_ = 0;
}

bool Slab::fits(std::uint32_t length, std::uint32_t output_room) const noexcept {
  const std::uint32_t front = (count_ + 1) * sizeof(abi::JobDescriptor);
  return count_ < abi::batch_jobs && front + input_bytes_ + up64(length) <= input_->size() &&
         front + output_bytes_ + up64(output_room) + line <= output_->size();
}

void Slab::add(const InFlight& entry) noexcept {
  entries_[count_++] = entry;
  input_bytes_ += up64(entry.job->source->length);
  output_bytes_ += up64(entry.output_room);
}

void Slab::write(std::uint32_t epoch) noexcept {
  static_assert(sizeof(abi::JobDescriptor) == sizeof(abi::Completion));
  const std::uint32_t front = count_ * sizeof(abi::JobDescriptor);
  auto* const descriptors = reinterpret_cast<abi::JobDescriptor*>(input_->host());
  input_bytes_ = front;
  output_bytes_ = front;
  for (std::uint32_t i = 0; i < count_; ++i) {
    InFlight& entry = entries_[i];
    const Packet& packet = *entry.job->source;
    entry.output_offset = output_bytes_;
    abi::JobDescriptor descriptor{};
    descriptor.epoch = epoch;
    descriptor.cookie = entry.cookie;
    descriptor.input_offset = input_bytes_;
    descriptor.output_offset = output_bytes_;
    descriptor.length = static_cast<std::uint16_t>(packet.length);
    descriptor.output_room = static_cast<std::uint16_t>(entry.output_room);
    descriptor.l2_length = entry.job->l2_length;
    for (std::uint32_t s = 0; s < entry.stages; ++s) {
      descriptor.operation[s] = abi_operation(entry.job->stages[s].operation);
      descriptor.stage[s] = entry.stage[s];
    }
    descriptors[i] = descriptor;
    std::memcpy(input_->host() + input_bytes_, packet.data, packet.length);
    input_bytes_ += up64(packet.length);
    output_bytes_ += up64(entry.output_room);
  }
}

void Slab::stamp(std::size_t from, std::size_t bytes) noexcept {
  for (std::size_t at = from; at < from + bytes; at += line) std::memcpy(output_->host() + at, &stamp_, sizeof stamp_);
}

bool Slab::result_came(std::uint32_t i, std::uint32_t length) const noexcept {
  const std::size_t from = entries_[i].output_offset;
  bool came = true;
  for (std::size_t at = from; at < from + length; at += line) came = came && !stamped(at);
  return came;
}

void Slab::stamp_room(std::uint32_t i) noexcept {
  stamp(entries_[i].output_offset, entries_[i].output_room);
}

void Slab::stamp_rest() noexcept {
  stamp(0, count_ * sizeof(abi::Completion));
  stamp(output_bytes_, line);
}

abi::Batch Slab::batch(std::uint32_t epoch, std::uint32_t number) const noexcept {
  abi::Batch batch{};
  batch.epoch = epoch;
  batch.number = number;
  batch.input = input_->address();
  batch.output = output_->address();
  batch.input_bytes = input_bytes_;
  batch.output_bytes = output_bytes_;
  batch.jobs = count_;
  return batch;
}

}  // namespace linecrypt::card
