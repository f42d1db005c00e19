// The bytes of journal and witness. Little-endian, fixed sizes that divide a sector, so that a record is never half in
// one. README.md says the same in words.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "host/keys/state_files.hpp"
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/lease.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::keys {

// What the journal knows of one space. Each record holds all of it; numbers only grow.
struct SpaceRecord {
  std::string label;
  Direction direction = Direction::egress;
  bool enrolled = false;
  std::uint64_t egress_next = 1;
  std::uint64_t egress_sent = 0;
  std::uint64_t ingress_mark = 0;
  bool operator==(const SpaceRecord&) const = default;
};
using SpaceRecords = std::map<NumberSpaceId, SpaceRecord>;

inline constexpr std::size_t journal_record_size = 256;
inline constexpr std::size_t journal_label_largest = 160;
inline constexpr std::size_t witness_slot_size = 4096;  // two of them, so that a torn write leaves one
inline constexpr std::size_t witness_content_size = 64;

// First record of a journal file.
struct JournalHeader {
  std::uint64_t generation = 0;  // one more each time the file is written anew
  std::uint64_t base = 0;        // sequence of the last record before this file
  std::uint64_t snapshot = 0;    // records that were durable before the file got its name
};

// How far the journal was when a lease was last returned.
struct Witness {
  std::uint64_t generation = 0;
  std::uint64_t sequence = 0;
  std::uint64_t identity = 0;  // of the journal file
};

using JournalBlock = std::array<std::uint8_t, journal_record_size>;
using WitnessBlock = std::array<std::uint8_t, witness_content_size>;

[[nodiscard]] JournalBlock encode(const Secret<32>& key, const JournalHeader& header);
// The record with this sequence in a file of this generation: neither place nor file can be another.
[[nodiscard]] JournalBlock encode(const Secret<32>& key, std::uint64_t generation, std::uint64_t sequence,
                                  const NumberSpaceId& space, const SpaceRecord& record);
[[nodiscard]] WitnessBlock encode(const Secret<32>& key, const Witness& witness);

enum class HeaderState : std::uint8_t { good, damaged, foreign };
HeaderState decode(const Secret<32>& key, std::span<const std::uint8_t> bytes, JournalHeader& header);
[[nodiscard]] std::optional<std::pair<NumberSpaceId, SpaceRecord>> decode(const Secret<32>& key,
                                                                          std::uint64_t generation,
                                                                          std::uint64_t sequence,
                                                                          std::span<const std::uint8_t> bytes);
[[nodiscard]] std::optional<Witness> decode_witness(const Secret<32>& key, std::span<const std::uint8_t> bytes);

}  // namespace linecrypt::keys
