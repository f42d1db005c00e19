// ESP behind its key: any bytes as the sealed text of a packet, and any bytes as a clear packet.
//
// Input: one byte of choices, then bytes.
//   bit 0 transport   bit 1 GMAC   bit 2 UDP   bit 3 IPv6 outside   bit 4 no ESN   bit 5 copy DSCP and ECN in
//   bit 6  0: the bytes are an IP packet, encapsulated and decapsulated again   1: they are a packet from the wire
//   bit 7  no headroom or tailroom
//
// What was encapsulated must come back as it was; nothing from the wire may be accepted without the key.
#include "linecrypt/wire/ip_packet.hpp"
#include "tests/fuzz/engine_rig.hpp"

namespace {

using namespace linecrypt;

constexpr std::uint8_t key[16] = {1, 2, 3};
constexpr std::uint8_t salt[4] = {4, 5, 6, 7};

EspSa make_sa(std::uint8_t choices, Direction direction) {
  EspSa sa;
  sa.spi = 0x1001;
  sa.direction = direction;
  sa.mode = (choices & 1U) != 0 ? EspMode::transport : EspMode::tunnel;
  sa.algorithm = (choices & 2U) != 0 ? EspAlgorithm::aes_gmac_128 : EspAlgorithm::aes_gcm_128;
  if ((choices & 4U) != 0) sa.udp = UdpEncapsulation{};
  const bool ipv6 = (choices & 8U) != 0;
  sa.source = IpAddress::parse(ipv6 ? "2001:db8::1" : "192.0.2.1").value();
  sa.destination = IpAddress::parse(ipv6 ? "2001:db8::2" : "192.0.2.2").value();
  sa.verify_outer = false;  // transport mode: any pair of addresses
  sa.esn = (choices & 16U) == 0;
  sa.dscp_copy_in = (choices & 32U) != 0;
  sa.key = Secret<32>(key);
  sa.salt = Secret<4>(salt);
  return sa;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::EngineRig rig;
  if (size == 0) return 0;
  const std::uint8_t choices = *data++;
  --size;
  const std::uint32_t room = (choices & 128U) != 0 ? 0 : 128;
  const SaId in = rig.add(make_sa(choices, Direction::ingress));
  if ((choices & 64U) != 0) {
    const Verdict verdict = rig.run(in, Operation::esp_decapsulate, data, size, room, 0);
    if (!is_drop(verdict)) fuzz::fail("a packet was accepted without the key");
  } else {
    const SaId out = rig.add(make_sa(choices, Direction::egress), Lease{1, 100});
    const std::vector<std::uint8_t> clear(data, data + size);
    if (rig.run(out, Operation::esp_encapsulate, data, size, room, 0) == Verdict::ok) {
      const std::vector<std::uint8_t> sealed(rig.frame().data, rig.frame().data + rig.frame().length);
      const Verdict verdict = rig.run(in, Operation::esp_decapsulate, sealed.data(), sealed.size(), 128, 0);
      // Ethernet padding behind the IP packet is gone; transport mode and ECN rewrite header bytes: lengths must agree.
      const auto ip = wire::parse_ip(clear.data(), static_cast<std::uint32_t>(clear.size()));
      if (verdict == Verdict::ok && rig.frame().length != ip.total_length) fuzz::fail("another length came back");
      if (!is_drop(verdict) && verdict != Verdict::ok && verdict != Verdict::dummy) fuzz::fail(name(verdict).data());
    }
    rig.remove(out);
  }
  rig.remove(in);
  return 0;
}
