#include "host/software/macsec/protect.hpp"

#include "host/software/macsec/sa_context.hpp"
#include "host/values/likely.hpp"
#include "host/values/numbers.hpp"

namespace linecrypt::software::macsec {
namespace {

// The threshold of packet numbers is reached: said once.
[[gnu::noinline]] void tell_threshold(Context& context, const SaSlot& slot, Events& events) noexcept {
  if (context.threshold_reported) return;
  context.threshold_reported = true;
  events.raise(slot, EventKind::pn_threshold);
}

// IEEE 802.1AE-2018 10.5, for SAs of one shape.
//
// 1. One segment, with an Ethernet header, and exactly the configured VLAN tags in clear: never a frame in another
// VLAN.
// 2. The frame fits with its SecTAG and ICV (OutPktsTooLong), and so does the buffer.
// 3. With ES or SCB the receiver takes the SCI from the source address (9.5): it must be ours.
// 4. Take the packet number (10.5.2); raise the threshold event once; count. Nothing can fail from here on.
// 5. Insert the SecTAG behind the addresses and VLAN tags (10.5.3, 9.3): SL for short data (9.7), PN's low 32 bits
// (9.8).
// 6. Name what is encrypted and what is protected (10.5.4, 14.5).
template <Shape shape, bool lone>
[[gnu::noinline]] void prepare_frames(Train& train, BurstStage& stage) noexcept {
  using Sa = Of<shape>;
  Context& context = context_of(train);
  SaSlot& slot = *train.slot;
  EgressTrain numbers(slot, context.xpn ? number_last_64bit : number_last_32bit, stage.events);
  // In locals: a store into a frame could be one into the context for all that the compiler knows.
  const std::uint32_t tag_size = Sa::tag_size(context);
  const std::uint32_t offset = Sa::sectag_offset(context);
  const std::uint64_t pn_soft_limit = context.threshold_reported ? ~std::uint64_t{0} : context.pn_soft_limit;
  prepare_jobs<lone>(
      train, stage, [&](Job & job, Work & work, AeadOp & op) __attribute__((always_inline)) {
        Packet& packet = *job.destination;
        const std::uint32_t length = packet.length;
        // 1.
        if (packet.next != nullptr) return Verdict::unsupported;
        const Verdict tags = Sa::match_clear_tags(context, packet.data, length);
        if (tags != Verdict::pending) return tags;
        // 2.
        if (length + tag_size + macsec_icv_size > wire::macsec_frame_largest) return Verdict::oversize;
        if (packet.headroom < tag_size || packet.tailroom < macsec_icv_size) return Verdict::no_buffer;
        // 3.
        if (Sa::source_is_sci(context)) {
          const std::uint8_t* const source = packet.data + wire::mac_size;
          const std::uint64_t address = (std::uint64_t{wire::load32(source)} << 16U) | wire::load16(source + 4);
          if (address != context.sci >> 16U) return Verdict::unsupported;
        }
        // 4.
        const std::uint32_t data_length = length - offset;
        std::uint64_t number = 0;
        if (const Verdict verdict = numbers.take(data_length, number); verdict != Verdict::pending) [[unlikely]]
          return verdict;
        job.number = number;
        if (!nearly_always(number + 1 < pn_soft_limit)) tell_threshold(context, slot, stage.events);
        // 5.
        std::uint8_t* const before = packet.data;
        std::uint8_t* const frame = before - tag_size;
        packet.set(frame, length + tag_size + macsec_icv_size);
        std::uint8_t* const tag = frame + offset;
        wire::move_head(frame, before, offset);
        std::memcpy(tag, context.tag.data(), wire::sectag_pn_offset);
        tag[wire::sectag_short_length_offset] = wire::build_short_length(data_length);
        wire::store32(tag + wire::sectag_pn_offset, static_cast<std::uint32_t>(number));
        if (tag_size != wire::sectag_size)
          std::memcpy(tag + wire::sectag_sci_offset, context.tag.data() + wire::sectag_sci_offset, 8);
        // 6.
        fill_op<shape>(context, frame, number, offset, tag_size, data_length, Sa::encrypt(context), work, op);
        return Verdict::pending;
      });
}

template <Shape shape>
void prepare(Train& train, BurstStage& stage) noexcept {
  is_lone(train, stage) ? prepare_frames<shape, true>(train, stage) : prepare_frames<shape, false>(train, stage);
}

}  // namespace

void prepare_protect(Train& train, BurstStage& stage) noexcept {
  context_of(train).plain ? prepare<Shape::plain>(train, stage) : prepare<Shape::any>(train, stage);
}

void finish_protect(const Train& train, BurstStage& stage) noexcept {
  finish_sealed(train, stage);
}

}  // namespace linecrypt::software::macsec
