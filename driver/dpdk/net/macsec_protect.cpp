// Egress: which SA a frame leaves under, and the frame with SecTAG and ICV.
#include "driver/dpdk/net/macsec_work.hpp"

namespace linecrypt::dpdk {
namespace {

MacsecSession* session_of(const MacsecSessions::Rules* rules, const FrameHead& head) noexcept {
  if (rules == nullptr) return nullptr;
  for (const MacsecRuleEntry& rule : *rules)
    if (rule.match.holds(head)) return rule.session;
  return nullptr;
}

// The other place takes over, if it has an SA that is not at its limit as well.
bool switch_place(MacsecSession& session, std::uint32_t from) noexcept {
  const std::uint32_t to = 1 - from;
  const MacsecPlace& other = session.places[to];
  if (other.sa.load(std::memory_order_acquire) == 0 || other.next() >= other.limit.load(std::memory_order_relaxed))
    return false;
  std::uint32_t expected = from;
  // If it fails, another worker has done so.
  (void)session.current.compare_exchange_strong(expected, to, std::memory_order_relaxed);
  return true;
}

// The SA of the next frame (IEEE 802.1AE-2018 10.5.1): the one that transmits, or with rekey the other one from where
// this one's numbers are to end. Frames are begun in their order, so the switch is exact and no frame is lost.
SaId choose(MacsecSession& session, MacsecJob& macsec) noexcept {
  for (std::uint32_t tries = 0;; ++tries) {
    const std::uint32_t at = session.current.load(std::memory_order_relaxed);
    MacsecPlace& place = session.places[at];
    const SaId sa = unpack(place.sa.load(std::memory_order_acquire));
    const bool spent = !sa.valid() || place.next() >= place.limit.load(std::memory_order_relaxed);
    if (session.rekey && spent && tries < 2 && switch_place(session, at)) continue;
    macsec.place = static_cast<std::uint8_t>(at);
    macsec.planned = place.planned.fetch_add(1, std::memory_order_relaxed);
    return sa;
  }
}

}  // namespace

// 1. The session, by the first rule that matches. None: dropped; what is flagged never leaves in clear.
// 2. protect_frames=0 (10.5): the one way in which a flagged frame leaves as it is.
// 3. VLAN tags in clear: all that there are, or exactly as many as sectag_off says; with fewer it is dropped.
// 4. No longer than the mtu (OutPktsTooLong).
// 5. In one piece, with room for SecTAG and ICV.
// 6. The SA; none, or the SC is not active: dropped (OutPktsNoSA), and told.
// 7. The tags out of the engine's sight.
MacsecBegin begin_macsec_tx(MacsecJob& macsec, MacsecSessions& sessions, rte_mbuf* mbuf, std::uint32_t mine,
                            BounceRing& bounces) noexcept {
  macsec.mbuf = mbuf;
  macsec.bounce = nullptr;
  macsec.flagged = false;
  macsec.egress = true;
  macsec.tag_count = 0;
  const MacsecLook look(sessions.readers(), mine);
  // 1.
  HeadScratch scratch;
  FrameHead head;
  MacsecSession* const session = read_head(mbuf, scratch, head) ? session_of(sessions.tx_rules(), head) : nullptr;
  if (session == nullptr) {
    sessions.count_unmatched();
    return MacsecBegin::drop;
  }
  // 2.
  if (!session->protect) {
    session->inside_shared.add(head.data, head.length);
    session->outside_shared.add(head.data, head.length);
    session->out_untagged.add();
    return MacsecBegin::pass;
  }
  const auto drop = [&](SharedCounter& counter) {
    session->inside_shared.add(head.data, head.length);
    counter.add();
    return MacsecBegin::drop;
  };
  // 3.
  const std::uint32_t tags = session->behind_vlans ? head.tags : session->clear_tags;
  if (head.tags < tags) return drop(session->out_no_sa);
  // 4.
  const std::uint32_t secured = head.length + session->tag_size + macsec_icv_size;
  if (secured - wire::ethernet_size > session->mtu) return drop(session->out_too_long);
  // 5.
  bool waits = false;
  if (!hold_frame(macsec, session->tag_size, macsec_icv_size, bounces, waits))
    return waits ? MacsecBegin::no_bounce : drop(session->out_too_long);
  // 6.
  const SaId sa = session->active ? choose(*session, macsec) : SaId{};
  if (!sa.valid()) {
    if (macsec.bounce != nullptr) bounces.untake();
    macsec.bounce = nullptr;
    session->note(MacsecNote::sa_not_valid);
    return drop(session->out_no_sa);
  }
  // 7.
  take_tags(macsec, tags);
  macsec.session = session;
  macsec.rekey = session->rekey;
  macsec.generation = session->generation.load(std::memory_order_relaxed);
  macsec.queue = session->queue_for(mine);
  Job& job = macsec.job;
  job = Job{};
  job.source = job.destination = &macsec.source;
  job.stages[0] = {sa, Operation::macsec_protect};
  job.user = head.length;
  return MacsecBegin::ready;
}

// 1. A refusal, counted. 2. What the number says of those to come; the last one is told. 3. The tags again, and into
// the mbuf.
MacsecEnd finish_protect(MacsecJob& macsec) noexcept {
  MacsecSession& session = *macsec.session;
  const Job& job = macsec.job;
  const bool mine = still_there(macsec);
  if (mine) session.inside.add(macsec.source.data, static_cast<std::uint32_t>(job.user));
  // 1.
  if (job.verdict != Verdict::ok) {
    if (mine) (job.verdict == Verdict::oversize ? session.out_too_long : session.out_no_sa).add();
    if (mine && job.verdict == Verdict::stale_sa) session.note(MacsecNote::sa_not_valid);
    return MacsecEnd::drop;
  }
  // 2.
  MacsecPlace& place = session.places[macsec.place];
  if (mine && place.sa.load(std::memory_order_relaxed) == pack(job.stages[0].sa)) {
    place.drift.store(macsec.planned - job.number, std::memory_order_relaxed);
    if (job.number >= session.last_number && !place.hard_told.exchange(true, std::memory_order_relaxed))
      session.note(MacsecNote::transmit_hard);
  }
  // 3.
  put_tags(macsec);
  if (!give_frame(macsec)) {
    if (mine) session.out_too_long.add();
    return MacsecEnd::drop;
  }
  if (mine) session.outside.add(macsec.source.data, macsec.source.length);
  macsec.mbuf->ol_flags &= ~RTE_MBUF_F_TX_MACSEC;
  return MacsecEnd::good;
}

}  // namespace linecrypt::dpdk
