// SoftwareEngine: the Engine over SaStore (control) and one Burst a queue (data). Inside host/software only; others use
// make_software_engine().
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "host/software/burst.hpp"
#include "host/software/sa_store.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::software {

[[nodiscard]] Capabilities software_capabilities(const AeadProvider& provider);

class SoftwareEngine final : public Engine {
 public:
  // Engines over one provider share it: providers keep no state of a message.
  explicit SoftwareEngine(std::shared_ptr<AeadProvider> provider)
      : provider_(std::move(provider)), capabilities_(software_capabilities(*provider_)) {}
  ~SoftwareEngine() override { close_all(); }

  [[nodiscard]] const Capabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] MemoryPlace memory() const noexcept override { return MemoryPlace::anywhere; }
  Result<void> self_test() override;
  Result<void> open(const EngineSetup& setup) override;
  void close() override { close_all(); }
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) override;
  Result<void> update(SaId id, const SaUpdate& update) override;
  Result<void> remove(SaId id) override;
  [[nodiscard]] Result<SaState> read(SaId id) const override;
  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override;
  std::uint32_t poll(QueueId queue, std::span<Job*> done) override;
  std::uint32_t events(std::span<Event> out) override;

  // Bytes that SAs cost beside their slots. Precondition: open.
  [[nodiscard]] SaStore::Footprint footprint() const noexcept { return store_->footprint(); }
  [[nodiscard]] std::size_t retired() const noexcept { return store_->retired(); }

 private:
  void close_all();
  void collect_events();

  std::shared_ptr<AeadProvider> provider_;
  Capabilities capabilities_;
  std::span<SaSlot> slots_;
  std::unique_ptr<SaStore> store_;  // none: closed
  std::unique_ptr<EventFlags> flags_;
  std::vector<std::unique_ptr<Burst>> queues_;
  std::vector<Event> pending_;  // taken from the queues, not yet from us
};

}  // namespace linecrypt::software
