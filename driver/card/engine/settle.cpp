#include "driver/card/engine/settle.hpp"

#include <algorithm>

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

// Behind the tag check: the card's own window, or an SA that stopped.
constexpr bool refused_behind_tag(Verdict verdict) noexcept {
  return verdict == Verdict::replay_late || verdict == Verdict::replay_duplicate || verdict == Verdict::hard_expired;
}

// The number that the SA's next packet takes, and the end of the lease it is of: the waiting one begins where the
// current one is used up.
Lease next_numbers(const SaSlot& slot) noexcept {
  Lease now{slot.next_number.load(std::memory_order_relaxed), slot.lease_end.load(std::memory_order_relaxed)};
  if (Lease waiting; now.begin >= now.end && slot.mailbox.peek(waiting))
    now = {std::max(waiting.begin, now.begin), waiting.end};
  return now;
}

// Numbers come one by one within the lease. Any other would risk a nonce twice.
const char* doubt_egress(const SaSlot& slot, const StageReport& report) noexcept {
  if (!report.passed)
    return is_drop(report.verdict) ? nullptr : "a packet is said to be protected and consumed no number";
  const Lease next = next_numbers(slot);
  if (report.number != next.begin) return "an egress number is not the one after the last";
  return report.number < next.end ? nullptr : "an egress number is outside its lease";
}

// 1. No number consumed: count why, as take_number() does.
// 2. The number is spent; the waiting lease begins behind the current one.
// 3. Ask for the next lease at half of this one; MACsec's threshold; lifetimes.
Verdict settle_egress(SaSlot& slot, SaPlan& plan, const StageReport& report, Events& events) noexcept {
  // 1.
  if (!report.passed) {
    if (report.verdict == Verdict::lease_exhausted) events.raise(slot, EventKind::lease_exhausted);
    if (report.verdict == Verdict::number_exhausted) events.raise(slot, EventKind::number_exhausted);
    count_refusal(slot.counters, report.verdict);
    return report.verdict;
  }
  // 2.
  if (slot.next_number.load(std::memory_order_relaxed) >= slot.lease_end.load(std::memory_order_relaxed))
    if (Lease lease; slot.mailbox.take(lease)) start_lease(slot, lease);
  const std::uint64_t next = slot.next_number.load(std::memory_order_relaxed);
  slot.next_number.store(next + 1, std::memory_order_relaxed);
  // 3.
  if (lease_runs_low(slot, next)) events.raise(slot, EventKind::lease_low);
  if (plan.operation == Operation::macsec_protect && next + 1 >= plan.pn_soft_limit && !plan.threshold_reported) {
    plan.threshold_reported = true;
    events.raise(slot, EventKind::pn_threshold);
  }
  return account(slot, report.inner_length, events) ? report.verdict : Verdict::hard_expired;
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

// The number is the packet's, and not further ahead than inference and resynchronisation lead.
const char* doubt_esp_ingress(const SaSlot& slot, const SaPlan& plan, const StageReport& report, const Packet* frame,
                              std::uint32_t l2_length) noexcept {
  const bool drop = is_drop(report.verdict);
  if (!report.passed || refused_behind_tag(report.verdict))
    return drop || report.verdict == Verdict::keepalive ? nullptr
                                                        : "a packet is said to be good and its tag was not checked";
  if (static_cast<std::uint32_t>(report.number) != sequence_of(plan, frame, l2_length, report.number))
    return "an ingress number is not the packet's";
  const std::uint64_t top = slot.window.top();
  if (report.number == 0 || (report.number > top && report.number - top > number_ahead_most))
    return "an ingress number is further ahead than can be";
  return drop || report.verdict == Verdict::ok || report.verdict == Verdict::dummy
             ? nullptr
             : "an ESP packet has a verdict that it cannot have";
}

// 1. The tag was not good, or not looked at, or the card refused the packet behind it: no trace but a counter.
// 2. The window (RFC 4303 3.4.3): it moves for each authentic packet, whatever is inside.
// 3. What is inside, then lifetimes: a dummy counts as a packet of no bytes.
Verdict settle_esp_ingress(SaSlot& slot, const StageReport& report, Events& events) noexcept {
  // 1.
  if (!report.passed || refused_behind_tag(report.verdict)) {
    count_refusal(slot.counters, report.verdict);
    return report.verdict;
  }
  // 2.
  if (const Verdict refused = refuse_replay(slot, slot.window.check(report.number)); refused != Verdict::pending)
    return refused;
  slot.window.accept(report.number);
  // 3.
  if (report.verdict == Verdict::ok || report.verdict == Verdict::dummy) {
    const std::uint32_t bytes = report.verdict == Verdict::ok ? report.inner_length : 0;
    return account(slot, bytes, events) ? report.verdict : Verdict::hard_expired;
  }
  count_refusal(slot.counters, report.verdict);
  return report.verdict;
}

// What the report means for a MACsec frame.
struct Validation {
  ReceiveNumbers numbers;
  bool passed;
  bool invalid;  // deciphered, and its ICV was wrong
};
Validation validation_of(const SaSlot& slot, const SaPlan& plan, const StageReport& report) noexcept {
  Validation out{{slot.window.top(), plan.lowest_pn.load(std::memory_order_relaxed), plan.replay_window},
                 report.passed,
                 report.verdict == Verdict::macsec_not_valid ||
                     (report.verdict == Verdict::unchecked && plan.validate == ValidateFrames::check)};
  // Without replay protection a late frame is delivered and moves no window, so the card flags nothing of it.
  if (report.verdict == Verdict::ok && !plan.replay_protect && out.numbers.below_lowest(report.number))
    out.passed = true;
  return out;
}

// 1. A frame without a SecTAG of this SA never came to the cipher.
// 2. Not validated: refused, or delivered where validation is not strict and the text is unchanged (10.6.5).
// 3. The PN is the frame's, and recovered as we would (10.6.2); where the window moved meanwhile, one high half off.
const char* doubt_macsec_ingress(const SaSlot& slot, const SaPlan& plan, const StageReport& report, const Packet* frame,
                                 StageFacts& facts) noexcept {
  const Validation seen = validation_of(slot, plan, report);
  // 1.
  wire::SecTag& tag = facts.tag;
  facts.tagged =
      frame != nullptr && wire::find_sectag(plan.clear_tags, frame->data, frame->length, tag) == Verdict::pending;
  const bool drop = is_drop(report.verdict);
  if ((seen.passed || seen.invalid || !drop) && !facts.tagged) return "a frame without a SecTAG is said to be good";
  // 2.
  if (!seen.passed || refused_behind_tag(report.verdict)) {
    if (report.verdict == Verdict::unchecked)
      return plan.validate == ValidateFrames::strict || tag.changed()
                 ? "a frame is said to be delivered unchecked where that is not allowed"
                 : nullptr;
    return drop ? nullptr : "a frame is said to be good and its tag was not checked";
  }
  // 3.
  if (report.verdict != Verdict::ok) return "a MACsec frame has a verdict that it cannot have";
  if (static_cast<std::uint32_t>(report.number) != tag.packet_number || report.number == 0)
    return "an ingress PN is not the frame's";
  const std::uint64_t likely =
      plan.xpn ? recover_pn(seen.numbers.lowest_acceptable(), tag.packet_number) : tag.packet_number;
  return (report.number > likely ? report.number - likely : likely - report.number) > std::uint64_t{1} << 32U
             ? "an ingress PN is further away than can be"
             : nullptr;
}

// IEEE 802.1AE-2018 10.6, in the software engine's order.
//
// 1. Octets count as soon as they went through the cipher, valid or not (10.6.3).
// 2. Not validated: refused, or delivered (10.6.5).
// 3. Replay check behind validation (10.6.4); lifetimes; the next PN moves.
Verdict settle_macsec_ingress(SaSlot& slot, const SaPlan& plan, const StageReport& report, const StageFacts& facts,
                              Events& events) noexcept {
  const Validation seen = validation_of(slot, plan, report);
  const wire::SecTag& tag = facts.tag;
  // 1.
  if (seen.passed || seen.invalid)
    (tag.encrypted() ? slot.counters.decrypted_bytes : slot.counters.validated_bytes).add(tag.data_length);
  // 2.
  if (!seen.passed || refused_behind_tag(report.verdict)) {
    if (report.verdict == Verdict::unchecked)
      (seen.invalid ? slot.counters.invalid : slot.counters.unchecked).add();
    else
      count_refusal(slot.counters, report.verdict);
    return report.verdict;
  }
  // 3.
  if (plan.replay_protect)
    if (const Verdict refused = refuse_replay(slot, check_replay(seen.numbers, slot.window, report.number));
        refused != Verdict::pending)
      return refused;
  if (!account(slot, tag.data_length, events)) return Verdict::hard_expired;
  if (seen.numbers.below_lowest(report.number))
    slot.counters.delayed.add();
  else
    slot.window.accept(report.number);
  return Verdict::ok;
}

}  // namespace

const char* doubt(const SaSlot& slot, const SaPlan& plan, const StageReport& report, const Packet* frame,
                  std::uint32_t l2_length, StageFacts& facts) noexcept {
  switch (plan.operation) {
    case Operation::esp_encapsulate:
    case Operation::macsec_protect:
      return doubt_egress(slot, report);
    case Operation::esp_decapsulate:
      return doubt_esp_ingress(slot, plan, report, frame, l2_length);
    case Operation::macsec_validate:
      return doubt_macsec_ingress(slot, plan, report, frame, facts);
    case Operation::none:
      break;
  }
  return "a stage without an operation is said to have run";
}

Verdict settle(SaSlot& slot, SaPlan& plan, const StageReport& report, const StageFacts& facts,
               Events& events) noexcept {
  switch (plan.operation) {
    case Operation::esp_encapsulate:
    case Operation::macsec_protect:
      return settle_egress(slot, plan, report, events);
    case Operation::esp_decapsulate:
      return settle_esp_ingress(slot, report, events);
    case Operation::macsec_validate:
      return settle_macsec_ingress(slot, plan, report, facts, events);
    case Operation::none:
      break;
  }
  return Verdict::engine_lost;
}

}  // namespace linecrypt::card
