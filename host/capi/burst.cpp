// Bursts of the C interface: an lc_job carries the engine's own job in its private part, so that crossing the border
// costs no allocation.
#include <array>
#include <cstddef>

#include "host/capi/context.hpp"

using namespace linecrypt;
using namespace linecrypt::capi;

namespace {

// What lives in lc_job::private_ from submit to the end of the job. `job` is first: poll finds its way back by it.
struct Inner {
  Job job;
  Packet source;
  Packet destination;
};
static_assert(sizeof(Inner) <= sizeof(lc_job::private_) && alignof(Inner) <= alignof(uint64_t));
static_assert(offsetof(Inner, job) == 0);
static_assert(static_cast<int>(Operation::esp_encapsulate) == LC_ESP_ENCAPSULATE &&
              static_cast<int>(Operation::esp_decapsulate) == LC_ESP_DECAPSULATE &&
              static_cast<int>(Operation::macsec_protect) == LC_MACSEC_PROTECT &&
              static_cast<int>(Operation::macsec_validate) == LC_MACSEC_VALIDATE);

inline constexpr uint32_t chunk_size = 64;

const uint8_t* begin_of(const lc_buffer& buffer) noexcept {
  return buffer.data - buffer.headroom;
}
const uint8_t* end_of(const lc_buffer& buffer) noexcept {
  return buffer.data + buffer.length + buffer.tailroom;
}

// True if the job says something that an engine can be asked at all.
bool makes_sense(const lc_job& job) noexcept {
  if (job.size != sizeof(lc_job) || job.source.data == nullptr) return false;
  if (job.destination.data != nullptr) {
    const bool apart =
        end_of(job.destination) <= begin_of(job.source) || end_of(job.source) <= begin_of(job.destination);
    if (!apart) return false;
  }
  if (job.stages[0].operation == LC_OPERATION_NONE) return false;
  return job.stages[0].operation <= LC_MACSEC_VALIDATE && job.stages[1].operation <= LC_MACSEC_VALIDATE;
}

Packet packet_of(const lc_buffer& buffer) noexcept {
  Packet packet;
  packet.data = buffer.data;
  packet.length = buffer.length;
  packet.headroom = buffer.headroom;
  packet.tailroom = buffer.tailroom;
  return packet;
}

lc_buffer buffer_of(const Packet& packet) noexcept {
  return lc_buffer{packet.data, packet.length, packet.headroom, packet.tailroom};
}

Job* prepare(lc_job& job) noexcept {
  auto* inner = new (job.private_) Inner{};
  inner->source = packet_of(job.source);
  inner->job.source = &inner->source;
  inner->job.destination = &inner->source;
  if (job.destination.data != nullptr) {
    inner->destination = packet_of(job.destination);
    inner->job.destination = &inner->destination;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    inner->job.stages[i].sa = {job.stages[i].sa.index, job.stages[i].sa.generation};
    inner->job.stages[i].operation = static_cast<Operation>(job.stages[i].operation);
  }
  inner->job.l2_length = job.l2_length;
  return &inner->job;
}

lc_job* owner_of(Job* job) noexcept {
  return reinterpret_cast<lc_job*>(reinterpret_cast<std::uint8_t*>(job) - offsetof(lc_job, private_));
}

// The result becomes the caller's.
void finish(lc_job& job, QueueState& queue) noexcept {
  auto* inner = std::launder(reinterpret_cast<Inner*>(job.private_));
  if (job.destination.data != nullptr)
    job.destination = buffer_of(inner->destination);
  else
    job.source = buffer_of(inner->source);
  job.number = inner->job.number;
  job.verdict_stage = inner->job.verdict_stage;
  job.verdict = static_cast<uint8_t>(inner->job.verdict);
  queue.verdicts.add(inner->job.verdict);
  queue.finished.add();
}

void finish_nonsense(lc_job& job, QueueState& queue) noexcept {
  job.verdict_stage = 0;
  job.verdict = static_cast<uint8_t>(Verdict::unsupported);
  queue.verdicts.add(Verdict::unsupported);
}

}  // namespace

extern "C" {

int lc_job_defaults(lc_job* job, size_t size) {
  if (job == nullptr || size != sizeof(lc_job)) return LC_INVALID;
  std::memset(job, 0, size);
  job->size = static_cast<uint32_t>(size);
  job->l2_length = 14;
  return LC_OK;
}

// 1. Jobs up to the first that makes no sense go to the engine as one burst.
// 2. What the engine did not accept ends the call; what it finished at once is the caller's again.
// 3. The job that makes no sense is done here, and the next burst begins after it.
uint32_t lc_submit(lc_context* context, uint32_t queue, lc_job* const* jobs, uint32_t count) {
  if (context == nullptr || jobs == nullptr || queue >= context->queues.size()) return 0;
  QueueState& state = context->queues[queue];
  std::array<Job*, chunk_size> burst{};
  uint32_t taken = 0;
  while (taken < count && jobs[taken] != nullptr) {
    uint32_t n = 0;
    while (n < chunk_size && taken + n < count && jobs[taken + n] != nullptr && makes_sense(*jobs[taken + n])) {
      lc_job& job = *jobs[taken + n];
      job.verdict = LC_VERDICT_PENDING;
      burst[n++] = prepare(job);
    }
    if (n == 0) {
      finish_nonsense(*jobs[taken++], state);
      continue;
    }
    const uint32_t accepted =
        context->engine->submit(static_cast<QueueId>(queue), std::span<Job* const>(burst.data(), n));
    state.submitted.add(accepted);
    for (uint32_t i = 0; i < accepted; ++i) {
      // A job that is still pending belongs to the engine: nothing of it is touched.
      if (burst[i]->verdict != Verdict::pending) finish(*jobs[taken + i], state);
    }
    taken += accepted;
    if (accepted < n) break;
  }
  return taken;
}

uint32_t lc_poll(lc_context* context, uint32_t queue, lc_job** done, uint32_t capacity) {
  if (context == nullptr || done == nullptr || queue >= context->queues.size()) return 0;
  QueueState& state = context->queues[queue];
  std::array<Job*, chunk_size> burst{};
  uint32_t given = 0;
  while (given < capacity) {
    const uint32_t wanted = capacity - given < chunk_size ? capacity - given : chunk_size;
    const uint32_t n = context->engine->poll(static_cast<QueueId>(queue), std::span<Job*>(burst.data(), wanted));
    for (uint32_t i = 0; i < n; ++i) {
      lc_job* job = owner_of(burst[i]);
      finish(*job, state);
      done[given++] = job;
    }
    if (n < wanted) break;
  }
  return given;
}

}  // extern "C"
