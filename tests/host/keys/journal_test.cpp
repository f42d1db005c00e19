// What a damaged, foreign, missing or rolled-back journal is told, and what a failing disk costs.
#include "host/keys/journal.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fragile_disk.hpp"
#include "tests/support/key_samples.hpp"

namespace linecrypt::keys {
namespace {

using Catch::Contains;
using test::FragileDisk;

const NumberSpaceId space_a{{1}};
const NumberSpaceId space_b{{2}};

SpaceRecord at(std::uint64_t next) {
  return {"a", Direction::egress, true, next, 0, 0};
}

// A process with the journal open.
struct Process {
  explicit Process(FragileDisk& disk, std::uint8_t host = 7)
      : files(disk.open()), journal(Journal::open(*files, test::secret<32>(32, host))) {}
  Journal& operator*() { return *journal.value(); }
  Journal* operator->() { return journal.value().get(); }
  Result<void> put(const NumberSpaceId& space, std::uint64_t next) {
    if (auto fresh = journal.value()->refresh(); !fresh) return fresh;
    const std::vector<Journal::Change> changes{{space, at(next)}};
    return journal.value()->append(changes);
  }
  std::unique_ptr<StateFiles> files;
  Result<std::unique_ptr<Journal>> journal;
};

std::string refusal(FragileDisk& disk, std::uint8_t host = 7) {
  Process process(disk, host);
  if (process.journal) return "not refused";
  CHECK_THAT(process.journal.error().message, Contains("disk/journal") && Contains("linecryptctl key enroll"));
  return process.journal.error().message;
}

// Three acknowledged batches: records 1, 2 and 3.
void fill(FragileDisk& disk) {
  Process process(disk);
  REQUIRE(process.journal.ok());
  REQUIRE(process.put(space_a, 10).ok());
  REQUIRE(process.put(space_b, 20).ok());
  REQUIRE(process.put(space_a, 30).ok());
}

TEST_CASE("A journal tells what was appended, after any number of restarts") {
  FragileDisk disk(1);
  fill(disk);
  for (int i = 0; i < 3; ++i) {
    Process process(disk);
    REQUIRE(process.journal.ok());
    CHECK(process->spaces().size() == 2);
    CHECK(process->spaces().at(space_a) == at(30));
    CHECK(process->spaces().at(space_b) == at(20));
    CHECK(process->take_messages().empty());
  }
}

TEST_CASE("Any changed byte of an acknowledged record, of the header or of the witness is refused") {
  FragileDisk disk(1);
  fill(disk);
  const Bytes good = disk.content("journal");
  REQUIRE(good.size() == 4 * journal_record_size);
  std::size_t refused = 0;
  for (std::size_t at_byte = 0; at_byte < good.size(); ++at_byte) {
    Bytes bad = good;
    bad[at_byte] ^= static_cast<std::uint8_t>(1U << (at_byte % 8));
    disk.set_content("journal", bad);
    Process process(disk);
    if (!process.journal) ++refused;
  }
  CHECK(refused == good.size());
  disk.set_content("journal", good);
  CHECK(refusal(disk) == "not refused");
}

TEST_CASE("A damaged record is named by its number and place") {
  FragileDisk disk(1);
  fill(disk);
  Bytes bad = disk.content("journal");
  bad[2 * journal_record_size + 60] ^= 1U;
  disk.set_content("journal", bad);
  CHECK_THAT(refusal(disk), Contains("record 2 at byte 512") && Contains("damaged") && Contains("acknowledged"));
}

TEST_CASE("A journal cut anywhere before its last acknowledged record's end is refused") {
  FragileDisk disk(1);
  fill(disk);
  const Bytes good = disk.content("journal");
  for (std::size_t size = 0; size < good.size(); ++size) {
    disk.set_content("journal", Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)));
    Process process(disk);
    REQUIRE_FALSE(process.journal.ok());
  }
  disk.set_content("journal", Bytes(good.begin(), good.end() - journal_record_size));
  CHECK_THAT(refusal(disk), Contains("ends at record 2") && Contains("has seen 3"));
}

TEST_CASE("A torn tail beyond the last acknowledged record is cut and said, and records before it stay") {
  FragileDisk disk(1);
  fill(disk);
  const Bytes good = disk.content("journal");
  const std::size_t size = GENERATE(1, 255, 256, 700);
  Bytes torn = good;
  torn.resize(good.size() + size, 0x5a);
  disk.set_content("journal", torn);
  {
    Process process(disk);
    REQUIRE(process.journal.ok());
    const auto messages = process->take_messages();
    REQUIRE(messages.size() == 1);
    CHECK_THAT(messages.front(), Contains("last " + std::to_string(size) + " bytes were torn"));
    CHECK(process->spaces().at(space_a) == at(30));
    REQUIRE(process.put(space_a, 40).ok());
  }
  Process process(disk);
  REQUIRE(process.journal.ok());
  CHECK(process->take_messages().empty());
  CHECK(process->spaces().at(space_a) == at(40));
}

TEST_CASE("A record cannot be moved, repeated or taken from an earlier generation") {
  FragileDisk disk(1);
  fill(disk);
  const Bytes good = disk.content("journal");
  const auto record = [](Bytes& bytes, std::ptrdiff_t index) { return bytes.begin() + index * std::ptrdiff_t{256}; };
  SECTION("swapped") {
    Bytes bad = good;
    std::swap_ranges(record(bad, 1), record(bad, 2), record(bad, 3));
    disk.set_content("journal", bad);
    CHECK_THAT(refusal(disk), Contains("record 1"));
  }
  SECTION("an older one in place of a newer") {
    Bytes bad = good;
    std::copy(record(bad, 1), record(bad, 2), record(bad, 3));
    disk.set_content("journal", bad);
    CHECK_THAT(refusal(disk), Contains("record 3"));
  }
  SECTION("of an earlier file, after the journal was written anew") {
    {
      Process process(disk);
      process->set_compaction_threshold(1);
      REQUIRE(process.put(space_a, 40).ok());
      for (std::uint64_t next = 41; next < 80; ++next) REQUIRE(process.put(space_a, next).ok());
    }
    disk.set_content("journal", good);
    CHECK_THAT(refusal(disk), Contains("rolled back"));
  }
}

TEST_CASE("A journal of another host is refused as foreign") {
  FragileDisk disk(1);
  fill(disk);
  CHECK_THAT(refusal(disk, 8), Contains("of another host"));
  // Its witness alone, too.
  FragileDisk other(2);
  { Process process(other, 8); }
  disk.set_content("witness", other.content("witness"));
  CHECK_THAT(refusal(disk), Contains("witness") && Contains("of another host"));
}

TEST_CASE("A missing journal or witness is refused, both missing is a new beginning with nothing enrolled") {
  FragileDisk disk(1);
  fill(disk);
  SECTION("journal") {
    disk.erase("journal");
    CHECK_THAT(refusal(disk), Contains("missing"));
  }
  SECTION("witness") {
    disk.erase("witness");
    CHECK_THAT(refusal(disk), Contains("witness file is missing"));
  }
  SECTION("both") {
    disk.erase("journal");
    disk.erase("witness");
    Process process(disk);
    REQUIRE(process.journal.ok());
    CHECK(process->spaces().empty());
  }
}

TEST_CASE("An earlier journal put back is refused") {
  FragileDisk disk(1);
  fill(disk);
  const Bytes journal = disk.content("journal");
  const Bytes witness = disk.content("witness");
  SECTION("with the present witness") {
    {
      Process process(disk);
      REQUIRE(process.put(space_a, 40).ok());
    }
    disk.set_content("journal", journal);
    CHECK_THAT(refusal(disk), Contains("rolled back"));
  }
  SECTION("with its own witness, as a backup restores both") {
    {
      Process process(disk);
      REQUIRE(process.put(space_a, 40).ok());
    }
    disk.set_content("journal", journal);
    disk.set_content("witness", witness);
    disk.replace_by_copy("journal");
    disk.replace_by_copy("witness");
    CHECK_THAT(refusal(disk), Contains("a copy"));
  }
  SECTION("under a running process") {
    Process process(disk);
    REQUIRE(process.put(space_a, 40).ok());
    disk.set_content("journal", journal);
    disk.replace_by_copy("journal");
    const auto refused = process.put(space_a, 50);
    REQUIRE_FALSE(refused.ok());
    CHECK_THAT(refused.error().message, Contains("rolled back"));
    CHECK_FALSE(process.put(space_a, 60).ok());
  }
}

TEST_CASE("A witness with one torn slot still guards") {
  FragileDisk disk(1);
  fill(disk);
  const Bytes good = disk.content("witness");
  const Bytes journal = disk.content("journal");
  for (const std::size_t slot : {std::size_t{0}, witness_slot_size}) {
    Bytes bad = good;
    bad[slot + 20] ^= 1U;
    disk.set_content("witness", bad);
    CHECK(refusal(disk) == "not refused");
  }
  Bytes bad = good;
  bad[20] ^= 1U;
  bad[witness_slot_size + 20] ^= 1U;
  disk.set_content("witness", bad);
  CHECK_THAT(refusal(disk), Contains("witness file is damaged"));
}

TEST_CASE("After a failed write nothing is appended until the journal was written anew") {
  FragileDisk disk(1);
  fill(disk);
  Process process(disk);
  REQUIRE(process.journal.ok());
  REQUIRE(process->refresh().ok());
  const std::vector<Journal::Change> changes{{space_a, at(40)}};
  // append() is four operations: the record, its sync, the witness, its sync.
  disk.fail_operation_after(GENERATE(0U, 1U, 2U, 3U));
  const auto first = process->append(changes);
  REQUIRE_FALSE(first.ok());
  CHECK_FALSE(process->append(changes).ok());
  REQUIRE(process->refresh().ok());
  REQUIRE(process.put(space_a, 50).ok());
  CHECK(process->spaces().at(space_a).egress_next == 50);
  Process again(disk);
  REQUIRE(again.journal.ok());
  CHECK(again->spaces().at(space_a).egress_next == 50);
}

TEST_CASE("The journal stays small however long it runs, and forgets nothing") {
  FragileDisk disk(1);
  Process process(disk);
  process->set_compaction_threshold(64);
  for (std::uint64_t next = 1; next < 2000; ++next) REQUIRE(process.put(next % 7 == 0 ? space_b : space_a, next).ok());
  CHECK(disk.content("journal").size() <= 67 * journal_record_size);
  CHECK_FALSE(disk.exists("journal.new"));
  Process again(disk);
  REQUIRE(again.journal.ok());
  CHECK(again->spaces().at(space_a).egress_next == 1999);
  CHECK(again->spaces().at(space_b).egress_next == 1995);
}

TEST_CASE("Two processes that take turns see each other's records, over new files too") {
  FragileDisk disk(1);
  Process a(disk);
  Process b(disk);
  a->set_compaction_threshold(16);
  b->set_compaction_threshold(16);
  for (std::uint64_t next = 1; next < 400; ++next) {
    Process& user = next % 3 == 0 ? a : b;
    REQUIRE(user->refresh().ok());
    if (next > 1) CHECK(user->spaces().at(space_a).egress_next == next - 1);
    REQUIRE(user.put(space_a, next).ok());
  }
}

TEST_CASE("Numbers never go back, whatever is appended") {
  FragileDisk disk(1);
  Process process(disk);
  REQUIRE(process.put(space_a, 100).ok());
  REQUIRE(process.put(space_a, 50).ok());
  CHECK(process->spaces().at(space_a).egress_next == 100);
  Process again(disk);
  CHECK(again->spaces().at(space_a).egress_next == 100);
}

}  // namespace
}  // namespace linecrypt::keys
