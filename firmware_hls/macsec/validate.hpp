// MACsec ingress: frame with SecTAG -> Ethernet frame (IEEE 802.1AE-2018 10.6). The same results as
// host/software/macsec/validate.cpp.
#pragma once

#include "firmware_hls/macsec/protect.hpp"
#include "firmware_hls/tables/judgement.hpp"
#include "firmware_hls/tables/lookup.hpp"

namespace linecrypt {
namespace firmware {
namespace macsec {

namespace tci {
constexpr u8 version = 0x80;
constexpr u8 end_station = 0x40;
constexpr u8 sc = 0x20;
constexpr u8 scb = 0x10;
constexpr u8 encrypted = 0x08;
constexpr u8 changed = 0x04;
constexpr u8 an = 0x03;
}  // namespace tci

// A SecTAG that passed every rule (or the rule that it broke).
struct SecTag {
  VerdictCode verdict;
  u8 tci_an;
  u8 size;     // 8 or 16
  u16 data;    // octets of secure data
  u32 number;  // on the wire
  u64 sci;     // only with an explicit one
};

inline SecTag broken(SecTag tag, VerdictCode verdict) {
  tag.verdict = verdict;
  return tag;
}

// Reads the SecTAG at `p`, `available` octets from there to the frame's end. `may_be_padded`: the frame is no longer
// than the shortest Ethernet frame, so octets behind the ICV may be padding.
//
// 1. Eight octets are there (9.12 a).
// 2. V is clear (9.5, 9.12 c); ES and SC, SCB and SC exclude each other (9.5, 9.12 d); E without C is for the KaY
// (9.5).
// 3. The bits above SL are clear and SL is below 48 (9.7, 9.12 e).
// 4. The tag with its SCI, and an ICV, are there.
// 5. The frame has the length that SL tells: exactly, but for Ethernet padding; or, with SL 0, at least 48 octets of
//    secure data (9.7, 9.12 f to i).
// 6. An explicit SCI is not the reserved one (9.9).
inline SecTag parse_sectag(const u8* p, u32 available, bool may_be_padded) {
  SecTag tag = {};
  tag.verdict = VerdictCode::pending;
  // 1.
  if (available < 8) return broken(tag, VerdictCode::macsec_short);
  // 2.
  tag.tci_an = p[2];
  const bool sc = (p[2] & tci::sc) != 0;
  if ((p[2] & tci::version) != 0) return broken(tag, VerdictCode::macsec_bad_version);
  if (sc && (p[2] & tci::end_station) != 0) return broken(tag, VerdictCode::macsec_es_with_sc);
  if (sc && (p[2] & tci::scb) != 0) return broken(tag, VerdictCode::macsec_scb_with_sc);
  if ((p[2] & tci::encrypted) != 0 && (p[2] & tci::changed) == 0) return broken(tag, VerdictCode::macsec_e_without_c);
  // 3.
  const u32 short_length = p[3];
  if (short_length >= data_not_short) return broken(tag, VerdictCode::macsec_bad_short_length);
  // 4.
  tag.size = sc ? 16 : 8;
  if (available < tag.size + wire::icv_size) return broken(tag, VerdictCode::macsec_short);
  // 5.
  const u32 room = available - tag.size - wire::icv_size;
  const bool long_data = short_length == 0 && room >= data_not_short;
  const bool short_data = short_length != 0 && (room == short_length || (room > short_length && may_be_padded));
  if (!long_data && !short_data) return broken(tag, VerdictCode::macsec_bad_short_length);
  tag.data = static_cast<u16>(long_data ? room : short_length);
  // 6.
  tag.number = get32(p + 4);
  tag.sci = get64(p + 8);
  if (sc && tag.sci == ~u64{0}) return broken(tag, VerdictCode::macsec_bad_sci);
  return tag;
}

struct ValidatePlan {
  VerdictCode verdict;  // pending: go on
  bool unchecked;       // validateFrames disabled and unchanged text: delivered without a look at the ICV
  u8 offset;            // of the SecTAG
  SecTag tag;
};

inline ValidatePlan refused(ValidatePlan plan, VerdictCode verdict) {
  plan.verdict = verdict;
  return plan;
}

// Finds and reads the SecTAG behind `clear_tags` VLAN tags, at `offset`. Used by the plan, and by the lookup of a frame
// whose SA the card finds itself.
inline SecTag sectag_at(const Window& window, u32 offset, u32 length) {
  const Window at = shifted(window, offset);
  // The longest frame with Ethernet padding: 60 octets, and what each VLAN tag may add (IEEE 802.1Q G.2.3).
  return parse_sectag(at.byte, length - offset, length <= 60 + (offset - addresses_size));
}

// The SCI that a tag names by itself: explicit, or by the source address with ES or SCB (9.5). False: implicit.
inline bool sci_of(const SecTag& tag, const Window& window, u64& sci) {
  const u64 source = (static_cast<u64>(get32(window.byte + 6)) << 16U) | get16(window.byte + 10);
  const bool scb = (tag.tci_an & tci::scb) != 0;
  const bool explicit_sci = (tag.tci_an & tci::sc) != 0;
  sci = explicit_sci ? tag.sci : (source << 16U) | (scb ? 0U : 1U);
  return explicit_sci || scb || (tag.tci_an & tci::end_station) != 0;
}

// What a frame's SA is found by (in-line ports): SCI and AN behind up to two VLAN tags. Without an SCI the receiver's
// only SC is meant.
inline HashKey sci_key(const Window& window, u32 length) {
  HashKey key = {false, 0, 0};
  if (length < addresses_size + 2) return key;
  u32 at = addresses_size;
  for (u32 i = 0; i < clear_tags_most; ++i) {
    if (is_vlan(get16(window.byte + at)) && length >= at + 6) at += 4;
  }
  if (get16(window.byte + at) != wire::type_macsec) return key;
  const SecTag tag = sectag_at(window, at, length);
  u64 sci = 0;
  const bool named = sci_of(tag, window, sci);
  key.exists = tag.verdict == VerdictCode::pending;
  key.key = named ? sci : 0;
  key.an = (tag.tci_an & tci::an) + (named ? 0U : abi::hash_implicit);
  return key;
}

// IEEE 802.1AE-2018 10.6, up to the number.
//
// 1. No longer than a frame may be.
// 2. The configured VLAN tags in clear, then a SecTAG that keeps every rule (9.5 - 9.9, 9.12, 10.6.1); one behind
//    further VLAN tags is told from a frame without.
// 3. The tag names this SA: its AN, and its SCI unless that is implicit.
// 4. validateFrames disabled: unchanged text is delivered unvalidated (10.6.5).
inline ValidatePlan plan_validate(const abi::MacsecRecord& record, const Window& window, u32 length) {
  ValidatePlan plan = {};
  plan.verdict = VerdictCode::pending;
  // 1.
  if (length > abi::frame_largest) return refused(plan, VerdictCode::oversize);
  // 2.
  const VerdictCode tags = match_clear_tags(record, window, length);
  if (tags != VerdictCode::pending) return refused(plan, tags);
  u32 at = sectag_offset(record);
  plan.offset = static_cast<u8>(at);
  if (get16(window.byte + at) != wire::type_macsec) {
    bool further = true;
    for (u32 i = 0; i < clear_tags_most; ++i) {
      further = further && is_vlan(get16(window.byte + at)) && length >= at + 6;
      if (further) at += 4;
      if (further && get16(window.byte + at) == wire::type_macsec)
        return refused(plan, VerdictCode::macsec_vlan_mismatch);
    }
    return refused(plan, VerdictCode::macsec_untagged);
  }
  plan.tag = sectag_at(window, at, length);
  if (plan.tag.verdict != VerdictCode::pending) return refused(plan, plan.tag.verdict);
  // 3.
  if ((plan.tag.tci_an & tci::an) != record.an) return refused(plan, VerdictCode::macsec_unused_sa);
  u64 sci = 0;
  if (sci_of(plan.tag, window, sci) && sci != record.sci) return refused(plan, VerdictCode::macsec_unknown_sci);
  // 4. validate: 0 disabled, 1 check, 2 strict
  plan.unchecked = record.validate == 0 && (plan.tag.tci_an & tci::changed) == 0;
  return plan;
}

// What the cipher is given (10.6.3, 14.5): the E bit of the frame decides, not our settings. What leaves, if it may:
// the frame without SecTAG, ICV and padding.
inline Shape build_validate(const ValidatePlan& plan, const Window& window) {
  Shape shape = {};
  u8 associated[addresses_size + tag_largest];
  const Window tag = shifted(window, plan.offset);
  for (u32 i = 0; i < addresses_size; ++i) associated[i] = window.byte[i];
  for (u32 i = 0; i < tag_largest; ++i) associated[addresses_size + i] = tag.byte[i];
  set_cipher(shape, associated, addresses_size + plan.tag.size, (plan.tag.tci_an & tci::encrypted) != 0,
             GcmMode::decrypt);
  shape.in.strip = static_cast<u16>(plan.offset + plan.tag.size);
  shape.in.keep = plan.tag.data;
  shape.text_bytes = static_cast<u16>(bytes_of(shape.in));
  append(shape.out, window.byte, plan.offset);
  shape.out.keep = plan.tag.data;
  return shape;
}

// What becomes of the frame (IEEE 802.1AE-2018 10.6). The order is the software engine's.
//
// 1. Number 0 is never sent. Replay protection (10.6.2, 10.6.4), and the accept ceiling.
// 2. validateFrames disabled: unchanged text is delivered without a look at its ICV (10.6.5).
// 3. A wrong ICV: changed text is dropped, and so is everything where validation is strict; else the frame is delivered
//    as invalid, and its PN is not believed.
// 4. A stopped SA accepts nothing.
// 5. The next PN moves. Below the lowest PN without replay protection: delivered, and it does not.
inline Decision decide_validate(const abi::MacsecRecord& record, const ValidatePlan& plan, const Judgement& judgement,
                                const Evidence& evidence, const abi::LifetimeEntry& lifetime, IngressNumbers& numbers,
                                WindowWord& word) {
  Decision decision = {};
  // 1.
  decision.verdict = evidence.number_verdict;
  if (decision.verdict != VerdictCode::pending) return decision;
  const bool below = below_lowest(numbers, record.replay_window, evidence.number);
  if (has(record, abi::macsec_flag::replay_protect)) {
    const Replay bitmap = check_window(numbers, word, evidence.generation, record.bitmap, evidence.number);
    decision.verdict = verdict_of(below ? Replay::late : bitmap);
    if (decision.verdict != VerdictCode::pending) return decision;
  }
  if (!below_ceiling(numbers, evidence.number, evidence.moment, evidence.can_report, decision.events)) {
    decision.verdict = VerdictCode::lease_exhausted;
    return decision;
  }
  // 2.
  decision.deliver = true;
  decision.verdict = VerdictCode::unchecked;
  if (plan.unchecked) return decision;
  // 3. validate: 2 is strict
  const bool changed = (plan.tag.tci_an & tci::changed) != 0;
  if (!evidence.tag_good) {
    if (!changed && record.validate != 2) return decision;
    decision.deliver = false;
    decision.verdict = VerdictCode::macsec_not_valid;
    return decision;
  }
  // 4.
  if (numbers.life.expired) {
    decision.deliver = false;
    decision.verdict = VerdictCode::hard_expired;
    decision.events = static_cast<u8>(decision.events | report_hard(numbers.life, evidence.can_report));
    return decision;
  }
  decision.events =
      static_cast<u8>(decision.events | account(numbers.life, lifetime, judgement.counted, evidence.can_report));
  decision.verdict = VerdictCode::ok;
  // 5.
  if (below) return decision;
  decision.opened = true;
  decision.authentic = true;
  accept(numbers, word, evidence.generation, evidence.number);
  decision.accepted = true;
  return decision;
}

}  // namespace macsec
}  // namespace firmware
}  // namespace linecrypt
