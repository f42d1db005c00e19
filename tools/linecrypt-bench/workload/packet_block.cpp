#include "tools/linecrypt-bench/workload/packet_block.hpp"

#include <sys/mman.h>

#include <cstring>
#include <new>

#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ipv4.hpp"
#include "linecrypt/wire/udp.hpp"

namespace linecrypt::bench {
namespace {

// An odd number of cache lines, so that packets of one burst do not fall upon the same cache sets.
std::size_t stride_of(std::uint32_t largest) {
  const std::size_t lines = (PacketBlock::headroom + largest + PacketBlock::tailroom + 63) / 64;
  return (lines | 1U) * 64;
}

void fill(std::uint8_t* p, std::size_t size, std::uint32_t number) {
  std::uint64_t state = (number + 1) * std::uint64_t{0x9e3779b97f4a7c15};
  for (std::size_t i = 0; i < size; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    p[i] = static_cast<std::uint8_t>(state >> 56U);
  }
}

void write_ethernet(std::uint8_t* p, std::uint16_t type) {
  constexpr std::uint8_t addresses[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
  std::memcpy(p, addresses, sizeof addresses);
  wire::store16(p + wire::ethertype_offset, type);
}

}  // namespace

void PacketBlock::Unmap::operator()(std::uint8_t* memory) const {
  (void)::munmap(memory, size);
}

PacketBlock::PacketBlock(std::uint32_t count, std::uint32_t largest)
    : stride_(stride_of(largest)), memory_(nullptr, Unmap{0}), packets_(count), jobs_(count), pointers_(count) {
  const std::size_t size = stride_ * count;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  (void)::madvise(memory, size, MADV_NOHUGEPAGE);
  memory_ = {static_cast<std::uint8_t*>(memory), Unmap{size}};
  std::memset(memory, 0, size);
  for (std::uint32_t i = 0; i < count; ++i) {
    reset(i, largest);
    pointers_[i] = &jobs_[i];
  }
}

void PacketBlock::reset(std::uint32_t i, std::uint32_t length) noexcept {
  const auto room = static_cast<std::uint32_t>(stride_) - headroom;
  packets_[i] = {place(i), length, headroom, room - length, nullptr};
}

void PacketBlock::put(std::uint32_t i, std::span<const std::uint8_t> bytes) noexcept {
  reset(i, static_cast<std::uint32_t>(bytes.size()));
  std::memcpy(packets_[i].data, bytes.data(), bytes.size());
}

void PacketBlock::ask(std::uint32_t i, Stage first, Stage second, std::uint16_t l2_length) noexcept {
  Job& job = jobs_[i];
  job.source = job.destination = &packets_[i];
  job.stages = {first, second};
  job.l2_length = l2_length;
  job.verdict = Verdict::pending;
}

Bytes ipv4_packet(std::uint32_t size, std::uint32_t number) {
  Bytes packet(wire::ethernet_size + size);
  write_ethernet(packet.data(), wire::ethertype_ipv4);
  std::uint8_t* ip = packet.data() + wire::ethernet_size;
  ip[0] = 0x45;
  wire::store16(ip + wire::ipv4_total_length, static_cast<std::uint16_t>(size));
  wire::store16(ip + wire::ipv4_fragment, wire::ipv4_flag_df);
  ip[wire::ipv4_ttl] = 64;
  ip[wire::ipv4_protocol] = wire::protocol_udp;
  constexpr std::uint8_t ends[] = {10, 1, 0, 10, 10, 2, 0, 10};
  std::memcpy(ip + wire::ipv4_source, ends, sizeof ends);
  wire::ipv4_set_checksum(ip, wire::ipv4_size);
  std::uint8_t* udp = ip + wire::ipv4_size;
  wire::store16(udp + wire::udp_source_port, 4000);
  wire::store16(udp + wire::udp_destination_port, 5000);
  wire::store16(udp + wire::udp_length, static_cast<std::uint16_t>(size - wire::ipv4_size));
  fill(udp + wire::udp_size, size - wire::ipv4_size - wire::udp_size, number);
  return packet;
}

Bytes ethernet_frame(std::uint32_t size, std::uint32_t number) {
  Bytes frame(size);
  write_ethernet(frame.data(), 0x88b5);  // IEEE 802's type for local experiments
  fill(frame.data() + wire::ethernet_size, size - wire::ethernet_size, number);
  return frame;
}

}  // namespace linecrypt::bench
