// What the cycle model must show. LINECRYPT_LONG=1: every frame length from 64 to 9216 bytes; else some of them.
#include <catch2/catch.hpp>
#include <set>

#include "tests/support/long_form.hpp"
#include "tools/linecrypt-bench/model/cycle_model.hpp"

namespace linecrypt::bench {
namespace {

using firmware::CycleFigures;
using firmware::Load;

std::vector<std::uint32_t> sizes() {
  std::vector<std::uint32_t> out;
  if (test::long_form()) {
    for (std::uint32_t size = frame_smallest; size <= frame_largest; ++size) out.push_back(size);
    return out;
  }
  for (std::uint32_t size = frame_smallest; size <= 200; ++size) out.push_back(size);  // every place in a beat
  for (const std::uint32_t size : {594U, 1023U, 1518U, 4097U, 9216U}) out.push_back(size);
  return out;
}

Load quick(std::uint64_t packets = 200, std::uint64_t warm = 300) {
  Load load;
  load.packets = packets;
  load.warm = warm;
  return load;
}

std::string describe(Subject subject) {
  return std::string(name(subject.kernel)) + " " + name(subject.variant);
}

TEST_CASE("no length misses 100 Gb/s and no cycle is lost between packets of different keys") {
  const Subject subject = GENERATE(from_range(subjects()));
  const std::uint32_t sas = 16;
  const auto model = make_cycle_model(subject, sas);
  for (const std::uint32_t size : sizes()) {
    INFO(describe(subject) << " of " << size << " bytes");
    Load load = quick();
    load.warm = std::max<std::uint64_t>(8, 800 / (size / 64 + 1));
    load.packets = std::max<std::uint64_t>(16, 600 / (size / 64 + 1));
    const CycleFigures figures = model->run(size, sas, load);
    REQUIRE_FALSE(figures.deadlock);
    REQUIRE(figures.refused == 0);
    REQUIRE(figures.cycles == load.packets * std::max(figures.beats_in, figures.beats_out));
    const double seconds = figures.cycles_a_packet() / clock_assumed;
    REQUIRE(static_cast<double>(wire_bytes(model->protected_bytes()) * 8) / seconds >= 100e9);
  }
}

TEST_CASE("the same holds with thousands of SAs, and with configuration words among the packets") {
  const Subject subject = GENERATE(from_range(subjects()));
  const auto model = make_cycle_model(subject, sas_most);
  for (const std::uint32_t size : {64U, 594U, 1518U}) {
    INFO(describe(subject) << " of " << size << " bytes");
    const Row row = measure(*model, subject, size, sas_most);
    CHECK(row.figures.bubbles() == 0);
    CHECK(row.gbps() >= 100);
    CHECK(row.with_commands.refused == 0);
    CHECK(row.with_commands.commands > 4);
    CHECK(row.with_commands.forced > 0);
    CHECK(row.with_commands.forced <= row.with_commands.commands);
    CHECK(row.gbps_with_commands() >= 100);
  }
}

TEST_CASE("one packet and then silence comes out") {
  const Subject subject = GENERATE(from_range(subjects()));
  const auto model = make_cycle_model(subject, 1);
  for (const std::uint32_t size : {64U, 1518U, 9216U}) {
    const CycleFigures figures = model->run(size, 1, quick(1, 0));
    INFO(describe(subject) << " of " << size << " bytes, latency " << figures.latency);
    CHECK_FALSE(figures.deadlock);
    CHECK(figures.refused == 0);
    // No set-up: the pipeline, the packet's own beats, on ingress once more to leave the hold.
    CHECK(figures.latency < 150 + 2 * (size / 64 + 1));
  }
}

TEST_CASE("no FIFO is deeper in use than it is, and the hold is used") {
  const Subject subject = {Kernel::esp_decapsulate, Variant::tunnel_ipv4};
  const auto model = make_cycle_model(subject, 4);
  const CycleFigures figures = model->run(9216, 4, quick(20, 10));
  std::set<std::string> names;
  for (const auto& fifo : figures.fifos) {
    INFO(fifo.name);
    CHECK(fifo.deepest <= fifo.depth);
    names.insert(fifo.name);
    if (fifo.name == "hold") CHECK(fifo.deepest >= 144);
  }
  CHECK(names.size() == figures.fifos.size());
  CHECK(names.count("hold") == 1);
}

TEST_CASE("a hold smaller than a packet is found as a deadlock, and named") {
  const Subject subject = {Kernel::macsec_validate, Variant::xpn};
  const auto model = make_cycle_model(subject, 1, {firmware::depth::hold, 100});
  const CycleFigures small = model->run(1518, 1, quick(8, 8));
  CHECK_FALSE(small.deadlock);
  const CycleFigures large = model->run(9216, 1, quick(8, 8));
  CHECK(large.deadlock);
  CHECK(large.stuck.find("hold") != std::string::npos);
}

TEST_CASE("a FIFO too shallow for the tag's way is found as an overflow of the port in front") {
  static_assert(firmware::depth::sealed == firmware::depth::packets, "one cut takes both");
  const Subject subject = {Kernel::esp_encapsulate, Variant::tunnel_ipv4};
  Load load = quick(3000, 10);
  load.pace = 2;  // 64-byte frames at the rate of the chain
  const CycleFigures whole = make_cycle_model(subject, 4)->run(64, 4, load);
  CHECK_FALSE(whole.overflow);
  CHECK_FALSE(whole.deadlock);
  const CycleFigures cut = make_cycle_model(subject, 4, {firmware::depth::sealed, 8})->run(64, 4, load);
  CHECK((cut.overflow || cut.deadlock));
  CHECK(cut.overflow);
}

}  // namespace
}  // namespace linecrypt::bench
