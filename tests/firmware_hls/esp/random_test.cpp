// Packets of every kind, right and broken, give the software engine's frames and verdicts. What the blocks leave to the
// host is bounded and leaves no trace. LINECRYPT_LONG=1: a hundred times as many.
#include <map>

#include "tests/firmware_hls/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware_test;

namespace {

const std::uint32_t rounds = test::long_form() ? 100 : 1;

Selector selector(const char* local, const char* remote) {
  Selector out;
  out.local = Prefix::parse(local).value();
  out.remote = Prefix::parse(remote).value();
  return out;
}

// One shape with settings that change headers.
EspSa vary(Random& random, EspSa sa) {
  sa.df = random.of(std::vector{DfPolicy::copy, DfPolicy::set, DfPolicy::clear});
  sa.dscp_copy_out = random.one_in(2);
  sa.dscp_copy_in = random.one_in(2);
  sa.dscp = static_cast<std::uint8_t>(random.below(64));
  sa.ecn = !random.one_in(3);
  sa.hop_limit = static_cast<std::uint8_t>(1 + random.below(255));
  sa.flow_label_copy = random.one_in(2);
  if (sa.mode == EspMode::tunnel) sa.decrement_ttl = random.one_in(2);
  if (sa.mode == EspMode::tunnel) sa.verify_inner_checksum = random.one_in(2);
  if (sa.mode == EspMode::tunnel && sa.direction == Direction::egress && random.one_in(3))
    sa.tfc_pad_to = static_cast<std::uint16_t>(random.below(600));
  if (sa.direction == Direction::ingress) {
    sa.verify_outer = !random.one_in(3);
    if (sa.udp) sa.udp->verify_ports = random.one_in(2);
    sa.replay_window = random.of(std::vector{64U, 256U, 4096U});
  }
  return sa;
}

std::map<Verdict, std::size_t> seen;

void note(const std::vector<Outcome>& outcomes) {
  for (const Outcome& one : outcomes) ++seen[one.verdict];
}

}  // namespace

TEST_CASE("Clear packets of every kind, right or broken, become what the software engine makes of them") {
  Random random(11);
  seen.clear();
  std::size_t punted = 0;
  std::size_t all = 0;
  for (const Shape& shape : shapes()) {
    INFO(describe(shape));
    EspOutPair out;
    const SaId id = out.install(vary(random, make_sa(shape, Direction::egress)));
    std::vector<Asked> asked;
    static const std::uint16_t l2s[] = {0, 14, 18, 22, 14, 18, 13, 23, 60};
    for (std::uint32_t i = 0; i < 60 * rounds; ++i) {
      const std::uint16_t l2 = random.of(l2s);
      asked.push_back({id, framed(broken(random, random_packet(random, shape.inner)), l2 < 14 ? 0 : l2), l2});
    }
    note(out.compare(asked));
    punted += out.punted;
    all += asked.size();
  }
  CHECK(punted * 2 < all);
  for (const Verdict verdict :
       {Verdict::ok, Verdict::malformed_ip, Verdict::malformed_ethernet, Verdict::ttl_exceeded, Verdict::unsupported}) {
    INFO(name(verdict));
    CHECK(seen[verdict] > 0);
  }
}

TEST_CASE("A packet longer than any frame is refused, and the ones around it are not") {
  EspOutPair out;
  EspInPair in;
  const SaId egress = out.install(make_sa({}, Direction::egress));
  const SaId ingress = in.install(make_sa({}, Direction::ingress));
  std::vector<Asked> clear;
  std::vector<Asked> coming;
  for (const std::uint32_t size : {60U, 9728U, 9729U, 60U, 12'000U, 9728U}) {
    clear.push_back({egress, test::sized_packet(Family::ipv4, size), 0});
    coming.push_back({ingress, test::sized_packet(Family::ipv4, size), 0});
  }
  const auto outcomes = out.compare(clear);
  CHECK(outcomes[2].verdict == Verdict::oversize);
  CHECK(outcomes[4].verdict == Verdict::oversize);
  CHECK(outcomes[5].verdict == Verdict::ok);
  in.compare(coming);
}

TEST_CASE("ESP packets with broken headers get the software engine's verdicts") {
  Random random(12);
  seen.clear();
  std::size_t punted = 0;
  std::size_t all = 0;
  for (const Shape& shape : shapes()) {
    INFO(describe(shape));
    EspInPair in;
    const EspSa sa = vary(random, make_sa(shape, Direction::ingress));
    const SaId id = in.install(sa);
    for (std::uint32_t i = 0; i < 60 * rounds; ++i) {
      Bytes inner = random_packet(random, shape.inner);
      Bytes text = inner;
      const std::size_t pad = (0 - (text.size() + 2)) % 4;
      for (std::size_t j = 0; j < pad; ++j) text.push_back(static_cast<std::uint8_t>(j + 1));
      text.push_back(static_cast<std::uint8_t>(pad));
      text.push_back(shape.inner == Family::ipv4 ? 4 : 41);
      test::Ip outer;
      outer.traffic_class = static_cast<std::uint8_t>(random.below(256));
      if (shape.outer == Family::ipv4 && random.one_in(3)) outer.options = test::noise(4 * random.below(11), 5);
      if (shape.outer == Family::ipv4 && random.one_in(8))
        outer.fragment = static_cast<std::uint16_t>(random.below(65536));
      const std::uint16_t l2 = random.one_in(2) ? 14 : random.one_in(2) ? 0 : 18;
      Bytes esp = seal_esp(sa, random.one_in(6) ? random.below(20) : 100 + i, text, outer);
      if (random.one_in(10)) esp.back() ^= 1;
      if (shape.udp && random.one_in(8)) {
        // A keepalive, or IKE behind its marker.
        const Bytes datagram = random.one_in(2) ? test::from_hex(
                                                      "119411940009000"
                                                      "0ff")
                                                : test::from_hex(
                                                      "1194119400100000"
                                                      "0000000011223344");
        test::Ip ip;
        ip.source = sa.source.text();
        ip.destination = sa.destination.text();
        ip.protocol = 17;
        esp = test::packet(ip, datagram);
      }
      // One by one: the number's high half is seen from where the window stood when the packet came in.
      note({in.compare({id, framed(broken(random, esp), l2), l2})});
    }
    punted += in.punted;
    all += 60 * rounds;
  }
  CHECK(punted * 2 < all);
  for (const Verdict verdict :
       {Verdict::ok, Verdict::malformed_ip, Verdict::esp_fragment, Verdict::esp_outer_mismatch, Verdict::esp_bad_udp,
        Verdict::keepalive, Verdict::esp_short, Verdict::esp_unknown_spi, Verdict::esp_bad_icv,
        Verdict::replay_duplicate, Verdict::replay_late, Verdict::number_zero, Verdict::esp_bad_ecn}) {
    INFO(name(verdict));
    CHECK(seen[verdict] > 0);
  }
}

TEST_CASE("Authentic packets with anything inside get the software engine's verdicts") {
  Random random(13);
  seen.clear();
  std::size_t punted = 0;
  std::size_t all = 0;
  for (const Shape& shape : shapes()) {
    INFO(describe(shape));
    EspInPair in;
    EspSa sa = vary(random, make_sa(shape, Direction::ingress));
    sa.verify_outer = false;
    const bool ipv4 = shape.inner == Family::ipv4;
    if (random.one_in(2)) {
      Selector ports = ipv4 ? selector("10.2.0.0/16", "10.1.0.0/16") : selector("2001:db8:2::/48", "2001:db8:1::/48");
      ports.protocol = random.one_in(2) ? std::uint8_t{17} : std::uint8_t{6};
      ports.local_port = {80, 443};
      sa.selectors.push_back(ports);
      Selector wide = ipv4 ? selector("10.2.0.8/29", "10.9.0.0/25") : selector("2001:db8:2::8/125", "2001:db8:9::/49");
      if (random.one_in(2)) wide.protocol = std::uint8_t{253};
      sa.selectors.push_back(wide);
      if (random.one_in(2))
        sa.selectors.push_back(ipv4 ? selector("10.0.0.0/31", "0.0.0.0/0") : selector("::/0", "::/1"));
    }
    const SaId id = in.install(sa);
    std::vector<Asked> asked;
    for (std::uint32_t i = 0; i < 80 * rounds; ++i) {
      Bytes text = broken(random, random_packet(random, shape.inner));
      if (text.size() > 500) text.resize(500);
      // Padding of any length, right or wrong; any next header.
      std::uint32_t pad = random.one_in(4) ? random.below(256) : random.below(8);
      for (std::uint32_t j = 0; j < pad; ++j) text.push_back(static_cast<std::uint8_t>(j + 1));
      if (random.one_in(6) && pad > 0) text[text.size() - 1 - random.below(pad)] ^= 4;
      if (random.one_in(10)) pad = random.below(256);
      text.push_back(static_cast<std::uint8_t>(pad));
      static const std::uint8_t others[] = {59, 4, 41, 0, 17, 44, 60, 43, 6};
      text.push_back(random.one_in(3) ? random.of(others) : ipv4 ? std::uint8_t{4} : std::uint8_t{41});
      if (shape.mode == EspMode::transport && random.one_in(2)) {
        // The upper layer alone.
        text = test::noise(random.below(200), i);
        if (text.size() > 4) test::put16(text, 2, 80);
        text = text + Bytes{0, random.of(others)};
      }
      test::Ip outer;
      outer.traffic_class = static_cast<std::uint8_t>(random.below(256));
      if (shape.outer == Family::ipv4 && random.one_in(4)) outer.options = test::noise(4 * random.below(11), 5);
      const std::uint16_t l2 = random.one_in(2) ? 14 : 0;
      asked.push_back({id, framed(seal_esp(sa, 1 + i, text, outer), l2), l2});
    }
    note(in.compare(asked));
    punted += in.punted;
    all += asked.size();
  }
  CHECK(punted * 2 < all);
  for (const Verdict verdict : {Verdict::ok, Verdict::dummy, Verdict::esp_bad_padding, Verdict::esp_bad_next_header,
                                Verdict::esp_bad_inner, Verdict::selector_mismatch, Verdict::esp_bad_ecn}) {
    INFO(name(verdict));
    CHECK(seen[verdict] > 0);
  }
}
