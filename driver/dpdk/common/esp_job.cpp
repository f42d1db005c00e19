#include "driver/dpdk/common/esp_job.hpp"

#include <cstring>

#include "driver/dpdk/common/inner_checksum.hpp"
#include "driver/dpdk/common/mbuf.hpp"
#include "linecrypt/wire/ip_packet.hpp"

namespace linecrypt::dpdk {
namespace {

EspBegin refuse(EspJob& esp, Verdict verdict) noexcept {
  esp.job.verdict = verdict;
  return EspBegin::refused;
}

// rte_security's tunnel_hdr_verify=DST_ADDR; an engine compares both addresses or none.
bool destination_is(const IpAddress& wanted, const std::uint8_t* ip, std::uint32_t length) noexcept {
  const bool ipv4 = wanted.family == Family::ipv4;
  if (length < (ipv4 ? wire::ipv4_size : wire::ipv6_size) || ip[0] >> 4U != (ipv4 ? 4 : 6)) return false;
  return std::memcmp(ip + (ipv4 ? wire::ipv4_destination : wire::ipv6_destination), wanted.bytes.data(),
                     wanted.size()) == 0;
}

bool wants_ip_checksum(const EspSession& session, const rte_mbuf& mbuf) noexcept {
  return session.extras.inner_ip_checksum || (mbuf.ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0;
}
bool wants_l4_checksum(const EspSession& session, const rte_mbuf& mbuf) noexcept {
  return session.extras.inner_l4_checksum || (mbuf.ol_flags & RTE_MBUF_F_TX_L4_MASK) != 0;
}

// The clear bytes of a packet, as LifetimeLimit::bytes: the IP packet, or what follows its header in transport mode.
std::uint32_t clear_bytes(const EspSession& session, const std::uint8_t* ip, std::uint32_t length) noexcept {
  const wire::IpPacket packet = wire::parse_ip(ip, length, wire::HeaderChecksum::ignore);
  if (!packet.valid) return 0;
  return session.tunnel ? packet.total_length : packet.total_length - packet.esp_offset;
}

}  // namespace

// 1. In which memory: the mbufs themselves, or a bounce buffer where they are in several segments, where there is no
//    room for what is added, or where checksums would be written into a source that stays.
// 2. Ingress: the outer destination, where only that is asked for.
// 3. Egress: checksums of the clear packet; the clear bytes, which are gone afterwards.
EspBegin begin_esp(EspJob& esp, EspSession& session, rte_mbuf* in, rte_mbuf* out, std::uint16_t l2_length,
                   const std::uint8_t* iv, BounceRing& bounces) noexcept {
  esp.session = &session;
  esp.in = in;
  esp.out = out;
  esp.iv = iv;
  esp.bounce = nullptr;
  esp.soft_expired = false;
  esp.job = Job{};
  esp.job.stages[0] = {session.sa(), session.egress ? Operation::esp_encapsulate : Operation::esp_decapsulate};
  esp.job.l2_length = l2_length;
  // 1.
  if (in->pkt_len < l2_length + 1U) return refuse(esp, Verdict::malformed_ip);
  const bool apart = in != out;
  const bool checksums = session.egress && (wants_ip_checksum(session, *in) || wants_l4_checksum(session, *in));
  bool bounce = in->nb_segs != 1 || out->nb_segs != 1 || (apart && checksums);
  if (session.egress)
    bounce = bounce || rte_pktmbuf_headroom(out) < esp_front_most || rte_pktmbuf_tailroom(out) < esp_behind_most;
  if (bounce) {
    if (in->pkt_len > BounceRing::payload_most) return refuse(esp, Verdict::oversize);
    esp.bounce = bounces.take();
    if (esp.bounce == nullptr) return EspBegin::no_bounce;
    esp.source = {};
    esp.source.data = esp.bounce + BounceRing::headroom;
    esp.source.length = in->pkt_len;
    esp.source.headroom = BounceRing::headroom;
    esp.source.tailroom = BounceRing::size - BounceRing::headroom - in->pkt_len;
    if (!gather(in, 0, in->pkt_len, esp.source.data)) {
      bounces.untake();
      esp.bounce = nullptr;
      return refuse(esp, Verdict::malformed_ip);
    }
  } else {
    esp.source = packet_of(in);
  }
  esp.job.source = esp.job.destination = &esp.source;
  if (apart && !bounce) {
    esp.destination = packet_of(out);
    esp.job.destination = &esp.destination;
  }
  std::uint8_t* const ip = esp.source.data + l2_length;
  const std::uint32_t length = esp.source.length - l2_length;
  // 2.
  if (session.extras.verify_destination && !destination_is(session.destination, ip, length)) {
    if (esp.bounce != nullptr) bounces.untake();
    esp.bounce = nullptr;
    return refuse(esp, Verdict::esp_outer_mismatch);
  }
  // 3.
  if (!session.egress) return EspBegin::ready;
  if (checksums) {
    if (wants_ip_checksum(session, *in)) write_ip_checksum(ip, length);
    if (wants_l4_checksum(session, *in)) write_l4_checksum(ip, length);
  }
  esp.job.user = clear_bytes(session, ip, length);
  return EspBegin::ready;
}

// 1. A refusal: counted. Dummy packets carry nothing for anybody.
// 2. Egress: the flow label, which ESP does not cover; the given IV.
// 3. Into the mbuf.
// 4. Ingress: what the checksums of the clear packet are worth.
// 5. Count; rte_security's soft limit is told with the packets from there on.
bool finish_esp(EspJob& esp, GivenIv* given_iv) noexcept {
  EspSession& session = *esp.session;
  Packet& packet = *esp.job.destination;
  // 1.
  if (esp.job.verdict != Verdict::ok) {
    session.errors.add();
    return false;
  }
  std::uint8_t* const ip = packet.data + esp.job.l2_length;
  const std::uint32_t length = packet.length - esp.job.l2_length;
  // 2.
  if (session.egress) {
    if (session.extras.set_flow_label) wire::store32(ip, (wire::load32(ip) & 0xfff00000U) | session.extras.flow_label);
    if (session.iv_key != nullptr && !given_iv->reseal(*session.iv_key, ip, length, esp.job.number, esp.iv)) {
      session.errors.add();
      return false;
    }
  }
  // 3.
  if (esp.bounce == nullptr) {
    apply(packet, esp.out);
  } else if (!become(esp.out, packet.data, packet.length)) {
    session.errors.add();
    return false;
  }
  // 4.
  std::uint64_t bytes = esp.job.user;
  if (!session.egress) {
    bytes = clear_bytes(session, ip, length);
    if (session.extras.inner_ip_checksum || session.extras.inner_l4_checksum) {
      esp.out->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
      esp.out->ol_flags |=
          checksum_flags(ip, length, session.extras.inner_ip_checksum, session.extras.inner_l4_checksum);
    }
  }
  // 5.
  session.packets.add();
  session.bytes.add(bytes);
  esp.soft_expired = (session.soft.packets != 0 && session.packets.get() >= session.soft.packets) ||
                     (session.soft.bytes != 0 && session.bytes.get() >= session.soft.bytes);
  return true;
}

}  // namespace linecrypt::dpdk
