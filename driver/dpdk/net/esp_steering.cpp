#include "driver/dpdk/net/esp_steering.hpp"

#include <algorithm>

namespace linecrypt::dpdk {
namespace {

constexpr std::uint32_t one_more = 1;
constexpr std::uint32_t one_less = 0xffffffffU;  // modulo 2^32

}  // namespace

EspSteering::EspSteering(EspSessions& sessions)
    : sessions_(sessions),
      table_(sessions.device().max_sas()),
      reserved_(std::make_unique<std::atomic<std::uint64_t>[]>(reserved_spis)),
      steered_(std::make_unique<Steered[]>(sessions.device().max_sas())),
      spis_(sessions.device().max_sas()) {}

// ---- workers ----

SaId EspSteering::find(std::uint32_t spi) const noexcept {
  if (spi >= reserved_spis) return table_.find(spi);
  const std::uint64_t word = reserved_[spi].load(std::memory_order_acquire);
  return {static_cast<std::uint32_t>(word >> 32U), static_cast<std::uint32_t>(word)};
}

// 1. By SPI. 2. A rule says so. 3. ESP in UDP for a session in UDP and its port, ESP alone for one without: other UDP
// packets may begin with the same four bytes.
EspSession* EspSteering::session_for(const EspHeader& esp) noexcept {
  // 1.
  const SaId id = find(esp.spi);
  if (!id.valid()) return nullptr;
  // 2.
  if (steered_[id.index][esp.family == Family::ipv4 ? 0 : 1].load(std::memory_order_relaxed) == 0) return nullptr;
  EspSession* const session = EspSessions::find({&sessions_.at(id.index), id.generation});
  // 3.
  return session != nullptr && session->udp_port == esp.udp_port ? session : nullptr;
}

// ---- sessions ----

bool EspSteering::has_spi(std::uint32_t spi) {
  const std::lock_guard lock(mutex_);
  return by_spi_.contains(spi);
}

// The rules count before the session is found.
bool EspSteering::add_session(std::uint32_t spi, const EspHandle& handle) {
  const std::lock_guard lock(mutex_);
  if (by_spi_.contains(spi)) return false;
  const std::uint32_t index = handle.session->sa_index;
  for (auto& count : steered_[index]) count.store(0, std::memory_order_relaxed);
  for (const auto& rule : rules_)
    if (matches(rule->match, spi, handle)) steer(rule->match, index, one_more);
  if (spi >= reserved_spis) {
    if (!table_.insert(spi, {index, handle.generation})) return false;
  } else {
    reserved_[spi].store(std::uint64_t{index} << 32U | handle.generation, std::memory_order_release);
  }
  by_spi_[spi] = {handle, index};
  spis_[index] = spi;
  return true;
}

std::optional<std::uint32_t> EspSteering::spi_of(const EspHandle& handle) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t spi = spis_[handle.session->sa_index];
  const auto known = by_spi_.find(spi);
  if (known == by_spi_.end() || known->second.handle != handle) return std::nullopt;
  return spi;
}

// Its packets stay with the rules that counted them.
void EspSteering::remove_session(const EspHandle& handle) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t spi = spis_[handle.session->sa_index];
  const auto known = by_spi_.find(spi);
  if (known == by_spi_.end() || known->second.handle != handle) return;
  if (spi >= reserved_spis)
    table_.remove(spi);
  else
    reserved_[spi].store(0, std::memory_order_release);
  for (const auto& rule : rules_) {
    if (!matches(rule->match, spi, handle)) continue;
    rule->gone.packets += handle.session->packets.get() + handle.session->errors.get();
    rule->gone.bytes += handle.session->bytes.get();
  }
  by_spi_.erase(known);
}

// ---- rules ----

bool EspSteering::matches(const EspMatch& match, std::uint32_t spi, const EspHandle& handle) const noexcept {
  if (match.spi && *match.spi != spi) return false;
  if (match.session.session != nullptr && match.session != handle) return false;
  return !match.udp_only || handle.session->udp_port != 0;
}

void EspSteering::steer(const EspMatch& match, std::uint32_t index, std::uint32_t by) noexcept {
  if (match.ipv4) steered_[index][0].fetch_add(by, std::memory_order_relaxed);
  if (match.ipv6) steered_[index][1].fetch_add(by, std::memory_order_relaxed);
}

template <typename Each>
void EspSteering::for_sessions_of(const EspMatch& match, Each&& each) {
  if (match.spi) {
    const auto known = by_spi_.find(*match.spi);
    if (known != by_spi_.end() && matches(match, known->first, known->second.handle)) each(known->second);
    return;
  }
  for (const auto& [spi, known] : by_spi_)
    if (matches(match, spi, known.handle)) each(known);
}

EspSteering::Hits EspSteering::live_hits(const Rule& rule) {
  Hits hits;
  for_sessions_of(rule.match, [&](const Known& known) {
    hits.packets += known.handle.session->packets.get() + known.handle.session->errors.get();
    hits.bytes += known.handle.session->bytes.get();
  });
  return hits;
}

EspSteering::Rule* EspSteering::add_rule(const EspMatch& match, bool counts) {
  const std::lock_guard lock(mutex_);
  rules_.push_back(std::make_unique<Rule>(Rule{match, counts, {}, {}}));
  Rule& rule = *rules_.back();
  rule.before = live_hits(rule);
  for_sessions_of(match, [&](const Known& known) { steer(match, known.index, one_more); });
  rules_count_.store(static_cast<std::uint32_t>(rules_.size()), std::memory_order_relaxed);
  return &rule;
}

bool EspSteering::remove_rule(Rule* rule) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(rules_.begin(), rules_.end(), [rule](const auto& one) { return one.get() == rule; });
  if (found == rules_.end()) return false;
  const EspMatch match = rule->match;
  for_sessions_of(match, [&](const Known& known) { steer(match, known.index, one_less); });
  rules_.erase(found);
  rules_count_.store(static_cast<std::uint32_t>(rules_.size()), std::memory_order_relaxed);
  return true;
}

std::optional<EspSteering::Hits> EspSteering::hits(Rule* rule, bool reset) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(rules_.begin(), rules_.end(), [rule](const auto& one) { return one.get() == rule; });
  if (found == rules_.end() || !rule->counts) return std::nullopt;
  const Hits live = live_hits(*rule);
  const Hits hits{live.packets + rule->gone.packets - rule->before.packets,
                  live.bytes + rule->gone.bytes - rule->before.bytes};
  if (reset) {
    rule->before = live;
    rule->gone = {};
  }
  return hits;
}

}  // namespace linecrypt::dpdk
