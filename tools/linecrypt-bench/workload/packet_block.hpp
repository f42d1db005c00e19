// PacketBlock: packets with room around them, side by side in one piece of memory, and a job for each.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "linecrypt/packet.hpp"

namespace linecrypt::bench {

using Bytes = std::vector<std::uint8_t>;

class PacketBlock {
 public:
  static constexpr std::uint32_t headroom = 128;
  static constexpr std::uint32_t tailroom = 128;

  // `count` packets of at most `largest` bytes. Pages of the ordinary size: peers have them too.
  PacketBlock(std::uint32_t count, std::uint32_t largest);

  [[nodiscard]] std::uint32_t count() const noexcept { return static_cast<std::uint32_t>(jobs_.size()); }
  [[nodiscard]] Packet& packet(std::uint32_t i) noexcept { return packets_[i]; }
  [[nodiscard]] Job& job(std::uint32_t i) noexcept { return jobs_[i]; }
  [[nodiscard]] std::span<Job* const> pointers() const noexcept { return pointers_; }
  [[nodiscard]] std::span<const std::uint8_t> bytes(std::uint32_t i) const noexcept {
    return {packets_[i].data, packets_[i].length};
  }

  // Packet i becomes `length` bytes at its first place, whatever a stage did to it; what they hold stays.
  void reset(std::uint32_t i, std::uint32_t length) noexcept;
  // The same, and it holds `bytes`.
  void put(std::uint32_t i, std::span<const std::uint8_t> bytes) noexcept;
  // Job i: in place, one or two stages, not done.
  void ask(std::uint32_t i, Stage first, Stage second = {}, std::uint16_t l2_length = 14) noexcept;

 private:
  struct Unmap {
    std::size_t size;
    void operator()(std::uint8_t* memory) const;
  };
  [[nodiscard]] std::uint8_t* place(std::uint32_t i) const noexcept { return memory_.get() + i * stride_ + headroom; }

  std::size_t stride_;
  std::unique_ptr<std::uint8_t, Unmap> memory_;
  std::vector<Packet> packets_;
  std::vector<Job> jobs_;
  std::vector<Job*> pointers_;
};

// An IPv4 packet of `size` bytes with UDP in it behind an Ethernet header, and an Ethernet frame of `size` bytes
// without FCS. Both have bytes of their own for each `number`; smallest sizes are 28 and 46.
[[nodiscard]] Bytes ipv4_packet(std::uint32_t size, std::uint32_t number);
[[nodiscard]] Bytes ethernet_frame(std::uint32_t size, std::uint32_t number);

}  // namespace linecrypt::bench
