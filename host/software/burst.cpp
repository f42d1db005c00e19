#include "host/software/burst.hpp"

#include <bit>
#include <cstring>
#include <iterator>

#include "host/software/esp/decapsulate.hpp"
#include "host/software/esp/encapsulate.hpp"
#include "host/software/macsec/protect.hpp"
#include "host/software/macsec/validate.hpp"
#include "host/software/prefetch.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::software {
namespace {

constexpr bool is_egress(Operation operation) noexcept {
  return operation == Operation::esp_encapsulate || operation == Operation::macsec_protect;
}

// By operation, the SA that it takes. No SA is of protocol none.
struct Fitting {
  SaProtocol protocol;
  Direction direction;
};
constexpr Fitting fitting[] = {
    {SaProtocol::none, Direction::egress},    {SaProtocol::esp, Direction::egress},
    {SaProtocol::esp, Direction::ingress},    {SaProtocol::macsec, Direction::egress},
    {SaProtocol::macsec, Direction::ingress},
};
static_assert(static_cast<std::size_t>(Operation::macsec_validate) + 1 == std::size(fitting));

// Precondition: a live SA's slot.
template <Operation operation>
bool fits(const SaSlot& slot) noexcept {
  constexpr Fitting wanted = fitting[static_cast<std::size_t>(operation)];
  return slot.protocol == wanted.protocol && slot.direction == wanted.direction;
}

template <Operation operation>
Verdict prepare(Work& work, AeadOp& op, Events& events) noexcept {
  if constexpr (operation == Operation::esp_encapsulate) return esp::prepare_encapsulate(work, op, events);
  if constexpr (operation == Operation::esp_decapsulate) return esp::prepare_decapsulate(work, op, events);
  if constexpr (operation == Operation::macsec_protect) return macsec::prepare_protect(work, op, events);
  return macsec::prepare_validate(work, op, events);
}

Verdict finish_one(Operation operation, Work& work, const AeadOp& op, Events& events) noexcept {
  switch (operation) {
    case Operation::esp_encapsulate:
      return esp::finish_encapsulate(work);
    case Operation::esp_decapsulate:
      return esp::finish_decapsulate(work, op, events);
    case Operation::macsec_protect:
      return Verdict::ok;  // the frame is as prepare_protect() and the provider left it
    case Operation::macsec_validate:
      return macsec::finish_validate(work, op, events);
    case Operation::none:
      break;
  }
  return Verdict::wrong_operation;
}

// The bit of job `i` where it goes on to its second stage; else it has its verdict and 0 comes back. A MACsec frame
// delivered unvalidated still goes on to its ESP stage, which has its own key and tag.
std::uint64_t end_stage(Job& job, std::uint32_t i, std::uint8_t stage, Verdict verdict) noexcept {
  const bool passed = verdict == Verdict::ok || verdict == Verdict::unchecked;
  if (stage == 0 && passed && job.stages[1].operation != Operation::none) return std::uint64_t{1} << i;
  job.verdict = verdict;
  return 0;
}

// Puts the frame where the stages work, the destination. pending: go on.
//
// 1. One segment, of a size that an engine takes (Capabilities).
// 2. Out of place: one copy, the source stays as it is.
Verdict admit(const Job& job) noexcept {
  const Packet& source = *job.source;
  Packet& destination = *job.destination;
  // 1.
  if (source.next != nullptr || destination.next != nullptr) return Verdict::unsupported;
  if (source.length > packet_largest) return Verdict::oversize;
  // 2.
  if (job.source == job.destination) return Verdict::pending;
  if (destination.length + destination.tailroom < source.length) return Verdict::no_buffer;
  std::memcpy(destination.data, source.data, source.length);
  destination.set_length(source.length);
  return Verdict::pending;
}

}  // namespace

// 1. Of many SAs few are in the cache: their slots are on their way first.
// 2. Bring each frame to its destination; the job is on its way, and so is what the first stage looks at.
// 3. What the slots point to, where the burst is of several SAs out of many.
// 4. Both stages. A job has its verdict once nothing of its packet changes any more, and then takes part no more.
void Burst::run(std::span<Job* const> jobs) noexcept {
  // 1.
  const bool many = slots_.size() >= slots_worth_prefetching;
  const bool several = many && prefetch_first_slots(jobs, slots_);
  // 2.
  std::uint64_t going = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Job& job = *jobs[i];
    Work& work = works_[i];
    __builtin_prefetch(job.source->data);
    work.job = &job;
    work.packet = job.destination;
    const Verdict admitted = admit(job);
    if (admitted == Verdict::pending) [[likely]] {
      going |= std::uint64_t{1} << i;
    } else {
      job.verdict_stage = 0;
      job.verdict = admitted;
    }
  }
  // 3.
  if (several) prefetch_sas(works_, going, 0, slots_, key_prefetched_);
  // 4.
  going = run_stage(going, 0);
  if (going == 0) return;
  if (many) {
    prefetch_slots(works_, going, 1, slots_);
    prefetch_sas(works_, going, 1, slots_, key_prefetched_);
  }
  run_stage(going, 1);
}

// 1. The slot, and the SA in it, must be the one the id names. Acquire: its fields were written before its generation.
// 2. Operation, protocol and direction must agree.
// 3. The protocol's own work, which fills the whole of `op`. The context is read once: a SetPeer may swap it between
//    prepare and finish, and the old one stays until this worker has passed a quiescent point.
template <Operation operation>
inline Verdict Burst::begin(Work& work, SaId sa, AeadOp& op) noexcept {
  // 1.
  if (sa.index >= slots_.size() || !sa.valid()) return Verdict::stale_sa;
  SaSlot& slot = slots_[sa.index];
  if (slot.generation.load(std::memory_order_acquire) != sa.generation) return Verdict::stale_sa;
  // 2.
  if (!fits<operation>(slot)) return Verdict::wrong_operation;
  // 3.
  work.slot = &slot;
  work.context = std::atomic_ref<void*>(slot.context).load(std::memory_order_acquire);
  return prepare<operation>(work, op, events_);
}

// A burst is mostly of one operation: it is asked for once for all the jobs behind each other that want it.
template <Operation operation>
std::uint64_t Burst::begin_all(std::uint64_t& going, std::uint8_t stage) noexcept {
  Ops& ops = is_egress(operation) ? seal_ : open_;
  std::uint64_t further = 0;
  std::uint64_t left = going;
  do {
    const auto i = static_cast<std::uint32_t>(std::countr_zero(left));
    Work& work = works_[i];
    Job& job = *work.job;
    const Stage& asked = job.stages[stage];
    if (asked.operation != operation) break;
    left &= left - 1;
    work.number = 0;
    const Verdict begun = begin<operation>(work, asked.sa, ops.op[ops.count]);
    job.verdict_stage = stage;
    job.number = work.number;
    if (begun == Verdict::pending) [[likely]]
      ops.job[ops.count++] = static_cast<std::uint8_t>(i);
    else
      further |= end_stage(job, i, stage, begun);
  } while (left != 0);
  going = left;
  return further;
}

// 1. Prepare each job that is on its way: into the list of ops to seal or to open, or to its verdict.
// 2. One call into the provider for each list.
// 3. Finish in order of preparation, so that the replay window sees packets as they came.
std::uint64_t Burst::run_stage(std::uint64_t going, std::uint8_t stage) noexcept {
  seal_.count = 0;
  open_.count = 0;
  std::uint64_t further = 0;
  // 1.
  while (going != 0) {
    const auto i = static_cast<std::uint32_t>(std::countr_zero(going));
    Job& job = *works_[i].job;
    switch (job.stages[stage].operation) {
      case Operation::esp_encapsulate:
        further |= begin_all<Operation::esp_encapsulate>(going, stage);
        continue;
      case Operation::esp_decapsulate:
        further |= begin_all<Operation::esp_decapsulate>(going, stage);
        continue;
      case Operation::macsec_protect:
        further |= begin_all<Operation::macsec_protect>(going, stage);
        continue;
      case Operation::macsec_validate:
        further |= begin_all<Operation::macsec_validate>(going, stage);
        continue;
      case Operation::none:
        break;
    }
    // None, or no value of the enumeration.
    going &= going - 1;
    job.verdict_stage = stage;
    job.number = 0;
    further |= end_stage(job, i, stage, Verdict::wrong_operation);
  }
  // 2.
  if (seal_.count != 0) provider_->seal({seal_.op.data(), seal_.count});
  if (open_.count != 0) provider_->open({open_.op.data(), open_.count});
  // 3.
  return further | finish(seal_, stage) | finish(open_, stage);
}

// The nonce, which holds a salt, goes first.
std::uint64_t Burst::finish(Ops& ops, std::uint8_t stage) noexcept {
  std::uint64_t further = 0;
  for (std::uint32_t k = 0; k < ops.count; ++k) {
    AeadOp& op = ops.op[k];
    cleanse(op.iv, sizeof op.iv);
    const std::uint32_t i = ops.job[k];
    Work& work = works_[i];
    Job& job = *work.job;
    const Verdict verdict = finish_one(job.stages[stage].operation, work, op, events_);
    further |= end_stage(job, i, stage, verdict);
  }
  return further;
}

}  // namespace linecrypt::software
