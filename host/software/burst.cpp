#include "host/software/burst.hpp"

#include <cstring>

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

constexpr bool fits(const SaSlot& slot, Operation operation) noexcept {
  switch (operation) {
    case Operation::esp_encapsulate:
      return slot.protocol == SaProtocol::esp && slot.direction == Direction::egress;
    case Operation::esp_decapsulate:
      return slot.protocol == SaProtocol::esp && slot.direction == Direction::ingress;
    case Operation::macsec_protect:
      return slot.protocol == SaProtocol::macsec && slot.direction == Direction::egress;
    case Operation::macsec_validate:
      return slot.protocol == SaProtocol::macsec && slot.direction == Direction::ingress;
    case Operation::none:
      break;
  }
  return false;
}

Verdict prepare(Operation operation, Work& work, AeadOp& op, Events& events) noexcept {
  switch (operation) {
    case Operation::esp_encapsulate:
      return esp::prepare_encapsulate(work, op, events);
    case Operation::esp_decapsulate:
      return esp::prepare_decapsulate(work, op, events);
    case Operation::macsec_protect:
      return macsec::prepare_protect(work, op, events);
    case Operation::macsec_validate:
      return macsec::prepare_validate(work, op, events);
    case Operation::none:
      break;
  }
  return Verdict::wrong_operation;
}

Verdict finish_one(Operation operation, Work& work, const AeadOp& op, Events& events) noexcept {
  switch (operation) {
    case Operation::esp_encapsulate:
      return esp::finish_encapsulate(work, op, events);
    case Operation::esp_decapsulate:
      return esp::finish_decapsulate(work, op, events);
    case Operation::macsec_protect:
      return macsec::finish_protect(work, op, events);
    case Operation::macsec_validate:
      return macsec::finish_validate(work, op, events);
    case Operation::none:
      break;
  }
  return Verdict::wrong_operation;
}

// A MACsec frame delivered unvalidated still goes on to its ESP stage, which has its own key and tag.
constexpr bool goes_on(Verdict verdict) noexcept {
  return verdict == Verdict::ok || verdict == Verdict::unchecked;
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

// 1. Bring each frame to its destination.
// 2. Both stages; a job that has its verdict takes part no more.
// 3. Verdicts become visible last, when nothing of the packet changes any more.
void Burst::run(std::span<Job* const> jobs) noexcept {
  // 1.
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    verdicts_[i] = admit(*jobs[i]);
    jobs[i]->verdict_stage = 0;
    works_[i].job = jobs[i];
    works_[i].packet = jobs[i]->destination;
  }
  // 2.
  run_stage(jobs, 0);
  run_stage(jobs, 1);
  // 3.
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i]->verdict = verdicts_[i];
}

// 1. Prepare each job that is still on its way: into the list of ops to seal or to open, or to its verdict.
// 2. One call into the provider for each list. The nonces, which hold salts, go again.
// 3. Finish in order of preparation, so that the replay window sees packets as they came.
void Burst::run_stage(std::span<Job* const> jobs, std::uint8_t stage) noexcept {
  seal_.count = 0;
  open_.count = 0;
  prefetch_sas(jobs, stage, slots_, key_size_);
  // 1.
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const Stage& asked = jobs[i]->stages[stage];
    const bool second = stage != 0;
    if (second && (asked.operation == Operation::none || !goes_on(verdicts_[i]))) continue;
    if (!second && verdicts_[i] != Verdict::pending) continue;
    Ops& ops = is_egress(asked.operation) ? seal_ : open_;
    verdicts_[i] = begin(works_[i], asked, ops.op[ops.count]);
    jobs[i]->verdict_stage = stage;
    jobs[i]->number = works_[i].number;
    if (verdicts_[i] == Verdict::pending) ops.job[ops.count++] = static_cast<std::uint8_t>(i);
  }
  // 2.
  if (seal_.count != 0) provider_->seal({seal_.op.data(), seal_.count});
  if (open_.count != 0) provider_->open({open_.op.data(), open_.count});
  forget_nonces(seal_);
  forget_nonces(open_);
  // 3.
  finish(jobs, stage, seal_);
  finish(jobs, stage, open_);
}

// 1. The slot, and the SA in it, must be the one the id names. Acquire: its fields were written before its generation.
// 2. Operation, protocol and direction must agree.
// 3. The protocol's own work. The context is read once: a SetPeer may swap it between prepare and finish, and waits for
//    this worker before it frees the old one.
Verdict Burst::begin(Work& work, const Stage& stage, AeadOp& op) noexcept {
  work.number = 0;
  // 1.
  if (stage.operation == Operation::none) return Verdict::wrong_operation;
  if (stage.sa.index >= slots_.size() || !stage.sa.valid()) return Verdict::stale_sa;
  SaSlot& slot = slots_[stage.sa.index];
  if (slot.generation.load(std::memory_order_acquire) != stage.sa.generation) return Verdict::stale_sa;
  // 2.
  if (!fits(slot, stage.operation)) return Verdict::wrong_operation;
  // 3.
  op = AeadOp{};
  work.slot = &slot;
  work.context = std::atomic_ref<void*>(slot.context).load(std::memory_order_acquire);
  return prepare(stage.operation, work, op, events_);
}

void Burst::forget_nonces(Ops& ops) noexcept {
  for (std::uint32_t k = 0; k < ops.count; ++k) cleanse(ops.op[k].iv, sizeof ops.op[k].iv);
}

void Burst::finish(std::span<Job* const> jobs, std::uint8_t stage, const Ops& ops) noexcept {
  for (std::uint32_t k = 0; k < ops.count; ++k) {
    const std::size_t i = ops.job[k];
    verdicts_[i] = finish_one(jobs[i]->stages[stage].operation, works_[i], ops.op[k], events_);
    jobs[i]->number = works_[i].number;
  }
}

}  // namespace linecrypt::software
