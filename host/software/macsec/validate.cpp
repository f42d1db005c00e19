#include "host/software/macsec/validate.hpp"

#include "host/software/macsec/sa_context.hpp"
#include "host/values/lifetimes.hpp"

namespace linecrypt::software::macsec {
namespace {

// Work::scratch between prepare and finish: the received TCI, the SecTAG's size and the length of the secure data.
constexpr std::uint32_t scratch_length_bits = 16;
constexpr std::uint32_t scratch_size_bits = 8;
static_assert(wire::macsec_frame_largest < (1U << scratch_length_bits));

std::uint32_t pack(const wire::SecTag& tag) noexcept {
  return (((std::uint32_t{tag.tci_an} << scratch_size_bits) | tag.size) << scratch_length_bits) | tag.data_length;
}
wire::SecTag unpack(std::uint32_t scratch) noexcept {
  wire::SecTag tag;
  tag.data_length = scratch & ((1U << scratch_length_bits) - 1);
  tag.size = (scratch >> scratch_length_bits) & ((1U << scratch_size_bits) - 1);
  tag.tci_an = static_cast<std::uint8_t>(scratch >> (scratch_length_bits + scratch_size_bits));
  return tag;
}

// No clear text behind the SecTAG once decryption began and the frame is refused.
Verdict refuse(const Work& work, const wire::SecTag& tag, Verdict verdict) noexcept {
  const std::uint32_t clear = work.offset + tag.size;
  std::memset(work.packet->data + clear, 0, work.packet->length - clear);
  return verdict;
}

// The replay check, counted. pending: acceptable so far.
Verdict check_replay(const Context& context, SaSlot& slot, const ReceiveNumbers& numbers, std::uint64_t pn) noexcept {
  if (!context.replay_protect) return Verdict::pending;
  switch (check_replay(numbers, slot.window, pn)) {
    case ReplayCheck::fresh:
      return Verdict::pending;
    case ReplayCheck::late:
      slot.counters.late.add();
      return Verdict::replay_late;
    case ReplayCheck::duplicate:
      slot.counters.duplicate.add();
      return Verdict::replay_duplicate;
  }
  return Verdict::replay_late;
}

}  // namespace

// IEEE 802.1AE-2018 10.6, up to the cipher.
//
// 1. One segment, no longer than a frame may be.
// 2. The configured VLAN tags in clear, then a SecTAG that keeps every rule (9.5 - 9.9, 9.12, 10.6.1).
// 3. The tag names this SA: its AN, and its SCI unless that is implicit.
// 4. Recover the PN (10.6.2). Zero is never sent.
// 5. Preliminary replay check (10.6.2).
// 6. validateFrames disabled: unchanged text (C clear) is delivered unvalidated, without SecTAG and ICV (10.6.5).
// Changed
//    text would be no user data, so it goes on and has to prove itself.
// 7. Name what is decrypted and what is protected (10.6.3, 14.5). The E bit of the frame decides, not our settings.
Verdict prepare_validate(Work& work, AeadOp& op, Events& /*events*/) noexcept {
  const Context& context = context_of(work);
  Packet& packet = *work.packet;
  SaSlot& slot = *work.slot;
  // 1.
  if (packet.next != nullptr) return Verdict::unsupported;
  if (packet.length > wire::macsec_frame_largest) return Verdict::oversize;
  // 2.
  wire::SecTag tag;
  const Verdict found = wire::find_sectag(context.clear_tags, packet.data, packet.length, tag);
  if (found != Verdict::pending) return found;
  // 3.
  if (tag.an() != context.an) return Verdict::macsec_unused_sa;
  std::uint64_t sci = 0;
  if (wire::sci_of(tag, packet.data, sci) && sci != context.sci) return Verdict::macsec_unknown_sci;
  // 4.
  const ReceiveNumbers numbers = context.receive_numbers(slot);
  work.number = context.xpn ? recover_pn(numbers.lowest_acceptable(), tag.packet_number) : tag.packet_number;
  if (work.number == 0) return Verdict::number_zero;
  // 5.
  const Verdict replay = check_replay(context, slot, numbers, work.number);
  if (replay != Verdict::pending) return replay;
  // 6.
  work.offset = context.clear_tags.sectag_offset();
  if (context.validate == ValidateFrames::disabled && !tag.changed()) {
    slot.counters.unchecked.add();
    wire::strip_sectag(packet, work.offset, tag);
    return Verdict::unchecked;
  }
  // 7.
  work.scratch = pack(tag);
  fill_op(context, work, op, work.offset, tag.size, tag.data_length, tag.encrypted());
  return Verdict::pending;
}

// IEEE 802.1AE-2018 10.6, behind the cipher. Frames of one burst were prepared before any of them was finished, so the
// replay check here is the one that counts.
//
// 1. Octets count as soon as they went through the cipher, valid or not (10.6.3).
// 2. A wrong ICV (10.6.5): changed text is dropped, and so is everything where validation is strict; else the frame is
//    delivered as invalid. Its PN is not believed.
// 3. Replay check behind validation (10.6.4).
// 4. Count it as accepted; a stopped SA accepts nothing.
// 5. The next PN moves (10.6.4). Below the lowest PN without replay protection: delivered, counted as delayed.
// 6. Take off SecTAG, ICV and padding.
Verdict finish_validate(Work& work, const AeadOp& op, Events& events) noexcept {
  const Context& context = context_of(work);
  const wire::SecTag tag = unpack(work.scratch);
  SaSlot& slot = *work.slot;
  // 1.
  (tag.encrypted() ? slot.counters.decrypted_bytes : slot.counters.validated_bytes).add(tag.data_length);
  // 2.
  if (!op.good) {
    if (tag.changed() || context.validate == ValidateFrames::strict) {
      slot.counters.bad_icv.add();
      return refuse(work, tag, Verdict::macsec_not_valid);
    }
    slot.counters.invalid.add();
    wire::strip_sectag(*work.packet, work.offset, tag);
    return Verdict::unchecked;
  }
  // 3.
  const ReceiveNumbers numbers = context.receive_numbers(slot);
  const Verdict replay = check_replay(context, slot, numbers, work.number);
  if (replay != Verdict::pending) return refuse(work, tag, replay);
  // 4.
  if (!account(slot, tag.data_length, events)) return refuse(work, tag, Verdict::hard_expired);
  // 5.
  if (numbers.below_lowest(work.number)) {
    slot.counters.delayed.add();
  } else {
    slot.window.accept(work.number);
  }
  // 6.
  wire::strip_sectag(*work.packet, work.offset, tag);
  return Verdict::ok;
}

}  // namespace linecrypt::software::macsec
