#include "tools/linecrypt-bench/scale_work/sas.hpp"

#include <array>
#include <cstring>

#include "linecrypt/wire/checksum.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/ipv4.hpp"

namespace linecrypt::bench::scale {
namespace {

// SplitMix64: keys that differ, nothing more. These SAs protect nothing.
std::uint64_t mix(std::uint64_t value) noexcept {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

EspSa one_end(std::uint64_t serial, Direction direction) {
  std::array<std::uint8_t, 16> key{};
  wire::store64(key.data(), mix(serial));
  wire::store64(key.data() + 8, serial);
  std::array<std::uint8_t, 4> salt{};
  wire::store32(salt.data(), static_cast<std::uint32_t>(mix(serial) >> 17U));
  EspSa sa;
  sa.spi = static_cast<std::uint32_t>(serial % 0xfffffe00U) + 0x100;
  sa.direction = direction;
  sa.algorithm = EspAlgorithm::aes_gcm_128;
  sa.key = Secret<32>(key);
  sa.salt = Secret<4>(salt);
  sa.source.bytes = {192, 0, 2, 1};
  sa.destination.bytes = {198, 51, 100, 1};
  return sa;
}

std::vector<std::uint8_t> clear_packet(std::uint32_t size) {
  std::vector<std::uint8_t> packet(size);
  for (std::uint32_t i = 0; i < size; ++i) packet[i] = static_cast<std::uint8_t>(mix(i));
  packet[0] = 0x45;
  packet[1] = 0;
  wire::store16(packet.data() + wire::ipv4_total_length, static_cast<std::uint16_t>(size));
  wire::store16(packet.data() + wire::ipv4_fragment, wire::ipv4_flag_df);
  packet[wire::ipv4_ttl] = 64;
  packet[wire::ipv4_protocol] = 17;
  wire::ipv4_set_checksum(packet.data(), wire::ipv4_size);
  return packet;
}

}  // namespace

PairSas make_pair_sas(std::uint64_t serial) {
  return {one_end(serial, Direction::egress), one_end(serial, Direction::ingress)};
}

PacketPool::PacketPool(std::uint32_t count, std::uint32_t size)
    : stride_((size + 2 * room + 63) / 64 * 64),
      clear_(clear_packet(size)),
      memory_(std::size_t{count} * stride_),
      packets_(count),
      jobs_(count),
      pointers_(count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    jobs_[i].source = jobs_[i].destination = &packets_[i];
    jobs_[i].l2_length = 0;
    pointers_[i] = &jobs_[i];
    reset(i);
  }
}

void PacketPool::reset(std::uint32_t i) noexcept {
  const auto size = static_cast<std::uint32_t>(clear_.size());
  std::uint8_t* const data = memory_.data() + std::size_t{i} * stride_ + room;
  std::memcpy(data, clear_.data(), size);
  packets_[i] = {data, size, room, stride_ - room - size, nullptr};
}

bool PacketPool::whole(std::uint32_t i) const noexcept {
  const Packet& packet = packets_[i];
  return packet.length == clear_.size() && std::memcmp(packet.data, clear_.data(), clear_.size()) == 0;
}

}  // namespace linecrypt::bench::scale
