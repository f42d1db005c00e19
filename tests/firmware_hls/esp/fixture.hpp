// What the tests of the ESP blocks share: SAs of every shape that the card takes, and packets.
#pragma once

#include <string>
#include <vector>

#include "tests/firmware_hls/tables/bench.hpp"
#include "tests/support/ip_packets.hpp"
#include "tests/support/long_form.hpp"

namespace linecrypt::firmware_test {

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
