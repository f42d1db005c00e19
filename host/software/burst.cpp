#include "host/software/burst.hpp"

#include <bit>
#include <cstring>
#include <iterator>

#include "host/software/esp/decapsulate.hpp"
#include "host/software/esp/encapsulate.hpp"
#include "host/software/macsec/protect.hpp"
#include "host/software/macsec/validate.hpp"
#include "host/software/prefetch.hpp"

namespace linecrypt::software {
namespace {

// By operation, the SA that it takes. No SA is of protocol none.
struct Fitting {
  SaProtocol protocol;
  Direction direction;

  bool operator==(const Fitting& other) const noexcept {
    return std::bit_cast<std::uint16_t>(*this) == std::bit_cast<std::uint16_t>(other);
  }
};
constexpr Fitting fitting[] = {
    {SaProtocol::none, Direction::egress},    {SaProtocol::esp, Direction::egress},
    {SaProtocol::esp, Direction::ingress},    {SaProtocol::macsec, Direction::egress},
    {SaProtocol::macsec, Direction::ingress},
};
constexpr std::size_t operations = std::size(fitting);
static_assert(static_cast<std::size_t>(Operation::macsec_validate) + 1 == operations);

void prepare(Train& train, BurstStage& stage) noexcept {
  switch (train.asked.operation) {
    case Operation::esp_encapsulate:
      return esp::prepare_encapsulate(train, stage);
    case Operation::esp_decapsulate:
      return esp::prepare_decapsulate(train, stage);
    case Operation::macsec_protect:
      return macsec::prepare_protect(train, stage);
    case Operation::macsec_validate:
      return macsec::prepare_validate(train, stage);
    case Operation::none:
      break;  // begin() refuses it
  }
}

void finish(const Train& train, BurstStage& stage) noexcept {
  switch (train.asked.operation) {
    case Operation::esp_encapsulate:
      return esp::finish_encapsulate(train, stage);
    case Operation::esp_decapsulate:
      return esp::finish_decapsulate(train, stage);
    case Operation::macsec_protect:
      return macsec::finish_protect(train, stage);
    case Operation::macsec_validate:
      return macsec::finish_validate(train, stage);
    case Operation::none:
      break;
  }
}

// Puts the frame where the stages work, the destination. pending: go on.
//
// 1. One segment, of a size that an engine takes (Capabilities).
// 2. Out of place: one copy, the source stays as it is.
Verdict admit(const Job& job) noexcept {
  const Packet& source = *job.source;
  // 1.
  if (source.next != nullptr) return Verdict::unsupported;
  if (source.length > packet_largest) return Verdict::oversize;
  if (job.source == job.destination) [[likely]]
    return Verdict::pending;
  // 2.
  Packet& destination = *job.destination;
  if (destination.next != nullptr) return Verdict::unsupported;
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
  Job** going = first_.job.data();
  for (Job* const job : jobs) {
    __builtin_prefetch(job->source->data);
    const Verdict admitted = admit(*job);
    if (nearly_always(admitted == Verdict::pending)) {
      *going++ = job;
    } else {
      job->verdict_stage = 0;
      job->verdict = admitted;
    }
  }
  first_.count = static_cast<std::uint32_t>(going - first_.job.data());
  second_.count = 0;
  // 3.
  if (several) prefetch_sas(first_, 0, slots_, key_prefetched_);
  // 4.
  run_stage(first_, second_, 0);
  if (second_.count == 0) return;
  if (many) {
    prefetch_slots(second_, 1, slots_);
    prefetch_sas(second_, 1, slots_, key_prefetched_);
  }
  run_stage(second_, first_, 1);
}

// 1. The operation is one, the slot's SA the one that the id names, and they fit together. Acquire: a slot's fields
//    were written before its generation.
// 2. The train, and the protocol's own work. The context is read once: a SetPeer may swap it between prepare and
//    finish, and the old one stays until this worker has passed a quiescent point.
inline void Burst::begin(BurstStage& stage) noexcept {
  Job& job = **stage.next;
  const Stage asked = job.stages[stage.place];
  const auto operation = static_cast<std::size_t>(asked.operation);
  // 1.
  const auto refuse = [&](Verdict verdict) {
    ++stage.next;
    job.number = 0;
    stage.end(job, verdict);
  };
  if (operation == 0 || operation >= operations) return refuse(Verdict::wrong_operation);
  if (asked.sa.index >= slots_.size() || !asked.sa.valid()) return refuse(Verdict::stale_sa);
  SaSlot& slot = slots_[asked.sa.index];
  if (slot.generation.load(std::memory_order_acquire) != asked.sa.generation) return refuse(Verdict::stale_sa);
  if (Fitting{slot.protocol, slot.direction} != fitting[operation]) return refuse(Verdict::wrong_operation);
  // 2.
  Train& train = *next_train_++;
  train.slot = &slot;
  train.context = static_cast<ContextHead*>(std::atomic_ref<void*>(slot.context).load(std::memory_order_acquire));
  train.ops = slot.direction == Direction::egress ? &seal_ : &open_;
  train.asked = asked;
  prepare(train, stage);
}

// 1. Prepare the jobs of the queue, train by train: into the list of ops to seal or to open, or to their verdicts.
// 2. One call into the provider for each list.
// 3. Finish train by train, as they were prepared.
void Burst::run_stage(const Queue& queue, Queue& further, std::uint8_t place) noexcept {
  seal_.clear();
  open_.clear();
  next_train_ = trains_.data();
  BurstStage stage(queue, further, events_, place);
  // 1.
  while (stage.next != stage.behind) begin(stage);
  // 2.
  if (!seal_.filled().empty()) provider_->seal(seal_.filled());
  if (!open_.filled().empty()) provider_->open(open_.filled());
  // 3.
  for (const Train* train = trains_.data(); train != next_train_; ++train) finish(*train, stage);
}

}  // namespace linecrypt::software
