// One SA in a software engine, and a frame in a buffer of exactly its size, for fuzzers of one protocol.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "host/software/engine.hpp"
#include "host/tables/slot_table.hpp"

namespace linecrypt::fuzz {

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

class EngineRig {
 public:
  EngineRig() : slots_(4) {
    // The portable provider: the sanitizer sees into its callers, and it runs on every CPU.
    auto made = software::make_software_engine({.provider = software::ProviderChoice::openssl});
    if (!made) fail(made.error().message.c_str());
    engine_ = std::move(*made);
    if (!engine_->open({.slots = slots_.slots()})) fail("open");
  }

  SaId add(const Sa& sa, Lease lease = {}, std::uint64_t window_top = 0) {
    auto id = slots_.allocate();
    if (!id) fail("no slot");
    if (auto done = engine_->install(*id, sa, lease, window_top); !done) fail(done.error().message.c_str());
    return *id;
  }
  void remove(SaId id) {
    if (!engine_->remove(id)) fail("remove");
    slots_.release(id);
  }

  // Runs one frame that has no room before or behind it but `room`; returns its verdict. frame() is what came of it.
  Verdict run(SaId id, Operation operation, const std::uint8_t* data, std::size_t size, std::uint32_t room,
              std::uint16_t l2_length) {
    memory_.assign(size + 2 * std::size_t{room}, 0);
    if (size != 0) std::memcpy(memory_.data() + room, data, size);
    packet_ = {memory_.data() + room, static_cast<std::uint32_t>(size), room, room, nullptr};
    Job job;
    job.source = job.destination = &packet_;
    job.stages[0] = {id, operation};
    job.l2_length = l2_length;
    Job* jobs[] = {&job};
    if (engine_->submit(QueueId{0}, jobs) != 1 || job.verdict == Verdict::pending) fail("the engine kept the job");
    const std::uint8_t* end = memory_.data() + memory_.size();
    if (packet_.data < memory_.data() || packet_.data + packet_.length > end) fail("the packet left its buffer");
    return job.verdict;
  }
  [[nodiscard]] const Packet& frame() const { return packet_; }

 private:
  tables::SlotTable slots_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::uint8_t> memory_;
  Packet packet_;
};

}  // namespace linecrypt::fuzz
