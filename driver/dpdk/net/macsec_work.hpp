// What the two directions of a MacsecJob share.
#pragma once

#include "driver/dpdk/net/macsec_job.hpp"

namespace linecrypt::dpdk {

// The frame in one piece with that much room: the mbuf itself, or a bounce buffer. False: it is too long or not the
// caller's alone, or (`waits`) no bounce buffer is free.
bool hold_frame(MacsecJob& macsec, std::uint32_t front, std::uint32_t behind, BounceRing& bounces,
                bool& waits) noexcept;
void take_tags(MacsecJob& macsec, std::uint32_t count) noexcept;
void put_tags(MacsecJob& macsec) noexcept;
// Into the mbuf. False: it has not so much room.
bool give_frame(MacsecJob& macsec) noexcept;

// The session is the one the job was begun for: what it counts is its own.
[[nodiscard]] inline bool still_there(const MacsecJob& macsec) noexcept {
  return macsec.session->generation.load(std::memory_order_acquire) == macsec.generation;
}

MacsecEnd finish_protect(MacsecJob& macsec) noexcept;
MacsecEnd finish_validate(MacsecJob& macsec) noexcept;

// Between these a worker may look at rules and sessions.
class MacsecLook {
 public:
  MacsecLook(MacsecReaders& readers, std::uint32_t queue) noexcept : readers_(readers), queue_(queue) {
    readers_.enter(queue_);
  }
  ~MacsecLook() { readers_.leave(queue_); }
  MacsecLook(const MacsecLook&) = delete;
  MacsecLook& operator=(const MacsecLook&) = delete;

 private:
  MacsecReaders& readers_;
  std::uint32_t queue_;
};

}  // namespace linecrypt::dpdk
