// Ingress: whose frame it is before a key is used (IEEE 802.1AE-2018 10.6), and what becomes of it afterwards.
#include <cstring>

#include "driver/dpdk/net/macsec_work.hpp"

namespace linecrypt::dpdk {
namespace {

using Rules = MacsecSessions::Rules;

// The rule of the SC: the first that matches from `from` on and has the SCI. A tag without an SCI belongs to the only
// session that there is.
MacsecSession* session_by_sci(const Rules& rules, std::size_t from, const FrameHead& head, bool named,
                              std::uint64_t sci) noexcept {
  MacsecSession* found = nullptr;
  for (std::size_t i = from; i < rules.size(); ++i) {
    const MacsecRuleEntry& rule = rules[i];
    if (named && rule.sci != sci) continue;
    if (!rule.match.holds(head)) continue;
    if (named) return rule.session;
    if (found != nullptr && found != rule.session) return nullptr;
    found = rule.session;
  }
  return found;
}

void note_bad_tag(MacsecSession& session, Verdict why) noexcept {
  switch (why) {
    case Verdict::macsec_bad_version:
      return session.note(MacsecNote::sectag_version);
    case Verdict::macsec_es_with_sc:
      return session.note(MacsecNote::sectag_es_with_sc);
    case Verdict::macsec_scb_with_sc:
      return session.note(MacsecNote::sectag_scb_with_sc);
    default:
      return;
  }
}

// Unchanged text of a frame that is not validated: SecTAG and ICV off (10.6.5), in the mbuf itself. False: it is in
// segments or not ours alone, and stays as it is.
bool strip(rte_mbuf* mbuf, const FrameHead& head, const wire::SecTag& tag) noexcept {
  if (mbuf->nb_segs != 1 || !is_exclusive(mbuf)) return false;
  Packet packet = packet_of(mbuf);
  wire::strip_sectag(packet, head.offset(), tag);
  apply(packet, mbuf);
  return true;
}

}  // namespace

// 1. The first rule that matches. None: not ours, delivered as it is.
// 2. EAPOL is the KaY's: it goes by where the control port is enabled.
// 3. No SecTAG: dropped if strict (InPktsNoTag), else delivered (InPktsUntagged).
// 4. A tag that breaks a rule is dropped (InPktsBadTag; 9.12) and told: also C without E, which no GCM suite sends. E
//    without C is the KaY's: delivered as it is where the control port is enabled.
// 5. The SC by its SCI (10.6.1). None: dropped if strict or if the text is changed (InPktsNoSAError), else delivered
//    (InPktsNoSA).
// 6. The SA by its AN. None likewise, and told.
// 7. In one piece; the VLAN tags out of the engine's sight.
MacsecBegin begin_macsec_rx(MacsecJob& macsec, MacsecSessions& sessions, rte_mbuf* mbuf, std::uint32_t mine,
                            BounceRing& bounces) noexcept {
  macsec.mbuf = mbuf;
  macsec.bounce = nullptr;
  macsec.flagged = false;
  macsec.egress = false;
  macsec.tag_count = 0;
  if (!sessions.has_rx_rules()) return MacsecBegin::pass;
  const MacsecLook look(sessions.readers(), mine);
  // 1.
  HeadScratch scratch;
  FrameHead head;
  const Rules* const rules = sessions.rx_rules();
  if (rules == nullptr || !read_head(mbuf, scratch, head)) return MacsecBegin::pass;
  std::size_t at = 0;
  while (at < rules->size() && !(*rules)[at].match.holds(head)) ++at;
  if (at == rules->size()) return MacsecBegin::pass;
  MacsecSession* const first = (*rules)[at].session;
  const auto drop = [&](MacsecSession& session, SharedCounter& counter) {
    session.outside_shared.add(head.data, head.length);
    counter.add();
    return MacsecBegin::drop;
  };
  const auto deliver = [&](MacsecSession& session, SharedCounter& counter) {
    session.outside_shared.add(head.data, head.length);
    session.inside_shared.add(head.data, head.length);
    counter.add();
    return MacsecBegin::pass;
  };
  // 2.
  const bool strict = first->validate == ValidateFrames::strict;
  if (head.type() == wire::ethertype_eapol && first->control_port) {
    first->outside_shared.add(head.data, head.length);
    first->control.add();
    return MacsecBegin::pass;
  }
  // 3.
  if (head.type() != wire::ethertype_macsec)
    return strict ? drop(*first, first->no_tag) : deliver(*first, first->untagged);
  // 4.
  wire::SecTag tag;
  const std::uint32_t offset = head.offset();
  const bool may_be_padded = head.length <= wire::ethernet_smallest + head.tags * wire::vlan_tag_size;
  const Verdict parsed = wire::parse_sectag(head.data + offset, head.length - offset, may_be_padded, tag);
  if (parsed == Verdict::macsec_e_without_c && first->control_port) {
    first->outside_shared.add(head.data, head.length);
    first->tagged_control.add();
    return MacsecBegin::pass;
  }
  if (parsed != Verdict::pending) {
    note_bad_tag(*first, parsed);
    if (parsed == Verdict::macsec_bad_short_length && tag.short_length >= wire::macsec_data_not_short)
      first->note(MacsecNote::sectag_short_length);
    return drop(*first, first->bad_tag);
  }
  if (tag.changed() && !tag.encrypted()) {
    first->note(MacsecNote::sectag_c_without_e);
    return drop(*first, first->bad_tag);
  }
  // 5.
  std::uint64_t sci = 0;
  const bool named = wire::sci_of(tag, head.data, sci);
  MacsecSession* const session = session_by_sci(*rules, at, head, named, sci);
  if (session == nullptr) {
    if (strict || tag.changed() || !strip(mbuf, head, tag)) return drop(*first, first->no_sa_error);
    return deliver(*first, first->no_sa);
  }
  if (!session->active) return drop(*session, session->port_disabled);
  if (!session->wide && tag.packet_number == 0) return drop(*session, session->bad_tag);
  // 6.
  MacsecPlace& place = session->places[tag.an()];
  const SaId sa = unpack(place.sa.load(std::memory_order_acquire));
  if (!sa.valid()) {
    session->note(MacsecNote::sa_not_valid);
    if (session->validate == ValidateFrames::strict || tag.changed() || !strip(mbuf, head, tag)) {
      place.not_using.add();
      return drop(*session, session->no_sa_error);
    }
    place.unused.add();
    return deliver(*session, session->no_sa);
  }
  // 7.
  bool waits = false;
  if (!hold_frame(macsec, 0, 0, bounces, waits))
    return waits ? MacsecBegin::no_bounce : drop(*session, session->no_sa_error);
  take_tags(macsec, head.tags);
  macsec.session = session;
  macsec.generation = session->generation.load(std::memory_order_relaxed);
  macsec.queue = session->queue_for(mine);
  macsec.place = tag.an();
  macsec.validate = session->validate;
  Job& job = macsec.job;
  job = Job{};
  job.source = job.destination = &macsec.source;
  job.stages[0] = {sa, Operation::macsec_validate};
  job.user = head.length;
  return MacsecBegin::ready;
}

namespace {

// rte_security's soft and hard expiry of an RX SA: by the numbers of frames that were good.
void note_number(const MacsecJob& macsec) noexcept {
  MacsecSession& session = *macsec.session;
  MacsecPlace& place = session.places[macsec.place];
  const std::uint64_t number = macsec.job.number;
  if (number + 1 >= session.soft_limit && !place.soft_told.load(std::memory_order_relaxed)) {
    place.soft_told.store(true, std::memory_order_relaxed);
    session.note(MacsecNote::receive_soft);
  }
  if (number >= session.last_number && !place.hard_told.load(std::memory_order_relaxed)) {
    place.hard_told.store(true, std::memory_order_relaxed);
    session.note(MacsecNote::receive_hard);
  }
}

// A frame that is not good and is delivered to be seen: as it came, but for its text, of which nothing is left.
MacsecEnd deliver_flagged(MacsecJob& macsec) noexcept {
  Packet& frame = macsec.source;
  const std::uint32_t offset = wire::macsec_addresses_size;
  const bool has_sci = (frame.data[offset + wire::sectag_tci_offset] & wire::tci_sc) != 0;
  const std::uint32_t text = offset + (has_sci ? wire::sectag_size_with_sci : wire::sectag_size);
  std::memset(frame.data + text, 0, frame.length - text);
  put_tags(macsec);
  macsec.flagged = give_frame(macsec);
  macsec.mbuf->ol_flags |= RTE_MBUF_F_RX_SEC_OFFLOAD | RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED;
  return MacsecEnd::drop;
}

}  // namespace

// 1. Good: SecTAG and ICV are off; its number may say that the SA is to be replaced.
// 2. Delivered unvalidated: with validation disabled without a flag, with NO_DISCARD flagged, for its ICV is wrong.
// 3. Late or a duplicate: flagged. So is, with NO_DISCARD, changed text whose ICV is wrong.
// 4. All else is dropped, counted by the engine or here.
MacsecEnd finish_validate(MacsecJob& macsec) noexcept {
  MacsecSession& session = *macsec.session;
  const bool mine = still_there(macsec);
  const Verdict verdict = macsec.job.verdict;
  if (mine) {
    session.hits.add();
    session.outside.add(macsec.source.data, static_cast<std::uint32_t>(macsec.job.user));
  }
  switch (verdict) {
    // 1.
    case Verdict::ok:
    // 2.
    case Verdict::unchecked: {
      put_tags(macsec);
      if (!give_frame(macsec)) return MacsecEnd::drop;
      std::uint64_t flags = 0;
      if (verdict == Verdict::ok)
        flags = RTE_MBUF_F_RX_SEC_OFFLOAD;
      else if (macsec.validate != ValidateFrames::disabled)
        flags = RTE_MBUF_F_RX_SEC_OFFLOAD | RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED;
      macsec.mbuf->ol_flags |= flags;
      if (mine) {
        session.inside.add(macsec.source.data, macsec.source.length);
        if (verdict == Verdict::ok) note_number(macsec);
      }
      return MacsecEnd::good;
    }
    // 3.
    case Verdict::replay_late:
    case Verdict::replay_duplicate:
      return deliver_flagged(macsec);
    case Verdict::macsec_not_valid:
      return macsec.validate == ValidateFrames::strict ? MacsecEnd::drop : deliver_flagged(macsec);
    // 4.
    case Verdict::number_zero:
      if (mine) session.bad_tag.add();
      return MacsecEnd::drop;
    case Verdict::stale_sa:
    case Verdict::macsec_unknown_sci:
    case Verdict::macsec_unused_sa:
      if (mine) session.no_sa_error.add();
      return MacsecEnd::drop;
    default:
      return MacsecEnd::drop;
  }
}

}  // namespace linecrypt::dpdk
