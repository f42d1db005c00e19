// What the measurements of `scale` share: SAs in numbers, and packets to send through them.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "linecrypt/engine.hpp"

namespace linecrypt::bench::scale {

// The two ends of a tunnel, both here: what `out` sends, `in` takes. `serial` makes the key and the SPI.
struct PairSas {
  Sa out;
  Sa in;
};
[[nodiscard]] PairSas make_pair_sas(std::uint64_t serial);

// Packets in memory of their own, a burst's worth of jobs over them.
class PacketPool {
 public:
  static constexpr std::uint32_t room = 128;
  PacketPool(std::uint32_t count, std::uint32_t size);
  // Packet i is the clear packet again.
  void reset(std::uint32_t i) noexcept;
  // One bit of packet i is another one.
  void spoil(std::uint32_t i) noexcept { packets_[i].data[packets_[i].length - 1] ^= 1U; }
  // Packet i came back as it was sent.
  [[nodiscard]] bool whole(std::uint32_t i) const noexcept;
  Job& prepare(std::uint32_t i, SaId sa, Operation operation) noexcept {
    Job& job = jobs_[i];
    job.stages[0] = {sa, operation};
    job.verdict = Verdict::pending;
    return job;
  }
  [[nodiscard]] Job* const* jobs() const noexcept { return pointers_.data(); }
  [[nodiscard]] Job& job(std::uint32_t i) noexcept { return jobs_[i]; }

 private:
  std::uint32_t stride_;
  std::vector<std::uint8_t> clear_;
  std::vector<std::uint8_t> memory_;
  std::vector<Packet> packets_;
  std::vector<Job> jobs_;
  std::vector<Job*> pointers_;
};

}  // namespace linecrypt::bench::scale
