// What becomes of one job before the card sees it and behind it.
#include <algorithm>
#include <array>
#include <cstring>

#include "driver/card/engine/lane.hpp"
#include "driver/card/engine/room.hpp"
#include "driver/card/engine/settle.hpp"
#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ip_packet.hpp"
#include "linecrypt/wire/udp.hpp"

namespace linecrypt::card {
namespace {

// A MACsec frame delivered unvalidated still goes on to its ESP stage, which has its own key and tag.
constexpr bool goes_on(Verdict verdict) noexcept {
  return verdict == Verdict::ok || verdict == Verdict::unchecked;
}

// The blocks of a chain stand in this order.
constexpr bool follows(Operation first, Operation second) noexcept {
  return (first == Operation::esp_encapsulate && second == Operation::macsec_protect) ||
         (first == Operation::macsec_validate && second == Operation::esp_decapsulate);
}

// Decryption began, or the software engine would have begun it: nothing of the payload may stay readable.
constexpr bool behind_cipher(Operation operation, bool passed, Verdict verdict) noexcept {
  return passed || verdict == Verdict::esp_bad_icv || verdict == Verdict::macsec_not_valid ||
         (operation == Operation::macsec_validate && verdict == Verdict::hard_expired);
}

// Frames too short to have the headers that the card reads first.
Verdict too_short(const Job& job) noexcept {
  const Operation operation = job.stages[0].operation;
  const std::uint32_t length = job.source->length;
  if (operation == Operation::macsec_protect || operation == Operation::macsec_validate)
    return length < wire::ethernet_size ? Verdict::malformed_ethernet : Verdict::pending;
  const bool l2_fits = job.l2_length == 0 || (job.l2_length >= wire::ethernet_size && job.l2_length <= length);
  if (!l2_fits) return Verdict::malformed_ethernet;
  return length == 0 ? Verdict::malformed_ip : Verdict::pending;
}

// Where the payload of an ingress packet begins: behind the headers that were in clear.
std::uint32_t payload_offset(const SaPlan& plan, const Packet& packet, std::uint32_t l2_length) noexcept {
  std::uint32_t at = 0;
  if (plan.operation == Operation::macsec_validate) {
    wire::SecTag tag;
    if (wire::find_sectag(plan.clear_tags, packet.data, packet.length, tag) == Verdict::pending)
      at = plan.clear_tags.sectag_offset() + tag.size;
  } else if (packet.length > l2_length) {
    const wire::IpPacket ip = wire::parse_ip(packet.data + l2_length, packet.length - l2_length);
    if (ip.valid) at = l2_length + ip.l4_offset + (plan.udp ? wire::udp_size : 0) + wire::esp_header_size + 8;
  }
  return std::min(at, packet.length);
}

// The destination of a refused ingress packet: its headers, zeros for the rest, as the software engine leaves it.
void leave_zeros(const Job& job, const SaPlan& plan) noexcept {
  const Packet& source = *job.source;
  Packet& destination = *job.destination;
  const std::uint32_t clear = payload_offset(plan, source, job.l2_length);
  if (job.source != job.destination) {
    if (destination.length + destination.tailroom < source.length) return;
    std::memcpy(destination.data, source.data, clear);
    destination.set_length(source.length);
  }
  std::memset(destination.data + clear, 0, destination.length - clear);
}

}  // namespace

// One stage: the id's SA is live, and is for this operation. The place is read before the generation is: a place that
// was read while the SA was live is that SA's.
Verdict Lane::admit_stage(const Job& job, std::uint32_t at, InFlight& entry) noexcept {
  const Stage& stage = job.stages[at];
  if (stage.operation == Operation::none) return Verdict::wrong_operation;
  if (stage.sa.index >= setup_.view.size() || !stage.sa.valid()) return Verdict::stale_sa;
  const SaPlan& plan = setup_.view.plan(stage.sa.index);
  const CardPlace place = CardPlace::unpacked(plan.place.load(std::memory_order_acquire));
  if (!setup_.view.live(stage.sa)) return Verdict::stale_sa;
  if (plan.operation != stage.operation) return Verdict::wrong_operation;
  entry.stage[at] = {place.index, place.generation};
  return Verdict::pending;
}

// 1. One segment, of a size that the card takes; out of place, a destination as large as the source.
// 2. The first stage, and room for its result.
// 3. A second stage that cannot be is left out: the job ends behind the first one with that verdict.
Verdict Lane::admit(const Job& job, InFlight& entry) noexcept {
  const Packet& source = *job.source;
  const Packet& destination = *job.destination;
  const bool in_place = job.source == job.destination;
  // 1.
  const_cast<Job&>(job).verdict_stage = 0;
  const_cast<Job&>(job).number = 0;
  if (source.next != nullptr || destination.next != nullptr) return Verdict::unsupported;
  if (source.length > abi::frame_largest) return Verdict::oversize;
  if (!in_place && destination.length + destination.tailroom < source.length) return Verdict::no_buffer;
  // 2.
  if (const Verdict verdict = admit_stage(job, 0, entry); verdict != Verdict::pending) return verdict;
  if (const Verdict verdict = too_short(job); verdict != Verdict::pending) return verdict;
  const bool egress = is_egress(job.stages[0].operation);
  Room room{destination.headroom, source.length, destination.length + destination.tailroom - source.length};
  if (egress && !take_room(setup_.view.plan(job.stages[0].sa.index), source.data, job.l2_length, room))
    return Verdict::no_buffer;
  entry.stages = 1;
  // 3.
  if (job.stages[1].operation != Operation::none) {
    Verdict second = admit_stage(job, 1, entry);
    if (second == Verdict::pending && !follows(job.stages[0].operation, job.stages[1].operation))
      second = Verdict::unsupported;
    if (second == Verdict::pending && egress &&
        !take_room(setup_.view.plan(job.stages[1].sa.index), source.data, job.l2_length, room))
      second = Verdict::no_buffer;
    entry.after = second;
    if (second == Verdict::pending) entry.stages = 2;
  }
  entry.output_room = room.length;
  return Verdict::pending;
}

// Finishes a batch whose output slab has come over.
//
// 1. All of it came, and each completion can be, before any SA hears of one: else the whole batch goes back, and
//    software, which does it again, finds windows and numbers as they were.
// 2. Job by job. One whose numbers cannot be ends it: the rest goes back.
void Lane::finish(Slab& slab) {
  // 1.
  if (const char* fault = doubt_batch(slab); fault != nullptr) {
    setup_.loss->report(fault);
    return give_back(slab, 0);
  }
  // 2.
  for (std::uint32_t i = 0; i < slab.count(); ++i) {
    if (const char* fault = finish_job(slab, i); fault != nullptr) {
      setup_.loss->report(fault);
      return give_back(slab, i);
    }
    slab.stamp_room(i);
  }
  slab.stamp_rest();
  slab.clear();
}

const char* Lane::doubt_batch(const Slab& slab) const noexcept {
  if (!slab.end_came()) return "a transfer from the card was cut short";
  for (std::uint32_t i = 0; i < slab.count(); ++i)
    if (const char* fault = doubt_completion(slab, i); fault != nullptr) return fault;
  return nullptr;
}

// It is this job's, says what can be, and all of its result came over.
const char* Lane::doubt_completion(const Slab& slab, std::uint32_t i) const noexcept {
  const InFlight& entry = slab.entry(i);
  const abi::Completion& completion = slab.completion(i);
  if (completion.epoch != setup_.epoch) return "a completion carries another session's epoch";
  if (completion.cookie != entry.cookie) return "a completion is not the one of its packet";
  if (completion.verdict >= verdict_count || completion.verdict_stage >= entry.stages)
    return "a completion has a verdict that does not exist";
  const auto given = static_cast<Verdict>(completion.verdict);
  if (given == Verdict::pending) return "a completion has no verdict";
  const bool has_result = goes_on(given);
  if (has_result && completion.verdict_stage + 1 != entry.stages) return "a completion stopped between two stages";
  if (has_result != (completion.length != 0) || completion.length > entry.output_room)
    return "a completion has a length that cannot be";
  return slab.result_came(i, completion.length) ? nullptr : "a transfer from the card left a packet out";
}

// 1. What the card says of each stage that ran, as a whole: nothing is settled with the first stage's SA where the
//    second one's report cannot be.
// 2. Each stage is settled with its SA, in order. A stage that the host refuses ends the job.
// 3. A result goes to the destination.
// 4. A refused ingress packet leaves zeros.
// Null: the job is done. Else what the card did wrong; the job is still in flight.
const char* Lane::finish_job(Slab& slab, std::uint32_t i) noexcept {
  struct Ran {
    StageReport report;
    StageFacts facts;
    bool live = false;
  };
  const InFlight& entry = slab.entry(i);
  const abi::Completion& completion = slab.completion(i);
  Job& job = *entry.job;
  std::array<Ran, 2> stages;
  // 1.
  for (std::uint32_t s = 0; s <= completion.verdict_stage; ++s) {
    const SaId sa = job.stages[s].sa;
    Ran& ran = stages[s];
    ran.report.passed = (completion.flags >> s & 1U) != 0;
    ran.report.verdict = s == completion.verdict_stage ? static_cast<Verdict>(completion.verdict)
                         : ran.report.passed           ? Verdict::ok
                                                       : Verdict::unchecked;
    ran.report.number = completion.number[s];
    ran.report.inner_length = completion.inner_lengths[s];
    // Removed meanwhile: the card has said so (stale_sa), and there is nothing to settle with.
    ran.live = setup_.view.live(sa);
    if (!ran.live) continue;
    const char* const fault = doubt(setup_.view.slot(sa.index), setup_.view.plan(sa.index), ran.report,
                                    s == 0 ? job.source : nullptr, job.l2_length, ran.facts);
    if (fault != nullptr) return fault;
  }
  // 2.
  Verdict verdict = Verdict::pending;
  std::uint32_t front = 0;
  bool zero = false;
  for (std::uint32_t s = 0; s <= completion.verdict_stage; ++s) {
    const SaId sa = job.stages[s].sa;
    SaPlan& plan = setup_.view.plan(sa.index);
    const Ran& ran = stages[s];
    verdict = ran.report.verdict;
    if (ran.live) {
      Events& events = sa.index < setup_.flags->slots().size() ? events_ : own_events_;
      verdict = settle(setup_.view.slot(sa.index), plan, ran.report, ran.facts, events);
    } else if (!is_drop(verdict) || ran.report.passed) {
      verdict = Verdict::stale_sa;
    }
    job.verdict_stage = static_cast<std::uint8_t>(s);
    job.number = ran.report.number;
    front += plan.front;
    zero = !is_egress(plan.operation) && behind_cipher(plan.operation, ran.report.passed, verdict);
    if (!goes_on(verdict)) break;
  }
  if (goes_on(verdict) && entry.after != Verdict::pending) {
    verdict = entry.after;
    job.verdict_stage = 1;
    job.number = 0;
    zero = !is_egress(job.stages[0].operation);
  }
  // 3. and 4.
  if (goes_on(verdict)) {
    if (!deliver(*job.destination, slab.result(i), completion.length, front)) verdict = Verdict::no_buffer;
  } else if (zero) {
    leave_zeros(job, setup_.view.plan(job.stages[0].sa.index));
  }
  complete(entry, verdict);
  return nullptr;
}

}  // namespace linecrypt::card
