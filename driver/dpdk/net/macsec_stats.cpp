// Statistics under rte_security's names, which are those of IEEE 802.1AE-2018 10.7.9 and 10.7.18.
#include <cerrno>

#include "driver/dpdk/net/macsec_sessions.hpp"

namespace linecrypt::dpdk {
namespace {

template <typename Count>
void add_ports(const PortCounts<Count>& from, std::uint64_t& unicast, std::uint64_t& multicast,
               std::uint64_t& broadcast, std::uint64_t& octets) noexcept {
  unicast += from.unicast.get();
  multicast += from.multicast.get();
  broadcast += from.broadcast.get();
  octets += from.octets.get();
}

}  // namespace

void MacsecSessions::Totals::add(const SaCounters& from) noexcept {
  // `delayed` is a part of `packets` and counted after it: read first, so that the difference is never negative.
  delayed += from.delayed.get();
  packets += from.packets.get();
  bytes += from.bytes.get();
  unchecked += from.unchecked.get();
  invalid += from.invalid.get();
  // rte_security has no name for a duplicate within the window: it is late as well.
  late += from.late.get() + from.duplicate.get();
  not_valid += from.bad_icv.get();
  validated_bytes += from.validated_bytes.get();
  decrypted_bytes += from.decrypted_bytes.get();
}

void MacsecSessions::Totals::add(const Totals& from) noexcept {
  delayed += from.delayed;
  packets += from.packets;
  bytes += from.bytes;
  unchecked += from.unchecked;
  invalid += from.invalid;
  late += from.late;
  not_valid += from.not_valid;
  validated_bytes += from.validated_bytes;
  decrypted_bytes += from.decrypted_bytes;
}

// What the engine counts of an SA.
MacsecSessions::Totals MacsecSessions::live(const SaRecord& sa) {
  Totals totals;
  if (sa.installed.valid())
    (void)device_.look(sa.installed, [&totals](const SaSlot& slot) { totals.add(slot.counters); });
  return totals;
}

MacsecSessions::Totals MacsecSessions::totals(const ScRecord& sc) {
  Totals totals = sc.past;
  for (const auto& one : named_by(sc.conf)) totals.add(live(sas_[one.id]));
  return totals;
}

int MacsecSessions::sa_stats(std::uint16_t id, rte_security_macsec_sa_stats& out) {
  const std::lock_guard lock(mutex_);
  SaRecord* const sa = sa_of(id);
  if (sa == nullptr) return -EINVAL;
  Totals totals = sa->past;
  totals.add(live(*sa));
  out = {};
  if (sa->direction == Direction::egress) {
    const bool encrypt = sa->sc != 0 && scs_[sa->sc].settings != nullptr && scs_[sa->sc].settings->secy.encrypt;
    (encrypt ? out.pkt_encrypt_cnt : out.pkt_protected_cnt) = totals.packets;
    return 0;
  }
  out.pkt_invalid_cnt = totals.invalid;
  out.pkt_notvalid_cnt = totals.not_valid;
  out.pkt_ok_cnt = totals.packets - totals.delayed;
  if (sa->sc != 0) {
    out.pkt_nosaerror_cnt = sessions_[sa->sc].places[sa->place].not_using.get();
    out.pkt_nosa_cnt = sessions_[sa->sc].places[sa->place].unused.get();
  }
  return 0;
}

int MacsecSessions::sc_stats(std::uint16_t id, rte_security_macsec_sc_stats& out) {
  const std::lock_guard lock(mutex_);
  ScRecord* const sc = sc_of(id);
  if (sc == nullptr) return -EINVAL;
  const Totals sum = totals(*sc);
  out = {};
  if (sc->conf.dir == RTE_SECURITY_MACSEC_DIR_TX) {
    const bool encrypt = sc->settings != nullptr && sc->settings->secy.encrypt;
    (encrypt ? out.pkt_encrypt_cnt : out.pkt_protected_cnt) = sum.packets;
    (encrypt ? out.octet_encrypt_cnt : out.octet_protected_cnt) = sum.bytes;
    return 0;
  }
  const MacsecSession& session = sessions_[id];
  out.hit_cnt = session.hits.get();
  for (const MacsecPlace& place : session.places) out.hit_cnt += place.not_using.get() + place.unused.get();
  out.pkt_invalid_cnt = sum.invalid;
  out.pkt_late_cnt = sum.late;
  out.pkt_notvalid_cnt = sum.not_valid;
  out.pkt_unchecked_cnt = sum.unchecked;
  out.pkt_delay_cnt = sum.delayed;
  out.pkt_ok_cnt = sum.packets - sum.delayed;
  out.octet_decrypt_cnt = sum.decrypted_bytes;
  out.octet_validate_cnt = sum.validated_bytes;
  return 0;
}

int MacsecSessions::stats(const MacsecHandle& handle, rte_security_macsec_secy_stats& out) {
  const std::lock_guard lock(mutex_);
  ScRecord* const sc = sc_of(handle);
  if (sc == nullptr) return -EINVAL;
  const MacsecSession& session = *handle.session;
  const Totals sum = totals(*sc);
  out = {};
  add_ports(session.inside, out.ctl_pkt_ucast_cnt, out.ctl_pkt_mcast_cnt, out.ctl_pkt_bcast_cnt, out.ctl_octet_cnt);
  add_ports(session.inside_shared, out.ctl_pkt_ucast_cnt, out.ctl_pkt_mcast_cnt, out.ctl_pkt_bcast_cnt,
            out.ctl_octet_cnt);
  add_ports(session.outside, out.unctl_pkt_ucast_cnt, out.unctl_pkt_mcast_cnt, out.unctl_pkt_bcast_cnt,
            out.unctl_octet_cnt);
  add_ports(session.outside_shared, out.unctl_pkt_ucast_cnt, out.unctl_pkt_mcast_cnt, out.unctl_pkt_bcast_cnt,
            out.unctl_octet_cnt);
  if (session.egress) {
    (sc->settings->secy.encrypt ? out.octet_encrypted_cnt : out.octet_protected_cnt) = sum.bytes;
    out.pkt_noactivesa_cnt = session.out_no_sa.get();
    out.pkt_toolong_cnt = session.out_too_long.get();
    out.pkt_untagged_cnt = session.out_untagged.get();
    return 0;
  }
  out.octet_decrypted_cnt = sum.decrypted_bytes;
  out.octet_validated_cnt = sum.validated_bytes;
  out.pkt_port_disabled_cnt = session.port_disabled.get();
  out.pkt_badtag_cnt = session.bad_tag.get();
  out.pkt_nosa_cnt = session.no_sa.get();
  out.pkt_nosaerror_cnt = session.no_sa_error.get();
  out.pkt_tagged_ctl_cnt = session.tagged_control.get();
  out.pkt_untaged_cnt = session.untagged.get();
  out.pkt_ctl_cnt = session.control.get();
  out.pkt_notag_cnt = session.no_tag.get();
  return 0;
}

}  // namespace linecrypt::dpdk
