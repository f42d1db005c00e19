// Bursts of messages through several providers at once: every answer must be the same to the bit.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/software/aead/provider.hpp"
#include "host/values/key_arena.hpp"

namespace linecrypt::test {

// One message of a burst. Where bytes come from is a place in the rig's noise, so that a case is small.
struct DifferentialCase {
  std::uint8_t key = 0;  // of the rig's keys
  std::uint8_t aad_head = 0;
  std::uint16_t aad_tail = 0;
  std::uint16_t size = 0;
  std::uint8_t shift = 0;  // of the buffers against a multiple of 64
  bool in_place = false;
  enum class Spoil : std::uint8_t { nothing, tag, text, aad, iv } spoil = Spoil::nothing;
  std::uint32_t spoiled_bit = 0;  // modulo the bits that are there
  std::uint32_t noise = 0;        // where text, associated data and IV begin
};

class DifferentialRig {
 public:
  static constexpr std::size_t keys = 48;
  static constexpr std::size_t largest_burst = 64;
  static constexpr std::size_t largest_text = 9216;
  static constexpr std::size_t largest_aad_tail = 2048;

  // The first provider is the oracle.
  DifferentialRig(std::vector<std::shared_ptr<software::AeadProvider>> providers, std::uint64_t seed);
  ~DifferentialRig();
  DifferentialRig(const DifferentialRig&) = delete;
  DifferentialRig& operator=(const DifferentialRig&) = delete;

  // New keys of mixed sizes.
  void rekey(std::uint64_t seed);
  // Seals the burst with each provider, and opens it, spoilt where the case says so. What differed, or "".
  std::string check(std::span<const DifferentialCase> burst);

 private:
  struct Side;

  void prepare(Side& side, std::span<const DifferentialCase> burst);
  std::string compare(std::span<const DifferentialCase> burst, bool opened);
  void release_keys();

  std::vector<std::uint8_t> noise_;
  std::vector<std::unique_ptr<Side>> sides_;
};

// A burst as random numbers make it: mostly small messages, sometimes jumbo frames.
class DifferentialSource {
 public:
  explicit DifferentialSource(std::uint64_t seed) : state_(seed) {}
  std::span<const DifferentialCase> next();

 private:
  std::uint64_t random();

  std::uint64_t state_;
  DifferentialCase burst_[DifferentialRig::largest_burst];
};

}  // namespace linecrypt::test
