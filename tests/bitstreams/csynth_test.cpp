#include <catch2/catch.hpp>

#include "bitstreams/csynth.hpp"
#include "tests/bitstreams/support.hpp"

using namespace linecrypt::bitstreams;
using Catch::Matchers::Contains;

namespace {

std::string vector(const char* name) {
  std::ifstream file(std::string(LINECRYPT_TEST_DATA) + "/vectors/csynth/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::string report() {
  return vector("linecrypt_egress_csynth.xml");
}
std::string schedule() {
  return vector("esp_sequence.verbose.sched.rpt");
}

std::string refusal(const std::string& text, const std::vector<std::string>& modules) {
  const auto checked = check_intervals(text, "csynth.xml", modules);
  return checked ? "" : checked.error().message;
}

}  // namespace

TEST_CASE("processes that take one item a cycle pass") {
  CHECK(refusal(report(), {"macsec_sequence", "esp_sequence"}).empty());
}

TEST_CASE("a report that does not say so is refused") {
  CHECK_THAT(refusal(report(), {"esp_sequence", "absent"}), Contains("module 'absent' is not in the report"));
  CHECK_THAT(refusal(report(), {"slow_counters"}), Contains("PipelineInitiationInterval is '2', 1 is needed"));
  CHECK_THAT(refusal(report(), {}), Contains("no module was named"));
  CHECK_THAT(refusal("", {"esp_sequence"}), Contains("is not in the report"));
  std::string cut = report();
  cut.resize(cut.find("</Module>"));
  CHECK_THAT(refusal(cut, {"esp_sequence"}), Contains("not whole"));
  std::string twice = report();
  twice.replace(twice.find("macsec_sequence"), std::string("macsec_sequence").size(), "esp_sequence");
  CHECK_THAT(refusal(twice, {"esp_sequence"}), Contains("is there twice"));
}

TEST_CASE("the distance is from the first read of a table to its last write being visible") {
  const auto numbers = forwarding_distance(schedule(), "a.rpt", "numbers_ram_cells");
  REQUIRE(numbers.ok());
  CHECK(*numbers == 3U);  // read in states 2 and 3, written in 4
  const auto counters = forwarding_distance(schedule(), "a.rpt", "counters");
  REQUIRE(counters.ok());
  CHECK(*counters == 5U);  // two writes: the later one counts
  const auto absent = forwarding_distance(schedule(), "a.rpt", "numbers");
  REQUIRE(absent.ok());
  CHECK_FALSE(absent->has_value());
}

TEST_CASE("a table that is only read has no distance") {
  const auto limits = forwarding_distance(schedule(), "a.rpt", "limits");
  REQUIRE_FALSE(limits.ok());
  CHECK_THAT(limits.error().message, Contains("table 'limits' is read but never written"));
}
