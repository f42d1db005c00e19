#include "linecrypt/address.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace linecrypt;

namespace {

std::string canonical(const std::string& text) {
  const auto address = IpAddress::parse(text);
  INFO(text);
  REQUIRE(address.ok());
  return address->text();
}

}  // namespace

TEST_CASE("IPv6 addresses are written as RFC 5952 says") {
  // Section 4.1: leading zeros. 4.2.1: shorten as much as possible. 4.2.2: not a single group. 4.2.3: the longest run,
  // the first of two. 4.3: lower case. 5: IPv4-mapped.
  CHECK(canonical("2001:0db8:0000:0000:0000:0000:0002:0001") == "2001:db8::2:1");
  CHECK(canonical("2001:db8::1:1:1:1:1") == "2001:db8:0:1:1:1:1:1");
  CHECK(canonical("2001:0:0:1:0:0:0:1") == "2001:0:0:1::1");
  CHECK(canonical("2001:db8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");
  CHECK(canonical("2001:DB8::AbCd") == "2001:db8::abcd");
  CHECK(canonical("::") == "::");
  CHECK(canonical("::1") == "::1");
  CHECK(canonical("1::") == "1::");
  CHECK(canonical("0:0:1::") == "0:0:1::");
  CHECK(canonical("::ffff:192.0.2.1") == "::ffff:192.0.2.1");
  CHECK(canonical("::ffff:c000:201") == "::ffff:192.0.2.1");
  CHECK(canonical("64:ff9b::192.0.2.33") == "64:ff9b::c000:221");
  CHECK(canonical("1:2:3:4:5:6:7:8") == "1:2:3:4:5:6:7:8");
  CHECK(canonical("1:2:3:4:5:6:7::") == "1:2:3:4:5:6:7:0");
}

TEST_CASE("IPv4 addresses are four decimal numbers") {
  CHECK(canonical("0.0.0.0") == "0.0.0.0");
  CHECK(canonical("255.255.255.255") == "255.255.255.255");
  CHECK(IpAddress::parse("192.0.2.1")->bytes == std::array<std::uint8_t, 16>{192, 0, 2, 1});
}

TEST_CASE("What is no address is refused by name") {
  const std::string text =
      GENERATE("", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1..3.4", "1.2.3.",
               "+1.2.3.4", "0x1.2.3.4", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3",
               "12345::", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:", ":1", "g::", "::1%eth0",
               "1.2.3.4::", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "fe80::1/64", "[::1]");
  const auto address = IpAddress::parse(text);
  INFO(text);
  REQUIRE_FALSE(address.ok());
  CHECK(address.error().message.find("\"" + text + "\" is not an IP address; allowed:") == 0);
}

TEST_CASE("Every address survives being written and read") {
  std::mt19937_64 random(5952);
  for (int i = 0; i < 20000; ++i) {
    IpAddress address;
    address.family = random() % 4 == 0 ? Family::ipv4 : Family::ipv6;
    // Zero groups are frequent, so that runs of every length and place come up.
    for (std::size_t group = 0; group < address.size() / 2; ++group) {
      if (random() % 2 == 0) continue;
      address.bytes[2 * group] = static_cast<std::uint8_t>(random());
      address.bytes[2 * group + 1] = static_cast<std::uint8_t>(random());
    }
    const auto back = IpAddress::parse(address.text());
    if (!back.ok() || *IpAddress::parse(address.text()) != address) FAIL(address.text());
  }
  SUCCEED();
}

TEST_CASE("Prefixes are read with their length, and host bits are refused with the right prefix") {
  CHECK(Prefix::parse("10.0.0.0/8")->text() == "10.0.0.0/8");
  CHECK(Prefix::parse("0.0.0.0/0")->text() == "0.0.0.0/0");
  CHECK(Prefix::parse("192.0.2.1/32")->length == 32);
  CHECK(Prefix::parse("2001:DB8::/32")->text() == "2001:db8::/32");
  CHECK(Prefix::parse("::/0")->text() == "::/0");
  CHECK(Prefix::parse("10.1.2.3/8").error().message == "\"10.1.2.3/8\" has host bits set; the prefix is 10.0.0.0/8");
  CHECK(Prefix::parse("2001:db8::1/64").error().message.find("the prefix is 2001:db8::/64") != std::string::npos);
  CHECK(Prefix::parse("10.0.0.0/33").error().message.find("allowed: 0 to 32") != std::string::npos);
  CHECK(Prefix::parse("::/129").error().message.find("allowed: 0 to 128") != std::string::npos);
  const std::string text = GENERATE("10.0.0.0", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "/8", "");
  INFO(text);
  CHECK_FALSE(Prefix::parse(text).ok());
}

TEST_CASE("A prefix contains exactly the addresses that share its bits") {
  const auto prefix = Prefix::parse("192.0.2.128/25");
  CHECK(prefix->contains(*IpAddress::parse("192.0.2.128")));
  CHECK(prefix->contains(*IpAddress::parse("192.0.2.255")));
  CHECK_FALSE(prefix->contains(*IpAddress::parse("192.0.2.127")));
  CHECK_FALSE(prefix->contains(*IpAddress::parse("192.0.3.128")));
  CHECK_FALSE(prefix->contains(*IpAddress::parse("::")));
}

TEST_CASE("MAC addresses are six bytes with colons") {
  CHECK(MacAddress::parse("02:00:5E:aa:0b:ff")->text() == "02:00:5e:aa:0b:ff");
  CHECK(MacAddress::parse("01:80:c2:00:00:03")->group());
  CHECK_FALSE(MacAddress::parse("02:00:00:00:00:01")->group());
  const std::string text = GENERATE("", "02:00:00:00:00", "02:00:00:00:00:01:02", "02-00-00-00-00-01", "2:0:0:0:0:1",
                                    "02:00:00:00:00:0g", "0200.0000.0001", "02:00:00:00:00:001");
  INFO(text);
  CHECK_FALSE(MacAddress::parse(text).ok());
}
