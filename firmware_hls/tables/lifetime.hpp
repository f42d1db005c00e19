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
  bool hard_reported;
};

// Says once that the SA stopped. Returns the events to raise.
inline u8 report_hard(Life& life, bool can_report) {
  if (life.hard_reported || !can_report) return 0;
  life.hard_reported = true;
  return event::hard_lifetime;
}

// Counts one accepted packet. The packet that reaches a hard limit still passes; the SA stops behind it. Returns the
// events to raise; while `can_report` is false they wait for a later packet. Precondition: the SA is not expired.
inline u8 account(Life& life, const abi::LifetimeEntry& limits, u64 bytes, bool can_report) {
  u8 events = 0;
  ++life.packets;
  life.bytes += bytes;
  const bool soft = (limits.soft_packets != 0 && life.packets >= limits.soft_packets) ||
                    (limits.soft_bytes != 0 && life.bytes >= limits.soft_bytes);
  const bool hard = (limits.hard_packets != 0 && life.packets >= limits.hard_packets) ||
                    (limits.hard_bytes != 0 && life.bytes >= limits.hard_bytes);
  if (soft && !life.soft_reported && can_report) {
    life.soft_reported = true;
    events = event::soft_lifetime;
  }
  if (hard) {
    life.expired = true;
    events = static_cast<u8>(events | report_hard(life, can_report));
  }
  return events;
}

}  // namespace firmware
}  // namespace linecrypt
