// What linecrypt-bench makes of times: medians, spreads, comparisons that find wrong results, and reports.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "host/software/engine.hpp"
#include "tools/linecrypt-bench/measure/side.hpp"
#include "tools/linecrypt-bench/measure/statistics.hpp"
#include "tools/linecrypt-bench/measure/stopwatch.hpp"
#include "tools/linecrypt-bench/report/report.hpp"
#include "tools/linecrypt-bench/workload/path_side.hpp"
#include "tools/linecrypt-bench/workload/teams.hpp"

using namespace linecrypt::bench;

namespace {

// A side whose burst is one byte, and a loop. It finds its result wrong from check number `wrong_from` on.
class FakeSide final : public Side {
 public:
  FakeSide(std::uint8_t made, int turns, std::string wrong = {}, int wrong_from = 1)
      : made_(made), turns_(turns), wrong_from_(wrong_from), wrong_(std::move(wrong)) {}
  [[nodiscard]] std::uint32_t packets() const noexcept override { return 1; }
  void prepare() override { ++prepared; }
  void run() override {
    for (int i = 0; i < turns_; ++i) asm volatile("nop");
  }
  std::string check() override { return ++checks >= wrong_from_ ? wrong_ : std::string(); }
  [[nodiscard]] std::span<const std::uint8_t> result(std::uint32_t /*i*/) const override { return {&made_, 1}; }

  int prepared = 0;
  int checks = 0;

 private:
  std::uint8_t made_;
  int turns_;
  int wrong_from_;
  std::string wrong_;
};

constexpr Effort little{.pairs = 3, .slice_ns = 1000, .spread_limit = 0.1};

// A contestant that takes these times in turn.
Slice of_times(std::vector<double> times) {
  return [times = std::move(times), at = std::size_t{0}]() mutable -> linecrypt::Result<double> {
    return times[at++ % times.size()];
  };
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("quantiles lie between the sorted values, and the spread is the interquartile range over the median") {
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == Approx(2.5));
  CHECK(quantile({1, 2, 3, 4, 5}, 0.25) == 2);
  CHECK(quantile({1, 2, 3, 4, 5}, 1) == 5);
  CHECK(spread({1, 2, 3, 4, 5}) == Approx(2.0 / 3));
  CHECK(spread({7, 7, 7}) == 0);
}

TEST_CASE("a comparison says how many times as fast ours is") {
  Stopwatch::calibrate();
  FakeSide ours(1, 2000);
  FakeSide peer(1, 200000);
  auto found = compare(ours, peer, Results::equal, little);
  REQUIRE(found);
  // A hundred times the loop: whatever the machine does, more than twice the time.
  CHECK(found->ratio > 2);
  CHECK(found->cost_ns < 0);
  CHECK(ours.prepared > 9);
}

TEST_CASE("ratio, spread and cost are those of the pairs, not of the medians") {
  // Pairs: 10/20, 20/30, 40/100: ratios 2, 1.5, 2.5; ours costs -10, -10, -60 more.
  auto found = compare_in_pairs(of_times({10, 20, 40}), of_times({20, 30, 100}), 3);
  REQUIRE(found);
  CHECK(found->ours_ns == Approx(20));
  CHECK(found->peer_ns == Approx(30));
  CHECK(found->ratio == Approx(2));
  CHECK(found->spread == Approx(0.5 / 2));
  CHECK(found->cost_ns == Approx(-10));
  CHECK(found->cost_spread_ns == Approx(25));
}

TEST_CASE("sides take turns: A B, B A, A B") {
  std::string order;
  const auto turn = [&order](char name) {
    return [&order, name]() -> linecrypt::Result<double> {
      order += name;
      return 1.0;
    };
  };
  REQUIRE(compare_in_pairs(turn('A'), turn('B'), 4));
  CHECK(order == "ABBAABBA");
}

TEST_CASE("a result that goes wrong in the middle of the measurement ends it") {
  FakeSide good(1, 1);
  for (const int from : {2, 3, 4}) {
    FakeSide late(1, 1, "packet 3 changed", from);
    auto ours = compare(late, good, Results::equal, little);
    REQUIRE_FALSE(ours);
    CHECK(contains(ours.error().message, "ours: packet 3 changed"));
    CHECK(late.checks == from);
    late.checks = 0;
    auto peer = compare(good, late, Results::equal, little);
    REQUIRE_FALSE(peer);
    CHECK(contains(peer.error().message, "the peer: packet 3 changed"));
  }
}

TEST_CASE("results that differ, and a side that finds its own result wrong, end a comparison") {
  FakeSide one(1, 1);
  FakeSide other(2, 1);
  auto differ = compare(one, other, Results::equal, little);
  REQUIRE_FALSE(differ);
  CHECK(contains(differ.error().message, "differ at byte 0"));
  CHECK(compare(one, other, Results::of_their_own, little).ok());
  FakeSide wrong(1, 1, "packet 7 is not the clear one");
  auto refused = compare(one, wrong, Results::equal, little);
  REQUIRE_FALSE(refused);
  CHECK(contains(refused.error().message, "the peer: packet 7 is not the clear one"));
  CHECK_FALSE(time_alone(wrong, little).ok());
}

TEST_CASE("providers go by the names of their enum") {
  const auto names = provider_names();
  REQUIRE(names.size() >= 3);
  CHECK(names[0] == "automatic");
  for (const char* name : {"ipsec_mb", "openssl"}) CHECK(std::find(names.begin(), names.end(), name) != names.end());
  for (std::size_t i = 0; i < names.size(); ++i) CHECK(static_cast<std::size_t>(provider_of(names[i])) == i);
}

TEST_CASE("packets of a path are all checked, many SAs or one, one stage or two") {
  for (const Protocols protocols : {Protocols::esp, Protocols::macsec, Protocols::both}) {
    for (const linecrypt::Direction direction : {linecrypt::Direction::egress, linecrypt::Direction::ingress}) {
      for (const bool spoil : {false, true}) {
        PathSettings settings;
        settings.protocols = protocols;
        settings.direction = direction;
        settings.sizes = {64, 576, 1500};
        settings.burst = 12;
        settings.sas = 5;
        settings.spoil_result = spoil;
        auto engine = linecrypt::software::make_software_engine();
        auto helper = linecrypt::software::make_software_engine();
        REQUIRE((engine.ok() && helper.ok()));
        auto side = PathSide::make(std::move(engine).value(), std::move(helper).value(), settings);
        REQUIRE(side);
        for (int i = 0; i < 3; ++i) {
          (*side)->prepare();
          (*side)->run();
        }
        CHECK((*side)->check().empty());
        (*side)->prepare();
        (*side)->run();
        CHECK((*side)->check().empty() == !spoil);
      }
    }
  }
}

TEST_CASE("more SAs than an engine has room for are refused with both numbers") {
  PathSettings settings;
  settings.protocols = Protocols::both;
  settings.sas = 1U << 20U;
  auto engine = linecrypt::software::make_software_engine();
  auto helper = linecrypt::software::make_software_engine();
  REQUIRE((engine.ok() && helper.ok()));
  auto side = PathSide::make(std::move(engine).value(), std::move(helper).value(), settings);
  REQUIRE_FALSE(side);
  CHECK(contains(side.error().message, "2097152 in all"));
  CHECK(contains(side.error().message, "room for 1048576"));
}

namespace {

linecrypt::Result<std::unique_ptr<linecrypt::Engine>> make_engine() {
  return linecrypt::software::make_software_engine();
}

TeamSettings team_settings() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  REQUIRE(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  TeamSettings settings;
  settings.path.burst = 4;
  settings.slice_ns = 1000;
  // Both workers on one core where there is only one: nothing here is about speed.
  std::vector<int> cores;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &allowed)) cores.push_back(i);
  settings.cores = {cores.front(), cores.back()};
  return settings;
}

}  // namespace

TEST_CASE("two workers and two processes take turns, each result checked") {
  Stopwatch::calibrate();
  for (const linecrypt::Direction direction : {linecrypt::Direction::egress, linecrypt::Direction::ingress}) {
    TeamSettings settings = team_settings();
    settings.path.direction = direction;
    auto teams = Teams::start(make_engine, settings);
    REQUIRE(teams);
    for (int i = 0; i < 3; ++i) {
      auto workers = (*teams)->workers_slice();
      auto processes = (*teams)->processes_slice();
      REQUIRE((workers.ok() && processes.ok()));
      CHECK(*workers > 0);
      CHECK(*processes > 0);
    }
  }
}

TEST_CASE("a wrong result of a worker or of a process is found") {
  Stopwatch::calibrate();
  TeamSettings settings = team_settings();
  settings.spoil_workers = true;
  settings.spoil_processes = true;
  auto teams = Teams::start(make_engine, settings);
  REQUIRE(teams);
  CHECK((*teams)->workers_slice().ok());
  CHECK((*teams)->processes_slice().ok());
  auto workers = (*teams)->workers_slice();
  auto processes = (*teams)->processes_slice();
  REQUIRE_FALSE((workers.ok() || processes.ok()));
  CHECK(contains(workers.error().message, "worker 1: "));
  CHECK(contains(processes.error().message, "process 1: "));
}

TEST_CASE("a process that cannot be set up says why") {
  const auto here = getpid();
  const auto only_here = [here]() -> linecrypt::Result<std::unique_ptr<linecrypt::Engine>> {
    if (getpid() != here) return linecrypt::Error{"no engine today"};
    return make_engine();
  };
  auto teams = Teams::start(only_here, team_settings());
  REQUIRE_FALSE(teams);
  CHECK(teams.error().message == "process 1: setup: no engine today");
}

TEST_CASE("a process that ends by itself is missed, not waited for") {
  const auto here = getpid();
  const auto dies = [here]() -> linecrypt::Result<std::unique_ptr<linecrypt::Engine>> {
    if (getpid() != here) _exit(7);
    return make_engine();
  };
  auto teams = Teams::start(dies, team_settings());
  REQUIRE_FALSE(teams);
  CHECK(teams.error().message == "process 1 ended by itself");
}

TEST_CASE("a report is text for a file and a page that stands alone") {
  Report report;
  report.title = "a <title> & more";
  report.machine = {{"CPU", "one"}, {"commit", "abc"}};
  report.notes = {std::string(60, 'x') + " " + std::string(70, 'y')};
  report.tables = {{"numbers", {"work", "size"}, {{"seal", "64"}, {"open", "1420"}}}};
  report.plots = {
      {"plot", "size (bytes)", "Gb/s", true, {{"ours", {{64, 1}, {1420, 20}}}, {"peer", {{64, 2}, {1420, 10}}}}}};
  const std::string text = to_text(report);
  CHECK(contains(text, "CPU     one\n"));
  CHECK(contains(text, "  seal    64\n  open  1420\n"));
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    CHECK(end - begin <= 120);
  const std::string html = to_html(report);
  CHECK(contains(html, "a &lt;title&gt; &amp; more"));
  CHECK_FALSE(contains(html, "<title> & more"));
  CHECK(contains(html, "prefers-color-scheme: dark"));
  for (const char* part : {"size (bytes)</text>", "Gb/s</text>", "<polyline", ">ours</text>", ">peer</text>"})
    CHECK(contains(html, part));
  for (const char* outside : {"http://", "https://", "<script", "src="}) CHECK_FALSE(contains(html, outside));
  CHECK_FALSE(write_html(report, "/nowhere/at/all.html").ok());
}
