// Sessions: the SecY's settings, and with them the SAs of its SC into the engine and out of it.
#include <cerrno>

#include "driver/dpdk/common/log.hpp"
#include "driver/dpdk/net/macsec_sessions.hpp"
#include "host/values/numbers.hpp"
#include "host/values/packet_number.hpp"
#include "linecrypt/wire/sectag.hpp"

namespace linecrypt::dpdk {

// No rule leads to the session yet, and no worker that looked at an earlier one here still does.
void MacsecSessions::fill(MacsecSession& session, const MacsecSettings& settings,
                          const rte_security_macsec_sc& sc) const {
  const bool egress = settings.direction == Direction::egress;
  session.egress = egress;
  session.wide = is_xpn(settings.secy.suite);
  session.active = (egress ? sc.sc_tx.active : sc.sc_rx.active) != 0;
  session.control_port = settings.control_port;
  session.protect = settings.protect;
  session.behind_vlans = settings.behind_vlans;
  session.rekey = egress && sc.sc_tx.re_key_en != 0;
  session.validate = settings.secy.validate;
  session.clear_tags = settings.clear_tags;
  session.mtu = settings.mtu;
  session.tag_size = wire::sectag_size_of(settings.secy.sci_encoding);
  session.sci = settings.sci.value();
  session.soft_limit = pn_threshold_of(settings.secy);
  session.last_number = session.wide ? number_last_64bit : number_last_32bit;
  session.queue.store(no_queue, std::memory_order_relaxed);
  session.current.store(0, std::memory_order_relaxed);
  session.notes.store(0, std::memory_order_relaxed);
  for (MacsecPlace& place : session.places) {
    place.sa.store(0, std::memory_order_relaxed);
    place.not_using.reset();
    place.unused.reset();
  }
  session.reset_counts();
}

// 1. Its SC. 2. The settings. 3. The SAs: all of them, or none. 4. The session, published last.
int MacsecSessions::create(const rte_security_session_conf& conf, MacsecHandle& handle) {
  handle = {};
  const std::lock_guard lock(mutex_);
  // 1.
  const std::uint16_t id = conf.macsec.sc_id;
  ScRecord* const sc = sc_of(id);
  if (sc == nullptr) return refused(-EINVAL, fmt::format("macsec.sc_id: {}, allowed: the id of an SC", id));
  if (sc->settings != nullptr)
    return refused(-EBUSY, fmt::format("macsec.sc_id: {}, has a session, allowed: an SC without one", id));
  // 2.
  std::string why;
  auto settings = std::make_unique<MacsecSettings>();
  if (const int code = convert(conf, sc->conf, device_.capabilities(), *settings, why); code != 0)
    return refused(code, why);
  MacsecSession& session = sessions_[id];
  fill(session, *settings, sc->conf);
  session.userdata = reinterpret_cast<std::uint64_t>(conf.userdata);
  // 3.
  sc->settings = std::move(settings);
  sc->session = {&session, 0};
  sc->past = {};
  const std::vector<Named> named = named_by(sc->conf);
  int code = 0;
  for (const auto& one : named) {
    if (SaRecord* const sa = sa_of(one.id); sa != nullptr) {
      code = install(*sc, *sa, one.id, why);
    } else if (session.egress && one.place == 0) {
      code = -EINVAL;
      why = fmt::format("sc_tx.sa_id: {}, was destroyed, allowed: the id of an SA", one.id);
    }
    if (code != 0) break;
  }
  if (code != 0) {
    for (const auto& one : named) uninstall(sas_[one.id]);
    sc->settings.reset();
    sc->session = {};
    return refused(code, why);
  }
  // 4.
  if (++last_generation_ == 0) last_generation_ = 1;
  session.generation.store(last_generation_, std::memory_order_release);
  sc->session = handle = {&session, last_generation_};
  return 0;
}

int MacsecSessions::update(const rte_security_session_conf& /*conf*/, const MacsecHandle& /*handle*/) {
  return refused(-ENOTSUP,
                 "session_update: not done with MACSEC, allowed: destroy an SA that is not in use and create the next "
                 "one, or another session");
}

// 1. No rule leads to it any more. 2. The SAs. 3. The SC is free for another.
int MacsecSessions::destroy(MacsecHandle& handle) {
  const std::lock_guard lock(mutex_);
  ScRecord* const sc = sc_of(handle);
  if (sc == nullptr) return -EINVAL;
  // 1.
  handle.session->generation.store(0, std::memory_order_release);
  handle = {};
  publish_rules();
  // 2.
  for (const auto& one : named_by(sc->conf)) uninstall(sas_[one.id]);
  // 3.
  sc->settings.reset();
  sc->session = {};
  return 0;
}

}  // namespace linecrypt::dpdk
