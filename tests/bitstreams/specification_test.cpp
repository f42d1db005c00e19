#include <catch2/catch.hpp>

#include "tests/bitstreams/support.hpp"

using namespace linecrypt::bitstreams;
using namespace linecrypt::bitstreams::test;
using Catch::Matchers::Contains;

namespace {

// The esp specification with one piece of its text replaced.
std::string refusal_with(const std::string& old_text, const std::string& new_text) {
  std::string text = specification_text();
  const std::size_t at = text.find(old_text);
  REQUIRE(at != std::string::npos);
  text.replace(at, old_text.size(), new_text);
  const auto spec = read_specification(text, "spec.json");
  return spec ? "" : spec.error().message;
}

}  // namespace

TEST_CASE("each fault of a specification is named with its place") {
  struct Fault {
    const char* old_text;
    const char* new_text;
    const char* says;
  };
  const auto fault = GENERATE(
      Fault{"\"mode\": \"esp\",", "\"mode\": \"xsp\",", "spec.json: mode: found 'xsp', allowed: esp, macsec, both"},
      Fault{"\"mode\": \"esp\",", "", "spec.json: field 'mode' is missing"},
      Fault{"\"mode\": \"esp\",", "\"mode\": \"esp\", \"mode\": \"esp\",", "field 'mode' is given twice"},
      Fault{"\"mode\": \"esp\",", "\"mode\": \"esp\", \"speed\": 1,",
            "spec.json: unknown field 'speed'; allowed: name, platform"},
      Fault{"\"mode\": \"esp\",", "\"mode\" \"esp\",", "spec.json: not JSON"},
      Fault{"\"card\": \"emulated\"", "\"card\": \"u55c\"", "card: found 'u55c', allowed: emulated"},
      Fault{"[\"HBM[0]\"]", "[\"HBM[9]\"]",
            "kernels[0]: arguments[0]: memory: found 'HBM[9]', the banks are HBM[0], HBM[1], HBM[2]"},
      Fault{"[\"HBM[0]\"]", "[]", "at least one bank"},
      Fault{"{\"tag\": \"HBM[0]\",",
            "{\"tag\": \"HBM[0]\", \"type\": \"HBM\", \"base\": 8589934592, \"size_kib\": 4}, {\"tag\": \"HBM[0]\",",
            "memory bank 'HBM[0]' is given twice"},
      Fault{"\"base\": 536870912", "\"base\": 4096", "memory bank 'HBM[1]' at 0x1000 begins inside 'HBM[0]'"},
      Fault{"\"base\": 25231360", "\"base\": 25165824", "begins inside"},
      Fault{"\"base\": 25231360", "\"base\": 25231364", "a multiple of the kernel's range"},
      Fault{"\"name\": \"dma_0\"", "\"name\": \"control_0\"", "compute unit 'control_0' is given twice"},
      Fault{"\"offset\": 256", "\"offset\": 65532", "the kernel's range ends at 0x10000"},
      Fault{"\"offset\": 256", "\"offset\": 257", "a multiple of 4"},
      Fault{"{\"name\": \"egress_0\"}", "", "units: found none"},
      Fault{"{\"name\": \"egress_0\"}", "{\"name\": \"egress_0\", \"base\": 4096}", "the kernel has no 'range'"},
      Fault{"\"kernel_clock_mhz\": 300", "\"kernel_clock_mhz\": \"300\"", "an integer from 1 to 1000 is allowed"},
      Fault{"\"platform\": \"linecrypt_emulated_1_0\"",
            "\"platform\": \"0123456789012345678901234567890123456789012345678901234567890123\"", "1 to 63"});
  INFO(fault.new_text);
  CHECK_THAT(refusal_with(fault.old_text, fault.new_text), Contains(fault.says));
}

TEST_CASE("registers lie where HLS puts them") {
  const Specification spec = specification();
  CHECK(spec.kernels[0].arguments[0].offset == 0x100);
  CHECK(spec.kernels[1].arguments[0].offset == 0x10);
  CHECK(spec.kernels[1].arguments[1].offset == 0x1c);  // 8 bytes and one reserved word after the first
}

TEST_CASE("an empty image is refused") {
  const auto bytes = write_xclbin(specification(), {});
  REQUIRE_FALSE(bytes.ok());
  CHECK_THAT(bytes.error().message, Contains("the image is empty"));
}
