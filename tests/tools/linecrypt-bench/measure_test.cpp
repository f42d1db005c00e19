// What linecrypt-bench makes of times: medians, spreads, comparisons that find wrong results, and reports.
#include <algorithm>
#include <catch2/catch.hpp>

#include "host/software/engine.hpp"
#include "tools/linecrypt-bench/measure/side.hpp"
#include "tools/linecrypt-bench/measure/statistics.hpp"
#include "tools/linecrypt-bench/measure/stopwatch.hpp"
#include "tools/linecrypt-bench/report/report.hpp"
#include "tools/linecrypt-bench/work/path_side.hpp"

using namespace linecrypt::bench;

namespace {

// A side whose burst is one byte, and a loop.
class FakeSide final : public Side {
 public:
  FakeSide(std::uint8_t made, int turns, std::string wrong = {})
      : made_(made), turns_(turns), wrong_(std::move(wrong)) {}
  [[nodiscard]] std::uint32_t packets() const noexcept override { return 1; }
  void prepare() override { ++prepared; }
  void run() override {
    for (int i = 0; i < turns_; ++i) asm volatile("nop");
  }
  std::string check() override { return wrong_; }
  [[nodiscard]] std::span<const std::uint8_t> result(std::uint32_t /*i*/) const override { return {&made_, 1}; }

  int prepared = 0;

 private:
  std::uint8_t made_;
  int turns_;
  std::string wrong_;
};

constexpr Effort little{.pairs = 3, .slice_ns = 1000, .spread_limit = 0.1};

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
