// PortIo: the pipeline's FrameIo over mbufs: wires are DPDK devices, the kernel is reached by companion TAPs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host/gateway/kernel/companion_tap.hpp"
#include "host/gateway/pipeline/pipeline.hpp"
#include "host/gateway/pipeline/token_bucket.hpp"
#include "host/gateway/ports/buffers.hpp"
#include "host/gateway/ports/device.hpp"
#include "linecrypt/counters.hpp"

namespace linecrypt::gateway {

inline constexpr std::uint32_t burst_size = 32;

// Frames to the kernel are a system call each: a flood of broadcasts must not starve the wire. What exceeds this is
// dropped as tap_full.
inline constexpr std::uint32_t punts_per_second = 20000;
inline constexpr std::uint32_t punts_burst = 512;

class PortIo final : public FrameIo {
 public:
  struct Port {
    Device* device = nullptr;
    kernel::CompanionTap* companion = nullptr;
    std::uint32_t longest = 0;  // frame that the wire takes
    TokenBucket punts{punts_per_second, punts_burst};
    // Worker's; frames that ended before the pipeline saw them.
    Counter oversize;        // received in several buffers: longer than the port's MTU allows
    Counter refused_length;  // offered to the wire although too long for it
  };

  PortIo(std::vector<std::unique_ptr<Port>> ports, rte_mempool* pool) : ports_(std::move(ports)), pool_(pool) {}

  // ---- FrameIo, worker ----
  std::uint32_t transmit(PortIndex port, std::span<Frame* const> frames) override;
  std::uint32_t punt(PortIndex port, std::span<Frame* const> frames) override;
  void release(std::span<Frame* const> frames) override;
  Frame* allocate() override;

  // ---- worker's own ----
  // One burst from the wire, and from the companion; fills `frames`, returns how many.
  std::uint32_t receive(PortIndex port, std::span<Frame*> frames) noexcept;
  std::uint32_t receive_companion(PortIndex port, std::span<Frame*> frames) noexcept;
  void refill(std::uint64_t now_ns) noexcept;
  // Asks every wire used since the last call to finish what it was given.
  void kick() noexcept;

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(ports_.size()); }
  [[nodiscard]] Port& port(PortIndex index) noexcept { return *ports_[index]; }

 private:
  std::vector<std::unique_ptr<Port>> ports_;
  rte_mempool* pool_;
  std::uint64_t used_ = 0;  // bit per port: transmitted since the last kick
};

}  // namespace linecrypt::gateway
