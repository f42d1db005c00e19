// What the application is told as RTE_ETH_EVENT_MACSEC.
#include <algorithm>

#include "driver/dpdk/net/macsec_sessions.hpp"

namespace linecrypt::dpdk {
namespace {

// In the order of MacsecNote.
constexpr struct {
  rte_eth_event_macsec_type type;
  rte_eth_event_macsec_subtype subtype;
} told_as[macsec_notes] = {
    {RTE_ETH_EVENT_MACSEC_SECTAG_VAL_ERR, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_V_EQ1},
    {RTE_ETH_EVENT_MACSEC_SECTAG_VAL_ERR, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_E_EQ0_C_EQ1},
    {RTE_ETH_EVENT_MACSEC_SECTAG_VAL_ERR, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_SL_GTE48},
    {RTE_ETH_EVENT_MACSEC_SECTAG_VAL_ERR, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_ES_EQ1_SC_EQ1},
    {RTE_ETH_EVENT_MACSEC_SECTAG_VAL_ERR, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_SC_EQ1_SCB_EQ1},
    {RTE_ETH_EVENT_MACSEC_SA_NOT_VALID, RTE_ETH_SUBEVENT_MACSEC_UNKNOWN},
    {RTE_ETH_EVENT_MACSEC_RX_SA_PN_SOFT_EXP, RTE_ETH_SUBEVENT_MACSEC_UNKNOWN},
    {RTE_ETH_EVENT_MACSEC_RX_SA_PN_HARD_EXP, RTE_ETH_SUBEVENT_MACSEC_UNKNOWN},
    {RTE_ETH_EVENT_MACSEC_TX_SA_PN_HARD_EXP, RTE_ETH_SUBEVENT_MACSEC_UNKNOWN},
};

}  // namespace

bool MacsecSessions::event(const Event& event, rte_eth_event_macsec_desc& out) {
  const std::lock_guard lock(mutex_);
  if (event.sa.index >= sa_of_slot_.size()) return false;
  const SaRecord& sa = sas_[sa_of_slot_[event.sa.index]];
  if (!sa.installed.valid() || sa.installed != event.sa) return false;
  switch (event.kind) {
    case EventKind::pn_threshold:
      out.type = RTE_ETH_EVENT_MACSEC_TX_SA_PN_SOFT_EXP;
      break;
    case EventKind::number_exhausted:
      // Told with the last number that was used.
      if (sessions_[sa.sc].places[sa.place].hard_told.exchange(true, std::memory_order_relaxed)) return false;
      out.type = RTE_ETH_EVENT_MACSEC_TX_SA_PN_HARD_EXP;
      break;
    default:
      return false;
  }
  out.subtype = RTE_ETH_SUBEVENT_MACSEC_UNKNOWN;
  out.metadata = sessions_[sa.sc].userdata;
  return true;
}

std::uint32_t MacsecSessions::take_events(std::span<rte_eth_event_macsec_desc> out) {
  if (!any_notes_.load(std::memory_order_acquire)) return 0;
  const std::lock_guard lock(mutex_);
  any_notes_.store(false, std::memory_order_relaxed);
  std::uint32_t count = 0;
  for (std::size_t id = 1; id < scs_.size(); ++id) {
    if (scs_[id].session.generation == 0) continue;
    MacsecSession& session = sessions_[id];
    if (session.notes.load(std::memory_order_relaxed) == 0) continue;
    const std::uint32_t notes = session.notes.exchange(0, std::memory_order_relaxed);
    for (std::uint32_t kind = 0; kind < macsec_notes; ++kind) {
      if ((notes >> kind & 1U) == 0) continue;
      if (count == out.size()) {
        // For the next call.
        session.note(static_cast<MacsecNote>(kind));
        continue;
      }
      out[count++] = {told_as[kind].type, told_as[kind].subtype, session.userdata};
    }
  }
  return count;
}

}  // namespace linecrypt::dpdk
