// What the tests of the ESP blocks share: SAs of every shape that the card takes, and packets.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "tests/firmware_hls/tables/bench.hpp"
#include "tests/support/aead.hpp"
#include "tests/support/ip_packets.hpp"
#include "tests/support/long_form.hpp"

namespace linecrypt::firmware_test {

using test::operator+;

struct Shape {
  EspMode mode = EspMode::tunnel;
  Family outer = Family::ipv4;
  Family inner = Family::ipv4;
  EspAlgorithm algorithm = EspAlgorithm::aes_gcm_256;
  bool esn = true;
  bool udp = false;
};

inline EspSa make_sa(const Shape& shape, Direction direction, std::uint32_t salt = 1) {
  EspSa sa;
  sa.spi = 0x1000 + salt;
  sa.direction = direction;
  sa.mode = shape.mode;
  sa.algorithm = shape.algorithm;
  sa.key = Secret<32>(test::noise(key_size(shape.algorithm), 77 + salt));
  sa.salt = Secret<4>(test::noise(4, 78 + salt));
  sa.esn = shape.esn;
  const bool ipv4 = (shape.mode == EspMode::tunnel ? shape.outer : shape.inner) == Family::ipv4;
  const bool tunnel = shape.mode == EspMode::tunnel;
  sa.source = test::address(ipv4 ? (tunnel ? "192.0.2.1" : "10.1.0.7") : (tunnel ? "2001:db8::1" : "2001:db8:1::7"));
  sa.destination =
      test::address(ipv4 ? (tunnel ? "192.0.2.2" : "10.2.0.9") : (tunnel ? "2001:db8::2" : "2001:db8:2::9"));
  if (shape.udp) sa.udp = UdpEncapsulation{};
  return sa;
}

inline std::string describe(const Shape& shape) {
  static const char* algorithms[] = {"gcm-128", "gcm-192", "gcm-256", "gmac-128", "gmac-192", "gmac-256"};
  return std::string(shape.mode == EspMode::tunnel ? "tunnel" : "transport") +
         (shape.inner == Family::ipv4 ? " IPv4" : " IPv6") +
         (shape.outer == Family::ipv4 ? " in IPv4, " : " in IPv6, ") +
         algorithms[static_cast<std::size_t>(shape.algorithm)] + (shape.esn ? ", ESN" : "") +
         (shape.udp ? ", UDP" : "");
}

// Every combination that the card's capabilities have.
inline std::vector<Shape> shapes() {
  std::vector<Shape> out;
  const EspAlgorithm algorithms[] = {EspAlgorithm::aes_gcm_128, EspAlgorithm::aes_gcm_256, EspAlgorithm::aes_gmac_128,
                                     EspAlgorithm::aes_gmac_256};
  for (const EspMode mode : {EspMode::tunnel, EspMode::transport})
    for (const Family outer : {Family::ipv4, Family::ipv6})
      for (const Family inner : {Family::ipv4, Family::ipv6})
        for (const EspAlgorithm algorithm : algorithms)
          for (const bool esn : {false, true})
            for (const bool udp : {false, true}) {
              const Shape shape{mode, outer, inner, algorithm, esn, udp};
              if (mode == EspMode::transport && (outer != inner || udp)) continue;
              if (udp && outer == Family::ipv6) continue;
              out.push_back(shape);
            }
  return out;
}

struct EspOutPair : EspOut {
  EspOutPair() : EspOut(abi::Operation::esp_encapsulate, Operation::esp_encapsulate) {}
};
struct EspInPair : EspIn {
  EspInPair() : EspIn(abi::Operation::esp_decapsulate, Operation::esp_decapsulate) {}
};

// An ESP packet of the SA's peer with `text` (payload, padding, pad length, next header) encrypted as it is, right or
// wrong. `front`: outer headers in front of ESP.
inline Bytes seal_esp(const EspSa& sa, std::uint64_t number, const Bytes& text, const test::Ip& outer = {}) {
  static const auto provider = std::move(software::make_openssl_provider().value());
  const test::ExpandedKey key(*provider, Bytes(sa.key.bytes().begin(), sa.key.bytes().end()));
  Bytes esp(16);
  test::put32(esp, 0, sa.spi);
  test::put32(esp, 4, static_cast<std::uint32_t>(number));
  test::put32(esp, 8, static_cast<std::uint32_t>(number >> 32U));
  test::put32(esp, 12, static_cast<std::uint32_t>(number));
  Bytes aad(sa.esn ? 12 : 8);
  test::put32(aad, 0, sa.spi);
  if (sa.esn) test::put32(aad, 4, static_cast<std::uint32_t>(number >> 32U));
  test::put32(aad, sa.esn ? 8 : 4, static_cast<std::uint32_t>(number));
  const bool gmac = is_gmac(sa.algorithm);
  if (gmac) {
    aad.insert(aad.end(), esp.begin() + 8, esp.end());
    aad.insert(aad.end(), text.begin(), text.end());
  }
  Bytes out = text;
  Bytes tag(16);
  software::AeadOp op;
  op.key = key.get();
  std::copy(sa.salt.bytes().begin(), sa.salt.bytes().end(), op.iv);
  std::copy(esp.begin() + 8, esp.end(), op.iv + 4);
  op.aad_tail = aad.data();
  op.aad_tail_length = static_cast<std::uint32_t>(aad.size());
  op.in = op.out = out.data();
  op.length = gmac ? 0 : static_cast<std::uint32_t>(out.size());
  op.tag = tag.data();
  provider->seal({&op, 1});
  esp = esp + out + tag;
  test::Ip ip = outer;
  ip.source = sa.source.text();
  ip.destination = sa.destination.text();
  ip.protocol = 50;
  if (sa.udp) {
    Bytes udp(8);
    test::put16(udp, 0, sa.udp->source_port);
    test::put16(udp, 2, sa.udp->destination_port);
    test::put16(udp, 4, static_cast<std::uint16_t>(8 + esp.size()));
    esp = udp + esp;
    ip.protocol = 17;
  }
  return test::packet(ip, esp);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(engine_() % bound); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  template <class List>
  auto of(const List& list) {
    return *(std::begin(list) + below(static_cast<std::uint32_t>(std::size(list))));
  }

 private:
  std::mt19937_64 engine_;
};

// An IP packet of any kind: options, extension headers, fragments, every class, short and long.
inline Bytes random_packet(Random& random, Family family) {
  static const std::uint8_t protocols[] = {6, 17, 17, 33, 50, 132, 253, 59, 4, 58};
  test::Ip ip;
  const bool ipv4 = family == Family::ipv4;
  ip.source =
      ipv4 ? (random.one_in(4) ? "10.9.0.7" : "10.1.0.7") : (random.one_in(4) ? "2001:db8:9::7" : "2001:db8:1::7");
  ip.destination = ipv4 ? "10.2.0.9" : "2001:db8:2::9";
  ip.protocol = random.of(protocols);
  ip.traffic_class = static_cast<std::uint8_t>(random.below(256));
  ip.ttl = static_cast<std::uint8_t>(random.one_in(4) ? random.below(4) : 64);
  ip.flow_label = random.below(1U << 20U);
  if (ipv4) {
    if (random.one_in(3)) ip.fragment = static_cast<std::uint16_t>(random.below(65536));
    if (random.one_in(3)) ip.options = test::noise(4 * std::size_t{random.below(11)}, random.below(1000));
  } else if (random.one_in(2)) {
    static const std::uint8_t extensions[] = {0, 43, 44, 60, 60, 44};
    const std::uint32_t count = 1 + random.below(6);
    std::vector<std::uint8_t> kinds;
    for (std::uint32_t i = 0; i < count; ++i) kinds.push_back(random.of(extensions));
    if (random.one_in(2)) kinds[0] = 0;
    ip.first_extension = kinds[0];
    for (std::uint32_t i = 0; i < count; ++i) {
      Bytes header(8 + (kinds[i] != 44 && random.one_in(2) ? 8U * random.below(4) : 0U));
      header[0] = i + 1 < count ? kinds[i + 1] : ip.protocol;
      header[1] = static_cast<std::uint8_t>(header.size() / 8 - 1);
      if (random.one_in(3)) header[3] = static_cast<std::uint8_t>(random.below(4));
      if (random.one_in(6)) header[2] = 1;
      ip.options = ip.options + header;
    }
  }
  Bytes payload = test::noise(random.one_in(5) ? random.below(6) : random.below(300), random.below(1000));
  // Ports that selectors may know.
  if (payload.size() >= 4 && random.one_in(2)) test::put16(payload, 2, 80);
  return test::packet(ip, payload);
}

// The same, often broken in one way.
inline Bytes broken(Random& random, Bytes packet) {
  switch (random.below(6)) {
    case 0:
      for (std::uint32_t i = 0; i < 1 + random.below(3) && !packet.empty(); ++i)
        packet[random.below(std::min<std::uint32_t>(static_cast<std::uint32_t>(packet.size()), 70))] ^=
            static_cast<std::uint8_t>(1U << random.below(8));
      if (random.one_in(2) && packet.size() >= 20 && packet[0] == 0x45) test::fix_ipv4_checksum(packet);
      break;
    case 1:
      packet.resize(random.below(static_cast<std::uint32_t>(packet.size()) + 1));
      break;
    case 2:
      packet.resize(packet.size() + random.below(70), 0x5a);
      break;
    case 3:
      if (packet.size() >= 20) {
        test::put16(packet, packet[0] >> 4 == 4 ? 2 : 4, static_cast<std::uint16_t>(random.below(400)));
        if (packet[0] == 0x45) test::fix_ipv4_checksum(packet);
      }
      break;
    default:
      break;
  }
  return packet;
}

// A packet behind `l2` bytes of Ethernet header.
inline Bytes framed(const Bytes& ip, std::uint16_t l2) {
  Bytes frame(l2, 0x22);
  if (l2 >= 14) {
    frame[l2 - 2U] = ip[0] >> 4 == 4 ? 0x08 : 0x86;
    frame[l2 - 1U] = ip[0] >> 4 == 4 ? 0x00 : 0xdd;
  }
  frame.insert(frame.end(), ip.begin(), ip.end());
  return frame;
}

}  // namespace linecrypt::firmware_test
