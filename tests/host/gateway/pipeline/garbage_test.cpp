// Garbage from every door: never forwarded, always accounted for.
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

#include "linecrypt/wire/checksum.hpp"
#include "linecrypt/wire/endian.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::test;

namespace {

// LINECRYPT_LONG=1 runs fifty times as many.
std::size_t rounds(std::size_t count) {
  const char* text = std::getenv("LINECRYPT_LONG");
  return text != nullptr && text[0] == '1' ? count * 50 : count;
}

}  // namespace

TEST_CASE("random frames are never forwarded") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  scenario.esp = false;  // not even a right packet has a tunnel to go through
  TestGateway gateway(1, scenario);
  gateway.io.quiet = true;
  std::mt19937 random(42);
  constexpr std::array<std::uint16_t, 8> ethertypes = {0x0800, 0x0800, 0x0806, 0x86dd, 0x86dd, 0x888e, 0x88e5, 0x8100};
  constexpr std::array<std::uint8_t, 8> protocols = {1, 6, 17, 50, 58, 43, 44, 0};
  std::vector<Frame*> burst;
  const std::size_t frames = rounds(100'000);
  for (std::size_t i = 0; i < frames; ++i) {
    const auto port = static_cast<PortIndex>(random() % 3);
    const Origin origin = random() % 4 == 0 ? Origin::companion : Origin::wire;
    Bytes frame(random() % 220);
    for (std::uint8_t& byte : frame) byte = static_cast<std::uint8_t>(random());
    // Most of them look right as far as the EtherType, many as far as the IP header.
    const auto shape = random() % 8;
    if (shape != 0 && frame.size() >= 14) {
      const MacAddress own = gateway.port_mac(port);
      std::copy_n(own.bytes.begin(), 6, frame.begin() + (origin == Origin::wire ? 0 : 6));
      frame[origin == Origin::wire ? 6 : 0] &= 0xfe;
      const std::uint16_t ethertype = ethertypes[random() % ethertypes.size()];
      wire::store16(&frame[12], ethertype);
      if (shape >= 3 && ethertype == 0x0800 && frame.size() >= 34) {
        frame[14] = 0x45;
        wire::store16(&frame[16], static_cast<std::uint16_t>(frame.size() - 14));
        frame[23] = protocols[random() % protocols.size()];
        if (random() % 2 == 0) std::copy_n(gateway.own(port).bytes.begin(), 4, frame.begin() + 30);
        if (random() % 2 == 0) std::copy_n(gateway.host().bytes.begin(), 4, frame.begin() + 26);
        wire::store16(&frame[24], 0);
        wire::store16(&frame[24], wire::checksum(&frame[14], 20));
      }
      if (shape >= 3 && ethertype == 0x86dd && frame.size() >= 54) {
        frame[14] = 0x60;
        wire::store16(&frame[18], static_cast<std::uint16_t>(frame.size() - 54));
        frame[20] = protocols[random() % protocols.size()];
        if (random() % 2 == 0) std::copy_n(gateway.own(port, Family::ipv6).bytes.begin(), 16, frame.begin() + 38);
      }
    }
    burst.push_back(gateway.io.make(frame));
    gateway.pipeline->process(port, origin, burst);
    burst.clear();
  }
  gateway.check_accounts();
  for (const Verdict verdict : {Verdict::ok, Verdict::bypassed, Verdict::request_clear}) {
    // The clear side's companion may talk to its site: that is no forwarding.
    const std::uint64_t own = verdict == Verdict::ok ? gateway.pipeline->counters(clear_port).verdicts.get(verdict) : 0;
    CHECK(gateway.verdicts(verdict) == own);
  }
  CHECK(gateway.pipeline->counters(black_port).verdicts.get(Verdict::ok) == 0);
}

TEST_CASE("one wrong bit anywhere behind the MAC addresses and a protected frame is dropped") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  scenario.vlan = {{0x8100, 100}};
  Pair pair(scenario);
  std::uint64_t flipped = 0;
  const std::size_t length = [&] {
    pair.a.inject(clear_port, Origin::wire, pair.a.from_host(pair.a.site_packet()));
    pair.a.settle();
    return pair.a.take_wire(black_port).at(0).size();
  }();
  for (std::size_t bit = std::size_t{12} * 8; bit < length * 8; ++bit) {
    // PCP and DEI of the tag in clear are not looked at: no bit of them changes anything.
    if (bit / 8 == 14 && bit % 8 < 4) continue;
    pair.a.inject(clear_port, Origin::wire, pair.a.from_host(pair.a.site_packet()));
    pair.a.settle();
    Bytes frame = pair.a.take_wire(black_port).at(0);
    frame[bit / 8] ^= static_cast<std::uint8_t>(0x80U >> bit % 8);
    pair.b.inject(black_port, Origin::wire, frame);
    pair.b.settle();
    CHECK(pair.b.take_wire(clear_port).empty());
    for (const PortIndex port : {clear_port, black_port}) CHECK(pair.b.take_companion(port).empty());
    ++flipped;
  }
  // And the untouched one still gets through.
  pair.a.inject(clear_port, Origin::wire, pair.a.from_host(pair.a.site_packet()));
  pair.exchange();
  CHECK(pair.b.take_wire(clear_port).size() == 1);
  CHECK(pair.b.verdicts(Verdict::ok) == 1);
  CHECK(flipped > 1000);
  pair.check_accounts();
}

TEST_CASE("a frame sent again is dropped") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  Pair pair(scenario);
  pair.a.inject(clear_port, Origin::wire, pair.a.from_host(pair.a.site_packet()));
  pair.exchange();
  REQUIRE(pair.b.take_wire(clear_port).size() == 1);
  for (int i = 0; i < 3; ++i) pair.b.inject(black_port, Origin::wire, pair.circuit.at(0));
  pair.b.settle();
  CHECK(pair.b.take_wire(clear_port).empty());
  CHECK(pair.b.verdicts(Verdict::replay_duplicate) + pair.b.verdicts(Verdict::replay_late) == 3);
  pair.check_accounts();
}
