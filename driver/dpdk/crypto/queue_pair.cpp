#include "driver/dpdk/crypto/queue_pair.hpp"

#include <rte_cycles.h>
#include <rte_security_driver.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "driver/dpdk/common/mbuf.hpp"
#include "driver/dpdk/crypto/session_memory.hpp"

namespace linecrypt::dpdk {
namespace {

// Behind an op that is not taken while a failover moves SAs, the application polls in vain: then it helps.
constexpr std::uint32_t polls_before_help = 64;

constexpr std::uint64_t settle_seconds = 30;

// Where `length` bytes from `offset` on lie together; none: they do not, or are not there.
std::uint8_t* together(rte_mbuf* mbuf, std::uint32_t offset, std::uint32_t length) noexcept {
  while (mbuf != nullptr && offset >= mbuf->data_len) {
    if (offset == mbuf->data_len && length == 0) break;
    offset -= mbuf->data_len;
    mbuf = mbuf->next;
  }
  if (mbuf == nullptr || mbuf->data_len - offset < length) return nullptr;
  return rte_pktmbuf_mtod_offset(mbuf, std::uint8_t*, offset);
}

}  // namespace

QueuePair::QueuePair(std::uint32_t index, std::uint32_t descriptors, EspSessions& esp_sessions,
                     AeadSessions& aead_sessions)
    : index_(index),
      mask_(std::bit_ceil(std::max<std::uint32_t>(descriptors, batch_most)) - 1),
      esp_sessions_(esp_sessions),
      aead_sessions_(aead_sessions),
      device_(esp_sessions.device()),
      immediate_(device_.capabilities().immediate),
      records_(new (std::nothrow) Record[mask_ + 1]) {}

std::unique_ptr<QueuePair> QueuePair::make(std::uint32_t index, std::uint32_t descriptors, int socket,
                                           EspSessions& esp_sessions, AeadSessions& aead_sessions) {
  std::unique_ptr<QueuePair> pair(new (std::nothrow) QueuePair(index, descriptors, esp_sessions, aead_sessions));
  if (pair == nullptr || pair->records_ == nullptr || !pair->bounces_.allocate(socket)) return nullptr;
  if (aead_sessions.sessionless()) {
    auto context = aead_sessions.take_context();
    if (!context) return nullptr;
    pair->scratch_key_ = *context;
  }
  return pair;
}

QueuePair::~QueuePair() {
  aead_sessions_.release_context(scratch_key_);
}

QueuePair::Begin QueuePair::fail(Record& record, rte_crypto_op_status status) noexcept {
  record.status = static_cast<std::uint8_t>(status);
  record.done.store(true, std::memory_order_relaxed);
  return Begin::done;
}

QueuePair::Target QueuePair::target_of(rte_crypto_op* op) noexcept {
  Target target;
  if (op->type != RTE_CRYPTO_OP_TYPE_SYMMETRIC) return target;
  if (op->sess_type == RTE_CRYPTO_OP_SECURITY_SESSION) {
    target.esp = EspSessions::find(esp_handle(op->sym->session));
    if (target.esp != nullptr) target.queue = target.esp->queue_for(index_);
  } else if (op->sess_type == RTE_CRYPTO_OP_WITH_SESSION) {
    target.aead = AeadSessions::find(aead_handle(op->sym->session));
    if (target.aead != nullptr) target.queue = target.aead->queue_for(index_);
  } else {
    target.sessionless = scratch_key_ != nullptr;
  }
  return target;
}

bool QueuePair::fits_batch(const Target& target) const noexcept {
  if (batch_.count == 0) return true;
  // A sessionless op is done at once: what came before it must be enqueued by then.
  if (target.sessionless) return false;
  if (target.esp == nullptr && target.aead == nullptr) return true;
  return batch_.count < batch_most && batch_.esp == (target.esp != nullptr) && batch_.queue == target.queue;
}

// 1. Room in the ring.
// 2. Each op: whose it is; the batch goes off where this op does not belong to it; the op is prepared.
// 3. What the engine did not take is not enqueued, nor what came behind it.
std::uint16_t QueuePair::enqueue(rte_crypto_op** ops, std::uint16_t count) noexcept {
  // 1.
  const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
  const std::uint32_t room = mask_ + 1 - (tail - head_.load(std::memory_order_acquire));
  const std::uint32_t wanted = std::min<std::uint32_t>(count, room);
  // 2.
  std::uint32_t taken = 0;
  std::uint32_t end = wanted;
  while (taken < wanted) {
    rte_crypto_op* const op = ops[taken];
    const Target target = target_of(op);
    if (!fits_batch(target))
      if (const std::uint32_t stopped = flush(); stopped != no_queue) {
        end = stopped;
        break;
      }
    Record& record = records_[(tail + taken) & mask_];
    const Begin begun = begin(record, op, target);
    if (begun == Begin::full) {
      end = taken;
      break;
    }
    if (begun == Begin::batched) {
      batch_.position[batch_.count] = static_cast<std::uint16_t>(taken);
      batch_.records[batch_.count] = &record;
      batch_.jobs[batch_.count] = &record.esp.job;
      batch_.esp = target.esp != nullptr;
      batch_.queue = record.queue = target.queue;
      ++batch_.count;
    }
    ++taken;
  }
  // 3.
  if (batch_.count != 0)
    if (const std::uint32_t stopped = flush(); stopped != no_queue) end = stopped;
  if (end < taken) undo(tail + end, tail + taken);
  if (any_refused_) count_refused(tail, tail + end);
  tail_.store(tail + end, std::memory_order_release);
  enqueued_.add(end);
  if (end < count) refused_.add(count - end);
  return static_cast<std::uint16_t>(end);
}

// Records that were prepared and are not enqueued: only bounce buffers are to be given back.
void QueuePair::undo(std::uint32_t from, std::uint32_t to) noexcept {
  for (; from != to; ++from)
    if (records_[from & mask_].has_bounce) bounces_.untake();
}

// They never reach the engine, but they are their sessions' packets.
void QueuePair::count_refused(std::uint32_t from, std::uint32_t to) noexcept {
  any_refused_ = false;
  for (; from != to; ++from) {
    Record& record = records_[from & mask_];
    if (!record.refused) continue;
    EspSession& session = *record.esp.session;
    EngineQueue& queue = device_.queue(session.queue_for(index_));
    queue.lock.lock();
    session.errors.add();
    queue.lock.unlock();
  }
}

QueuePair::Begin QueuePair::begin(Record& record, rte_crypto_op* op, const Target& target) noexcept {
  record.op = op;
  record.done.store(false, std::memory_order_relaxed);
  record.soft_expired = false;
  record.has_bounce = false;
  record.refused = false;
  if (target.esp != nullptr) return begin_security(record, *target.esp);
  if (target.aead != nullptr) return begin_aead(record, *target.aead);
  if (target.sessionless) return run_sessionless(record);
  return fail(record, RTE_CRYPTO_OP_STATUS_INVALID_SESSION);
}

QueuePair::Begin QueuePair::begin_security(Record& record, EspSession& session) noexcept {
  rte_crypto_op* const op = record.op;
  rte_mbuf* const source = op->sym->m_src;
  if (source == nullptr) return fail(record, RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  rte_mbuf* const destination = op->sym->m_dst != nullptr ? op->sym->m_dst : source;
  const std::uint8_t* const iv =
      session.extras.given_iv ? rte_crypto_op_ctod_offset(op, const std::uint8_t*, session.extras.iv_offset) : nullptr;
  switch (begin_esp(record.esp, session, source, destination, 0, iv, bounces_)) {
    case EspBegin::ready:
      record.has_bounce = record.esp.bounce != nullptr;
      return Begin::batched;
    case EspBegin::no_bounce:
      return Begin::full;
    case EspBegin::refused:
      break;
  }
  record.refused = any_refused_ = true;
  return fail(record, RTE_CRYPTO_OP_STATUS_ERROR);
}

// 1. Where the data is: together in an mbuf, else copied into a bounce buffer and worked on there.
// 2. GCM: associated data of the op. GMAC: all is associated data.
// False: `result` says why.
bool QueuePair::fill_aead(Record& record, const AeadSession& session, software::AeadOp& op, Begin& result) noexcept {
  rte_crypto_sym_op& sym = *record.op->sym;
  const auto refuse = [&](rte_crypto_op_status status) {
    result = fail(record, status);
    return false;
  };
  if (sym.m_src == nullptr) return refuse(RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  rte_mbuf* const destination = sym.m_dst != nullptr ? sym.m_dst : sym.m_src;
  const std::uint32_t offset = session.gmac ? sym.auth.data.offset : sym.aead.data.offset;
  const std::uint32_t length = session.gmac ? sym.auth.data.length : sym.aead.data.length;
  std::uint8_t* const tag = session.gmac ? sym.auth.digest.data : sym.aead.digest.data;
  if (tag == nullptr) return refuse(RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  if (!session.gmac && session.aad_length != 0 && sym.aead.aad.data == nullptr)
    return refuse(RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  // 1.
  std::uint8_t* in = together(sym.m_src, offset, length);
  std::uint8_t* out = session.gmac || destination == sym.m_src ? in : together(destination, offset, length);
  if (in == nullptr || out == nullptr) {
    if (length > BounceRing::payload_most) return refuse(RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
    std::uint8_t* const bounce = bounces_.take();
    if (bounce == nullptr) {
      result = Begin::full;
      return false;
    }
    in = out = bounce + BounceRing::headroom;
    const bool fits = session.gmac || destination->pkt_len >= offset + std::uint64_t{length};
    if (!fits || !gather(sym.m_src, offset, length, in)) {
      bounces_.untake();
      return refuse(RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
    }
    record.has_bounce = true;
    record.esp.bounce = bounce;
  }
  // 2.
  op = software::AeadOp{};
  op.key = session.key;
  std::memcpy(op.iv, rte_crypto_op_ctod_offset(record.op, const std::uint8_t*, session.iv_offset), sizeof op.iv);
  op.tag = tag;
  if (session.gmac) {
    op.aad_tail = in;
    op.aad_tail_length = length;
    op.in = op.out = in;
  } else {
    op.aad_tail = sym.aead.aad.data;
    op.aad_tail_length = session.aad_length;
    op.in = in;
    op.out = out;
    op.length = length;
  }
  return true;
}

QueuePair::Begin QueuePair::begin_aead(Record& record, AeadSession& session) noexcept {
  AeadList& list = session.encrypt ? seal_ : open_;
  Begin result = Begin::batched;
  if (!fill_aead(record, session, list.ops[list.count], result)) return result;
  list.records[list.count++] = &record;
  return result;
}

// The key is expanded for this one op, in a context of the queue pair's own.
QueuePair::Begin QueuePair::run_sessionless(Record& record) noexcept {
  GcmTransform gcm;
  std::string why;
  if (read_aead(record.op->sym->xform, scratch_session_, gcm, why) != 0 ||
      !aead_sessions_.provider().expand({gcm.key, gcm.key_length}, scratch_key_))
    return fail(record, RTE_CRYPTO_OP_STATUS_INVALID_SESSION);
  scratch_session_.key = scratch_key_;
  software::AeadOp op;
  Begin result = Begin::done;
  if (fill_aead(record, scratch_session_, op, result)) {
    if (scratch_session_.encrypt)
      aead_sessions_.provider().seal({&op, 1});
    else
      aead_sessions_.provider().open({&op, 1});
    finish_aead(record, op);
  }
  aead_sessions_.provider().destroy(scratch_key_);
  return result;
}

// no_queue: all went off. Else the position of the first op that did not.
std::uint32_t QueuePair::flush() noexcept {
  const std::uint32_t count = batch_.count;
  std::uint32_t accepted = count;
  if (count == 0) return no_queue;
  if (batch_.esp)
    accepted = flush_engine();
  else
    flush_provider();
  batch_.count = 0;
  return accepted < count ? batch_.position[accepted] : no_queue;
}

// 1. The engine, under the queue's lock; what it finished at once is finished here.
// 2. Leases of SAs that are half used.
std::uint32_t QueuePair::flush_engine() noexcept {
  // 1.
  EngineQueue& queue = device_.queue(batch_.queue);
  std::uint32_t renewals = 0;
  queue.lock.lock();
  const std::uint32_t accepted = device_.engine().submit(queue.id, {batch_.jobs.data(), batch_.count});
  for (std::uint32_t i = 0; i < accepted; ++i) {
    Record& record = *batch_.records[i];
    EspSession& session = *record.esp.session;
    if (session.egress && --session.until_renewal == 0) {
      session.until_renewal = 2 * DeviceContext::renewal_distance(session.wide);
      renewals_[renewals++] = &session;
    }
    if (record.esp.job.verdict != Verdict::pending) finish_security(record);
  }
  queue.lock.unlock();
  // 2.
  for (std::uint32_t i = 0; i < renewals; ++i) {
    EspSession& session = *renewals_[i];
    if (device_.renew_lease(session.sa())) continue;
    queue.lock.lock();
    session.until_renewal = batch_most;
    queue.lock.unlock();
  }
  return accepted;
}

void QueuePair::flush_provider() noexcept {
  EngineQueue& queue = device_.queue(batch_.queue);
  software::AeadProvider& provider = aead_sessions_.provider();
  queue.lock.lock();
  if (seal_.count != 0) provider.seal({seal_.ops.data(), seal_.count});
  if (open_.count != 0) provider.open({open_.ops.data(), open_.count});
  queue.lock.unlock();
  for (AeadList* list : {&seal_, &open_}) {
    for (std::uint32_t i = 0; i < list->count; ++i) finish_aead(*list->records[i], list->ops[i]);
    list->count = 0;
  }
}

// A tag that is wrong has left zeros where the clear text would be.
void QueuePair::finish_aead(Record& record, const software::AeadOp& op) noexcept {
  rte_crypto_sym_op& sym = *record.op->sym;
  record.status = op.good ? RTE_CRYPTO_OP_STATUS_SUCCESS : RTE_CRYPTO_OP_STATUS_AUTH_FAILED;
  // GMAC changes no data.
  if (record.has_bounce && op.length != 0) {
    rte_mbuf* const destination = sym.m_dst != nullptr ? sym.m_dst : sym.m_src;
    if (!overwrite(destination, sym.aead.data.offset, op.length, op.out))
      record.status = RTE_CRYPTO_OP_STATUS_INVALID_ARGS;
  }
  record.done.store(true, std::memory_order_release);
}

void QueuePair::finish_security(Record& record) noexcept {
  const bool good = finish_esp(record.esp, esp_sessions_.given_iv());
  record.status = good ? RTE_CRYPTO_OP_STATUS_SUCCESS : RTE_CRYPTO_OP_STATUS_ERROR;
  record.soft_expired = record.esp.soft_expired;
  record.done.store(true, std::memory_order_release);
}

// Finished jobs of one of the engine's queues, whichever queue pair they are of.
std::uint32_t QueuePair::poll(std::uint32_t index) noexcept {
  std::array<Job*, batch_most> jobs;
  EngineQueue& queue = device_.queue(index);
  queue.lock.lock();
  const std::uint32_t count = device_.engine().poll(queue.id, jobs);
  for (std::uint32_t i = 0; i < count; ++i) finish_security(*reinterpret_cast<Record*>(jobs[i]));
  queue.lock.unlock();
  return count;
}

// 1. Ops that are done, in order. 2. Behind them, the one that is not: ask the engine that has it.
std::uint16_t QueuePair::dequeue(rte_crypto_op** ops, std::uint16_t count) noexcept {
  std::uint32_t head = head_.load(std::memory_order_relaxed);
  const std::uint32_t tail = tail_.load(std::memory_order_acquire);
  std::uint32_t failed = 0;
  std::uint16_t given = 0;
  while (given < count && head != tail) {
    Record& record = records_[head & mask_];
    // 2.
    if (!record.done.load(std::memory_order_acquire)) {
      if (poll(record.queue) == 0) break;
      continue;
    }
    // 1.
    rte_crypto_op* const op = record.op;
    op->status = record.status;
    op->aux_flags = record.soft_expired ? RTE_CRYPTO_OP_AUX_FLAGS_IPSEC_SOFT_EXPIRY : 0;
    if (record.status != RTE_CRYPTO_OP_STATUS_SUCCESS) ++failed;
    if (record.has_bounce) bounces_.give_back();
    ops[given++] = op;
    ++head;
  }
  head_.store(head, std::memory_order_release);
  dequeued_.add(given);
  if (failed != 0) failed_.add(failed);
  if (given == 0 && head != tail && ++empty_polls_ % polls_before_help == 0) device_.help();
  return given;
}

QueuePairCounts QueuePair::counts() const noexcept {
  return {enqueued_.get(), dequeued_.get(), refused_.get(), failed_.get()};
}

void QueuePair::reset_counts() noexcept {
  for (Counter* counter : {&enqueued_, &dequeued_, &refused_, &failed_}) counter->reset();
}

// An engine gives every job back, within its own limits on how long it may take.
bool QueuePair::settle() noexcept {
  const std::uint64_t give_up = rte_get_timer_cycles() + settle_seconds * rte_get_timer_hz();
  for (std::uint32_t i = head_.load(std::memory_order_acquire); i != tail_.load(std::memory_order_acquire);) {
    Record& record = records_[i & mask_];
    if (record.done.load(std::memory_order_acquire)) {
      ++i;
    } else if (poll(record.queue) == 0) {
      if (rte_get_timer_cycles() > give_up) return false;
      device_.help();
    }
  }
  return true;
}

}  // namespace linecrypt::dpdk
