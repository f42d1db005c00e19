// LookAsideEngine: the CardEngine over a CardPort. Inside driver/card/engine and its tests; others use
// make_card_engine().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "driver/card/engine/card_engine.hpp"
#include "driver/card/engine/self_test.hpp"
#include "driver/card/engine/session.hpp"
#include "driver/card/engine/watchdog.hpp"
#include "host/values/events.hpp"

namespace linecrypt::card {

// Opens the card for a session; called anew behind each loss.
using OpenPort = std::function<Result<std::shared_ptr<CardPort>>(const CardOptions&)>;

class LookAsideEngine final : public CardEngine {
 public:
  LookAsideEngine(CardOptions options, OpenPort open_port);
  ~LookAsideEngine() override;

  // Opens the card, learns what it is, resets it. Once, before anything else.
  Result<void> probe();

  [[nodiscard]] const Capabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] MemoryPlace memory() const noexcept override { return MemoryPlace::anywhere; }
  Result<void> self_test() override;
  Result<void> open(const EngineSetup& setup) override;
  void close() override;
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) override;
  Result<void> update(SaId id, const SaUpdate& update) override;
  Result<void> remove(SaId id) override;
  [[nodiscard]] Result<SaState> read(SaId id) const override;
  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override;
  std::uint32_t poll(QueueId queue, std::span<Job*> done) override;
  std::uint32_t events(std::span<Event> out) override;

  [[nodiscard]] CardState state() const noexcept override;
  [[nodiscard]] CardSnapshot snapshot() const override;
  [[nodiscard]] CardHealth health() override;
  [[nodiscard]] std::vector<RegisterValue> registers() override;
  Result<void> reset() override;
  Result<void> reset_and_reopen() override;
  void start_recovery() override;
  std::optional<Result<void>> self_test_step() override;
  [[nodiscard]] Result<SaState> read_back(SaId id) override;

 private:
  // What lives from open() to close().
  struct Running {
    std::shared_ptr<Loss> loss;
    std::vector<SaSlot> own = std::vector<SaSlot>(own_slots);
    std::vector<std::unique_ptr<Queue>> queues;  // the workers', and behind them our own for the self-test
    std::unique_ptr<EventFlags> flags;
    std::unique_ptr<EventFlags> own_flags;
    std::unique_ptr<SaTable> table;
    std::shared_ptr<CommandRing> commands;
    Lanes lanes;
    std::unique_ptr<Watchdog> watchdog;
    std::unique_ptr<SelfTest> test;  // one that goes on
    std::uint32_t host_slots = 0;
  };
  // What a lost session leaves: the card or a hanging thread may still touch it, until a reset is confirmed.
  struct Quarantined {
    std::shared_ptr<CardPort> port;
    std::shared_ptr<CommandRing> commands;
    Lanes lanes;
  };

  Result<void> connect();
  Result<void> start(const EngineSetup& setup);
  void stop();
  Result<void> live(const char* what) const;
  void collect_events();
  void note_failure(const Error& error);
  void end_recovery();
  [[nodiscard]] Patience patience() const noexcept;
  [[nodiscard]] Patience opening_patience() const noexcept;

  CardOptions options_;
  OpenPort open_port_;
  Clock clock_;
  Capabilities capabilities_;
  std::shared_ptr<CardPort> port_;
  CardFacts facts_;
  std::unique_ptr<Running> running_;  // none: closed, or lost before it ran
  std::optional<EngineSetup> last_setup_;
  std::vector<Quarantined> quarantine_;
  std::vector<std::shared_ptr<Loss>> losses_;  // of all sessions: state() may look at any
  std::atomic<Loss*> loss_{nullptr};           // of the session that runs
  std::atomic<CardState> state_{CardState::closed};
  std::string failure_;        // why the last open or reset failed
  std::vector<Event> events_;  // taken from the lanes, not yet from us
  std::thread recovery_;

  std::uint64_t sessions_ = 0;
  std::uint64_t losses_seen_ = 0;
  std::uint64_t lost_jobs_ = 0;  // of sessions that ended
};

// With any port: for tests.
Result<std::unique_ptr<CardEngine>> make_look_aside_engine(const CardOptions& options, OpenPort open_port);

}  // namespace linecrypt::card
