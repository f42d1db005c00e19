// Failover: the FailoverEngine: the Engine's calls (failover.cpp), one SA (failover_sa.cpp), how SAs move
// (handover.cpp). Inside host/engines only; others use make_failover_engine().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "host/engines/failover.hpp"
#include "host/engines/failover_member.hpp"
#include "host/engines/failover_queue.hpp"
#include "host/values/key_arena.hpp"

namespace linecrypt::engines {

[[nodiscard]] Sa duplicate(const Sa& sa);

class Failover final : public FailoverEngine {
 public:
  Failover(std::unique_ptr<Engine> primary, EngineHealth& health, std::unique_ptr<Engine> secondary,
           const FailoverOptions& options);
  ~Failover() override;

  [[nodiscard]] const Capabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] MemoryPlace memory() const noexcept override;
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

  [[nodiscard]] FailoverStatus status() const override;
  [[nodiscard]] Result<SaPlacement> placement(SaId id) const override;
  [[nodiscard]] std::vector<std::string> take_messages() override;
  Result<void> renew_primary() override;
  Result<void> begin_primary_test() override;
  [[nodiscard]] bool testing_primary() const override { return testing_; }
  std::optional<Result<void>> primary_test() override;
  Result<void> test_secondary() override;
  [[nodiscard]] bool moving() const override { return !moving_.empty(); }

 private:
  [[nodiscard]] std::uint64_t now() const { return setup_.clock.now_ns(setup_.clock.self); }
  [[nodiscard]] std::string primary_name() const { return primary_->capabilities().engine; }
  [[nodiscard]] std::string secondary_name() const {
    return secondary_ == nullptr ? std::string() : secondary_->capabilities().engine;
  }
  [[nodiscard]] Member* find(SaId id) noexcept;
  [[nodiscard]] const Member* find(SaId id) const noexcept;
  void wait_for_workers() const;
  Result<void> judge_test(Result<void> passed);

  // ---- one SA (failover_sa.cpp) ----
  Result<void> place_first(Member& member, Lease lease, std::uint64_t window_top);
  [[nodiscard]] Result<void> fits_primary(const Member& member) const;
  Result<void> install_at(Member& member, Place place, Lease lease, std::uint64_t window_top);
  Result<void> take_lease(Member& member, Lease lease);
  Result<void> remember(Member& member, const SaUpdate& update);
  [[nodiscard]] static bool wants_lease(const Member& member) noexcept;
  // The engine and slot where it is installed; none: nowhere.
  [[nodiscard]] Engine* engine_at(const Member& member) const noexcept;
  [[nodiscard]] SaSlot* slot_at(const Member& member) const noexcept;
  // The same, none also where that engine is lost.
  [[nodiscard]] Engine* usable_at(const Member& member) const noexcept;
  // False: the engine is the primary and not ready, so its refusals mean nothing.
  [[nodiscard]] bool health_allows(const Engine* engine) const noexcept;
  void show(const Member& member) const;
  void forget(Member& member);
  void pin(Member& member, std::string reason);
  void say(std::string message);

  // ---- moving (handover.cpp) ----
  void turn();
  void step_test();
  void watch_primary();
  void watch_recovery(EngineState state);
  void not_recovered(std::string reason);
  enum class Away : std::uint8_t { lost, asked };
  void lose_primary(std::string reason, Away why = Away::lost);
  void begin_return();
  void start_move(Member& member, Place target);
  void call_off(Member& member);
  void take_punts();
  void hold_ready();
  bool step(Member& member);  // true: it has arrived
  void leave(Member& member);
  bool land(Member& member);
  bool land_failed(Member& member, const Error& error);
  void want_lease(Member& member);
  void collect_events(Engine& engine, Place place);
  [[nodiscard]] std::uint32_t in_flight(std::uint32_t index) const noexcept;
  [[nodiscard]] bool primary_empty() const noexcept;
  void set_route(const Member& member, Route route) noexcept;

  std::unique_ptr<Engine> primary_;
  std::unique_ptr<Engine> secondary_;
  EngineHealth& health_;
  FailoverOptions options_;
  Capabilities capabilities_;
  EngineSetup setup_;
  bool open_ = false;
  std::string failed_test_;
  bool testing_ = false;                      // a test of the primary goes on
  std::optional<Result<void>> test_outcome_;  // of the last one, until it is told

  KeyArena keys_;  // the members' SAs
  std::unique_ptr<SaSlot[]> primary_slots_, secondary_slots_;
  std::uint32_t primary_count_ = 0;
  std::vector<Member> members_;
  std::unique_ptr<Routes> routes_;
  std::vector<std::unique_ptr<FailoverQueue>> queues_;
  std::vector<std::uint32_t> moving_;  // members that are not settled
  std::vector<Event> pending_;
  std::vector<std::string> messages_;

  PrimaryUse use_ = PrimaryUse::used;
  std::string reason_;
  bool returning_ = false;  // SAs start to return; from `return_at_` on
  std::uint32_t return_at_ = 0;
  bool failing_over_ = false;  // some SA has not arrived since the last loss
  // The self-test of a primary that is back. Nobody else calls it meanwhile.
  std::thread test_;
  std::atomic<bool> test_done_{false};
  std::optional<Error> test_error_;
  std::uint64_t lost_ns_ = 0;  // of the last loss
  std::uint64_t back_ns_ = 0;  // ready again since
  std::uint64_t try_next_ns_ = 0;
  std::uint64_t try_pause_ns_ = 0;
  std::uint64_t rest_ns_ = 0;
  std::uint64_t shown_ns_ = 0;
  std::uint64_t failovers_ = 0, renewals_ = 0, returns_ = 0, moves_ = 0, skipped_ = 0, away_ns_ = 0;
  std::uint64_t last_failover_ns_ = 0, longest_failover_ns_ = 0;
};

}  // namespace linecrypt::engines
