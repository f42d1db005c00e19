// What an in-line packet's PacketInfo says beside the blocks' own words: `port` where it came in, `place` what becomes
// of it. A look-aside packet has 0 in both bits that say in-line, and passes the ports' steps unchanged.
#pragma once

#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/ports/course.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

namespace mark {
// PacketInfo::port
constexpr u8 in_line = 0x80;   // else look-aside
constexpr u8 injected = 0x40;  // by the host, to leave by the port below
constexpr u8 port = 0x01;
// PacketInfo::place of an in-line packet: 0 until a decision sent it somewhere.
constexpr u32 verdict = 0;            // 8 bits: what it counts as if the blocks agree, and what the host is told
constexpr u32 destination = 8;        // 2 bits: Destination
constexpr u64 validated = 1U << 10U;  // abi::host_frame
constexpr u64 decapsulated = 1U << 11U;
}  // namespace mark

inline bool is_in_line(const PacketInfo& info) {
  return info.kind == Kind::packet && (info.port & mark::in_line) != 0;
}
inline bool is_injected(const PacketInfo& info) {
  return (info.port & mark::injected) != 0;
}
inline Destination destination_of(const PacketInfo& info) {
  const u32 code = static_cast<u32>(info.place >> mark::destination) & 3U;
  return code == static_cast<u32>(Destination::wire)   ? Destination::wire
         : code == static_cast<u32>(Destination::host) ? Destination::host
                                                       : Destination::nowhere;
}
inline u8 verdict_of(const PacketInfo& info) {
  return static_cast<u8>(info.place >> mark::verdict);
}
inline bool is_pending(const PacketInfo& info) {
  return info.verdict == static_cast<u8>(VerdictCode::pending);
}

// A frame at the head of a chain.
inline PacketInfo new_packet(u32 length, u8 port) {
  PacketInfo info = {};
  info.kind = Kind::packet;
  info.length = static_cast<u16>(length);
  info.port = static_cast<u8>(mark::in_line | port);
  return info;
}

// The frame ends here.
inline void end(PacketInfo& info, VerdictCode verdict) {
  info.verdict = static_cast<u8>(verdict);
  info.verdict_stage = info.at;
  info.length = 0;
}

// The frame is sent where the course says. Operations are the caller's: without any, it is done.
inline void send(PacketInfo& info, const Course& course) {
  info.place |= static_cast<u64>(course.verdict) << mark::verdict | static_cast<u64>(course.to) << mark::destination;
  info.l2_length = course.l2;
  info.length = static_cast<u16>(bytes_of(course.cut));
}
inline void finish(PacketInfo& info, const Course& course) {
  info.verdict = static_cast<u8>(course.verdict);
  info.at = 2;
}

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
