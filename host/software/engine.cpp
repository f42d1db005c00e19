#include "host/software/engine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/software/self_test.hpp"
#include "host/software/software_engine.hpp"
#include "host/values/vector_registers.hpp"

namespace linecrypt::software {
namespace {

constexpr std::uint32_t queues_largest = 64;
constexpr std::uint32_t sas_largest = std::uint32_t{1} << 20U;
constexpr std::uint32_t selectors_largest = 1024;

constexpr EventKind all_kinds[] = {EventKind::lease_low,     EventKind::lease_exhausted, EventKind::soft_lifetime,
                                   EventKind::hard_lifetime, EventKind::pn_threshold,    EventKind::number_exhausted};

}  // namespace

Capabilities software_capabilities(const AeadProvider& provider) {
  Capabilities can;
  can.engine = "software";
  can.provider = provider.name();
  can.max_sas = sas_largest;
  can.max_queues = queues_largest;
  can.max_burst = burst_largest;
  can.max_segments = 1;
  can.max_packet = packet_largest;
  can.max_stages = 2;
  can.immediate = can.window_restore = true;
  can.esp_udp_ipv6 = can.esp_udp_transport = true;
  can.esp = can.esp_tunnel = can.esp_transport = can.esp_inter_family = can.esp_udp = can.esp_esn = can.esp_tfc = true;
  can.aes_128 = can.aes_192 = can.aes_256 = can.gmac = true;
  can.replay_window_max = replay_window_largest;
  can.max_selectors = selectors_largest;
  can.macsec = can.macsec_xpn = can.macsec_integrity_only = can.macsec_confidentiality_offset = true;
  can.macsec_clear_tags = 2;
  can.duplicate_bitmap_max = replay_window_largest;
  return can;
}

Result<void> SoftwareEngine::self_test() {
  return run_self_test(provider_);
}

Result<void> SoftwareEngine::open(const EngineSetup& setup) {
  if (store_) return Error{"engine software: open already; close it first"};
  if (setup.slots.empty() || setup.slots.size() > capabilities_.max_sas)
    return Error{fmt::format("slots: asked {}, allowed 1 to {}", setup.slots.size(), capabilities_.max_sas)};
  if (setup.queues == 0 || setup.queues > capabilities_.max_queues)
    return Error{fmt::format("queues: asked {}, allowed 1 to {}", setup.queues, capabilities_.max_queues)};
  slots_ = setup.slots;
  store_ = std::make_unique<SaStore>(*provider_, capabilities_, setup);
  if (setup.reserve) {
    if (auto good = store_->reserve(); !good) {
      store_.reset();
      return good;
    }
  }
  flags_ = std::make_unique<EventFlags>(setup.slots);
  for (std::uint32_t i = 0; i < setup.queues; ++i)
    queues_.push_back(std::make_unique<Burst>(*provider_, setup.slots, *flags_));
  return {};
}

void SoftwareEngine::close_all() {
  store_.reset();
  queues_.clear();
  flags_.reset();
  pending_.clear();
}

Result<void> SoftwareEngine::install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) {
  if (!store_) return Error{"engine software: closed"};
  const ClearsVectorRegisters of_keys;
  // What workers raised for the slot's last SA must not be taken for this one's. They raise no more once they have all
  // left it, and what is collected while nothing is live there is dropped.
  if (id.index < slots_.size() && slots_[id.index].generation.load(std::memory_order_relaxed) == 0) {
    store_->settle(id.index);
    collect_events();
  }
  return store_->install(id, sa, lease, window_top);
}

Result<void> SoftwareEngine::update(SaId id, const SaUpdate& update) {
  if (!store_) return Error{"engine software: closed"};
  const ClearsVectorRegisters of_keys;
  return store_->update(id, update);
}

Result<void> SoftwareEngine::remove(SaId id) {
  if (!store_) return Error{"engine software: closed"};
  if (auto removed = store_->remove(id); !removed) return removed;
  // Those not collected yet have no live SA any more (collect_events).
  std::erase_if(pending_, [id](const Event& event) { return event.sa == id; });
  return {};
}

Result<SaState> SoftwareEngine::read(SaId id) const {
  if (!store_) return Error{"engine software: closed"};
  return store_->read(id);
}

std::uint32_t SoftwareEngine::submit(QueueId queue, std::span<Job* const> jobs) {
  const auto index = static_cast<std::size_t>(queue);
  if (index >= queues_.size()) return 0;  // closed, or no such queue
  const ClearsVectorRegisters of_keys;    // a worker that rests or sends holds none
  Burst& burst = *queues_[index];
  for (std::size_t done = 0; done < jobs.size(); done += burst_largest)
    burst.run(jobs.subspan(done, std::min<std::size_t>(burst_largest, jobs.size() - done)));
  return static_cast<std::uint32_t>(jobs.size());
}

// Every job is done when submit() returns.
std::uint32_t SoftwareEngine::poll(QueueId /*queue*/, std::span<Job*> /*done*/) {
  return 0;
}

void SoftwareEngine::collect_events() {
  for (const auto& queue : queues_) {
    std::uint32_t index = 0;
    std::uint8_t kinds = 0;
    while (queue->events().take(index, kinds)) {
      const SaId id{index, flags_->slots()[index].generation.load(std::memory_order_relaxed)};
      if (!id.valid()) continue;  // removed meanwhile
      for (const EventKind kind : all_kinds)
        if ((kinds & EventFlags::bit(kind)) != 0) pending_.push_back({id, kind});
    }
  }
}

std::uint32_t SoftwareEngine::events(std::span<Event> out) {
  if (store_) store_->reclaim();
  collect_events();
  const std::size_t count = std::min(out.size(), pending_.size());
  std::copy_n(pending_.begin(), count, out.begin());
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
  return static_cast<std::uint32_t>(count);
}

Result<std::unique_ptr<Engine>> make_software_engine(const SoftwareOptions& options) {
  auto provider = make_provider(options.provider);
  if (!provider) return provider.error();
  auto engine = std::make_unique<SoftwareEngine>(std::shared_ptr<AeadProvider>(std::move(*provider)));
  if (auto passed = engine->self_test(); !passed) return passed.error();
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace linecrypt::software
