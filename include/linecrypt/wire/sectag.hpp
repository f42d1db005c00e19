// SecTAG (IEEE 802.1AE-2018 clause 9): offsets, bits, every rule for a received tag, and the VLAN tags that may stay in
// clear before it.
//
//   DA | SA | VLAN tags in clear | SecTAG | secure data | ICV | Ethernet padding of a short frame
//
// SecTAG: EtherType 88-E5, TCI and AN, SL, PN, and an explicit SCI if the SC bit is set.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "linecrypt/macsec.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/verdict.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/ethernet.hpp"

namespace linecrypt::wire {

inline constexpr std::uint32_t sectag_size = 8;            // without an SCI (9.3)
inline constexpr std::uint32_t sectag_size_with_sci = 16;  // with an explicit SCI
inline constexpr std::uint32_t sectag_size_largest = sectag_size_with_sci;
inline constexpr std::uint32_t sectag_tci_offset = 2;  // from the SecTAG's first octet
inline constexpr std::uint32_t sectag_short_length_offset = 3;
inline constexpr std::uint32_t sectag_pn_offset = 4;
inline constexpr std::uint32_t sectag_sci_offset = 8;
inline constexpr std::uint32_t macsec_addresses_size = 2 * mac_size;  // DA and SA: what stands before the tags
inline constexpr std::uint32_t macsec_data_not_short = 48;   // secure data of this size and more has SL 0 (9.7)
inline constexpr std::uint32_t macsec_frame_largest = 9728;  // one frame, before or after; of ours
inline constexpr std::uint32_t macsec_clear_tags_largest = 2;

// TCI (9.5), high to low; the AN is the low two bits (9.6).
inline constexpr std::uint8_t tci_version = 0x80;
inline constexpr std::uint8_t tci_end_station = 0x40;
inline constexpr std::uint8_t tci_sc = 0x20;
inline constexpr std::uint8_t tci_scb = 0x10;
inline constexpr std::uint8_t tci_encrypted = 0x08;
inline constexpr std::uint8_t tci_changed = 0x04;
inline constexpr std::uint8_t an_mask = 0x03;
inline constexpr std::uint8_t short_length_mask = 0x3f;  // the two bits above it are zero (9.7)

inline constexpr std::uint16_t sci_port_end_station = 0x0001;  // SCI of a frame with ES (9.5)
inline constexpr std::uint16_t sci_port_scb = 0x0000;          // SCI of a frame with SCB (9.5)
inline constexpr std::uint64_t sci_unspecified = ~std::uint64_t{0};

// A SecTAG that passed every rule.
struct SecTag {
  std::uint8_t tci_an = 0;
  std::uint8_t short_length = 0;
  std::uint32_t packet_number = 0;  // as on the wire: the low half under XPN
  std::uint32_t size = 0;           // 8 or 16
  std::uint32_t data_length = 0;    // octets of secure data behind the tag
  std::uint64_t sci = 0;            // only if has_sci()

  [[nodiscard]] bool has_sci() const noexcept { return (tci_an & tci_sc) != 0; }
  [[nodiscard]] bool end_station() const noexcept { return (tci_an & tci_end_station) != 0; }
  [[nodiscard]] bool scb() const noexcept { return (tci_an & tci_scb) != 0; }
  [[nodiscard]] bool encrypted() const noexcept { return (tci_an & tci_encrypted) != 0; }
  [[nodiscard]] bool changed() const noexcept { return (tci_an & tci_changed) != 0; }
  [[nodiscard]] std::uint8_t an() const noexcept { return tci_an & an_mask; }
};

[[nodiscard]] constexpr std::uint32_t sectag_size_of(SciEncoding encoding) noexcept {
  return encoding == SciEncoding::explicit_sci ? sectag_size_with_sci : sectag_size;
}

// TCI and AN of our own frames (9.5). GCM changes the user data only when it encrypts, so E and C go together.
[[nodiscard]] constexpr std::uint8_t build_tci(SciEncoding encoding, bool encrypt, std::uint8_t an) noexcept {
  std::uint32_t tci = an & an_mask;
  if (encoding == SciEncoding::explicit_sci) tci |= tci_sc;
  if (encoding == SciEncoding::end_station) tci |= tci_end_station;
  if (encoding == SciEncoding::scb) tci |= tci_scb;
  if (encrypt) tci |= static_cast<std::uint32_t>(tci_encrypted) | tci_changed;
  return static_cast<std::uint8_t>(tci);
}

// SL for `data_length` octets of secure data (9.7).
[[nodiscard]] constexpr std::uint8_t build_short_length(std::uint32_t data_length) noexcept {
  return data_length < macsec_data_not_short ? static_cast<std::uint8_t>(data_length) : std::uint8_t{0};
}

// Writes a SecTAG of sectag_size_of(encoding) octets.
inline void build_sectag(std::uint8_t* out, SciEncoding encoding, bool encrypt, std::uint8_t an,
                         std::uint8_t short_length, std::uint32_t packet_number, std::uint64_t sci) noexcept {
  store16(out, ethertype_macsec);
  out[sectag_tci_offset] = build_tci(encoding, encrypt, an);
  out[sectag_short_length_offset] = short_length;
  store32(out + sectag_pn_offset, packet_number);
  if (encoding == SciEncoding::explicit_sci) store64(out + sectag_sci_offset, sci);
}

// Reads the SecTAG at `tag` (its EtherType is known to be 88-E5), `available` octets from there to the end of the
// frame. `may_be_padded`: the frame is no longer than the shortest Ethernet frame, so octets behind the ICV may be
// padding. pending: `out` is filled. Else the rule that was broken; nothing of `out` may be used.
//
// 1. Eight octets are there (9.12 a).
// 2. V is clear (9.5, 9.12 c).
// 3. ES and SC, SCB and SC exclude each other (9.5, 9.12 d).
// 4. E without C is for the KaY (9.5).
// 5. The two bits above SL are clear (9.7, 9.12 e) and SL is below 48 (9.7).
// 6. The tag with its SCI, and an ICV, are there.
// 7. The frame has the length that SL tells: exactly, but for Ethernet padding; or, with SL 0, at least 48 octets of
//    secure data (9.7, 9.12 f to i).
// 8. An explicit SCI is not the reserved one (9.9).
[[nodiscard]] inline Verdict parse_sectag(const std::uint8_t* tag, std::uint32_t available, bool may_be_padded,
                                          SecTag& out) noexcept {
  // 1.
  if (available < sectag_size) return Verdict::macsec_short;
  out.tci_an = tag[sectag_tci_offset];
  // 2.
  if ((out.tci_an & tci_version) != 0) return Verdict::macsec_bad_version;
  // 3.
  if (out.has_sci() && out.end_station()) return Verdict::macsec_es_with_sc;
  if (out.has_sci() && out.scb()) return Verdict::macsec_scb_with_sc;
  // 4.
  if (out.encrypted() && !out.changed()) return Verdict::macsec_e_without_c;
  // 5.
  out.short_length = tag[sectag_short_length_offset];
  if (out.short_length >= macsec_data_not_short) return Verdict::macsec_bad_short_length;
  // 6.
  out.size = out.has_sci() ? sectag_size_with_sci : sectag_size;
  if (available < out.size + macsec_icv_size) return Verdict::macsec_short;
  // 7.
  const std::uint32_t room = available - out.size - macsec_icv_size;
  if (out.short_length == 0) {
    if (room < macsec_data_not_short) return Verdict::macsec_bad_short_length;
    out.data_length = room;
  } else {
    if (room < out.short_length) return Verdict::macsec_bad_short_length;
    if (room > out.short_length && !may_be_padded) return Verdict::macsec_bad_short_length;
    out.data_length = out.short_length;
  }
  // 8.
  out.packet_number = load32(tag + sectag_pn_offset);
  if (out.has_sci()) {
    out.sci = load64(tag + sectag_sci_offset);
    if (out.sci == sci_unspecified) return Verdict::macsec_bad_sci;
  }
  return Verdict::pending;
}

// The SCI that a tag names by itself: explicit, or by the source address with ES or SCB (9.5). False: implicit, only
// the receiver's own tables tell.
[[nodiscard]] inline bool sci_of(const SecTag& tag, const std::uint8_t* frame, std::uint64_t& sci) noexcept {
  if (tag.has_sci()) {
    sci = tag.sci;
    return true;
  }
  if (!tag.end_station() && !tag.scb()) return false;
  const std::uint64_t source = (std::uint64_t{load32(frame + mac_size)} << 16U) | load16(frame + mac_size + 4);
  sci = (source << 16U) | (tag.scb() ? sci_port_scb : sci_port_end_station);
  return true;
}

// VLAN tags in clear before the SecTAG, ready to compare: TPID << 16 | VID.
struct ClearTags {
  std::uint32_t count = 0;
  std::array<std::uint32_t, macsec_clear_tags_largest> tags{};

  ClearTags() = default;
  // Precondition: at most macsec_clear_tags_largest tags.
  explicit ClearTags(std::span<const ClearVlanTag> from) noexcept : count(static_cast<std::uint32_t>(from.size())) {
    for (std::uint32_t i = 0; i < count; ++i) tags[i] = (std::uint32_t{from[i].tpid} << 16U) | (from[i].vid & 0x0fffU);
  }
  // Where the SecTAG begins, or shall begin, in a frame.
  [[nodiscard]] std::uint32_t sectag_offset() const noexcept { return macsec_addresses_size + count * vlan_tag_size; }
  // The longest frame that can have Ethernet padding: 60 octets, and what each tag may add (IEEE 802.1Q G.2.3).
  [[nodiscard]] std::uint32_t padded_largest() const noexcept { return ethernet_smallest + count * vlan_tag_size; }
};

// The frame begins with exactly these tags; PCP and DEI are not looked at. pending: so it does, and an EtherType
// follows.
[[nodiscard]] inline Verdict match_clear_tags(const ClearTags& expected, const std::uint8_t* frame,
                                              std::uint32_t length) noexcept {
  if (length < ethernet_size) return Verdict::malformed_ethernet;
  std::uint32_t at = ethertype_offset;
  for (std::uint32_t i = 0; i < expected.count; ++i, at += vlan_tag_size) {
    const std::uint16_t type = load16(frame + at);
    if (type != expected.tags[i] >> 16U)
      return is_vlan(type) ? Verdict::macsec_vlan_mismatch : Verdict::macsec_vlan_missing;
    if (length < at + vlan_tag_size + 2) return Verdict::malformed_ethernet;
    if ((load16(frame + at + 2) & 0x0fffU) != (expected.tags[i] & 0x0fffU)) return Verdict::macsec_vlan_mismatch;
  }
  return Verdict::pending;
}

// Finds and reads the SecTAG of a whole frame behind the expected VLAN tags in clear.
// pending: `out` is filled. macsec_untagged: there is none. macsec_vlan_mismatch: it stands behind further VLAN tags.
[[nodiscard]] inline Verdict find_sectag(const ClearTags& expected, const std::uint8_t* frame, std::uint32_t length,
                                         SecTag& out) noexcept {
  if (const Verdict verdict = match_clear_tags(expected, frame, length); verdict != Verdict::pending) return verdict;
  std::uint32_t at = expected.sectag_offset();
  if (load16(frame + at) == ethertype_macsec) {
    return parse_sectag(frame + at, length - at, length <= expected.padded_largest(), out);
  }
  for (std::uint32_t further = 0; further < macsec_clear_tags_largest; ++further) {
    if (!is_vlan(load16(frame + at)) || length < at + vlan_tag_size + 2) break;
    at += vlan_tag_size;
    if (load16(frame + at) == ethertype_macsec) return Verdict::macsec_vlan_mismatch;
  }
  return Verdict::macsec_untagged;
}

// Moves what stands before a SecTAG; without VLAN tags in clear it is the two addresses and costs no call.
inline void move_head(std::uint8_t* to, const std::uint8_t* from, std::uint32_t length) noexcept {
  if (length == macsec_addresses_size)
    move_addresses(to, from);
  else
    std::memmove(to, from, length);
}

// Takes SecTAG, ICV and padding off a frame whose user data is in place.
inline void strip_sectag(Packet& packet, std::uint32_t sectag_offset, std::uint32_t tag_size,
                         std::uint32_t data_length) noexcept {
  std::uint8_t* const before = packet.data;
  packet.set(before + tag_size, sectag_offset + data_length);
  move_head(before + tag_size, before, sectag_offset);
}
inline void strip_sectag(Packet& packet, std::uint32_t sectag_offset, const SecTag& tag) noexcept {
  strip_sectag(packet, sectag_offset, tag.size, tag.data_length);
}

}  // namespace linecrypt::wire
