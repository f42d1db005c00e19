// Journal: what must be known after a crash of every static key's number space.
//
// The order of writes is what makes it safe:
//   1. records of one batch, appended; fdatasync        2. the witness; fdatasync        3. only now the leases go out
// So a record that the witness covers was acknowledged and must be there whole; a torn record beyond it belongs to a
// batch whose leases nobody has seen, and losing it harms nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/keys/journal_format.hpp"
#include "host/keys/state_files.hpp"
#include "linecrypt/result.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::keys {

// All functions under the state directory's lock: other processes append too.
class Journal {
 public:
  // Reads the journal, or creates it when neither it nor a witness exists. Refuses what may have lost an acknowledged
  // record, naming what was found. `files` outlives it.
  static Result<std::unique_ptr<Journal>> open(StateFiles& files, Secret<32> key);

  // Takes in what other processes wrote since the last call. After a failed write: reads all anew and writes it to a
  // fresh file, because what the failed one holds on disk is unknown.
  Result<void> refresh();

  // Makes new states of spaces durable, all in one batch; on an error none may be relied on, and refresh() must succeed
  // before the next. Call refresh() first.
  struct Change {
    NumberSpaceId space;
    SpaceRecord record;
  };
  Result<void> append(std::span<const Change> changes);

  [[nodiscard]] const SpaceRecords& spaces() const noexcept { return spaces_; }
  // A torn tail was cut, moved out.
  [[nodiscard]] std::vector<std::string> take_messages() { return std::exchange(messages_, {}); }

  // The file is written anew once it holds so many records and eight times as many as there are spaces.
  void set_compaction_threshold(std::uint64_t records) { compaction_threshold_ = records; }

 private:
  Journal(StateFiles& files, Secret<32> key) : files_(files), key_(std::move(key)) {}
  Result<void> create();
  Result<void> load();
  Result<void> read_records(std::span<const std::uint8_t> bytes, const JournalHeader& header, bool& torn);
  Result<void> read_witness(bool& present);
  Result<void> write_witness(const Witness& witness);
  Result<void> compact();
  [[nodiscard]] Error refused(const std::string& what) const;
  [[nodiscard]] std::uint64_t records() const noexcept { return sequence_ - header_.base; }

  StateFiles& files_;
  Secret<32> key_;
  SpaceRecords spaces_;
  JournalHeader header_;
  std::uint64_t sequence_ = 0;  // of the last record known
  std::uint64_t identity_ = 0;  // of the file known
  Witness witness_;
  std::size_t witness_slot_ = 0;  // that holds witness_
  bool trusted_ = false;          // false: load() and compact() before anything else
  std::uint64_t compaction_threshold_ = 16384;
  std::vector<std::string> messages_;
};

}  // namespace linecrypt::keys
