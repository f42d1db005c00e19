#include "host/software/macsec/validate.hpp"

#include "host/software/macsec/sa_context.hpp"
#include "host/values/ingress_numbers.hpp"
#include "host/values/lifetimes.hpp"
#include "host/values/likely.hpp"

namespace linecrypt::software::macsec {
namespace {

// Work between prepare and finish: Work::length is that of the secure data, Work::scratch these two of the SecTAG.
std::uint32_t pack(std::uint8_t tci_an, std::uint32_t size) noexcept {
  return std::uint32_t{tci_an} << 8U | size;
}
std::uint32_t tag_size_of(const Work& work) noexcept {
  return work.scratch & 0xffU;
}
wire::SecTag unpack(const Work& work) noexcept {
  wire::SecTag tag;
  tag.data_length = work.length;
  tag.size = tag_size_of(work);
  tag.tci_an = static_cast<std::uint8_t>(work.scratch >> 8U);
  return tag;
}
bool was_encrypted(const Work& work) noexcept {
  return unpack(work).encrypted();
}

// No clear text behind the SecTAG once decryption began and the frame is refused.
Verdict refuse(const Context& context, const Packet& packet, const Work& work, Verdict verdict) noexcept {
  const std::uint32_t clear = context.clear_tags.sectag_offset() + tag_size_of(work);
  std::memset(packet.data + clear, 0, packet.length - clear);
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

// A frame whose SecTAG is, but for its number, the one that a plain SA's own frames have: with an explicit SCI,
// directly behind the addresses, and 48 octets or more of secure data, so that SL is 0. Every rule for a tag (9.5
// - 9.9, 9.12) is kept then, and it names this SA.
bool has_our_sectag(const Context& context, const Packet& packet) noexcept {
  constexpr std::uint32_t shortest =
      wire::macsec_addresses_size + wire::sectag_size_with_sci + wire::macsec_data_not_short + macsec_icv_size;
  if (!context.plain || packet.next != nullptr) return false;
  if (packet.length < shortest || packet.length > wire::macsec_frame_largest) return false;
  const std::uint8_t* const tag = packet.data + wire::macsec_addresses_size;
  return std::memcmp(tag, context.tag.data(), wire::sectag_pn_offset) == 0 &&
         std::memcmp(tag + wire::sectag_sci_offset, context.tag.data() + wire::sectag_sci_offset, 8) == 0;
}

// What a train's frames are looked at by before they are opened. Nothing of it moves until then.
struct Arrival {
  const Context& context;
  SaSlot& slot;
  ReceiveNumbers numbers;
  std::uint64_t lowest;

  Arrival(const Context& of_train, SaSlot& of_slot) noexcept
      : context(of_train),
        slot(of_slot),
        numbers(of_train.receive_numbers(of_slot)),
        lowest(numbers.lowest_acceptable()) {}

  // IEEE 802.1AE-2018 10.6, up to the cipher, for a frame whose SecTAG is found and names this SA.
  //
  // 1. Recover the PN (10.6.2). Zero is never sent.
  // 2. Preliminary replay check (10.6.2). Mostly frames come in order.
  // 3. validateFrames disabled: unchanged text (C clear) is delivered unvalidated, without SecTAG and ICV (10.6.5).
  //    Changed text would be no user data, so it goes on and has to prove itself.
  // 4. Name what is decrypted and what is protected (10.6.3, 14.5). The E bit of the frame decides, not our settings.
  template <Shape shape>
  [[gnu::always_inline]] Verdict prepare(Job& job, std::uint32_t offset, const wire::SecTag& tag, Work& work,
                                         AeadOp& op) const noexcept {
    Packet& packet = *job.destination;
    // 1.
    const std::uint64_t number = context.xpn ? recover_pn(lowest, tag.packet_number) : tag.packet_number;
    job.number = number;
    if (number == 0) return Verdict::number_zero;
    // 2.
    if (!nearly_always(number > numbers.highest && number >= numbers.floor)) {
      const Verdict replay = check_replay(context, slot, numbers, number);
      if (replay != Verdict::pending) return replay;
    }
    // 3.
    if (context.validate == ValidateFrames::disabled && !tag.changed()) {
      slot.counters.unchecked.add();
      wire::strip_sectag(packet, offset, tag);
      return Verdict::unchecked;
    }
    // 4.
    work.length = tag.data_length;
    work.scratch = pack(tag.tci_an, tag.size);
    fill_op<shape>(context, packet.data, number, offset, tag.size, tag.data_length, tag.encrypted(), work, op);
    return Verdict::pending;
  }
};

// IEEE 802.1AE-2018 10.6, up to the cipher, for any frame.
//
// 1. One segment, no longer than a frame may be.
// 2. The configured VLAN tags in clear, then a SecTAG that keeps every rule (9.5 - 9.9, 9.12, 10.6.1).
// 3. The tag names this SA: its AN, and its SCI unless that is implicit.
[[gnu::noinline]] Verdict prepare_any(const Train& train, Job& job, Work& work, AeadOp& op) noexcept {
  const Context& context = context_of(train);
  const Packet& packet = *job.destination;
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
  return Arrival(context, *train.slot).prepare<Shape::any>(job, context.clear_tags.sectag_offset(), tag, work, op);
}

template <bool lone>
[[gnu::noinline]] void prepare_frames(Train& train, BurstStage& stage) noexcept {
  const Context& context = context_of(train);
  const Arrival arrival(context, *train.slot);
  prepare_jobs<lone>(
      train, stage, [&](Job & job, Work & work, AeadOp & op) __attribute__((always_inline)) {
        const Packet& packet = *job.destination;
        if (!nearly_always(has_our_sectag(context, packet))) return prepare_any(train, job, work, op);
        constexpr std::uint8_t sectag_of_plain = wire::build_tci(SciEncoding::explicit_sci, true, 0);
        constexpr std::uint32_t before = wire::macsec_addresses_size + wire::sectag_size_with_sci;
        wire::SecTag tag;
        tag.tci_an = static_cast<std::uint8_t>(sectag_of_plain | context.an);
        tag.size = wire::sectag_size_with_sci;
        tag.data_length = packet.length - before - macsec_icv_size;
        tag.packet_number = wire::load32(packet.data + wire::macsec_addresses_size + wire::sectag_pn_offset);
        return arrival.prepare<Shape::plain>(job, wire::macsec_addresses_size, tag, work, op);
      });
}

// Octets that went through the cipher, valid or not (10.6.3): a train's sums.
struct Octets {
  SaCounters& counters;
  std::uint64_t decrypted = 0;
  std::uint64_t validated = 0;

  explicit Octets(SaCounters& of_slot) noexcept : counters(of_slot) {}
  ~Octets() {
    counters.decrypted_bytes.add(decrypted);
    counters.validated_bytes.add(validated);
  }
  Octets(const Octets&) = delete;
  Octets& operator=(const Octets&) = delete;
};

// A frame with a wrong ICV (10.6.5): changed text is dropped, and so is everything where validation is strict; else the
// frame is delivered as invalid. Its PN is not believed.
[[gnu::noinline]] Verdict finish_invalid(const Context& context, SaSlot& slot, Packet& packet,
                                         const Work& work) noexcept {
  const wire::SecTag tag = unpack(work);
  if (tag.changed() || context.validate == ValidateFrames::strict) {
    slot.counters.bad_icv.add();
    return refuse(context, packet, work, Verdict::macsec_not_valid);
  }
  slot.counters.invalid.add();
  wire::strip_sectag(packet, context.clear_tags.sectag_offset(), tag);
  return Verdict::unchecked;
}

// The number of a valid frame. Frames of one burst were prepared before any of them was finished, so the replay check
// here is the one that counts. pending: accepted.
//
// 1. Replay check behind validation (10.6.4); a stopped SA accepts nothing.
// 2. The next PN moves (10.6.4). Below the lowest PN without replay protection: delivered, counted as delayed.
[[gnu::noinline]] Verdict accept_number(const Context& context, SaSlot& slot, std::uint64_t number) noexcept {
  // 1.
  const ReceiveNumbers numbers = context.receive_numbers(slot);
  if (const Verdict replay = check_replay(context, slot, numbers, number); replay != Verdict::pending) return replay;
  if (slot.expired.load(std::memory_order_relaxed)) {
    slot.counters.exhausted.add();
    return Verdict::hard_expired;
  }
  // 2.
  if (numbers.below_lowest(number))
    slot.counters.delayed.add();
  else
    slot.window.accept(number);
  return Verdict::pending;
}

// IEEE 802.1AE-2018 10.6, behind the cipher.
//
// 1. Octets count as soon as they went through the cipher, valid or not (10.6.3).
// 2. A wrong ICV.
// 3. The number, and count the frame as accepted. Most come in order, and the SA has no limits then (IngressNumbers).
// 4. Take off SecTAG, ICV and padding.
template <Shape shape, bool lone>
[[gnu::noinline]] void finish_frames(const Train& train, BurstStage& stage) noexcept {
  const Context& context = context_of(train);
  SaSlot& slot = *train.slot;
  const std::uint32_t offset = Of<shape>::sectag_offset(context);
  Octets octets(slot.counters);
  IngressCounts counts(slot, stage.events);
  const auto next_is_high_enough = [&] {
    return slot.window.top() + 1 >= context.lowest_pn.load(std::memory_order_relaxed);
  };
  IngressNumbers numbers(slot, next_is_high_enough());
  finish_jobs<lone>(
      train, stage, [&](const Job& job, const Work& work, const AeadOp& op) __attribute__((always_inline)) {
        Packet& packet = *job.destination;
        // 1.
        (was_encrypted(work) ? octets.decrypted : octets.validated) += work.length;
        // 2.
        if (!nearly_always(op.good)) return finish_invalid(context, slot, packet, work);
        // 3.
        if (numbers.accept_next(job.number)) {
          counts.add_unlimited(work.length);
        } else {
          numbers.pause();
          const Verdict verdict = accept_number(context, slot, job.number);
          numbers.resume(next_is_high_enough());
          if (verdict != Verdict::pending) return refuse(context, packet, work, verdict);
          counts.add(work.length);
        }
        // 4.
        wire::strip_sectag(packet, offset, tag_size_of(work), work.length);
        return Verdict::ok;
      });
}

template <Shape shape>
void finish(const Train& train, BurstStage& stage) noexcept {
  one_goes_on(train) ? finish_frames<shape, true>(train, stage) : finish_frames<shape, false>(train, stage);
}

}  // namespace

void prepare_validate(Train& train, BurstStage& stage) noexcept {
  is_lone(train, stage) ? prepare_frames<true>(train, stage) : prepare_frames<false>(train, stage);
}

void finish_validate(const Train& train, BurstStage& stage) noexcept {
  context_of(train).plain ? finish<Shape::plain>(train, stage) : finish<Shape::any>(train, stage);
}

}  // namespace linecrypt::software::macsec
