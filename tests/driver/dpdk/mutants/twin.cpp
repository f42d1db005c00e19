#include "tests/driver/dpdk/mutants/twin.hpp"

#include <cstring>

#include "host/software/esp/sequence.hpp"
#include "host/values/packet_number.hpp"
#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ip_packet.hpp"
#include "linecrypt/wire/sectag.hpp"

namespace linecrypt::dpdk {
namespace {

Place esp_place(const Packet& packet, std::uint32_t l2) {
  const wire::IpPacket ip = wire::parse_ip(packet.data + l2, packet.length - l2);
  if (!ip.valid) return {};
  std::uint32_t at = ip.l4_offset + (ip.protocol == wire::protocol_udp ? wire::udp_size : 0U);
  constexpr std::uint32_t front = wire::esp_header_size + wire::esp_iv_size;
  if (ip.total_length < at + front + wire::esp_trailer_size + esp_icv_size) return {};
  std::uint8_t* const esp = packet.data + l2 + at;
  Place place;
  place.head = esp;
  place.head_length = front;
  place.text = esp + front;
  place.text_length = ip.total_length - at - front - esp_icv_size;
  return place;
}

// The driver takes VLAN tags in clear out of the engine's sight.
Place macsec_place(const MacsecSa& sa, const Packet& packet) {
  wire::SecTag tag;
  if (wire::find_sectag({}, packet.data, packet.length, tag) != Verdict::pending) return {};
  Place place;
  place.head = packet.data;
  place.head_length = wire::macsec_addresses_size + tag.size;
  place.open = place.head + place.head_length;
  place.open_length =
      tag.encrypted() ? std::min<std::uint32_t>(sa.secy.confidentiality_offset, tag.data_length) : tag.data_length;
  place.text = place.open + place.open_length;
  place.text_length = tag.data_length - place.open_length;
  return place;
}

std::uint8_t* sectag_of(const Place& place) {
  return place.head + wire::macsec_addresses_size;
}

}  // namespace

Place place_of(const Twin& twin, const Packet& packet, std::uint32_t l2) {
  if (const auto* macsec = std::get_if<MacsecSa>(&twin.sa)) return macsec_place(*macsec, packet);
  return esp_place(packet, l2);
}

std::uint64_t number_of(const Twin& twin, const SaSlot& slot, const Place& place) {
  if (const auto* macsec = std::get_if<MacsecSa>(&twin.sa)) {
    const std::uint32_t low = wire::load32(sectag_of(place) + wire::sectag_pn_offset);
    const ReceiveNumbers numbers{slot.window.top(), macsec->lowest_pn, macsec->secy.replay_window};
    return is_xpn(macsec->secy.suite) ? recover_pn(numbers.lowest_acceptable(), low) : low;
  }
  const std::uint32_t low = wire::load32(place.head + 4);
  if (!std::get<EspSa>(twin.sa).esn) return low;
  return software::esp::infer_number(low, slot.window.top(), slot.window.size()).value_or(low);
}

software::AeadOp op_of(const Twin& twin, const Place& place, std::uint64_t number, std::uint8_t* aad) {
  software::AeadOp op;
  op.key = twin.key;
  op.aad_head = aad;
  if (const auto* macsec = std::get_if<MacsecSa>(&twin.sa)) {
    if (is_xpn(macsec->secy.suite)) {
      std::memcpy(op.iv, macsec->salt.bytes().data(), sizeof op.iv);
      wire::store32(op.iv, wire::load32(op.iv) ^ macsec->ssci);
      wire::store64(op.iv + 4, wire::load64(op.iv + 4) ^ number);
    } else {
      wire::store64(op.iv, macsec->sci.value());
      wire::store32(op.iv + 8, static_cast<std::uint32_t>(number));
    }
    std::memcpy(aad, place.head, place.head_length);
    op.aad_head_length = place.head_length;
    op.aad_tail = place.open;
    op.aad_tail_length = place.open_length;
  } else {
    const auto& esp = std::get<EspSa>(twin.sa);
    std::memcpy(op.iv, esp.salt.bytes().data(), 4);
    std::memcpy(op.iv + 4, place.head + wire::esp_header_size, wire::esp_iv_size);
    std::memcpy(aad, place.head, 4);
    if (esp.esn)
      wire::store64(aad + 4, number);
    else
      wire::store32(aad + 4, static_cast<std::uint32_t>(number));
    op.aad_head_length = esp.esn ? 12 : 8;
  }
  op.in = op.out = place.text;
  op.length = place.text_length;
  op.tag = place.text + place.text_length;
  return op;
}

void set_iv(const Twin& twin, const Place& place, std::uint64_t number) {
  if (std::holds_alternative<MacsecSa>(twin.sa))
    wire::store32(sectag_of(place) + wire::sectag_pn_offset, static_cast<std::uint32_t>(number));
  else
    wire::store64(place.head + wire::esp_header_size, number);
}

}  // namespace linecrypt::dpdk
