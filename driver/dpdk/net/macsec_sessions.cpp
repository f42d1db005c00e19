// SAs and SCs, and their way into the engine and out of it.
#include "driver/dpdk/net/macsec_sessions.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include "driver/dpdk/common/log.hpp"
#include "host/values/packet_number.hpp"

namespace linecrypt::dpdk {
namespace {

constexpr std::uint32_t id_most = 0xfffe;  // applications mark an unused id with 0xffff

constexpr std::string_view name_of(Direction direction) {
  return direction == Direction::egress ? "TX" : "RX";
}
constexpr Direction direction_of(rte_security_macsec_direction direction) {
  return direction == RTE_SECURITY_MACSEC_DIR_TX ? Direction::egress : Direction::ingress;
}

}  // namespace

MacsecSessions::MacsecSessions(DeviceContext& device)
    : device_(device),
      readers_(device.options().queues),
      keys_(sizeof(MacsecKeyed), alignof(MacsecKeyed)),
      sas_(std::min(device.max_sas(), id_most) + 1),
      scs_(macsec_scs_most + 1),
      sessions_(std::make_unique<MacsecSession[]>(macsec_scs_most + 1)),
      sa_of_slot_(device.max_sas()) {
  for (std::uint32_t i = 0; i <= macsec_scs_most; ++i) sessions_[i].any_notes = &any_notes_;
}

Result<std::unique_ptr<MacsecSessions>> MacsecSessions::make(DeviceContext& device) {
  return std::unique_ptr<MacsecSessions>(new MacsecSessions(device));
}

MacsecSessions::~MacsecSessions() {
  for (SaRecord& sa : sas_) {
    if (sa.keyed == nullptr) continue;
    std::destroy_at(sa.keyed);
    keys_.release(sa.keyed);
  }
}

int MacsecSessions::refused(int code, const std::string& why) const {
  log(Severity::notice, "{}: MACsec refused: {}", device_.name(), why);
  return code;
}

MacsecSessions::ScRecord* MacsecSessions::sc_of(std::uint16_t id) noexcept {
  return id < scs_.size() && scs_[id].used ? &scs_[id] : nullptr;
}
MacsecSessions::ScRecord* MacsecSessions::sc_of(const MacsecHandle& handle) noexcept {
  if (handle.session == nullptr || handle.generation == 0) return nullptr;
  const auto index = static_cast<std::size_t>(handle.session - sessions_.get());
  if (index >= scs_.size() || handle.session->generation.load(std::memory_order_relaxed) != handle.generation)
    return nullptr;
  return &scs_[index];
}
MacsecSessions::SaRecord* MacsecSessions::sa_of(std::uint16_t id) noexcept {
  return id < sas_.size() && sas_[id].keyed != nullptr ? &sas_[id] : nullptr;
}

// ---- SCs ----

std::vector<MacsecSessions::Named> MacsecSessions::named_by(const rte_security_macsec_sc& conf) {
  std::vector<Named> named;
  if (conf.dir == RTE_SECURITY_MACSEC_DIR_RX) {
    for (std::uint32_t an = 0; an < RTE_SECURITY_MACSEC_NUM_AN; ++an)
      if (conf.sc_rx.sa_in_use[an] != 0) named.push_back({conf.sc_rx.sa_id[an], an});
  } else {
    named.push_back({conf.sc_tx.sa_id, 0});
    if (conf.sc_tx.re_key_en != 0) named.push_back({conf.sc_tx.sa_id_rekey, 1});
  }
  return named;
}

int MacsecSessions::check_sc(const rte_security_macsec_sc& conf, std::string& why) {
  const auto refuse = [&why](int code, std::string text) {
    why = std::move(text);
    return -code;
  };
  if (number_of(conf.dir) > RTE_SECURITY_MACSEC_DIR_RX)
    return refuse(EINVAL, fmt::format("sc.dir: {}, allowed: 0 (TX) or 1 (RX)", number_of(conf.dir)));
  const Direction direction = direction_of(conf.dir);
  const bool rx = direction == Direction::ingress;
  const unsigned reserved = rx ? conf.sc_rx.reserved : conf.sc_tx.reserved;
  if (reserved != 0)
    return refuse(EINVAL, fmt::format("{}.reserved: {:#x}, allowed: 0", rx ? "sc_rx" : "sc_tx", reserved));
  const std::vector<Named> named = named_by(conf);
  for (const auto& [id, place] : named) {
    const std::string field = rx           ? fmt::format("sc_rx.sa_id[{}]", place)
                              : place == 0 ? "sc_tx.sa_id"
                                           : "sc_tx.sa_id_rekey";
    const SaRecord* const sa = sa_of(id);
    if (sa == nullptr) return refuse(EINVAL, fmt::format("{}: {}, allowed: the id of an SA", field, id));
    if (sa->direction != direction)
      return refuse(EINVAL, fmt::format("{}: {}, an SA for {}, allowed: one for {}", field, id, name_of(sa->direction),
                                        name_of(direction)));
    if (sa->sc != 0)
      return refuse(EBUSY, fmt::format("{}: {}, belongs to SC {}, allowed: an SA of no SC", field, id, sa->sc));
    if (rx && sa->an != place)
      return refuse(EINVAL, fmt::format("{}: {}, an SA with AN {}, allowed: one with AN {}", field, id, sa->an, place));
    // The receiver tells old from new by the AN alone.
    if (place == 1 && !rx && (id == named[0].id || sa->an == sas_[named[0].id].an))
      return refuse(EINVAL, fmt::format("{}: {}, an SA with AN {} as sc_tx.sa_id's, allowed: one with another AN",
                                        field, id, sa->an));
  }
  return 0;
}

int MacsecSessions::create_sc(const rte_security_macsec_sc& conf) {
  const std::lock_guard lock(mutex_);
  std::string why;
  if (const int code = check_sc(conf, why); code != 0) return refused(code, why);
  const auto free = std::find_if(scs_.begin() + 1, scs_.end(), [](const ScRecord& sc) { return !sc.used; });
  if (free == scs_.end()) return refused(-ENOMEM, fmt::format("all {} SCs are in use", macsec_scs_most));
  const auto id = static_cast<std::uint16_t>(free - scs_.begin());
  *free = {};
  free->used = true;
  free->conf = conf;
  for (const auto& [sa, place] : named_by(conf)) {
    sas_[sa].sc = id;
    sas_[sa].place = place;
  }
  return id;
}

int MacsecSessions::destroy_sc(std::uint16_t id) {
  const std::lock_guard lock(mutex_);
  ScRecord* const sc = sc_of(id);
  if (sc == nullptr) return refused(-EINVAL, fmt::format("sc_id: {}, allowed: the id of an SC", id));
  if (sc->settings != nullptr)
    return refused(-EBUSY, fmt::format("sc_id: {}, has a session, allowed: an SC whose session is destroyed", id));
  for (const auto& one : named_by(sc->conf)) sas_[one.id].sc = 0;
  *sc = {};
  return 0;
}

// ---- SAs ----

// An id that is kept for such an SA, or the lowest that is free. 0: none.
std::uint16_t MacsecSessions::free_id(const MacsecKeyed& keyed) const noexcept {
  std::size_t free = 0;
  for (std::size_t id = 1; id < sas_.size(); ++id) {
    const SaRecord& sa = sas_[id];
    if (sa.keyed != nullptr) continue;
    if (sa.sc == 0) {
      if (free == 0) free = id;
    } else if (sa.direction == keyed.direction && sa.an == keyed.an) {
      return static_cast<std::uint16_t>(id);
    }
  }
  return static_cast<std::uint16_t>(free);
}

// 1. What is asked. 2. An id. 3. Into the engine, where it takes a place in a live SC.
int MacsecSessions::create_sa(const rte_security_macsec_sa& conf) {
  const std::lock_guard lock(mutex_);
  // 1.
  std::string why;
  MacsecKeyed keyed;
  if (const int code = convert(conf, keyed, why); code != 0) return refused(code, why);
  // 2.
  const std::uint16_t id = free_id(keyed);
  if (id == 0) return refused(-ENOMEM, fmt::format("all {} SAs are in use", sas_.size() - 1));
  auto memory = keys_.allocate();
  if (!memory) return refused(-ENOMEM, memory.error().message);
  SaRecord& sa = sas_[id];
  sa.direction = keyed.direction;
  sa.an = keyed.an;
  sa.installed = {};
  sa.past = {};
  sa.keyed = new (*memory) MacsecKeyed(std::move(keyed));
  // 3.
  if (sa.sc == 0 || scs_[sa.sc].settings == nullptr) return id;
  if (const int code = install(scs_[sa.sc], sa, id, why); code != 0) {
    std::destroy_at(sa.keyed);
    keys_.release(sa.keyed);
    sa.keyed = nullptr;
    return refused(code, why);
  }
  return id;
}

int MacsecSessions::destroy_sa(std::uint16_t id) {
  const std::lock_guard lock(mutex_);
  SaRecord* const sa = sa_of(id);
  if (sa == nullptr) return refused(-EINVAL, fmt::format("sa_id: {}, allowed: the id of an SA", id));
  if (sa->installed.valid() && sa->direction == Direction::egress &&
      sessions_[sa->sc].current.load(std::memory_order_relaxed) == sa->place)
    return refused(-EBUSY, fmt::format("sa_id: {}, transmits for SC {}, allowed: an SA that does not, or whose session "
                                       "is destroyed",
                                       id, sa->sc));
  uninstall(*sa);
  std::destroy_at(sa->keyed);
  keys_.release(sa->keyed);
  sa->keyed = nullptr;
  return 0;
}

// 1. All that the engine asks for. 2. The place. 3. In sight of the workers.
int MacsecSessions::install(ScRecord& sc, SaRecord& sa, std::uint16_t id, std::string& why) {
  const MacsecSettings& settings = *sc.settings;
  // A session that does not protect has no use for a key.
  if (settings.direction == Direction::egress && !settings.protect) return 0;
  // 1.
  MacsecSa asked;
  if (const int code = make_sa(settings, *sa.keyed, asked, why); code != 0) return code;
  auto added = device_.add(linecrypt::Sa(std::move(asked)), sa.keyed->next_pn);
  if (!added) {
    why = fmt::format("SA {}: {}", id, added.error().message);
    return -ENOTSUP;
  }
  auto state = device_.read(*added);
  if (!state) {
    (void)device_.remove(*added);
    why = fmt::format("SA {}: {}", id, state.error().message);
    return -ENOTSUP;
  }
  sa.installed = *added;
  sa_of_slot_[added->index] = id;
  // 2.
  MacsecSession& session = *sc.session.session;
  MacsecPlace& place = session.places[sa.place];
  const std::uint64_t first = state->next_number;
  place.planned.store(first, std::memory_order_relaxed);
  place.drift.store(0, std::memory_order_relaxed);
  place.limit.store(first < session.soft_limit ? session.soft_limit : session.last_number + 1,
                    std::memory_order_relaxed);
  place.until_renewal.store(DeviceContext::renewal_distance(session.wide), std::memory_order_relaxed);
  place.soft_told.store(false, std::memory_order_relaxed);
  place.hard_told.store(false, std::memory_order_relaxed);
  place.not_using.reset();
  place.unused.reset();
  // 3.
  place.sa.store(pack(*added), std::memory_order_seq_cst);
  return 0;
}

// Out of the workers' sight, then out of the engine. Jobs on the way get stale_sa.
void MacsecSessions::uninstall(SaRecord& sa) {
  if (!sa.installed.valid()) return;
  sessions_[sa.sc].places[sa.place].sa.store(0, std::memory_order_seq_cst);
  readers_.wait();
  const Totals counted = live(sa);
  sa.past.add(counted);
  scs_[sa.sc].past.add(counted);
  sa_of_slot_[sa.installed.index] = 0;
  (void)device_.remove(sa.installed);
  sa.installed = {};
}

}  // namespace linecrypt::dpdk
