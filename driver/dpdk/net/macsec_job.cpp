// What both directions share: the memory a frame is worked on in, its VLAN tags, leases.
#include "driver/dpdk/net/macsec_job.hpp"

#include <cstring>

#include "driver/dpdk/net/macsec_work.hpp"

namespace linecrypt::dpdk {

bool hold_frame(MacsecJob& macsec, std::uint32_t front, std::uint32_t behind, BounceRing& bounces,
                bool& waits) noexcept {
  rte_mbuf* const mbuf = macsec.mbuf;
  waits = false;
  // What others look at as well stays as it is.
  if (!is_exclusive(mbuf)) return false;
  if (mbuf->nb_segs == 1 && rte_pktmbuf_headroom(mbuf) >= front && rte_pktmbuf_tailroom(mbuf) >= behind) {
    macsec.source = packet_of(mbuf);
  } else {
    if (mbuf->pkt_len > BounceRing::payload_most) return false;
    std::uint8_t* const bounce = bounces.take();
    if (bounce == nullptr) {
      waits = true;
      return false;
    }
    if (!gather(mbuf, 0, mbuf->pkt_len, bounce + BounceRing::headroom)) {
      bounces.untake();
      return false;
    }
    macsec.bounce = bounce;
    macsec.source = {};
    macsec.source.data = bounce + BounceRing::headroom;
    macsec.source.length = mbuf->pkt_len;
    macsec.source.headroom = BounceRing::headroom;
    macsec.source.tailroom = BounceRing::size - BounceRing::headroom - mbuf->pkt_len;
  }
  macsec.job.source = macsec.job.destination = &macsec.source;
  return true;
}

void take_tags(MacsecJob& macsec, std::uint32_t count) noexcept {
  macsec.tag_count = static_cast<std::uint8_t>(count);
  if (count == 0) return;
  const std::uint32_t size = count * wire::vlan_tag_size;
  std::uint8_t* const frame = macsec.source.data;
  std::memcpy(macsec.tags.data(), frame + wire::macsec_addresses_size, size);
  std::memmove(frame + size, frame, wire::macsec_addresses_size);
  macsec.source.pull_front(size);
}

void put_tags(MacsecJob& macsec) noexcept {
  if (macsec.tag_count == 0) return;
  const std::uint32_t size = macsec.tag_count * wire::vlan_tag_size;
  macsec.source.push_front(size);
  std::uint8_t* const frame = macsec.source.data;
  std::memmove(frame, frame + size, wire::macsec_addresses_size);
  std::memcpy(frame + wire::macsec_addresses_size, macsec.tags.data(), size);
  macsec.tag_count = 0;
}

bool give_frame(MacsecJob& macsec) noexcept {
  if (macsec.bounce != nullptr) return become(macsec.mbuf, macsec.source.data, macsec.source.length);
  apply(macsec.source, macsec.mbuf);
  return true;
}

void undo_macsec(MacsecJob& macsec) noexcept {
  put_tags(macsec);
  if (!macsec.egress) return;
  MacsecSession& session = *macsec.session;
  MacsecPlace& place = session.places[macsec.place];
  if (place.sa.load(std::memory_order_relaxed) != pack(macsec.job.stages[0].sa)) return;
  place.planned.fetch_sub(1, std::memory_order_relaxed);
  // It has a number left: the next frame takes it, if the other place has taken over behind this one.
  if (std::uint32_t other = 1U - macsec.place;
      macsec.rekey && place.next() < place.limit.load(std::memory_order_relaxed))
    (void)session.current.compare_exchange_strong(other, macsec.place, std::memory_order_relaxed);
}

bool macsec_lease_due(const MacsecJob& macsec, MacsecRenewal& out) noexcept {
  if (!macsec.egress) return false;
  MacsecSession& session = *macsec.session;
  MacsecPlace& place = session.places[macsec.place];
  if (place.sa.load(std::memory_order_acquire) != pack(macsec.job.stages[0].sa)) return false;
  const std::uint32_t left = place.until_renewal.load(std::memory_order_relaxed);
  if (left > 1) {
    place.until_renewal.store(left - 1, std::memory_order_relaxed);
    return false;
  }
  place.until_renewal.store(2 * DeviceContext::renewal_distance(session.wide), std::memory_order_relaxed);
  out = {macsec.job.stages[0].sa, &place};
  return true;
}

void renew_macsec(const MacsecRenewal& renewal, DeviceContext& device) noexcept {
  constexpr std::uint32_t soon = 64;
  if (!device.renew_lease(renewal.sa)) renewal.place->until_renewal.store(soon, std::memory_order_relaxed);
}

MacsecEnd finish_macsec(MacsecJob& macsec) noexcept {
  return macsec.egress ? finish_protect(macsec) : finish_validate(macsec);
}

}  // namespace linecrypt::dpdk
