// CardHost: the host's side of a clocked card: memory, rings, batches, commands. What driver/card does through XRT,
// here in one thread, with the card clocked by hand.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "firmware_hls/model/clocked_card.hpp"
#include "linecrypt/abi/registers.hpp"
#include "linecrypt/abi/rings.hpp"
#include "linecrypt/abi/version.hpp"
#include "linecrypt/verdict.hpp"
#include "tests/support/hex.hpp"

namespace linecrypt::firmware_test {

using test::Bytes;

// Card memory of a few MiB from `base` on; nothing lives elsewhere.
class CardMemory {
 public:
  static constexpr std::uint64_t base = 0x100000;

  explicit CardMemory(std::size_t bytes = 8U << 20U) : bytes_(bytes) {
    host_.self = this;
    host_.memory = [](void* self, std::uint64_t address, std::uint64_t length) {
      return static_cast<CardMemory*>(self)->at(address, length);
    };
  }
  [[nodiscard]] const firmware::MemoryHost& host() const { return host_; }
  unsigned char* at(std::uint64_t address, std::uint64_t length) {
    if (address < base || length > bytes_.size() || address - base > bytes_.size() - length) return nullptr;
    return bytes_.data() + (address - base);
  }
  // Whole pages, zeroed.
  std::uint64_t allocate(std::size_t bytes) {
    const std::uint64_t address = base + used_;
    used_ += (bytes + abi::page - 1) / abi::page * abi::page;
    REQUIRE(used_ <= bytes_.size());
    std::memset(at(address, bytes), 0, bytes);
    return address;
  }
  void release_to(std::uint64_t address) { used_ = address - base; }
  template <class T>
  T& as(std::uint64_t address) {
    return *reinterpret_cast<T*>(at(address, sizeof(T)));
  }
  [[nodiscard]] const Bytes& all() const { return bytes_; }

 private:
  firmware::MemoryHost host_{};
  Bytes bytes_;
  std::size_t used_ = 0;
};

inline bool all_zero(const unsigned char* at, std::size_t length) {
  return std::all_of(at, at + length, [](unsigned char byte) { return byte == 0; });
}

struct JobIn {
  Bytes packet;
  abi::Operation operation[2] = {abi::Operation::none, abi::Operation::none};
  abi::JobStage stage[2] = {};
  std::uint16_t l2 = 0;
};

// As a completion has it.
inline std::uint8_t code(Verdict verdict) {
  return static_cast<std::uint8_t>(verdict);
}

struct JobOut {
  abi::Completion completion{};
  Bytes packet;
};

// A batch in card memory.
struct Slabs {
  std::uint64_t input = 0;
  std::uint64_t output = 0;
  std::vector<abi::JobDescriptor> descriptors;
};

class CardHost {
 public:
  static constexpr std::uint32_t entries = 64;
  static constexpr std::uint32_t epoch = 0x5eed1234;

  CardHost(CardMemory& memory, firmware::ClockedCard& card, std::uint32_t own_epoch = epoch)
      : memory_(memory),
        card_(card),
        epoch_(own_epoch),
        commands_(memory.allocate(entries * sizeof(abi::Command))),
        responses_(memory.allocate(entries * sizeof(abi::Response))) {
    for (auto& ring : work_) ring = memory.allocate(entries * sizeof(abi::Batch));
  }

  std::uint32_t reg(std::uint32_t offset) { return card_.read_register(offset); }
  void set(std::uint32_t offset, std::uint32_t value) { card_.write_register(offset, value); }
  void set64(std::uint32_t offset, std::uint64_t value) {
    set(offset, static_cast<std::uint32_t>(value));
    set(offset + 4, static_cast<std::uint32_t>(value >> 32U));
  }

  // Until nothing moves.
  std::uint64_t settle(std::uint64_t most = 50'000'000) {
    std::uint64_t passed = 0;
    bool idle = false;
    while (!idle) {
      passed += card_.run(1U << 20U, idle);
      REQUIRE(passed < most);
    }
    return passed;
  }
  void command(abi::CardCommand what) {
    set(abi::reg::command, static_cast<std::uint32_t>(what));
    settle();
    REQUIRE(reg(abi::reg::command) == 0);
  }
  void start() {
    set(abi::reg::control, 0x81);
    settle();
    REQUIRE(reg(abi::reg::magic) == abi::magic);
  }
  void reset() {
    command(abi::CardCommand::reset);
    REQUIRE(reg(abi::reg::status) == abi::status::swept);
    command_tail_ = response_head_ = 0;
    work_tail_[0] = work_tail_[1] = 0;
  }
  void enable() {
    set64(abi::reg::command_ring, commands_);
    set(abi::reg::command_size, entries);
    set64(abi::reg::response_ring, responses_);
    set(abi::reg::response_size, entries);
    for (std::uint32_t d = 0; d < abi::directions; ++d) {
      set64(abi::reg::work_ring + d * abi::reg::work_stride, work_[d]);
      set(abi::reg::work_size + d * abi::reg::work_stride, entries);
    }
    set(abi::reg::epoch, epoch_);
    command(abi::CardCommand::enable);
    REQUIRE((reg(abi::reg::status) & abi::status::enabled) != 0);
  }
  void open() {
    start();
    reset();
    enable();
  }

  // Commands in the ring; the doorbell is the caller's, or ring().
  void put(abi::Command command) {
    command.epoch = epoch_;
    command.cookie = ++cookie_;
    memory_.as<abi::Command>(commands_ + (command_tail_ % entries) * sizeof command) = command;
    ++command_tail_;
  }
  void ring() { set(abi::reg::command_tail, command_tail_); }
  std::vector<abi::Response> responses() {
    std::vector<abi::Response> out;
    for (const std::uint32_t tail = reg(abi::reg::response_tail); response_head_ != tail; ++response_head_)
      out.push_back(memory_.as<abi::Response>(responses_ + (response_head_ % entries) * sizeof(abi::Response)));
    set(abi::reg::response_head, response_head_);
    return out;
  }
  // All of `commands`, and what came back.
  template <class Commands>
  std::vector<abi::Response> run(const Commands& commands) {
    std::vector<abi::Response> out;
    for (const abi::Command& one : commands) {
      put(one);
      ring();
      settle();
      for (const abi::Response& response : responses()) out.push_back(response);
    }
    return out;
  }
  bool install(const auto& list) {
    const auto out = run(list.commands());
    return out.size() == 1 && out[0].kind == abi::ResponseKind::done;
  }

  // A batch as the driver lays it out; `change` may spoil it.
  Slabs lay(const std::vector<JobIn>& jobs, std::uint32_t room = 0) {
    Slabs slabs;
    std::size_t offset = jobs.size() * 64;
    for (const JobIn& job : jobs) {
      abi::JobDescriptor d{};
      d.epoch = epoch_;
      d.cookie = ++cookie_;
      d.input_offset = d.output_offset = static_cast<std::uint32_t>(offset);
      d.length = static_cast<std::uint16_t>(job.packet.size());
      const std::size_t out = room != 0 ? room : (job.packet.size() + 192) / 64 * 64;
      d.output_room = static_cast<std::uint16_t>(out);
      d.l2_length = job.l2;
      for (int i = 0; i < 2; ++i) {
        d.operation[i] = job.operation[i];
        d.stage[i] = job.stage[i];
      }
      slabs.descriptors.push_back(d);
      offset += (std::max(job.packet.size(), out) + 63) / 64 * 64;
    }
    slabs.input = memory_.allocate(offset);
    slabs.output = memory_.allocate(offset);
    bytes_ = static_cast<std::uint32_t>(offset);
    for (std::size_t i = 0; i < jobs.size(); ++i)
      if (!jobs[i].packet.empty())
        std::memcpy(memory_.at(slabs.input + slabs.descriptors[i].input_offset, jobs[i].packet.size()),
                    jobs[i].packet.data(), jobs[i].packet.size());
    write_descriptors(slabs);
    return slabs;
  }
  void write_descriptors(const Slabs& slabs) {
    std::memcpy(memory_.at(slabs.input, slabs.descriptors.size() * 64), slabs.descriptors.data(),
                slabs.descriptors.size() * 64);
  }
  [[nodiscard]] abi::Batch batch_of(const Slabs& slabs) const {
    abi::Batch batch{};
    batch.epoch = epoch_;
    batch.input = slabs.input;
    batch.output = slabs.output;
    batch.input_bytes = batch.output_bytes = bytes_;
    batch.jobs = static_cast<std::uint32_t>(slabs.descriptors.size());
    return batch;
  }
  void post(abi::Direction direction, abi::Batch batch) {
    const auto d = static_cast<std::uint32_t>(direction);
    batch.number = work_tail_[d];
    memory_.as<abi::Batch>(work_[d] + (work_tail_[d] % entries) * sizeof batch) = batch;
    ++work_tail_[d];
    set(abi::reg::work_tail + d * abi::reg::work_stride, work_tail_[d]);
  }
  std::uint32_t head(abi::Direction direction) {
    return reg(abi::reg::work_head + static_cast<std::uint32_t>(direction) * abi::reg::work_stride);
  }
  std::uint32_t bad_work(abi::Direction direction) {
    return reg(abi::reg::bad_work + static_cast<std::uint32_t>(direction) * abi::reg::work_stride);
  }
  JobOut result(const Slabs& slabs, std::size_t job) {
    JobOut out;
    out.completion = memory_.as<abi::Completion>(slabs.output + job * 64);
    const unsigned char* at = memory_.at(slabs.output + slabs.descriptors[job].output_offset, out.completion.length);
    if (out.completion.length != 0) out.packet = Bytes(at, at + out.completion.length);
    return out;
  }
  // One batch from laying it out to its results; its memory is given back.
  std::vector<JobOut> work(abi::Direction direction, const std::vector<JobIn>& jobs, std::uint32_t room = 0) {
    const std::uint64_t mark = memory_.allocate(0);
    const Slabs slabs = lay(jobs, room);
    const std::uint32_t before = head(direction);
    post(direction, batch_of(slabs));
    settle();
    REQUIRE(head(direction) == before + 1);
    std::vector<JobOut> out;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      out.push_back(result(slabs, i));
      REQUIRE(out.back().completion.epoch == epoch_);
      REQUIRE(out.back().completion.cookie == slabs.descriptors[i].cookie);
    }
    memory_.release_to(mark);
    return out;
  }

  CardMemory& memory() { return memory_; }
  firmware::ClockedCard& card() { return card_; }
  [[nodiscard]] std::uint64_t command_ring() const { return commands_; }
  [[nodiscard]] std::uint64_t response_ring() const { return responses_; }
  [[nodiscard]] std::uint64_t work_ring(abi::Direction direction) const {
    return work_[static_cast<std::uint32_t>(direction)];
  }
  [[nodiscard]] std::uint32_t command_tail() const { return command_tail_; }

 private:
  CardMemory& memory_;
  firmware::ClockedCard& card_;
  std::uint32_t epoch_;
  std::uint64_t commands_;
  std::uint64_t responses_;
  std::uint64_t work_[abi::directions]{};
  std::uint32_t command_tail_ = 0;
  std::uint32_t response_head_ = 0;
  std::uint32_t work_tail_[abi::directions]{};
  std::uint32_t cookie_ = 0;
  std::uint32_t bytes_ = 0;
};

}  // namespace linecrypt::firmware_test
