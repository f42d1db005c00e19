// Installs through the command ring: the design figure, in cycles of the whole card.
#include <catch2/catch.hpp>

#include "tools/linecrypt-bench/model/install_model.hpp"

namespace linecrypt::bench {
namespace {

TEST_CASE("The command ring takes 200 000 installs a second and more, at rest and among packets") {
  const Subject subject = GENERATE(from_range(install_subjects()));
  const InstallRow row = measure_installs(subject);
  INFO(name(subject.kernel) << ": " << row.commands << " commands, " << row.alone.cycles_an_install()
                            << " cycles alone, " << row.with_packets.cycles_an_install() << " with "
                            << row.with_packets.mpps() << " Mpps");
  CHECK(row.alone.refused + row.with_packets.refused == 0);
  CHECK(row.alone.installs > 100);
  CHECK(row.with_packets.installs > 100);
  CHECK(row.alone.per_second() >= installs_wanted);
  CHECK(row.with_packets.per_second() >= installs_wanted);
  // Packets did flow: while they do, a command comes in no more often than once in 64 cycles.
  CHECK(row.with_packets.mpps() > 10);
  CHECK(row.with_packets.cycles_an_install() >= 60.0 * row.commands);
  // And what an install costs alone is not only the way of the words: none is faster than one a cycle.
  CHECK(row.alone.cycles_an_install() >= 2.0 * row.commands);
}

}  // namespace
}  // namespace linecrypt::bench
