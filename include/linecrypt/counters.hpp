// Counters with one writer: the worker that owns them adds with a plain load and store, anyone may read.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "linecrypt/verdict.hpp"

namespace linecrypt {

class Counter {
 public:
  // Owner thread only. The sum.
  std::uint64_t add(std::uint64_t n = 1) noexcept {
    const std::uint64_t sum = value_.load(std::memory_order_relaxed) + n;
    value_.store(sum, std::memory_order_relaxed);
    return sum;
  }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }
  void reset() noexcept { value_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// What an engine counts for one SA. MACsec's names (IEEE 802.1AE-2018 10.7.9, 10.7.18) are made from these by
// host/macsec.
struct SaCounters {
  Counter packets;          // accepted (ingress) or protected (egress)
  Counter bytes;            // their inner bytes, as LifetimeLimit::bytes
  Counter unchecked;        // MACsec: delivered without validation
  Counter delayed;          // MACsec: accepted below the lowest PN while replay protection is off
  Counter invalid;          // MACsec check: ICV bad, delivered (C clear)
  Counter validated_bytes;  // MACsec ingress: user data that went through the integrity check, not encrypted
  Counter decrypted_bytes;  // MACsec ingress: user data that was decrypted; both count failures too (10.6.3)
  Counter late;             // replay_late
  Counter duplicate;        // replay_duplicate
  Counter bad_icv;          // esp_bad_icv, macsec_not_valid
  Counter mismatch;         // selector_mismatch, esp_outer_mismatch
  Counter malformed;        // bad padding, next header, inner packet
  Counter exhausted;        // egress: lease_exhausted, number_exhausted, hard_expired
};

// One count per verdict, of one worker.
class VerdictCounters {
 public:
  void add(Verdict verdict, std::uint64_t n = 1) noexcept { counts_[static_cast<std::size_t>(verdict)].add(n); }
  [[nodiscard]] std::uint64_t get(Verdict verdict) const noexcept {
    return counts_[static_cast<std::size_t>(verdict)].get();
  }

 private:
  std::array<Counter, verdict_count> counts_{};
};

}  // namespace linecrypt
