// The Ethernet and VLAN header of a port's frames: read, written, and exchanged for another port's.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "linecrypt/address.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/verdict.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/ethernet.hpp"

namespace linecrypt::gateway {

[[nodiscard]] inline MacAddress mac_at(const std::uint8_t* p) noexcept {
  MacAddress mac;
  std::memcpy(mac.bytes.data(), p, wire::mac_size);
  return mac;
}

[[nodiscard]] constexpr std::uint16_t l2_length(std::size_t vlan_tags) noexcept {
  return static_cast<std::uint16_t>(wire::ethernet_size + vlan_tags * wire::vlan_tag_size);
}

struct L2Header {
  Verdict verdict = Verdict::pending;  // anything else: drop with it
  std::uint16_t ethertype = 0;
  std::uint16_t length = 0;
};

// 1. Each configured tag stands where it should: number, TPID and VID equal; PCP and DEI are not looked at
// (DESIGN 3.1).
// 2. What follows is the payload's EtherType; one more tag than configured is an EtherType that nothing here handles.
[[nodiscard]] inline L2Header parse_l2(const std::uint8_t* frame, std::uint32_t length,
                                       std::span<const ClearVlanTag> tags) noexcept {
  if (length < wire::ethernet_size) return {Verdict::malformed_ethernet, 0, 0};
  std::uint32_t at = wire::ethertype_offset;
  for (const ClearVlanTag& tag : tags) {
    const std::uint16_t tpid = wire::load16(frame + at);
    if (!wire::is_vlan(tpid)) return {Verdict::macsec_vlan_missing, 0, 0};
    if (length < at + wire::vlan_tag_size + 2) return {Verdict::malformed_ethernet, 0, 0};
    if (tpid != tag.tpid || (wire::load16(frame + at + 2) & 0x0fffU) != tag.vid)
      return {Verdict::macsec_vlan_mismatch, 0, 0};
    at += wire::vlan_tag_size;
  }
  return {Verdict::pending, wire::load16(frame + at), static_cast<std::uint16_t>(at + 2)};
}

// Writes l2_length(tags.size()) bytes; tags carry PCP 0.
inline void write_l2(std::uint8_t* at, const MacAddress& destination, const MacAddress& source,
                     std::span<const ClearVlanTag> tags, std::uint16_t ethertype) noexcept {
  std::memcpy(at, destination.bytes.data(), wire::mac_size);
  std::memcpy(at + wire::mac_size, source.bytes.data(), wire::mac_size);
  at += wire::ethertype_offset;
  for (const ClearVlanTag& tag : tags) {
    wire::store16(at, tag.tpid);
    wire::store16(at + 2, tag.vid);
    at += wire::vlan_tag_size;
  }
  wire::store16(at, ethertype);
}

// A header without its EtherType, made once for many frames.
class L2Template {
 public:
  static constexpr std::uint32_t largest = wire::ethernet_size + 2 * wire::vlan_tag_size;

  L2Template() = default;
  // At most two tags.
  L2Template(const MacAddress& destination, const MacAddress& source, std::span<const ClearVlanTag> tags) noexcept
      : length_(l2_length(tags.size())) {
    write_l2(bytes_.data(), destination, source, tags, 0);
  }
  [[nodiscard]] std::uint16_t length() const noexcept { return length_; }

  // As exchange_l2().
  [[nodiscard]] bool exchange(Packet& packet, std::uint32_t old_length, std::uint16_t ethertype) const noexcept {
    if (packet.headroom + old_length < length_) return false;
    packet.pull_front(old_length);
    packet.push_front(length_);
    // Nearly all are untagged, and a copy of known size is no call.
    if (length_ == wire::ethernet_size) [[likely]]
      std::memcpy(packet.data, bytes_.data(), wire::ethernet_size);
    else
      std::memcpy(packet.data, bytes_.data(), length_);
    wire::store16(packet.data + length_ - 2, ethertype);
    return true;
  }

 private:
  std::array<std::uint8_t, largest> bytes_{};
  std::uint16_t length_ = 0;
};

// Takes the first `old_length` bytes off and puts a new header there. False, with the packet unchanged, when the
// headroom is too small. The addresses may point into the old header.
[[nodiscard]] inline bool exchange_l2(Packet& packet, std::uint32_t old_length, MacAddress destination,
                                      MacAddress source, std::span<const ClearVlanTag> tags,
                                      std::uint16_t ethertype) noexcept {
  const std::uint32_t new_length = l2_length(tags.size());
  if (packet.headroom + old_length < new_length) return false;
  packet.pull_front(old_length);
  packet.push_front(new_length);
  write_l2(packet.data, destination, source, tags, ethertype);
  return true;
}

// Zeroes up to the smallest frame that Ethernet carries (IEEE 802.3 3.2.7), without FCS. False when there is no room.
[[nodiscard]] inline bool pad_frame(Packet& packet) noexcept {
  if (packet.length >= wire::ethernet_smallest) return true;
  const std::uint32_t missing = wire::ethernet_smallest - packet.length;
  if (packet.tailroom < missing) return false;
  std::memset(packet.data + packet.length, 0, missing);
  packet.set_length(wire::ethernet_smallest);
  return true;
}

}  // namespace linecrypt::gateway
