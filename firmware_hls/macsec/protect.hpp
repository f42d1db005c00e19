// MACsec egress: Ethernet frame -> frame with SecTAG and ICV (IEEE 802.1AE-2018 10.5). The same results as
// host/software/macsec/protect.cpp.
#pragma once

#include "firmware_hls/tables/shape.hpp"
#include "firmware_hls/tables/window.hpp"
#include "linecrypt/abi/sa_record.hpp"
#include "linecrypt/abi/verdicts.hpp"

namespace linecrypt {
namespace firmware {
namespace macsec {

using abi::VerdictCode;

constexpr u32 addresses_size = 12;
constexpr u32 tag_largest = 16;
constexpr u32 data_not_short = 48;  // secure data of this size and more has SL 0 (9.7)
constexpr u32 clear_tags_most = 2;
constexpr u32 sectag_offset_most = addresses_size + 4 * clear_tags_most;

inline bool has(const abi::MacsecRecord& record, u16 flag) {
  return (record.flags & flag) != 0;
}

inline bool is_vlan(u16 type) {
  return type == wire::type_ctag || type == wire::type_stag;
}

// The frame begins with exactly the configured VLAN tags in clear; PCP and DEI are not looked at. pending: so it does,
// and an EtherType follows.
inline VerdictCode match_clear_tags(const abi::MacsecRecord& record, const Window& window, u32 length) {
  if (length < 14) return VerdictCode::malformed_ethernet;
  VerdictCode verdict = VerdictCode::pending;
  for (u32 i = 0; i < clear_tags_most; ++i) {
    const u32 at = addresses_size + 4 * i;
    const u16 type = get16(window.byte + at);
    if (i >= record.clear_tags || verdict != VerdictCode::pending) continue;
    if (type != record.clear_tag[i] >> 16U) {
      verdict = is_vlan(type) ? VerdictCode::macsec_vlan_mismatch : VerdictCode::macsec_vlan_missing;
    } else if (length < at + 6) {
      verdict = VerdictCode::malformed_ethernet;
    } else if ((get16(window.byte + at + 2) & 0x0fffU) != (record.clear_tag[i] & 0x0fffU)) {
      verdict = VerdictCode::macsec_vlan_mismatch;
    }
  }
  return verdict;
}

inline u32 sectag_offset(const abi::MacsecRecord& record) {
  return addresses_size + (record.clear_tags > 1 ? 8U : record.clear_tags == 1 ? 4U : 0U);
}

struct ProtectPlan {
  VerdictCode verdict;  // pending: go on
  u8 offset;            // of the SecTAG
  u16 data;             // octets of user data
};

// IEEE 802.1AE-2018 10.5, before the number is taken.
//
// 1. Exactly the configured VLAN tags in clear: never a frame in another VLAN.
// 2. The frame fits with its SecTAG and ICV (OutPktsTooLong).
// 3. With ES or SCB the receiver takes the SCI from the source address (9.5): it must be ours.
inline ProtectPlan plan_protect(const abi::MacsecRecord& record, const Window& window, u32 length) {
  ProtectPlan plan = {};
  // 1.
  plan.verdict = match_clear_tags(record, window, length);
  if (plan.verdict != VerdictCode::pending) return plan;
  // 2.
  if (length + record.tag_size + wire::icv_size > abi::frame_largest) {
    plan.verdict = VerdictCode::oversize;
    return plan;
  }
  // 3.
  const u64 source = (static_cast<u64>(get32(window.byte + 6)) << 16U) | get16(window.byte + 10);
  if (has(record, abi::macsec_flag::source_is_sci) && source != record.sci >> 16U) {
    plan.verdict = VerdictCode::unsupported;
    return plan;
  }
  plan.offset = static_cast<u8>(sectag_offset(record));
  plan.data = static_cast<u16>(length - plan.offset);
  return plan;
}

// Addresses and SecTAG, which are always associated data; with integrity only, all of the user data is too (14.5).
// They go in front of the text then, and are cut off behind the cipher.
inline void set_cipher(Shape& shape, const u8* associated, u32 bytes, bool confidential, GcmMode direction) {
  shape.cipher = confidential ? direction : GcmMode::authenticate;
  if (!confidential) {
    append(shape.in, associated, bytes);
    shape.out.strip = static_cast<u16>(bytes);
    return;
  }
  for (u32 i = 0; i < aad_most; ++i) shape.aad[i] = i < bytes ? associated[i] : u8{0};
  shape.aad_bytes = static_cast<u8>(bytes);
}

// 1. The SecTAG (10.5.3, 9.3): SL for short data (9.7), PN's low 32 bits (9.8).
// 2. What is encrypted and what is protected (10.5.4, 14.5). VLAN tags in clear are not protected.
// 3. The SecTAG goes behind addresses and VLAN tags, the ICV to the end.
inline Shape build_protect(const abi::MacsecRecord& record, const ProtectPlan& plan, const Window& window, u64 number) {
  Shape shape = {};
  // 1.
  u8 tag[tag_largest] = {};
  put16(tag, wire::type_macsec);
  tag[2] = record.tci_an;
  tag[3] = plan.data < data_not_short ? static_cast<u8>(plan.data) : u8{0};
  put32(tag + 4, static_cast<u32>(number));
  put64(tag + 8, record.sci);
  // 2.
  u8 associated[addresses_size + tag_largest];
  for (u32 i = 0; i < addresses_size; ++i) associated[i] = window.byte[i];
  for (u32 i = 0; i < tag_largest; ++i) associated[addresses_size + i] = tag[i];
  set_cipher(shape, associated, addresses_size + record.tag_size, has(record, abi::macsec_flag::encrypt),
             GcmMode::encrypt);
  shape.in.strip = plan.offset;
  shape.in.keep = plan.data;
  shape.text_bytes = static_cast<u16>(bytes_of(shape.in));
  // 3.
  shape.seal = true;
  append(shape.out, window.byte, plan.offset);
  append(shape.out, tag, record.tag_size);
  shape.out.keep = plan.data;
  return shape;
}

}  // namespace macsec
}  // namespace firmware
}  // namespace linecrypt
