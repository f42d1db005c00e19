// Pipeline: what the gateway does with a frame, free of DPDK: it runs over mbufs in linecryptd, over a file in
// `linecryptctl pcap`, over plain memory in tests.
//
//   clear wire -> checks -> SPD outbound -> route of the outer header -> ESP encapsulate -> MACsec protect -> black
//   wire black wire -> MACsec validate -> exemptions, own address -> ESP decapsulate -> SPD inbound -> route -> clear
//   wire companion  -> exemptions or SPD outbound -> (ESP encapsulate) -> MACsec protect -> its own port's wire
//
// One worker thread per pipeline. Bursts in, bursts out; every frame ends under exactly one verdict, counted on the
// port it came in.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/config/config.hpp"
#include "host/gateway/pipeline/fib.hpp"
#include "host/gateway/pipeline/frame.hpp"
#include "host/tables/secy.hpp"
#include "host/tables/spd.hpp"
#include "host/tables/spi_table.hpp"
#include "linecrypt/counters.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::gateway {

// What the pipeline asks of its surroundings; one virtual call per burst. Frames given away are no longer the
// pipeline's.
class FrameIo {
 public:
  virtual ~FrameIo() = default;
  // Sends on the wire; takes the first n (returned). The others stay the pipeline's.
  virtual std::uint32_t transmit(PortIndex port, std::span<Frame* const> frames) = 0;
  // Gives to the kernel through the port's companion TAP; likewise.
  virtual std::uint32_t punt(PortIndex port, std::span<Frame* const> frames) = 0;
  virtual void release(std::span<Frame* const> frames) = 0;
  // An empty frame with headroom for answers (ICMP), or null.
  virtual Frame* allocate() = 0;
};

struct PortSettings {
  std::string name;
  config::Side side = config::Side::clear;
  MacAddress mac;
  std::uint32_t mtu = 1500;
  std::vector<ClearVlanTag> vlan;  // every frame of this port carries them
  tables::Secy* secy = nullptr;    // MACsec on this port
};

// A tunnel at run time. The control thread switches the egress SA by one atomic write.
struct TunnelState {
  std::string name;
  IpAddress source;       // outer
  IpAddress destination;  // outer; changed by the control thread for NAT-T only while no frame is in flight
  EspMode mode = EspMode::tunnel;
  bool udp = false;
  std::uint16_t udp_source_port = 4500;
  std::uint16_t udp_destination_port = 4500;
  std::uint32_t path_mtu = 0;  // configured; 0: the outgoing port's
  std::uint32_t keepalive_seconds = 0;
  std::atomic<std::uint32_t> learnt_mtu{0};  // worker's: from black-side ICMP, forgotten after a while; 0: none
  std::atomic<std::uint64_t> egress_sa{0};   // generation << 32 | index; 0: none
  std::atomic<std::uint32_t> egress_spi{0};  // of that SA; what black-side ICMP must quote to be believed. 0: none
  std::uint64_t last_sent_ns = 0;            // worker's, for keepalives

  // Control thread: the SA that carries the tunnel from now on; an invalid id for none.
  void carry_with(SaId id, std::uint32_t spi) noexcept {
    egress_spi.store(id.valid() ? spi : 0, std::memory_order_relaxed);
    egress_sa.store(id.valid() ? std::uint64_t{id.generation} << 32U | id.index : 0, std::memory_order_release);
  }
};

struct PipelineSetup {
  Engine* engine = nullptr;
  QueueId queue{};
  const tables::SpiTable* spi_table = nullptr;
  tables::Spd* spd = nullptr;
  std::span<const std::unique_ptr<TunnelState>> tunnels;
  std::vector<PortSettings> ports;
  FrameIo* io = nullptr;
  Clock clock{};
};

// Per port; one writer (the worker).
struct PortCounters {
  Counter received_frames, received_bytes;        // from the wire
  Counter companion_frames, companion_bytes;      // from the companion TAP
  Counter transmitted_frames, transmitted_bytes;  // to the wire
  Counter punted_frames;                          // to the companion TAP
  Counter made_frames;                            // ICMP, keepalives: frames the gateway itself made
  VerdictCounters verdicts;                       // of frames that came in here (wire or companion)
};

class Pipeline {
 public:
  explicit Pipeline(const PipelineSetup& setup);
  ~Pipeline();

  // ---- control thread ----
  // Publishes a snapshot; the old one may be freed once the worker passed a quiescent point.
  void publish(const Fib* fib) noexcept;
  // Next hops the worker found unresolved since the last call (for the kernel to resolve), without duplicates, bounded.
  struct Unresolved {
    PortIndex port = no_port;
    IpAddress address;
  };
  [[nodiscard]] std::vector<Unresolved> take_unresolved();
  [[nodiscard]] const PortCounters& counters(PortIndex port) const noexcept;

  // ---- worker ----
  // Takes the frames (at most 64) and moves them as far as they go; what waits for the engine goes on in poll().
  void process(PortIndex port, Origin origin, std::span<Frame* const> frames) noexcept;
  // Takes finished jobs from the engine and moves them on; offers again what the engine did not accept. Returns jobs
  // finished.
  std::uint32_t poll() noexcept;
  // Once a millisecond or so: NAT-T keepalives, rate limiters.
  void tick() noexcept;
  // Jobs the engine holds plus frames waiting for it: 0 before a clean stop.
  [[nodiscard]] std::uint32_t in_flight() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linecrypt::gateway
