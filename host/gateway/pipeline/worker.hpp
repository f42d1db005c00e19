// Worker: the pipeline's one thread at work. A frame goes from step to step; each step hands it on to exactly one other
// step, or ends it: transmit(), punt() or end(). Steps are grouped by the file that holds them.
//
//   receive -> receive_clear | receive_black | companion -> policy -> forward -> engine_steps -> transmit
//
// Every frame that came in, or was made here, is counted under one verdict on its in_port when it leaves.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host/gateway/pipeline/exemptions.hpp"
#include "host/gateway/pipeline/flow_memory.hpp"
#include "host/gateway/pipeline/icmp.hpp"
#include "host/gateway/pipeline/job_ring.hpp"
#include "host/gateway/pipeline/l2_header.hpp"
#include "host/gateway/pipeline/pipeline.hpp"
#include "host/gateway/pipeline/token_bucket.hpp"
#include "host/gateway/pipeline/unresolved.hpp"

namespace linecrypt::gateway {

inline constexpr std::uint32_t burst_largest = 64;
inline constexpr std::uint32_t icmp_per_second = 100;  // of each clear port (RFC 1812 4.3.2.8, RFC 4443 2.4 f)
inline constexpr std::uint32_t icmp_burst = 20;
inline constexpr std::uint64_t second_ns = 1'000'000'000;
inline constexpr std::uint64_t learnt_mtu_lifetime_ns = 600 * second_ns;  // RFC 1191 6.3, RFC 8201 4

// Where a frame goes on after the engine.
enum class Step : std::uint8_t { validated, decapsulated, ready };

// Whom an IP packet from the wire is for, by both of its addresses.
enum class Reach : std::uint8_t {
  us,         // this port's own address
  many,       // a group or broadcast address, in a group frame
  our_other,  // an address of another port of ours
  transit,    // somebody else: to be forwarded
  mismatch,   // a unicast packet in a group frame, or the reverse
};

// Frames on the way out through one door, and what is counted once they are gone.
struct OutBatch {
  std::array<Frame*, burst_largest> frames{};
  std::uint32_t count = 0;
};

// ESP packets whose SAs are looked up together, those of one SPI behind each other once.
struct EspBatch {
  std::array<Frame*, burst_largest> frames{};
  std::array<std::uint8_t, burst_largest> spi_of{};  // by frame: a position in `spis`
  std::array<std::uint32_t, burst_largest> spis{};
  std::uint32_t count = 0;
  std::uint32_t spi_count = 0;
};

// The answer for the last IPv4 destination that came in, as one Fib says. Mostly they are of one tunnel's end.
struct LastReach {
  std::uint64_t fib_serial = 0;  // no Fib has 0
  std::uint32_t destination = 0;
  PortIndex in_port = no_port;
  bool group_frame = false;
  Reach reach = Reach::mismatch;
};

struct WorkerPort {
  WorkerPort(PortIndex own_index, const PortSettings& from);

  PortIndex index;
  PortSettings settings;
  std::uint16_t l2_length;      // of its frames, tags included
  std::uint32_t longest_frame;  // on its wire, SecTAG and ICV included
  TokenBucket icmp_tokens{icmp_per_second, icmp_burst};
  OutBatch to_wire;
  OutBatch to_companion;
  PortCounters counters;

  [[nodiscard]] bool clear() const noexcept { return settings.side == config::Side::clear; }
};

// Where packets to an address go, as the Fib of the burst says.
struct WayOut {
  bool known = false;
  IpAddress destination;
  NextHop next;
  const MacAddress* mac = nullptr;  // none: not asked for yet, or unresolved
  L2Template header;                // to it; with `mac`
};

// The same for a tunnel's peer, and what fits through it.
struct TunnelWay {
  std::uint32_t tunnel = tables::no_tunnel;
  std::uint32_t largest = 0;  // tunnel mode: the largest clear packet; 0: none
  WayOut way;
};

class Worker {
 public:
  explicit Worker(const PipelineSetup& setup);

  // Called by Pipeline; see there.
  void publish(const Fib* fib) noexcept { published_.store(fib, std::memory_order_release); }
  [[nodiscard]] std::vector<Pipeline::Unresolved> take_unresolved() { return unresolved_.take(); }
  [[nodiscard]] const PortCounters& counters(PortIndex port) const noexcept { return ports_[port]->counters; }
  void process(PortIndex port, Origin origin, std::span<Frame* const> frames) noexcept;
  std::uint32_t poll() noexcept;
  void tick() noexcept;
  [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_engine_ + waiting_.size(); }

 private:
  // ---- receive.cpp: Ethernet, MACsec classification, VLAN tags ----
  void begin_burst() noexcept;
  void receive(Frame& frame) noexcept;
  void receive_controlled(Frame& frame) noexcept;  // IEEE 802.1AE's controlled port: MACsec is off the frame
  void receive_arp(Frame& frame) noexcept;
  void receive_ip(Frame& frame, std::uint16_t ethertype) noexcept;
  // An IP packet behind frame.l2_length, padding trimmed. False: the frame has ended, and `ip` is nothing.
  [[nodiscard]] bool take_ip(Frame& frame, std::uint16_t ethertype, wire::IpPacket& ip) noexcept;
  [[nodiscard]] Reach reach(const Frame& frame, const wire::IpPacket& ip) noexcept;
  [[nodiscard]] Reach find_reach(const Frame& frame, const wire::IpPacket& ip) const noexcept;

  // ---- receive_clear.cpp: from the site ----
  void receive_clear(Frame& frame, const wire::IpPacket& ip, Reach whom) noexcept;

  // ---- receive_black.cpp: from the circuit ----
  void receive_black(Frame& frame, const wire::IpPacket& ip, Reach whom) noexcept;
  void receive_esp(Frame& frame, std::uint32_t spi) noexcept;
  void look_up_esp() noexcept;  // to the engine what receive_esp() took
  void receive_decapsulated(Frame& frame) noexcept;
  void deliver_decapsulated(Frame& frame, const wire::IpPacket& ip, PortIndex owner) noexcept;

  // ---- companion.cpp: from the kernel ----
  void receive_companion(Frame& frame) noexcept;
  void companion_ip(Frame& frame, std::uint16_t ethertype) noexcept;
  // Its own link-layer header goes out, with the port's VLAN tags.
  void send_as_addressed(Frame& frame, std::uint16_t ethertype, Verdict verdict) noexcept;

  // ---- policy.cpp: the SPD ----
  void policy_outbound(Frame& frame, const wire::IpPacket& ip, const tables::PolicyMatch& match) noexcept;
  void protect(Frame& frame, const wire::IpPacket& ip, const tables::PolicyMatch& match) noexcept;
  // What clear traffic from the black side may do: bypassed, request_clear, or the verdict of its drop.
  [[nodiscard]] Verdict policy_inbound_clear(const wire::IpPacket& ip) noexcept;
  // What came out of an SA must still be allowed by a policy: ok or the verdict of its drop.
  [[nodiscard]] static Verdict policy_inbound_decapsulated(tables::PolicyEntry* entry,
                                                           const wire::IpPacket& ip) noexcept;
  // Traffic between the site and the gateway itself does not cross the boundary: only a discard policy stops it.
  [[nodiscard]] bool discarded_by_policy(const wire::IpPacket& ip, wire::LocalSide local) noexcept;

  // ---- forward.cpp: routes, neighbours, MTU, headers ----
  void encapsulate(Frame& frame, const wire::IpPacket& ip, std::uint32_t tunnel, SaId sa) noexcept;
  void forward_clear(Frame& frame, const wire::IpPacket& ip, Verdict verdict) noexcept;  // no SA; from the clear side
  void forward_to_clear(Frame& frame, const wire::IpPacket& ip, Verdict verdict) noexcept;  // from the black side
  void route_to_clear(Frame& frame, const wire::IpPacket& ip, Verdict verdict) noexcept;    // from a routable source
  // Asks the Fib once for packets to one address behind each other: of a burst most are of one tunnel or of one flow.
  [[nodiscard]] WayOut& way_out(Family family, const std::uint8_t* destination) noexcept;
  // Its link address; null while unresolved.
  [[nodiscard]] const MacAddress* resolve(WayOut& way) noexcept;
  // The tunnel's way for the packets behind each other that take it.
  [[nodiscard]] TunnelWay& tunnel_way(std::uint32_t tunnel) noexcept;
  // The largest clear packet that a tunnel takes whose ESP leaves by `out`; 0 when none fits. `extra_header`: in
  // transport mode, what stands before ESP beside the IP header.
  [[nodiscard]] std::uint32_t largest_clear_packet(const TunnelState& tunnel, const WorkerPort& out,
                                                   std::uint32_t extra_header) const noexcept;
  [[nodiscard]] static bool write_header(Frame& frame, const wire::IpPacket& ip, const WorkerPort& out,
                                         const WayOut& way) noexcept;

  // ---- answer.cpp: what the gateway says itself ----
  void answer_with_error(const Frame& offending, const wire::IpPacket& ip, IcmpError error, std::uint32_t mtu) noexcept;
  void learn_path_mtu(const wire::IpPacket& ip) noexcept;
  void send_keepalive(std::uint32_t tunnel) noexcept;
  // An empty frame of ours, `length` bytes long, to leave by `port`; null when there is none.
  [[nodiscard]] Frame* make_frame(PortIndex port, std::uint32_t length) noexcept;

  // ---- engine_steps.cpp: in and out of the engine ----
  void submit(Frame& frame, Step step, const Stage& first, const Stage& second = {}) noexcept;
  std::uint32_t offer() noexcept;  // to the engine what waits for it; returns jobs finished at once
  void finished(Frame& frame) noexcept;
  void finished_ready(Frame& frame) noexcept;

  // ---- transmit.cpp: out of the pipeline ----
  // MACsec where the port has it (after `first`, if any), then the wire. `verdict` counts once it is sent.
  void send(Frame& frame, Verdict verdict, const Stage& first = {}) noexcept;
  void transmit(Frame& frame) noexcept;
  void punt(Frame& frame, PortIndex port, const MacAddress& destination, std::uint16_t ethertype,
            Verdict verdict) noexcept;
  void end(Frame& frame, Verdict verdict) noexcept;  // drops or consumes
  void count(const Frame& frame, Verdict verdict) noexcept;
  void flush_wire(WorkerPort& port) noexcept;
  void flush_companion(WorkerPort& port) noexcept;
  void flush_released() noexcept;
  void flush() noexcept;

  [[nodiscard]] WorkerPort& in_port(const Frame& frame) noexcept { return *ports_[frame.in_port]; }
  [[nodiscard]] WorkerPort& out_port(const Frame& frame) noexcept { return *ports_[frame.out_port]; }
  [[nodiscard]] Here here(const WorkerPort& port) const noexcept { return {*fib_, port.index, port.settings.mac}; }

  Engine& engine_;
  QueueId queue_;
  const tables::SpiTable& spi_table_;
  tables::Spd& spd_;
  std::span<const std::unique_ptr<TunnelState>> tunnels_;
  FrameIo& io_;
  Clock clock_;
  std::uint32_t engine_burst_;

  std::vector<std::unique_ptr<WorkerPort>> ports_;
  PortIndex first_clear_ = no_port;
  std::vector<std::uint16_t> udp_ports_;  // where ESP in UDP arrives: 4500 and what tunnels use
  std::vector<std::uint64_t> learnt_at_ns_;

  std::unique_ptr<const Fib> empty_fib_;
  std::atomic<const Fib*> published_;
  const Fib* fib_;  // of the current burst
  WayOut way_out_;  // the last ones of the current burst
  TunnelWay tunnel_way_;
  LastReach last_reach_;
  FlowMemory outbound_flows_;  // from the clear side's wire into a tunnel
  FlowMemory inbound_flows_;   // out of an SA to the clear side
  std::uint64_t now_ns_ = 0;
  std::uint64_t last_scan_ns_ = 0;

  EspBatch esp_;  // empty between bursts
  JobRing waiting_;
  std::uint32_t in_engine_ = 0;
  OutBatch released_;
  UnresolvedQueue unresolved_;
};

}  // namespace linecrypt::gateway
