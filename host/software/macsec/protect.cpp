#include "host/software/macsec/protect.hpp"

#include "host/software/macsec/sa_context.hpp"
#include "host/values/lifetimes.hpp"
#include "host/values/numbers.hpp"

namespace linecrypt::software::macsec {

// IEEE 802.1AE-2018 10.5.
//
// 1. One segment, with an Ethernet header, and exactly the configured VLAN tags in clear: never a frame in another
// VLAN.
// 2. The frame fits with its SecTAG and ICV (OutPktsTooLong), and so does the buffer.
// 3. With ES or SCB the receiver takes the SCI from the source address (9.5): it must be ours.
// 4. Take the packet number (10.5.2); raise the threshold event once; count. Nothing can fail from here on.
// 5. Insert the SecTAG behind the addresses and VLAN tags (10.5.3, 9.3): SL for short data (9.7), PN's low 32 bits
// (9.8).
// 6. Name what is encrypted and what is protected (10.5.4, 14.5).
Verdict prepare_protect(Work& work, AeadOp& op, Events& events) noexcept {
  Context& context = context_of(work);
  Packet& packet = *work.packet;
  // 1.
  if (packet.next != nullptr) return Verdict::unsupported;
  const Verdict tags = wire::match_clear_tags(context.clear_tags, packet.data, packet.length);
  if (tags != Verdict::pending) return tags;
  // 2.
  if (packet.length + context.tag_size + macsec_icv_size > wire::macsec_frame_largest) return Verdict::oversize;
  if (packet.headroom < context.tag_size || packet.tailroom < macsec_icv_size) return Verdict::no_buffer;
  // 3.
  if (context.source_is_sci) {
    const std::uint8_t* const source = packet.data + wire::mac_size;
    const std::uint64_t address = (std::uint64_t{wire::load32(source)} << 16U) | wire::load16(source + 4);
    if (address != context.sci >> 16U) return Verdict::unsupported;
  }
  // 4.
  const std::uint32_t offset = context.clear_tags.sectag_offset();
  const std::uint32_t data_length = packet.length - offset;
  const std::uint64_t last = context.xpn ? number_last_64bit : number_last_32bit;
  Verdict why = Verdict::pending;
  if (!take_number(*work.slot, last, events, work.number, why)) return why;
  if (work.number + 1 >= context.pn_soft_limit && !context.threshold_reported) {
    context.threshold_reported = true;
    events.raise(*work.slot, EventKind::pn_threshold);
  }
  count_packet(*work.slot, data_length, events);
  // 5. Sizes are kept in locals: a store into the packet could be one into them for all that the compiler knows.
  const std::uint32_t tag_size = context.tag_size;
  std::uint8_t* const before = packet.data;
  packet.push_front(tag_size);
  packet.set_length(packet.length + macsec_icv_size);
  std::uint8_t* const tag = before - tag_size + offset;
  wire::move_head(before - tag_size, before, offset);
  // Both sizes of a SecTAG are this: a copy of eight bytes, or of sixteen.
  std::memcpy(tag, context.tag.data(), wire::sectag_size);
  if (tag_size != wire::sectag_size)
    std::memcpy(tag + wire::sectag_size, context.tag.data() + wire::sectag_size, wire::sectag_size);
  tag[wire::sectag_short_length_offset] = wire::build_short_length(data_length);
  wire::store32(tag + wire::sectag_pn_offset, static_cast<std::uint32_t>(work.number));
  // 6.
  fill_op(context, work, op, offset, tag_size, data_length, context.encrypt);
  return Verdict::pending;
}

}  // namespace linecrypt::software::macsec
