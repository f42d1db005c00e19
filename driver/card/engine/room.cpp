#include "driver/card/engine/room.hpp"

#include <algorithm>
#include <cstring>

#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ip_packet.hpp"

namespace linecrypt::card {
namespace {

// RFC 4303 2.4: text, padding to 4 bytes, pad length and next header.
constexpr std::uint32_t text_length(std::uint32_t clear) noexcept {
  return (clear + wire::esp_trailer_size + 3) / 4 * 4;
}

void grow(Room& room, std::uint32_t front, std::uint32_t new_length) noexcept {
  const std::uint32_t end = room.headroom + room.length + room.tailroom;
  room.headroom -= front;
  room.length = new_length;
  room.tailroom = end - room.headroom - new_length;
}

}  // namespace

// 1. The most that the stage may add: nearly every packet has it.
// 2. Else exactly, as the software engine measures it. What is no valid IP packet is the card's to refuse.
bool take_room(const SaPlan& plan, const std::uint8_t* data, std::uint32_t l2_length, Room& room) noexcept {
  // 1.
  const std::uint32_t inner = room.length - std::min(l2_length, room.length);
  const std::uint32_t tfc = plan.tfc_pad_to > inner ? plan.tfc_pad_to - inner : 0;
  if (room.headroom >= plan.front && room.tailroom >= plan.behind + tfc) {
    grow(room, plan.front, room.length + plan.front + plan.behind + tfc);
    return true;
  }
  // 2.
  if (plan.operation != Operation::esp_encapsulate) return false;
  if (l2_length >= room.length) return true;
  const wire::IpPacket ip = wire::parse_ip(data + l2_length, room.length - l2_length, plan.inner_checksum);
  if (!ip.valid) return true;
  const std::uint32_t kept = l2_length + (plan.tunnel ? 0 : ip.esp_offset);
  const std::uint32_t clear =
      plan.tunnel ? std::max<std::uint32_t>(ip.total_length, plan.tfc_pad_to) : ip.total_length - ip.esp_offset;
  const std::uint32_t behind = kept + text_length(clear) + esp_icv_size;
  if (room.headroom < plan.front || room.length + room.tailroom < behind) return false;
  grow(room, plan.front, plan.front + behind);
  return true;
}

bool deliver(Packet& destination, const std::uint8_t* result, std::uint32_t length, std::uint32_t front) noexcept {
  const std::uint32_t all = destination.headroom + destination.length + destination.tailroom;
  if (length > all) return false;
  std::uint32_t at = destination.headroom - std::min(front, destination.headroom);
  if (at + length > all) at = all - length;
  std::uint8_t* const begin = destination.data - destination.headroom;
  std::memcpy(begin + at, result, length);
  destination.data = begin + at;
  destination.headroom = at;
  destination.length = length;
  destination.tailroom = all - at - length;
  return true;
}

}  // namespace linecrypt::card
