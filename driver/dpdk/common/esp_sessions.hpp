// EspSession: one rte_security IPsec session as the workers see it; EspSessions: a device's table of them, all made
// when the device is.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver/dpdk/common/device_context.hpp"
#include "driver/dpdk/common/given_iv.hpp"
#include "driver/dpdk/common/ipsec_conf.hpp"
#include "linecrypt/counters.hpp"

namespace linecrypt::dpdk {

inline constexpr std::uint32_t no_queue = 0xffffffffU;

struct alignas(64) EspSession {
  // ---- written by the control side before the generation is ----
  std::atomic<std::uint32_t> generation{0};  // of the session here; 0: none
  std::atomic<std::uint32_t> sa_generation{0};
  std::uint32_t sa_index = 0;
  bool egress = false;
  bool tunnel = false;
  bool wide = false;  // 64-bit numbers
  IpsecExtras extras;
  IpAddress destination;
  std::uint16_t udp_port = 0;  // destination of its UDP encapsulation (RFC 3948); 0: none
  LifetimeLimit soft;
  LifetimeLimit hard;
  const GivenIv::Key* iv_key = nullptr;
  std::uint64_t userdata = 0;
  // ---- workers ----
  std::atomic<std::uint32_t> queue{no_queue};  // the engine's queue that it belongs to: the first user's
  // Under that queue's lock.
  std::uint32_t until_renewal = 0;
  bool soft_told = false;  // the ethdev has told of the limit
  bool hard_told = false;
  Counter packets;  // accepted or sent
  Counter bytes;    // of the clear packets
  Counter errors;

  [[nodiscard]] SaId sa() const noexcept { return {sa_index, sa_generation.load(std::memory_order_relaxed)}; }
  // The queue it belongs to; `mine` if nobody has used it yet.
  [[nodiscard]] std::uint32_t queue_for(std::uint32_t mine) noexcept {
    std::uint32_t owner = queue.load(std::memory_order_relaxed);
    if (owner == no_queue && queue.compare_exchange_strong(owner, mine, std::memory_order_relaxed)) return mine;
    return owner;
  }
};

// What lies in an rte_security_session of ours.
struct EspHandle {
  EspSession* session;
  std::uint32_t generation;
  bool operator==(const EspHandle&) const = default;
};

class EspSessions {
 public:
  // `device` outlives it.
  static Result<std::unique_ptr<EspSessions>> make(DeviceContext& device);
  ~EspSessions();

  // Any thread. 0 or a negative errno; refusals are told in the log.
  int create(const rte_security_session_conf& conf, rte_security_session_action_type action, EspHandle& handle);
  int update(const rte_security_session_conf& conf, rte_security_session_action_type action, const EspHandle& handle);
  int destroy(EspHandle& handle);
  int stats(const EspHandle& handle, rte_security_stats& out) const;

  // Workers. None: the handle is of a session that is gone.
  [[nodiscard]] static EspSession* find(const EspHandle& handle) noexcept {
    EspSession* const session = handle.session;
    if (session == nullptr || session->generation.load(std::memory_order_acquire) != handle.generation) return nullptr;
    return session;
  }
  // The session whose SA is `id`; none: it is gone. For events.
  [[nodiscard]] EspSession* of_sa(SaId id) noexcept;
  // The one with that SA index, whoever has it now; precondition: index < DeviceContext::max_sas().
  [[nodiscard]] EspSession& at(std::uint32_t index) noexcept { return sessions_[index]; }
  [[nodiscard]] DeviceContext& device() noexcept { return device_; }
  [[nodiscard]] GivenIv* given_iv() noexcept { return given_iv_.get(); }

 private:
  explicit EspSessions(DeviceContext& device);
  int refused(int code, const std::string& why) const;

  DeviceContext& device_;
  std::unique_ptr<GivenIv> given_iv_;  // with test_iv=1
  std::mutex mutex_;
  std::unique_ptr<EspSession[]> sessions_;  // by the SA's index
  std::uint32_t last_generation_ = 0;
};

}  // namespace linecrypt::dpdk
