// QueuePair: ops in, ops out, in the order in which they came, whichever engine has them meanwhile.
//
// Records of the ops stand in a ring: the thread that enqueues owns its tail, the one that dequeues its head (they may
// be two). Ops of IPsec sessions go to the engine's queue of their session (see DeviceContext), raw AEAD ops to the
// provider; records are marked as done by whoever finds them so, under that queue's lock.
#pragma once

#include <rte_crypto.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "driver/dpdk/common/bounce.hpp"
#include "driver/dpdk/common/esp_job.hpp"
#include "driver/dpdk/crypto/aead_sessions.hpp"
#include "linecrypt/counters.hpp"

namespace linecrypt::dpdk {

struct QueuePairCounts {
  std::uint64_t enqueued = 0, dequeued = 0, enqueue_refused = 0, dequeued_failed = 0;
};

class QueuePair {
 public:
  static constexpr std::uint32_t descriptors_most = 1U << 16U;

  // All outlive it. None: no memory.
  static std::unique_ptr<QueuePair> make(std::uint32_t index, std::uint32_t descriptors, int socket,
                                         EspSessions& esp_sessions, AeadSessions& aead_sessions);
  ~QueuePair();

  // Data path; see the threads above.
  std::uint16_t enqueue(rte_crypto_op** ops, std::uint16_t count) noexcept;
  std::uint16_t dequeue(rte_crypto_op** ops, std::uint16_t count) noexcept;

  // Any thread.
  [[nodiscard]] QueuePairCounts counts() const noexcept;
  void reset_counts() noexcept;
  // Nobody enqueues or dequeues any more: takes what the engine still has out of it. False: it did not come out.
  [[nodiscard]] bool settle() noexcept;

 private:
  static constexpr std::uint32_t batch_most = 64;

  struct Record {
    EspJob esp;  // first: poll() finds the record by its job
    rte_crypto_op* op = nullptr;
    std::atomic<bool> done{false};
    std::uint8_t status = 0;  // of the op
    bool soft_expired = false;
    bool has_bounce = false;
    bool refused = false;     // by us: it never reaches the engine
    std::uint32_t queue = 0;  // the engine's queue that has it
  };
  // What an op is for: looked up before anything is done with it.
  struct Target {
    EspSession* esp = nullptr;
    AeadSession* aead = nullptr;
    bool sessionless = false;
    std::uint32_t queue = no_queue;
  };
  // Work for one queue: jobs for the engine, or ops for the provider.
  struct Batch {
    std::uint32_t queue = no_queue;
    bool esp = false;
    std::uint32_t count = 0;
    std::array<Record*, batch_most> records;
    std::array<Job*, batch_most> jobs;
    std::array<std::uint16_t, batch_most> position;  // of the op in the call of enqueue()
  };
  // AEAD ops of a batch, one direction.
  struct AeadList {
    std::array<software::AeadOp, batch_most> ops;
    std::array<Record*, batch_most> records;
    std::uint32_t count = 0;
  };
  enum class Begin : std::uint8_t { batched, done, full };

  QueuePair(std::uint32_t index, std::uint32_t descriptors, EspSessions& esp_sessions, AeadSessions& aead_sessions);

  Target target_of(rte_crypto_op* op) noexcept;
  Begin begin(Record& record, rte_crypto_op* op, const Target& target) noexcept;
  Begin begin_security(Record& record, EspSession& session) noexcept;
  bool fill_aead(Record& record, const AeadSession& session, software::AeadOp& op, Begin& result) noexcept;
  Begin begin_aead(Record& record, AeadSession& session) noexcept;
  Begin run_sessionless(Record& record) noexcept;
  static Begin fail(Record& record, rte_crypto_op_status status) noexcept;
  [[nodiscard]] bool fits_batch(const Target& target) const noexcept;
  std::uint32_t flush() noexcept;
  std::uint32_t flush_engine() noexcept;
  void flush_provider() noexcept;
  void finish_aead(Record& record, const software::AeadOp& op) noexcept;
  void finish_security(Record& record) noexcept;
  void undo(std::uint32_t from, std::uint32_t to) noexcept;
  void count_refused(std::uint32_t from, std::uint32_t to) noexcept;
  std::uint32_t poll(std::uint32_t queue) noexcept;

  const std::uint32_t index_;
  const std::uint32_t mask_;
  EspSessions& esp_sessions_;
  AeadSessions& aead_sessions_;
  DeviceContext& device_;
  const bool immediate_;
  std::unique_ptr<Record[]> records_;
  BounceRing bounces_;
  Batch batch_;
  AeadList seal_;
  AeadList open_;
  std::array<EspSession*, batch_most> renewals_{};
  bool any_refused_ = false;     // in this call of enqueue()
  void* scratch_key_ = nullptr;  // of a sessionless op
  AeadSession scratch_session_;
  alignas(64) std::atomic<std::uint32_t> tail_{0};
  Counter enqueued_;
  Counter refused_;
  alignas(64) std::atomic<std::uint32_t> head_{0};
  Counter dequeued_;
  Counter failed_;
  std::uint32_t empty_polls_ = 0;
};

}  // namespace linecrypt::dpdk
