// DeviceContext: one engine, its slots and the SAs of one DPDK device. Both drivers stand on it.
//
// Threads. Control calls come from any thread: a mutex makes them one at a time. Workers submit to and poll the engine
// under the lock of one of its queues, taken for a burst and seldom contended: an SA belongs to the queue that first
// used it, and whoever else uses it comes to that queue. So nothing of an SA is ever touched by two threads, and a
// removal waits for workers by taking each lock once. Nobody takes the mutex while he holds a queue's lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "driver/dpdk/common/engine_choice.hpp"
#include "driver/dpdk/common/number_source.hpp"
#include "driver/dpdk/common/service_thread.hpp"
#include "driver/dpdk/common/spin_lock.hpp"
#include "host/values/key_arena.hpp"

namespace linecrypt::dpdk {

// One of the engine's queues.
struct alignas(64) EngineQueue {
  SpinLock lock;
  QueueId id{};
};

class DeviceContext {
 public:
  // Opens the engine for `options` and tells of it in the log. A thread of its own drains events until it ends.
  static Result<std::unique_ptr<DeviceContext>> open(const std::string& name, const DriverOptions& options);
  // Ends all SAs. No job may be in flight.
  ~DeviceContext();
  DeviceContext(const DeviceContext&) = delete;
  DeviceContext& operator=(const DeviceContext&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const DriverOptions& options() const noexcept { return options_; }
  [[nodiscard]] Engine& engine() noexcept { return *choice_.engine; }
  [[nodiscard]] const Capabilities& capabilities() const noexcept { return choice_.engine->capabilities(); }
  [[nodiscard]] bool has_card() const noexcept { return choice_.card != nullptr; }
  [[nodiscard]] std::uint32_t max_sas() const noexcept { return static_cast<std::uint32_t>(slots_.size()); }
  [[nodiscard]] EngineQueue& queue(std::uint32_t index) noexcept { return queues_[index]; }

  // ---- control, any thread ----

  // Installs an SA. `number` is the first one: of egress to use (0: where the key stands), of ingress to expect.
  Result<SaId> add(const Sa& sa, std::uint64_t number);
  Result<void> remove(SaId id);
  // Egress: the next number is `number`. The SA is installed anew, under a new id; its counters begin again at zero.
  Result<SaId> restart(SaId id, std::uint64_t number);
  [[nodiscard]] Result<SaState> read(SaId id);
  // Brings slot(id) up to date where an engine keeps counters of its own, and calls `look` with it.
  Result<void> look(SaId id, const std::function<void(const SaSlot&)>& look);
  // Events of the engine, leases, failover. The service thread does it; workers that wait for a failover help.
  void service();
  [[nodiscard]] std::uint32_t sas();

  // Called from service() for every event of an SA but those of leases, no lock held. Set it before the first add().
  void on_event(std::function<void(const Event&)> handler) { on_event_ = std::move(handler); }

  // Called from service() when the card was lost, no lock held. Set it before the first add().
  void on_loss(std::function<void()> handler) { on_loss_ = std::move(handler); }

  // Nothing is told any more: for an owner whose handlers end before this does. Leases are not renewed any more either.
  void stop_events() { service_thread_.stop(); }

  // ---- workers, no lock held ----

  // The SA has used half of its lease: lends it the next, unless a control call is under way.
  // False: one is; ask again after some packets.
  bool renew_lease(SaId id);
  // Egress numbers of a fresh lease that may be used before renew_lease().
  [[nodiscard]] static std::uint32_t renewal_distance(bool wide) noexcept {
    return static_cast<std::uint32_t>((wide ? lease_largest : lease_largest_32bit) / 2);
  }
  // Moves failover on, if nobody else does.
  void help();

  // For telemetry; `card` and failover state are those of this moment.
  struct Status {
    std::string name, engine, provider, mode, fallback, card, card_state;
    std::uint32_t sas = 0, max_sas = 0;
    std::uint64_t created = 0, removed = 0, leases = 0;
    bool has_failover = false;
    engines::FailoverStatus failover;
  };
  [[nodiscard]] Status status();

 private:
  // What the control side knows of one slot.
  struct Live {
    std::uint32_t generation = 0;  // of the SA here; 0: free
    std::uint32_t last_generation = 0;
    Sa* sa = nullptr;  // in settings_
    std::unique_ptr<Numbers> numbers;
    Lease ungranted{};              // lent, not taken by the engine yet
    std::uint64_t granted_end = 0;  // egress: end of the last lease that the engine was shown
  };

  DeviceContext(std::string name, const DriverOptions& options) : name_(std::move(name)), options_(options) {}
  Result<void> start();
  Result<SaId> install(std::uint32_t index, const Sa& sa, std::uint64_t number);
  void renew(SaId id);
  void drain(std::vector<Event>& others);
  Live* live(SaId id) noexcept;
  void release(std::uint32_t index);
  static void wait_for_workers(void* self);

  const std::string name_;
  const DriverOptions options_;
  std::mutex mutex_;
  EngineChoice choice_;
  std::unique_ptr<NumberSource> source_;
  std::unique_ptr<SaSlot[]> slot_memory_;
  std::span<SaSlot> slots_;
  std::unique_ptr<EngineQueue[]> queues_;
  std::unique_ptr<KeyArena> settings_;
  std::vector<Live> lives_;
  std::vector<std::uint32_t> free_;
  std::function<void(const Event&)> on_event_;
  std::function<void()> on_loss_;
  std::uint64_t losses_told_ = 0;
  std::vector<Event> pending_;  // taken by help(), told by service()
  std::uint64_t created_ = 0;
  std::uint64_t removed_ = 0;
  std::atomic<std::uint64_t> leases_{0};
  ServiceThread service_thread_;  // last: it ends before what it uses
};

}  // namespace linecrypt::dpdk
