// An ethdev of ours inside this process, as any application has it: the EAL loads the plug-in, all calls go through
// DPDK's public functions.
//
// LINECRYPT_DPDK_DEVARGS: the engine's devargs of every port that a test does not ask for by name.
#pragma once

#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_mbuf.h>
#include <rte_security.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/driver/dpdk/esp.hpp"
#include "tests/driver/dpdk/net/wire.hpp"

namespace linecrypt::test {

// Starts the EAL, once.
void start_eal();
// What the drivers have said since the last call.
std::string said();
// The engine's devargs of this run, and whether it is an emulated card, which takes a millisecond for a batch.
std::string engine_devargs();
bool device_is_slow();

// The pool that all frames of the tests come from; mbufs that are out of it.
rte_mempool* frame_pool();
unsigned frames_out();
// A frame in one segment, or in pieces of `segments` bytes. None: the pool is empty. Nothing of earlier frames is in
// it.
rte_mbuf* make_mbuf(rte_mempool* pool, const Bytes& frame, std::uint32_t segments = 0, std::uint16_t headroom = 128);
Bytes bytes_of(const rte_mbuf* mbuf);

// A received frame; its mbuf is freed by then.
struct Received {
  Bytes frame;
  std::uint64_t flags = 0;     // ol_flags
  std::uint64_t userdata = 0;  // with RTE_MBUF_F_RX_SEC_OFFLOAD
  std::uint16_t port = 0;
  Bytes memory;  // of all its segments
  [[nodiscard]] bool secured() const { return (flags & RTE_MBUF_F_RX_SEC_OFFLOAD) != 0; }
  [[nodiscard]] bool failed() const { return (flags & RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED) != 0; }
  [[nodiscard]] bool good() const { return secured() && !failed(); }
  // Behind the Ethernet header.
  [[nodiscard]] Bytes packet() const { return {frame.begin() + 14, frame.end()}; }
};

// Made, configured and started.
class Port {
 public:
  // `devargs`: of the ethdev, without the engine's.
  explicit Port(const std::string& devargs, std::uint16_t rx_queues = 1, std::uint16_t tx_queues = 1,
                const std::string& engine = engine_devargs());
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  // 0, or what rte_vdev_init() said.
  static int try_probe(const std::string& devargs);

  [[nodiscard]] std::uint16_t id() const { return id_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] rte_security_ctx* security() const;
  [[nodiscard]] rte_eth_stats stats() const;
  [[nodiscard]] std::uint64_t xstat(const std::string& name) const;
  [[nodiscard]] const rte_security_capability* capability(rte_security_ipsec_sa_mode mode,
                                                          rte_security_ipsec_sa_direction direction) const;

  // Takes the mbufs; all of them within the patience of the tests.
  void send(const std::vector<rte_mbuf*>& mbufs, std::uint16_t queue = 0) const;
  // Exactly `count` frames.
  [[nodiscard]] std::vector<Received> receive(std::size_t count, std::uint16_t queue = 0) const;
  // What is there now, for some time.
  [[nodiscard]] std::vector<Received> receive_some(std::uint16_t queue = 0) const;
  void stop() const;
  void start() const;
  // Events of this port so far.
  struct Events {
    std::mutex mutex;
    std::vector<rte_eth_event_ipsec_desc> ipsec;
    std::atomic<int> removals{0};
    std::atomic<int> links{0};
  };
  [[nodiscard]] Events& events() const { return *events_; }

 private:
  std::string name_;
  std::uint16_t id_ = 0;
  std::unique_ptr<Events> events_;
};

enum class Way : std::uint8_t { out, in };

class Session {
 public:
  // `change`: the last word on what is asked.
  using Change = std::function<void(rte_security_session_conf& conf)>;
  Session(const Port& port, const Esp& esp, Way way, const Change& change = nullptr);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // It was refused.
  [[nodiscard]] bool none() const { return session_ == nullptr; }
  [[nodiscard]] void* get() const { return session_; }
  [[nodiscard]] std::uint64_t userdata() const { return reinterpret_cast<std::uint64_t>(this); }
  int go_to(std::uint64_t number);
  int destroy();
  [[nodiscard]] rte_security_ipsec_stats stats() const;

  // An mbuf of `packet`, behind an Ethernet header, that asks for this session.
  [[nodiscard]] rte_mbuf* mbuf_of(const Bytes& packet, std::uint32_t segments = 0, std::uint16_t headroom = 128) const;

 private:
  const Port& port_;
  Esp esp_;
  rte_crypto_sym_xform xform_{};
  rte_security_session_conf conf_{};
  void* session_ = nullptr;
};

// Where sessions of any port lie.
rte_mempool* session_pool(const Port& port);

// The rule under which all ESP goes to its sessions.
class EspRule {
 public:
  explicit EspRule(const Port& port);
  ~EspRule();
  EspRule(const EspRule&) = delete;
  EspRule& operator=(const EspRule&) = delete;

 private:
  const Port& port_;
  rte_flow* flow_;
};

// Polls until it holds, as long as tests have patience.
bool wait_until(const std::function<bool()>& holds);

// `packet` behind an Ethernet header of its family.
Bytes frame_of(const Bytes& packet);
std::vector<Bytes> frames_of(const std::vector<Bytes>& packets);

}  // namespace linecrypt::test
