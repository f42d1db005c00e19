// Through: an Engine that hands everything on; tests override what they plant.
#pragma once

#include <memory>
#include <utility>

#include "linecrypt/engine.hpp"

namespace linecrypt::test {

struct Through : Engine {
  explicit Through(std::unique_ptr<Engine> engine) : inner(std::move(engine)) {}
  [[nodiscard]] const Capabilities& capabilities() const noexcept override { return inner->capabilities(); }
  [[nodiscard]] MemoryPlace memory() const noexcept override { return inner->memory(); }
  Result<void> self_test() override { return inner->self_test(); }
  Result<void> open(const EngineSetup& setup) override { return inner->open(setup); }
  void close() override { inner->close(); }
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) override {
    return inner->install(id, sa, lease, window_top);
  }
  Result<void> update(SaId id, const SaUpdate& update) override { return inner->update(id, update); }
  Result<void> remove(SaId id) override { return inner->remove(id); }
  [[nodiscard]] Result<SaState> read(SaId id) const override { return inner->read(id); }
  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override { return inner->submit(queue, jobs); }
  std::uint32_t poll(QueueId queue, std::span<Job*> done) override { return inner->poll(queue, done); }
  std::uint32_t events(std::span<Event> out) override { return inner->events(out); }
  std::unique_ptr<Engine> inner;
};

}  // namespace linecrypt::test
