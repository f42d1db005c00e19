// A port with inline MACsec as its tests see it: rte_security's configurations in, frames through it, and what comes
// out on the other side. Frames that are dropped do not come out.
//
// rig.cpp is the port without an ethdev: MacsecSessions over a device's engine, and a worker as the ethdev's queues
// are. LINECRYPT_DPDK_DEVARGS: devargs of every port (CTest's tests named *_card).
#pragma once

#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_security.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "linecrypt/macsec.hpp"
#include "tests/support/hex.hpp"

namespace linecrypt::test {

// What the driver has said since the last call.
std::string said();

struct Came {
  Bytes bytes;
  std::uint64_t flags = 0;  // of the mbuf
  Bytes memory;             // all of the mbuf's, for what must not be found
  [[nodiscard]] bool secured() const { return (flags & RTE_MBUF_F_RX_SEC_OFFLOAD) != 0; }
  [[nodiscard]] bool failed() const { return (flags & RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED) != 0; }
};

// How a frame lies in mbufs.
struct Layout {
  std::vector<std::uint32_t> segments{};  // sizes of all but the last
  std::uint16_t headroom = 128;
  bool tight = false;  // no room behind
};

struct Session;  // a live one
struct Rule;

// What a test leaves behind is taken away with its port. Sessions take their rules' effect with them.
struct Left {
  std::set<int> sas, scs;
  std::set<Session*> sessions;
};

// Opening a card takes a second: where ports are slow, the next one asked for with the same words is the last one.
class Port {
 public:
  enum class Engine { asked, software };  // a card serves one port: what stands beside it is software's
  explicit Port(const std::string& devargs = "key_reuse=allow", std::uint32_t queues = 1,
                Engine engine = Engine::asked);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  [[nodiscard]] std::vector<rte_security_capability> capabilities() const;
  int create_sa(const rte_security_macsec_sa& conf);
  int destroy_sa(int id);
  int create_sc(const rte_security_macsec_sc& conf);
  int destroy_sc(int id);
  int sa_stats(int id, rte_security_macsec_sa_stats& out);
  int sc_stats(int id, rte_security_macsec_sc_stats& out);
  // 0 and a session, or a negative errno.
  int create(const rte_security_session_conf& conf, Session*& session);
  int update(const rte_security_session_conf& conf, Session* session);
  int destroy(Session* session);
  int stats(Session* session, rte_security_macsec_secy_stats& out);
  // None: refused, `error` says why.
  Rule* add_rule(const rte_flow_attr& attr, const rte_flow_item* pattern, Session* session, rte_flow_error* error);
  void remove_rule(Rule* rule);

  // Flagged for MACsec, out of the port: what stands on the wire.
  std::vector<Came> transmit(const std::vector<Bytes>& frames, const Layout& layout = {}, std::uint32_t queue = 0);
  // From the wire: what the application gets.
  std::vector<Came> receive(const std::vector<Bytes>& frames, const Layout& layout = {}, std::uint32_t queue = 0);
  // RTE_ETH_EVENT_MACSEC since the last call. Waits for `count` of them, and a little longer for one too many.
  std::vector<rte_eth_event_macsec_desc> events(std::size_t count);

 private:
  struct Impl;
  void clear();
  std::string words_;
  bool is_kept_ = false;
  std::unique_ptr<Impl> impl_;
  Left left_;
  static std::pair<std::string, std::unique_ptr<Impl>>& kept();
  void make(const std::string& devargs, std::uint32_t queues, Engine engine);
};

// ---- configurations ----

struct SaOptions {
  Bytes key;
  std::uint8_t an = 0;
  std::uint64_t pn = 1;
  std::uint32_t ssci = 0;
  Bytes salt = {};
};
rte_security_macsec_sa sa_conf(rte_security_macsec_direction direction, const SaOptions& options);

struct FlowOptions {
  rte_security_macsec_alg alg = RTE_SECURITY_MACSEC_ALG_GCM_128;
  std::uint64_t sci = 0x0200000000010001;
  std::vector<SaOptions> sas;  // TX: the first, and with two the one that follows; RX: each by its AN
  std::uint8_t cipher_off = 0;
  bool active = true;
  void* userdata = nullptr;
  // TX
  bool encrypt = true;
  bool protect = true;
  bool send_sci = true;
  bool end_station = false;
  bool scb = false;
  std::uint16_t mtu = 1500;
  bool fixed = true;
  std::uint8_t sectag_off = 12;
  // RX
  std::uint8_t validate = RTE_SECURITY_MACSEC_VALIDATE_STRICT;
  bool replay_protect = false;
  std::uint32_t replay_window = 0;
  bool control_port = true;
  std::vector<bool> in_use = {};  // by AN; empty: where there is an SA
};
rte_security_macsec_sc sc_conf(rte_security_macsec_direction direction, const FlowOptions& options,
                               const std::vector<int>& sas);
rte_security_session_conf session_conf(rte_security_macsec_direction direction, const FlowOptions& options, int sc);

// SAs, SC, session and a rule for every frame; all goes with it.
class Flow {
 public:
  Flow(Port& port, rte_security_macsec_direction direction, const FlowOptions& options);
  ~Flow();
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  [[nodiscard]] int sa(std::size_t index) const { return sas_[index]; }
  [[nodiscard]] int sc() const { return sc_; }
  [[nodiscard]] Session* session() const { return session_; }
  void replace_rule(const rte_flow_item* pattern, std::uint32_t priority = 0);
  void set_sa(std::size_t index, int id) { sas_[index] = id; }
  [[nodiscard]] rte_security_macsec_secy_stats stats() const;
  [[nodiscard]] rte_security_macsec_sc_stats sc_stats() const;
  [[nodiscard]] rte_security_macsec_sa_stats sa_stats(std::size_t index) const;

 private:
  Port& port_;
  rte_security_macsec_direction direction_;
  std::vector<int> sas_;
  int sc_ = 0;
  Session* session_ = nullptr;
  Rule* rule_ = nullptr;
};

inline constexpr auto tx = RTE_SECURITY_MACSEC_DIR_TX;
inline constexpr auto rx = RTE_SECURITY_MACSEC_DIR_RX;

// ---- frames ----

// IEEE 802.1AE-2018 Annex C.
struct AnnexC {
  std::string name;
  rte_security_macsec_alg alg;
  bool encrypted;
  FlowOptions options;  // with its SA
  Bytes clear, secured;
  std::uint64_t pn;
};
const std::vector<AnnexC>& annex_c();
// The emulated card takes a millisecond for a batch.
bool ports_are_slow();
// The port names its suite: then it does all of Annex C.
bool able(const Port& port, const AnnexC& vector);

Bytes key_of(std::size_t size, std::uint8_t first = 0x60);
// An Ethernet frame with `payload` octets behind its EtherType, none of them zero.
Bytes clear_frame(std::size_t payload = 60);
// Behind the addresses.
Bytes with_vlan(const Bytes& frame, std::uint16_t tpid, std::uint16_t vid);
// Any eight octets of `clear` behind its 14th are in `memory`.
bool shows(const Bytes& memory, const Bytes& clear);

// A frame secured by OpenSSL and nothing of ours: SecTAG behind `tags` VLAN tags.
struct SealOptions {
  Bytes key;
  std::uint64_t sci = 0x0200000000010001;
  std::uint64_t pn = 1;
  std::uint8_t an = 0;
  bool explicit_sci = true;
  bool end_station = false;
  bool scb = false;
  bool encrypt = true;
  std::uint32_t offset = 0;  // confidentiality
  std::uint32_t tags = 0;
  Bytes salt = {};  // XPN
  std::uint32_t ssci = 0;
};
Bytes seal(const Bytes& clear, const SealOptions& options);

}  // namespace linecrypt::test
