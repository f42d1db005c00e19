#include "host/keys/journal_format.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "host/keys/hmac.hpp"
#include "linecrypt/wire/endian.hpp"

namespace linecrypt::keys {
namespace {

constexpr std::string_view header_magic = "LCJRNL01";
constexpr std::string_view witness_magic = "LCWTNS01";
constexpr std::size_t tag_size = 16;  // HMAC-SHA256, its first half
constexpr std::size_t tag_offset = journal_record_size - tag_size;

// Header: magic 8, generation 8, base 8, snapshot 8, host tag 16.
constexpr std::size_t host_tag_offset = 32;
// Record: version 1, direction 1, enrolled 1, label length 1, zero 4, sequence 8, space 32, then numbers and label.
constexpr std::uint8_t record_version = 1;
constexpr std::size_t sequence_offset = 8;
constexpr std::size_t space_offset = 16;
constexpr std::size_t numbers_offset = 48;
constexpr std::size_t label_offset = 72;
static_assert(label_offset + journal_label_largest <= tag_offset);
// Witness: magic 8, generation 8, sequence 8, identity 8, zero 16, tag 16.
constexpr std::size_t witness_tag_offset = witness_content_size - tag_size;

void store(std::uint8_t* at, std::uint64_t value) {
  std::memcpy(at, &value, sizeof value);
}
std::uint64_t load(const std::uint8_t* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void put_tag(std::uint8_t* at, const Digest& digest) {
  std::memcpy(at, digest.data(), tag_size);
}
bool tag_is(const std::uint8_t* at, const Digest& digest) {
  return equal_constant_time(at, digest.data(), tag_size);
}

Digest header_tag(const Secret<32>& key, std::span<const std::uint8_t> block) {
  return hmac(key, "journal header", {block.first(tag_offset)});
}
Digest host_tag(const Secret<32>& key) {
  return hmac(key, "journal host", {});
}
Digest record_tag(const Secret<32>& key, std::uint64_t generation, std::span<const std::uint8_t> block) {
  std::array<std::uint8_t, 8> place{};
  store(place.data(), generation);
  return hmac(key, "journal record", {place, block.first(tag_offset)});
}
Digest witness_tag(const Secret<32>& key, std::span<const std::uint8_t> block) {
  return hmac(key, "journal witness", {block.first(witness_tag_offset)});
}

}  // namespace

JournalBlock encode(const Secret<32>& key, const JournalHeader& header) {
  JournalBlock block{};
  std::memcpy(block.data(), header_magic.data(), header_magic.size());
  store(block.data() + 8, header.generation);
  store(block.data() + 16, header.base);
  store(block.data() + 24, header.snapshot);
  put_tag(block.data() + host_tag_offset, host_tag(key));
  put_tag(block.data() + tag_offset, header_tag(key, block));
  return block;
}

JournalBlock encode(const Secret<32>& key, std::uint64_t generation, std::uint64_t sequence, const NumberSpaceId& space,
                    const SpaceRecord& record) {
  JournalBlock block{};
  const std::size_t label_size = std::min(record.label.size(), journal_label_largest);
  block[0] = record_version;
  block[1] = static_cast<std::uint8_t>(record.direction);
  block[2] = record.enrolled ? 1 : 0;
  block[3] = static_cast<std::uint8_t>(label_size);
  store(block.data() + sequence_offset, sequence);
  std::memcpy(block.data() + space_offset, space.bytes.data(), space.bytes.size());
  store(block.data() + numbers_offset, record.egress_next);
  store(block.data() + numbers_offset + 8, record.egress_sent);
  store(block.data() + numbers_offset + 16, record.ingress_mark);
  std::memcpy(block.data() + label_offset, record.label.data(), label_size);
  put_tag(block.data() + tag_offset, record_tag(key, generation, block));
  return block;
}

WitnessBlock encode(const Secret<32>& key, const Witness& witness) {
  WitnessBlock block{};
  std::memcpy(block.data(), witness_magic.data(), witness_magic.size());
  store(block.data() + 8, witness.generation);
  store(block.data() + 16, witness.sequence);
  store(block.data() + 24, witness.identity);
  put_tag(block.data() + witness_tag_offset, witness_tag(key, block));
  return block;
}

HeaderState decode(const Secret<32>& key, std::span<const std::uint8_t> bytes, JournalHeader& header) {
  if (bytes.size() < journal_record_size || std::memcmp(bytes.data(), header_magic.data(), header_magic.size()) != 0) {
    return HeaderState::damaged;
  }
  if (!tag_is(bytes.data() + host_tag_offset, host_tag(key))) return HeaderState::foreign;
  if (!tag_is(bytes.data() + tag_offset, header_tag(key, bytes))) return HeaderState::damaged;
  header = {load(bytes.data() + 8), load(bytes.data() + 16), load(bytes.data() + 24)};
  return HeaderState::good;
}

std::optional<std::pair<NumberSpaceId, SpaceRecord>> decode(const Secret<32>& key, std::uint64_t generation,
                                                            std::uint64_t sequence,
                                                            std::span<const std::uint8_t> bytes) {
  if (bytes.size() < journal_record_size || bytes[0] != record_version) return std::nullopt;
  if (load(bytes.data() + sequence_offset) != sequence || bytes[3] > journal_label_largest) return std::nullopt;
  if (!tag_is(bytes.data() + tag_offset, record_tag(key, generation, bytes))) return std::nullopt;
  std::pair<NumberSpaceId, SpaceRecord> result;
  std::memcpy(result.first.bytes.data(), bytes.data() + space_offset, result.first.bytes.size());
  result.second.direction = static_cast<Direction>(bytes[1] & 1U);
  result.second.enrolled = bytes[2] != 0;
  result.second.egress_next = load(bytes.data() + numbers_offset);
  result.second.egress_sent = load(bytes.data() + numbers_offset + 8);
  result.second.ingress_mark = load(bytes.data() + numbers_offset + 16);
  result.second.label.assign(reinterpret_cast<const char*>(bytes.data()) + label_offset, bytes[3]);
  return result;
}

std::optional<Witness> decode_witness(const Secret<32>& key, std::span<const std::uint8_t> bytes) {
  if (bytes.size() < witness_content_size ||
      std::memcmp(bytes.data(), witness_magic.data(), witness_magic.size()) != 0 ||
      !tag_is(bytes.data() + witness_tag_offset, witness_tag(key, bytes))) {
    return std::nullopt;
  }
  return Witness{load(bytes.data() + 8), load(bytes.data() + 16), load(bytes.data() + 24)};
}

}  // namespace linecrypt::keys
