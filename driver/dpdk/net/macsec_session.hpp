// MacsecSession: one rte_security MACsec session and its SC, as workers see them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "driver/dpdk/common/esp_sessions.hpp"
#include "driver/dpdk/net/macsec_match.hpp"
#include "linecrypt/counters.hpp"
#include "linecrypt/macsec.hpp"

namespace linecrypt::dpdk {

// A counter with several writers: of frames that never reach the SC's queue.
class SharedCounter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }
  void reset() noexcept { value_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Frames at the controlled or the uncontrolled port, by destination (IEEE 802.1AE-2018 10.7.9, ifMIB's names).
template <typename Count>
struct PortCounts {
  Count unicast, multicast, broadcast, octets;

  void add(const std::uint8_t* destination, std::uint32_t length) noexcept {
    octets.add(length);
    if ((destination[0] & 1U) == 0)
      unicast.add();
    else if ((wire::load32(destination) & wire::load32(destination + 2)) == 0xffffffffU)
      broadcast.add();
    else
      multicast.add();
  }
  void reset() noexcept {
    for (Count* one : {&unicast, &multicast, &broadcast, &octets}) one->reset();
  }
};

// What workers raise for the application, one bit each; the order of rte_eth_event_macsec_subtype first.
enum class MacsecNote : std::uint8_t {
  sectag_version,
  sectag_c_without_e,
  sectag_short_length,
  sectag_es_with_sc,
  sectag_scb_with_sc,
  sa_not_valid,
  receive_soft,
  receive_hard,
  transmit_hard,
};
inline constexpr std::uint32_t macsec_notes = 9;

// An SaId in one word, so that it is published by one atomic write. 0: none.
[[nodiscard]] constexpr std::uint64_t pack(SaId id) noexcept {
  return (std::uint64_t{id.generation} << 32U) | id.index;
}
[[nodiscard]] constexpr SaId unpack(std::uint64_t word) noexcept {
  return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32U)};
}

// Where an SA of the SC stands. Ingress: by AN. Egress: 0 the first one (sa_id), 1 the one that follows (sa_id_rekey).
struct MacsecPlace {
  std::atomic<std::uint64_t> sa{0};  // packed; written last
  // Egress. The number of the next frame is planned - drift: `planned` counts frames that were begun, and the engine
  // tells of each how far that is from the number it took.
  std::atomic<std::uint64_t> planned{0};
  std::atomic<std::uint64_t> drift{0};
  std::atomic<std::uint64_t> limit{0};          // with a follower, its numbers stop before this one
  std::atomic<std::uint32_t> until_renewal{0};  // under the queue's lock
  std::atomic<bool> hard_told{false};           // its last number was used, or came
  // Ingress.
  std::atomic<bool> soft_told{false};  // under the queue's lock
  SharedCounter not_using;             // frames for it while there was none: dropped
  SharedCounter unused;                // or delivered

  [[nodiscard]] std::uint64_t next() const noexcept {
    return planned.load(std::memory_order_relaxed) - drift.load(std::memory_order_relaxed);
  }
};

struct alignas(64) MacsecSession {
  static constexpr std::uint32_t places_most = 4;

  // ---- written before the generation and before any rule leads here ----
  std::atomic<std::uint32_t> generation{0};  // of the session here; 0: none
  bool egress = false;
  bool wide = false;          // 64-bit numbers
  bool active = false;        // its SC is
  bool control_port = false;  // ingress
  bool protect = false;       // egress
  bool behind_vlans = false;  // egress, see MacsecSettings
  bool rekey = false;         // egress: place 1 follows place 0, and place 0 that one
  ValidateFrames validate = ValidateFrames::strict;
  std::uint32_t clear_tags = 0;
  std::uint32_t mtu = 0;
  std::uint32_t tag_size = 0;  // of our SecTAG
  std::uint64_t sci = 0;
  std::uint64_t soft_limit = 0;   // the next number at which an SA is to be replaced
  std::uint64_t last_number = 0;  // of the space
  std::uint64_t userdata = 0;
  std::atomic<bool>* any_notes = nullptr;
  // ---- workers ----
  std::atomic<std::uint32_t> queue{no_queue};  // the engine's queue that its SAs belong to: the first user's
  std::atomic<std::uint32_t> current{0};       // egress: the place that transmits
  std::atomic<std::uint32_t> notes{0};         // bits of MacsecNote
  std::array<MacsecPlace, places_most> places;
  // Of frames that were decided without the engine; ingress but for the last three.
  SharedCounter untagged, no_tag, bad_tag, no_sa, no_sa_error, control, tagged_control, port_disabled;
  SharedCounter out_untagged, out_too_long, out_no_sa;
  PortCounts<SharedCounter> outside_shared;  // the uncontrolled port
  PortCounts<SharedCounter> inside_shared;   // the controlled port
  // Under the queue's lock.
  Counter hits;  // frames that went to an SA
  PortCounts<Counter> outside;
  PortCounts<Counter> inside;

  [[nodiscard]] std::uint32_t queue_for(std::uint32_t mine) noexcept {
    std::uint32_t owner = queue.load(std::memory_order_relaxed);
    if (owner == no_queue && queue.compare_exchange_strong(owner, mine, std::memory_order_relaxed)) return mine;
    return owner;
  }
  // Bursts of one kind are told once.
  void note(MacsecNote kind) noexcept {
    const std::uint32_t bit = 1U << static_cast<std::uint32_t>(kind);
    if ((notes.load(std::memory_order_relaxed) & bit) != 0) return;
    notes.fetch_or(bit, std::memory_order_relaxed);
    any_notes->store(true, std::memory_order_release);
  }
  void reset_counts() noexcept {
    for (SharedCounter* one : {&untagged, &no_tag, &bad_tag, &no_sa, &no_sa_error, &control, &tagged_control,
                               &port_disabled, &out_untagged, &out_too_long, &out_no_sa})
      one->reset();
    outside_shared.reset();
    inside_shared.reset();
    hits.reset();
    outside.reset();
    inside.reset();
  }
};

// What lies in an rte_security_session of ours.
struct MacsecHandle {
  MacsecSession* session;
  std::uint32_t generation;
};

// The rules of one direction, the first that matches first. Never changed: replaced.
struct MacsecRuleEntry {
  MacsecMatch match;
  MacsecSession* session = nullptr;
  std::uint64_t sci = 0;
};

}  // namespace linecrypt::dpdk
