#include "driver/card/engine/settle.hpp"

#include "host/values/lifetimes.hpp"
#include "host/values/numbers.hpp"
#include "host/values/packet_number.hpp"
#include "host/values/refusals.hpp"
#include "linecrypt/wire/ip_packet.hpp"
#include "linecrypt/wire/udp.hpp"

namespace linecrypt::card {
namespace {

// Inference leads less than 2^32 ahead of the window; resynchronisation tries the next four high halves (RFC 4303 A2.2,
// A3).
constexpr std::uint64_t number_ahead_most = std::uint64_t{5} << 32U;

constexpr Settled fault(const char* what) noexcept {
  return {Verdict::engine_lost, what};
}

// 1. No number consumed: count why, as take_number() does.
// 2. Numbers come one by one within the lease, the waiting one behind the current one. Any other would risk a nonce
// twice.
// 3. Ask for the next lease at half of this one; MACsec's threshold; lifetimes.
Settled settle_egress(SaSlot& slot, SaPlan& plan, const StageReport& report, Events& events) noexcept {
  // 1.
  if (!report.passed) {
    if (!is_drop(report.verdict)) return fault("a packet is said to be protected and consumed no number");
    if (report.verdict == Verdict::lease_exhausted) events.raise(slot, EventKind::lease_exhausted);
    if (report.verdict == Verdict::number_exhausted) events.raise(slot, EventKind::number_exhausted);
    count_refusal(slot.counters, report.verdict);
    return {report.verdict};
  }
  // 2.
  if (slot.next_number.load(std::memory_order_relaxed) >= slot.lease_end.load(std::memory_order_relaxed))
    if (Lease lease; slot.mailbox.take(lease)) start_lease(slot, lease);
  const std::uint64_t next = slot.next_number.load(std::memory_order_relaxed);
  if (report.number != next) return fault("an egress number is not the one after the last");
  if (report.number >= slot.lease_end.load(std::memory_order_relaxed))
    return fault("an egress number is outside its lease");
  slot.next_number.store(next + 1, std::memory_order_relaxed);
  // 3.
  if (next >= slot.lease_low_mark && !slot.lease_low_reported) {
    slot.lease_low_reported = true;
    events.raise(slot, EventKind::lease_low);
  }
  if (plan.operation == Operation::macsec_protect && next + 1 >= plan.pn_soft_limit && !plan.threshold_reported) {
    plan.threshold_reported = true;
    events.raise(slot, EventKind::pn_threshold);
  }
  if (!account(slot, report.inner_length, events)) return {Verdict::hard_expired};
  return {report.verdict};
}

// The sequence number that the packet carries where the host sees it; else the low half that the card reports.
std::uint32_t sequence_of(const SaPlan& plan, const Packet* frame, std::uint32_t l2_length,
                          std::uint64_t reported) noexcept {
  const auto low = static_cast<std::uint32_t>(reported);
  if (frame == nullptr || frame->length <= l2_length) return low;
  const wire::IpPacket ip = wire::parse_ip(frame->data + l2_length, frame->length - l2_length);
  if (!ip.valid) return low;
  const std::uint32_t at = l2_length + ip.l4_offset + (plan.udp ? wire::udp_size : 0);
  return frame->length < at + 8 ? low : wire::load32(frame->data + at + 4);
}

// The window's word, counted. pending: the number is new.
Verdict refuse_replay(SaSlot& slot, ReplayCheck check) noexcept {
  if (check == ReplayCheck::fresh) return Verdict::pending;
  const Verdict verdict = check == ReplayCheck::late ? Verdict::replay_late : Verdict::replay_duplicate;
  count_refusal(slot.counters, verdict);
  return verdict;
}

// 1. The tag was not good, or not looked at: no trace but a counter.
// 2. The card's own window, or an SA that stopped, refused it behind the tag: the window stays.
// 3. The number is the packet's, and not further ahead than inference and resynchronisation lead.
// 4. The window (RFC 4303 3.4.3): it moves for each authentic packet, whatever is inside.
// 5. What is inside, then lifetimes: a dummy counts as a packet of no bytes.
Settled settle_esp_ingress(SaSlot& slot, const SaPlan& plan, const StageReport& report, const Packet* frame,
                           std::uint32_t l2_length, Events& events) noexcept {
  // 1. and 2.
  const bool behind_tag = report.verdict == Verdict::replay_late || report.verdict == Verdict::replay_duplicate ||
                          report.verdict == Verdict::hard_expired;
  if (!report.passed || behind_tag) {
    if (!is_drop(report.verdict) && report.verdict != Verdict::keepalive)
      return fault("a packet is said to be good and its tag was not checked");
    count_refusal(slot.counters, report.verdict);
    return {report.verdict};
  }
  // 3.
  ReplayWindow& window = slot.window;
  if (static_cast<std::uint32_t>(report.number) != sequence_of(plan, frame, l2_length, report.number))
    return fault("an ingress number is not the packet's");
  if (report.number == 0 || (report.number > window.top() && report.number - window.top() > number_ahead_most))
    return fault("an ingress number is further ahead than can be");
  // 4.
  if (const Verdict refused = refuse_replay(slot, window.check(report.number)); refused != Verdict::pending)
    return {refused};
  window.accept(report.number);
  // 5.
  if (report.verdict == Verdict::ok || report.verdict == Verdict::dummy) {
    const std::uint32_t bytes = report.verdict == Verdict::ok ? report.inner_length : 0;
    return {account(slot, bytes, events) ? report.verdict : Verdict::hard_expired};
  }
  if (!is_drop(report.verdict)) return fault("an ESP packet has a verdict that it cannot have");
  count_refusal(slot.counters, report.verdict);
  return {report.verdict};
}

// IEEE 802.1AE-2018 10.6, in the software engine's order.
//
// 1. A frame without a SecTAG of this SA never came to the cipher.
// 2. Octets count as soon as they went through the cipher, valid or not (10.6.3).
// 3. Not validated: refused, or delivered where validation is not strict and the text is unchanged (10.6.5).
// 4. The PN is the frame's, and recovered as we would (10.6.2); where the window moved meanwhile, one high half off.
// 5. Replay check behind validation (10.6.4); lifetimes; the next PN moves.
Settled settle_macsec_ingress(SaSlot& slot, const SaPlan& plan, const StageReport& given, const Packet* frame,
                              Events& events) noexcept {
  StageReport report = given;
  const ReceiveNumbers numbers{slot.window.top(), plan.lowest_pn.load(std::memory_order_relaxed), plan.replay_window};
  // Without replay protection a late frame is delivered and moves no window, so the card flags nothing of it.
  if (report.verdict == Verdict::ok && !plan.replay_protect && numbers.below_lowest(report.number))
    report.passed = true;
  // 1.
  wire::SecTag tag;
  const bool tagged =
      frame != nullptr && wire::find_sectag(plan.clear_tags, frame->data, frame->length, tag) == Verdict::pending;
  const bool invalid = report.verdict == Verdict::macsec_not_valid ||
                       (report.verdict == Verdict::unchecked && plan.validate == ValidateFrames::check);
  const bool ciphered = report.passed || invalid;
  if ((ciphered || !is_drop(report.verdict)) && !tagged) return fault("a frame without a SecTAG is said to be good");
  // 2.
  if (ciphered) (tag.encrypted() ? slot.counters.decrypted_bytes : slot.counters.validated_bytes).add(tag.data_length);
  // 3.
  const bool behind_tag = report.verdict == Verdict::replay_late || report.verdict == Verdict::replay_duplicate ||
                          report.verdict == Verdict::hard_expired;
  if (!report.passed || behind_tag) {
    if (report.verdict == Verdict::unchecked) {
      if (plan.validate == ValidateFrames::strict || tag.changed())
        return fault("a frame is said to be delivered unchecked where that is not allowed");
      (invalid ? slot.counters.invalid : slot.counters.unchecked).add();
      return {report.verdict};
    }
    if (!is_drop(report.verdict)) return fault("a frame is said to be good and its tag was not checked");
    count_refusal(slot.counters, report.verdict);
    return {report.verdict};
  }
  // 4.
  if (report.verdict != Verdict::ok) return fault("a MACsec frame has a verdict that it cannot have");
  if (static_cast<std::uint32_t>(report.number) != tag.packet_number || report.number == 0)
    return fault("an ingress PN is not the frame's");
  const std::uint64_t likely =
      plan.xpn ? recover_pn(numbers.lowest_acceptable(), tag.packet_number) : tag.packet_number;
  if ((report.number > likely ? report.number - likely : likely - report.number) > std::uint64_t{1} << 32U)
    return fault("an ingress PN is further away than can be");
  // 5.
  if (plan.replay_protect)
    if (const Verdict refused = refuse_replay(slot, check_replay(numbers, slot.window, report.number));
        refused != Verdict::pending)
      return {refused};
  if (!account(slot, tag.data_length, events)) return {Verdict::hard_expired};
  if (numbers.below_lowest(report.number))
    slot.counters.delayed.add();
  else
    slot.window.accept(report.number);
  return {Verdict::ok};
}

}  // namespace

Settled settle(SaSlot& slot, SaPlan& plan, const StageReport& report, const Packet* frame, std::uint32_t l2_length,
               Events& events) noexcept {
  switch (plan.operation) {
    case Operation::esp_encapsulate:
    case Operation::macsec_protect:
      return settle_egress(slot, plan, report, events);
    case Operation::esp_decapsulate:
      return settle_esp_ingress(slot, plan, report, frame, l2_length, events);
    case Operation::macsec_validate:
      return settle_macsec_ingress(slot, plan, report, frame, events);
    case Operation::none:
      break;
  }
  return fault("a stage without an operation is said to have run");
}

}  // namespace linecrypt::card
