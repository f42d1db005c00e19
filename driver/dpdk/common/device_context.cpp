#include "driver/dpdk/common/device_context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "driver/dpdk/common/log.hpp"
#include "driver/dpdk/common/telemetry.hpp"
#include "host/values/sa_start.hpp"

namespace linecrypt::dpdk {
namespace {

// With a card behind a failover, SAs move in these steps.
constexpr std::chrono::milliseconds service_every{10};
constexpr std::chrono::milliseconds service_every_card{2};

std::string_view name_of(OffloadMode mode) {
  constexpr std::string_view names[] = {"software", "auto", "card"};
  return names[static_cast<std::size_t>(mode)];
}

}  // namespace

Result<std::unique_ptr<DeviceContext>> DeviceContext::open(const std::string& name, const DriverOptions& options) {
  std::unique_ptr<DeviceContext> device(new DeviceContext(name, options));
  if (auto started = device->start(); !started) return Error{fmt::format("{}: {}", name, started.error().message)};
  list_device(*device);
  return device;
}

// 1. The engine. 2. Its slots: memory for all SAs is taken now, so that an install takes none. 3. Open, and the service
// thread.
Result<void> DeviceContext::start() {
  // 1.
  if (auto good = check_options(options_); !good) return good;
  auto chosen = choose_engine(options_);
  if (!chosen) return chosen.error();
  choice_ = std::move(chosen).value();
  if (!choice_.fallback.empty())
    log(Severity::warning, "{}: engine=auto: software does the work: {}", name_, choice_.fallback);
  auto source = make_number_source(options_.key_reuse);
  if (!source) return source.error();
  source_ = std::move(source).value();
  // 2.
  const Capabilities& can = capabilities();
  if (options_.max_sas > can.max_sas)
    return Error{
        fmt::format("devargs: max_sas={}; engine {} allows 1 to {}", options_.max_sas, can.engine, can.max_sas)};
  if (options_.queues > can.max_queues)
    return Error{
        fmt::format("devargs: queues={}; engine {} allows 1 to {}", options_.queues, can.engine, can.max_queues)};
  const std::uint32_t count = options_.max_sas != 0 ? options_.max_sas : std::min(sas_default, can.max_sas);
  slot_memory_ = std::make_unique<SaSlot[]>(count);
  slots_ = {slot_memory_.get(), count};
  settings_ = std::make_unique<KeyArena>(sizeof(Sa), alignof(Sa));
  if (auto reserved = settings_->reserve(count); !reserved) return reserved;
  lives_ = std::vector<Live>(count);
  for (std::uint32_t i = count; i-- > 0;) free_.push_back(i);
  queues_ = std::make_unique<EngineQueue[]>(options_.queues);
  for (std::uint32_t i = 0; i < options_.queues; ++i) queues_[i].id = static_cast<QueueId>(i);
  // 3.
  EngineSetup setup;
  setup.slots = slots_;
  setup.queues = options_.queues;
  setup.reclamation = {this, wait_for_workers};
  setup.reserve = true;
  if (auto opened = choice_.engine->open(setup); !opened) return opened;
  if (!service_thread_.start(has_card() ? service_every_card : service_every, [this] { service(); }))
    return Error{"the system gives no thread"};
  log(Severity::notice, "{}: engine {}, {}, {} SAs, {} queues{}{}", name_, can.engine, can.provider, count,
      options_.queues, options_.key_reuse == KeyReuse::allow ? ", key_reuse=allow: FOR TESTS ONLY" : "",
      options_.test_iv ? ", test_iv=1: FOR TESTS ONLY" : "");
  if (choice_.card != nullptr)
    if (const std::string note = choice_.card->snapshot().note; !note.empty())
      log(Severity::warning, "{}: card: {}", name_, note);
  return {};
}

DeviceContext::~DeviceContext() {
  unlist_device(*this);
  service_thread_.stop();
  const std::lock_guard lock(mutex_);
  if (choice_.engine == nullptr) return;
  choice_.engine->close();
  for (std::uint32_t i = 0; i < lives_.size(); ++i)
    if (lives_[i].generation != 0) release(i);
}

void DeviceContext::wait_for_workers(void* self) {
  auto& device = *static_cast<DeviceContext*>(self);
  for (std::uint32_t i = 0; i < device.options_.queues; ++i) {
    device.queues_[i].lock.lock();
    device.queues_[i].lock.unlock();
  }
}

DeviceContext::Live* DeviceContext::live(SaId id) noexcept {
  if (id.index >= lives_.size() || !id.valid() || lives_[id.index].generation != id.generation) return nullptr;
  return &lives_[id.index];
}

void DeviceContext::release(std::uint32_t index) {
  Live& live = lives_[index];
  live.numbers.reset();
  if (live.sa != nullptr) std::destroy_at(live.sa);
  settings_->release(live.sa);
  live.sa = nullptr;
  live.generation = 0;
  live.ungranted = {};
  free_.push_back(index);
}

// 1. A slot. 2. The key: claimed for its direction, before any of its numbers is used. 3. The engine.
Result<SaId> DeviceContext::add(const Sa& sa, std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  // 1.
  if (free_.empty()) return Error{fmt::format("all {} SAs are in use; devarg max_sas allows more", slots_.size())};
  if (auto good = std::visit([this](const auto& one) { return check(capabilities(), one); }, sa); !good)
    return good.error();
  const std::uint32_t index = free_.back();
  Live& live = lives_[index];
  // 2.
  auto numbers = source_->claim(sa, number);
  if (!numbers) return numbers.error();
  auto memory = settings_->allocate();
  if (!memory) return memory.error();
  free_.pop_back();
  live.sa =
      std::visit([&](const auto& one) { return std::construct_at(static_cast<Sa*>(*memory), one.duplicate()); }, sa);
  live.numbers = std::move(numbers).value();
  // 3.
  auto installed = install(index, sa, number);
  if (!installed) {
    release(index);
    return installed;
  }
  ++created_;
  return installed;
}

// Egress: the first lease. Ingress: numbers below the first expected count as seen; but with key_reuse=allow, whose
// users know that their numbers go back, only where the high half of a number is inferred from it.
Result<SaId> DeviceContext::install(std::uint32_t index, const Sa& sa, std::uint64_t number) {
  Live& live = lives_[index];
  const bool egress = direction_of(sa) == Direction::egress;
  const SaId id{index, live.last_generation == 0xffffffffU ? 1 : live.last_generation + 1};
  Lease lease;
  std::uint64_t top = 0;
  if (egress) {
    auto lent = live.numbers->lend();
    if (!lent) return lent.error();
    lease = *lent;
    leases_.fetch_add(1, std::memory_order_relaxed);
  } else if (number != 0 && (options_.key_reuse == KeyReuse::refuse || wide_numbers(sa))) {
    top = number - 1;
  }
  if (auto good = choice_.engine->install(id, sa, lease, top); !good) return good.error();
  live.generation = live.last_generation = id.generation;
  live.granted_end = lease.end;
  // What is left of an earlier lease may be short: the next one waits behind it.
  if (egress && lease.size() < 2 * renewal_distance(wide_numbers(sa))) renew(id);
  return id;
}

Result<void> DeviceContext::remove(SaId id) {
  const std::lock_guard lock(mutex_);
  if (live(id) == nullptr) return Error{"the SA is not installed"};
  if (auto removed = choice_.engine->remove(id); !removed) return removed;
  release(id.index);
  ++removed_;
  return {};
}

Result<SaId> DeviceContext::restart(SaId id, std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  Live* const one = live(id);
  if (one == nullptr) return Error{"the SA is not installed"};
  if (direction_of(*one->sa) != Direction::egress) return Error{"esn.value: allowed on egress sessions only"};
  if (number == 0) return Error{"esn.value: 0, allowed: 1 and above"};
  // 1. A refusal that is certain leaves the SA as it is.
  const auto unsent = [&] {
    return capabilities().immediate ? slots_[id.index].next_number.load(std::memory_order_relaxed) : one->granted_end;
  };
  const bool strict = options_.key_reuse == KeyReuse::refuse;
  if (strict && number < unsent())
    return Error{
        fmt::format("esn.value: {}, allowed: {} and above; lower numbers were used under this key", number, unsent())};
  // 2. Behind the removal nothing takes numbers any more: what the slot says is exact for an engine that finishes its
  //    jobs at once. Of another's leases all is taken as used.
  if (auto removed = choice_.engine->remove(id); !removed) return removed.error();
  one->ungranted = {};
  std::uint64_t next = number;
  if (strict) next = std::max(next, unsent());
  if (auto gone = one->numbers->go_to(next, unsent()); !gone) {
    release(id.index);
    return gone.error();
  }
  // 3.
  auto installed = install(id.index, *one->sa, next);
  if (!installed) release(id.index);
  return installed;
}

Result<SaState> DeviceContext::read(SaId id) {
  const std::lock_guard lock(mutex_);
  return choice_.engine->read(id);
}

Result<void> DeviceContext::look(SaId id, const std::function<void(const SaSlot&)>& look) {
  const std::lock_guard lock(mutex_);
  if (auto state = choice_.engine->read(id); !state) return state.error();
  look(slots_[id.index]);
  return {};
}

std::uint32_t DeviceContext::sas() {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint32_t>(slots_.size() - free_.size());
}

void DeviceContext::renew(SaId id) {
  Live* const one = live(id);
  if (one == nullptr || direction_of(*one->sa) != Direction::egress) return;
  if (one->ungranted.size() == 0) {
    auto lent = one->numbers->lend();
    if (!lent) return;  // the end of the space: the engine says number_exhausted when it comes there
    one->ungranted = *lent;
    leases_.fetch_add(1, std::memory_order_relaxed);
  }
  // Refused while the one before waits in the mailbox: then it is granted at the next call.
  if (!choice_.engine->update(id, GrantLease{one->ungranted})) return;
  one->granted_end = one->ungranted.end;
  one->ungranted = {};
}

bool DeviceContext::renew_lease(SaId id) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock) renew(id);
  return lock.owns_lock();
}

void DeviceContext::drain(std::vector<Event>& others) {
  std::array<Event, 64> events;
  for (;;) {
    const std::uint32_t count = choice_.engine->events(events);
    for (std::uint32_t i = 0; i < count; ++i) {
      const Event& event = events[i];
      if (event.kind == EventKind::lease_low || event.kind == EventKind::lease_exhausted ||
          event.kind == EventKind::lease_wanted)
        renew(event.sa);
      else
        others.push_back(event);
    }
    if (count < events.size()) return;
  }
}

void DeviceContext::service() {
  std::vector<Event> others;
  std::vector<std::string> messages;
  bool lost = false;
  {
    const std::lock_guard lock(mutex_);
    drain(pending_);
    others.swap(pending_);
    if (choice_.failover != nullptr) {
      messages = choice_.failover->take_messages();
      const std::uint64_t losses = choice_.failover->status().failovers;
      lost = losses != std::exchange(losses_told_, losses);
    }
  }
  for (const std::string& message : messages) log(Severity::warning, "{}: {}", name_, message);
  if (lost && on_loss_) on_loss_();
  // Read only where there are events: the handlers are set when this thread runs already.
  if (!others.empty() && on_event_)
    for (const Event& event : others) on_event_(event);
}

void DeviceContext::help() {
  if (choice_.failover == nullptr) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;
  // What concerns the application is told by service() alone; here only the engine is moved on.
  drain(pending_);
}

DeviceContext::Status DeviceContext::status() {
  const std::lock_guard lock(mutex_);
  Status status;
  const Capabilities& can = capabilities();
  status.name = name_;
  status.engine = can.engine;
  status.provider = can.provider;
  status.mode = name_of(options_.engine);
  status.fallback = choice_.fallback;
  if (choice_.card != nullptr) {
    const card::CardSnapshot card = choice_.card->snapshot();
    status.card = card.name;
    status.card_state = card::name(card.state);
  }
  status.max_sas = max_sas();
  status.sas = static_cast<std::uint32_t>(slots_.size() - free_.size());
  status.created = created_;
  status.removed = removed_;
  status.leases = leases_.load(std::memory_order_relaxed);
  status.has_failover = choice_.failover != nullptr;
  if (status.has_failover) status.failover = choice_.failover->status();
  return status;
}

}  // namespace linecrypt::dpdk
