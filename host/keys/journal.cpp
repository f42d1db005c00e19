#include "host/keys/journal.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace linecrypt::keys {
namespace {

constexpr const char* journal_file = "journal";
constexpr const char* journal_new_file = "journal.new";
constexpr const char* witness_file = "witness";
constexpr const char* witness_new_file = "witness.new";

// Later records win; numbers never go back, whatever the order.
void merge(SpaceRecords& spaces, const NumberSpaceId& space, const SpaceRecord& record) {
  const auto [at, fresh] = spaces.try_emplace(space, record);
  if (fresh) return;
  SpaceRecord& known = at->second;
  known.label = record.label;
  known.direction = record.direction;
  known.enrolled = record.enrolled;
  known.egress_next = std::max(known.egress_next, record.egress_next);
  known.egress_sent = std::max(known.egress_sent, record.egress_sent);
  known.ingress_mark = std::max(known.ingress_mark, record.ingress_mark);
}

}  // namespace

Error Journal::refused(const std::string& what) const {
  return Error{fmt::format(
      "{0}/journal: {1}. Numbers that were used may be missing from it, so none of its static keys can go on: give "
      "each a new value, move {0}/journal and {0}/witness away, and enroll the keys again (linecryptctl key enroll)",
      files_.directory(), what)};
}

Result<std::unique_ptr<Journal>> Journal::open(StateFiles& files, Secret<32> key) {
  std::unique_ptr<Journal> journal(new Journal(files, std::move(key)));
  if (auto loaded = journal->load(); !loaded) return loaded.error();
  return journal;
}

// 1. An empty journal gets its name. 2. Then its witness: a crash between the two leaves a journal that lends nothing.
Result<void> Journal::create() {
  header_ = {1, 0, 0};
  spaces_.clear();
  sequence_ = 0;
  if (auto made = files_.create(journal_new_file, encode(key_, header_)); !made) return made;
  if (auto renamed = files_.rename(journal_new_file, journal_file); !renamed) return renamed;
  return files_.sync_directory();
}

Result<void> Journal::read_witness(bool& present) {
  const auto bytes = files_.read(witness_file, 0);
  if (!bytes) return bytes.error();
  present = bytes->has_value();
  if (!present) return {};
  std::optional<Witness> newest;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const std::size_t offset = slot * witness_slot_size;
    if ((*bytes)->size() < offset) break;
    const auto found = decode_witness(key_, std::span<const std::uint8_t>(**bytes).subspan(offset));
    if (!found) continue;
    const auto order = [](const Witness& w) { return std::pair(w.generation, w.sequence); };
    if (newest && order(*newest) >= order(*found)) continue;
    newest = found;
    witness_slot_ = slot;
  }
  if (!newest) return refused("its witness file is damaged or of another host");
  witness_ = *newest;
  return {};
}

// The older of the two slots is overwritten: a torn write leaves the newer one.
Result<void> Journal::write_witness(const Witness& witness) {
  const std::size_t slot = 1 - witness_slot_;
  if (auto written = files_.write(witness_file, slot * witness_slot_size, encode(key_, witness)); !written) {
    return written;
  }
  witness_ = witness;
  witness_slot_ = slot;
  return {};
}

// 1. Both files, or neither. 2. The header says whose it is. 3. The records. 4. Against the witness: every acknowledged
// record is there, in the file that was written then. 5. A torn tail is cut by writing the file anew; so is a file that
// a write has failed on.
Result<void> Journal::load() {
  trusted_ = false;
  // 1.
  bool witnessed = false;
  if (auto read = read_witness(witnessed); !read) return read;
  auto bytes = files_.read(journal_file, 0);
  if (!bytes) return bytes.error();
  const bool fresh = !bytes->has_value();
  if (fresh && witnessed) return refused("missing, while its witness says that it held records");
  if (fresh) {
    if (auto made = create(); !made) return made;
    bytes = files_.read(journal_file, 0);
    if (!bytes) return bytes.error();
    if (!bytes->has_value()) return Error{files_.directory() + "/journal: vanished while it was created"};
  }
  const auto identity = files_.identity(journal_file);
  if (!identity) return identity.error();
  identity_ = identity->value_or(0);
  // 2.
  const std::span<const std::uint8_t> content(**bytes);
  JournalHeader header;
  switch (decode(key_, content, header)) {
    case HeaderState::foreign:
      return refused("of another host: it was written under another host.key");
    case HeaderState::damaged:
      return refused("its header is damaged");
    case HeaderState::good:
      break;
  }
  if (!witnessed) {
    if (header.generation != 1 || content.size() != journal_record_size) {
      return refused("its witness file is missing");
    }
    WitnessBlock first = encode(key_, Witness{header.generation, 0, identity_});
    if (auto made = files_.create(witness_new_file, first); !made) return made;
    if (auto renamed = files_.rename(witness_new_file, witness_file); !renamed) return renamed;
    if (auto synced = files_.sync_directory(); !synced) return synced;
    witness_ = {header.generation, 0, identity_};
    witness_slot_ = 0;
  }
  if (header.generation < witness_.generation) {
    return refused(fmt::format("rolled back: it is generation {}, its witness has seen {}", header.generation,
                               witness_.generation));
  }
  // 3. and 4.
  bool torn = false;
  if (auto read = read_records(content, header, torn); !read) return read;
  const bool same = header.generation == witness_.generation;
  if (same && sequence_ < witness_.sequence) {
    return refused(
        fmt::format("rolled back or cut: it ends at record {}, its witness has seen {}", sequence_, witness_.sequence));
  }
  if (same && identity_ != witness_.identity) {
    return refused("a copy, not the file that was written last (restored from a backup?)");
  }
  // 5.
  trusted_ = true;
  return torn || header.generation != witness_.generation ? compact() : Result<void>();
}

Result<void> Journal::read_records(std::span<const std::uint8_t> bytes, const JournalHeader& header, bool& torn) {
  header_ = header;
  sequence_ = header.base;
  spaces_.clear();
  std::size_t at = journal_record_size;
  for (; bytes.size() - at >= journal_record_size; at += journal_record_size) {
    const auto record = decode(key_, header.generation, sequence_ + 1, bytes.subspan(at, journal_record_size));
    if (!record) break;
    merge(spaces_, record->first, record->second);
    ++sequence_;
  }
  torn = at != bytes.size();
  const bool in_snapshot = records() < header.snapshot;
  const bool acknowledged = header.generation == witness_.generation && sequence_ < witness_.sequence;
  if (torn && (in_snapshot || acknowledged)) {
    return refused(fmt::format("record {} at byte {} is damaged, and it had been acknowledged", sequence_ + 1, at));
  }
  if (in_snapshot) {
    return refused(fmt::format("cut: it holds {} of the {} records it began with", records(), header.snapshot));
  }
  if (torn) {
    messages_.push_back(fmt::format(
        "{}/journal: the last {} bytes were torn, by a loss of power or a failed write, before any of their numbers "
        "was lent; they were cut",
        files_.directory(), bytes.size() - at));
  }
  return {};
}

Result<void> Journal::refresh() {
  if (!trusted_) {
    if (auto loaded = load(); !loaded) return loaded;
    // What a failed write left on disk is unknown, even where it reads well.
    return compact();
  }
  // 1. Written anew by another process: all of it. 2. Else what was appended; anything odd: all of it.
  const auto identity = files_.identity(journal_file);
  if (!identity) return identity.error();
  if (identity->value_or(0) != identity_) return load();
  const auto tail = files_.read(journal_file, (records() + 1) * journal_record_size);
  if (!tail) return tail.error();
  if (!tail->has_value()) return load();
  std::span<const std::uint8_t> rest(**tail);
  if (rest.empty()) return {};
  while (rest.size() >= journal_record_size) {
    const auto record = decode(key_, header_.generation, sequence_ + 1, rest.first(journal_record_size));
    if (!record) break;
    merge(spaces_, record->first, record->second);
    ++sequence_;
    rest = rest.subspan(journal_record_size);
  }
  if (!rest.empty()) return load();
  bool present = false;
  return read_witness(present);
}

Result<void> Journal::append(std::span<const Change> changes) {
  if (!trusted_) return Error{files_.directory() + "/journal: a write failed before; it is not written until re-read"};
  if (changes.empty()) return {};
  // 1. A long file is written anew first.
  if (records() >= compaction_threshold_ && records() >= 8 * spaces_.size()) {
    if (auto compacted = compact(); !compacted) return compacted;
  }
  // 2. The batch.
  Bytes bytes;
  bytes.reserve(changes.size() * journal_record_size);
  std::uint64_t sequence = sequence_;
  for (const Change& change : changes) {
    const JournalBlock block = encode(key_, header_.generation, ++sequence, change.space, change.record);
    bytes.insert(bytes.end(), block.begin(), block.end());
  }
  trusted_ = false;
  if (auto written = files_.write(journal_file, (records() + 1) * journal_record_size, bytes); !written) return written;
  // 3. The witness, before anyone learns of it.
  if (auto written = write_witness({header_.generation, sequence, identity_}); !written) return written;
  trusted_ = true;
  sequence_ = sequence;
  for (const Change& change : changes) merge(spaces_, change.space, change.record);
  return {};
}

// A crash leaves the old file under its witness, or the new one ahead of it; both tell all that was acknowledged.
Result<void> Journal::compact() {
  trusted_ = false;
  // 1. All spaces into a new file, durable before it gets the name.
  const JournalHeader header{std::max(header_.generation, witness_.generation) + 1, sequence_, spaces_.size()};
  const JournalBlock first = encode(key_, header);
  Bytes bytes(first.begin(), first.end());
  std::uint64_t sequence = sequence_;
  for (const auto& [space, record] : spaces_) {
    const JournalBlock block = encode(key_, header.generation, ++sequence, space, record);
    bytes.insert(bytes.end(), block.begin(), block.end());
  }
  if (auto made = files_.create(journal_new_file, bytes); !made) return made;
  // 2. The name, durable.
  if (auto renamed = files_.rename(journal_new_file, journal_file); !renamed) return renamed;
  if (auto synced = files_.sync_directory(); !synced) return synced;
  const auto identity = files_.identity(journal_file);
  if (!identity) return identity.error();
  // 3. The witness.
  if (auto written = write_witness({header.generation, sequence, identity->value_or(0)}); !written) return written;
  header_ = header;
  sequence_ = sequence;
  identity_ = identity->value_or(0);
  trusted_ = true;
  return {};
}

}  // namespace linecrypt::keys
