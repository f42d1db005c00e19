// Lifetimes in packets and bytes (RFC 4301 4.4.2.1): the same as host/values/lifetimes.hpp.
#pragma once

#include "firmware_hls/tables/events.hpp"
#include "linecrypt/abi/sa_record.hpp"

namespace linecrypt {
namespace firmware {

struct Life {
  u64 packets;
  u64 bytes;
  bool expired;
  bool soft_reported;
};

// Counts one accepted packet. The packet that reaches a hard limit still passes; the SA stops behind it. Returns the
// events to raise. Precondition: the SA is not expired.
inline u8 account(Life& life, const abi::LifetimeEntry& limits, u64 bytes) {
  u8 events = 0;
  ++life.packets;
  life.bytes += bytes;
  const bool soft = (limits.soft_packets != 0 && life.packets >= limits.soft_packets) ||
                    (limits.soft_bytes != 0 && life.bytes >= limits.soft_bytes);
  const bool hard = (limits.hard_packets != 0 && life.packets >= limits.hard_packets) ||
                    (limits.hard_bytes != 0 && life.bytes >= limits.hard_bytes);
  if (soft && !life.soft_reported) {
    life.soft_reported = true;
    events = event::soft_lifetime;
  }
  if (hard) {
    life.expired = true;
    events = static_cast<u8>(events | event::hard_lifetime);
  }
  return events;
}

}  // namespace firmware
}  // namespace linecrypt
