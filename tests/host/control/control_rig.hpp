// What tests of SaControl share: a host with a state directory, a clock that the test owns, an engine that can be made
// to fail, and packets through it.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "host/control/sa_control.hpp"
#include "host/engines/delaying.hpp"
#include "host/keys/registry_files.hpp"
#include "host/software/engine.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/key_samples.hpp"
#include "tests/support/waiting.hpp"

namespace linecrypt::test {

// Hands everything on, but for what it is told to refuse.
class FaultyEngine final : public Engine {
 public:
  explicit FaultyEngine(std::unique_ptr<Engine> inner) : inner_(std::move(inner)) {}

  bool refuse_install = false;
  bool refuse_remove = false;
  std::uint32_t refuse_grants = 0;  // so many GrantLease
  std::uint32_t lose_events = 0;    // so many events

  [[nodiscard]] const Capabilities& capabilities() const noexcept override { return inner_->capabilities(); }
  [[nodiscard]] MemoryPlace memory() const noexcept override { return inner_->memory(); }
  Result<void> self_test() override { return inner_->self_test(); }
  Result<void> open(const EngineSetup& setup) override { return inner_->open(setup); }
  void close() override { inner_->close(); }
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) override {
    if (refuse_install) return Error{"planted: no install"};
    return inner_->install(id, sa, lease, window_top);
  }
  Result<void> update(SaId id, const SaUpdate& update) override {
    if (std::holds_alternative<GrantLease>(update) && refuse_grants != 0) {
      --refuse_grants;
      return Error{"planted: not taken"};
    }
    return inner_->update(id, update);
  }
  Result<void> remove(SaId id) override {
    if (refuse_remove) return Error{"planted: no remove"};
    return inner_->remove(id);
  }
  [[nodiscard]] Result<SaState> read(SaId id) const override { return inner_->read(id); }
  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override { return inner_->submit(queue, jobs); }
  std::uint32_t poll(QueueId queue, std::span<Job*> done) override { return inner_->poll(queue, done); }
  std::uint32_t events(std::span<Event> out) override {
    const std::uint32_t count = inner_->events(out);
    if (count == 0 || lose_events == 0) return count;
    --lose_events;
    return 0;
  }

 private:
  std::unique_ptr<Engine> inner_;
};

// One life of a gateway on a host: registry, engine and SaControl, over a directory that outlives it.
class Life {
 public:
  Life(const EngineKind& kind, std::unique_ptr<keys::KeyRegistry> of_host, std::uint32_t max_sas = 8,
       Reclamation reclamation = {})
      : registry(std::move(of_host)) {
    std::unique_ptr<Engine> inner = make_engine(kind, 7);
    engine = std::make_unique<FaultyEngine>(std::move(inner));
    control::SaControlOptions options;
    options.engine = engine.get();
    options.registry = registry.get();
    options.max_sas = max_sas;
    options.reclamation = reclamation;
    options.clock = {this, [](void* self) { return static_cast<Life*>(self)->now_ns; }};
    auto opened = control::SaControl::open(options);
    REQUIRE(opened.ok());
    control = std::move(opened).value();
  }
  Life(const EngineKind& kind, const std::string& directory, std::uint32_t max_sas = 8, Reclamation reclamation = {})
      : Life(kind, opened(directory), max_sas, reclamation) {}
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  static std::unique_ptr<keys::KeyRegistry> opened(const std::string& directory) {
    auto result = keys::KeyRegistry::open(directory);
    if (!result) FAIL(result.error().message);
    // Its note that this host has no machine-id (a container, a chroot) is not what is looked at here.
    static_cast<void>((*result)->take_messages());
    return std::move(result).value();
  }

  template <typename AnySa>
  SaId add(const AnySa& sa, const std::string& label, keys::KeyLife life = keys::KeyLife::persistent) {
    auto id = control->add(sa, life, label);
    if (!id && id.error().message.find("not enrolled") != std::string::npos) {
      REQUIRE(registry->enroll(sa, label, 1).ok());
      id = control->add(sa, life, label);
    }
    if (!id) FAIL(id.error().message);
    return *id;
  }

  // One frame through the engine to its end.
  Verdict run(Frame& frame, SaId id, Operation operation) {
    Job* job = frame.with(id, operation);
    Job* done[1];
    Waiting waiting;
    bool accepted = false;
    while (!accepted || job->verdict == Verdict::pending) {
      const bool taken = !accepted && engine->submit(QueueId{0}, {&job, 1}) == 1;
      accepted = accepted || taken;
      if (waiting.turn(engine->poll(QueueId{0}, done) != 0 || taken)) continue;
      // The job goes away with the test, so nobody may work on it any more.
      engine->close();
      FAIL("the engine does not finish the job");
    }
    return job->verdict;
  }
  // A fresh clear frame out; its number, or 0 when it was dropped.
  std::uint64_t send(SaId id, Operation operation = Operation::esp_encapsulate) {
    Frame frame(clear_frame(20));
    return run(frame, id, operation) == Verdict::ok ? frame.job.number : 0;
  }
  void service_after(std::uint64_t milliseconds) {
    now_ns += milliseconds * 1'000'000;
    control->service();
  }

  std::uint64_t now_ns = 1'000'000'000;
  std::unique_ptr<keys::KeyRegistry> registry;
  std::unique_ptr<FaultyEngine> engine;
  std::unique_ptr<control::SaControl> control;
};

inline const EngineKind& any_engine() {
  return engine_kinds()[GENERATE(range(std::size_t{0}, engine_kinds().size()))];
}

}  // namespace linecrypt::test
