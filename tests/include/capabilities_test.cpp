#include "linecrypt/capabilities.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

using namespace linecrypt;

namespace {

const std::vector<std::uint8_t> bytes(64, 0x42);

Secret<32> key(std::size_t size) {
  return Secret<32>(std::span(bytes).first(size));
}

Capabilities everything() {
  Capabilities can;
  can.engine = "test";
  can.esp_udp_ipv6 = can.esp_udp_transport = true;
  can.esp = can.esp_tunnel = can.esp_transport = can.esp_inter_family = can.esp_udp = can.esp_esn = can.esp_tfc = true;
  can.aes_128 = can.aes_192 = can.aes_256 = can.gmac = true;
  can.replay_window_max = 4096;
  can.max_selectors = 16;
  can.macsec = can.macsec_xpn = can.macsec_integrity_only = can.macsec_confidentiality_offset = true;
  can.macsec_clear_tags = 2;
  can.duplicate_bitmap_max = 4096;
  return can;
}

EspSa esp(Direction direction = Direction::egress) {
  EspSa sa;
  sa.spi = 256;
  sa.direction = direction;
  sa.key = key(32);
  sa.salt = Secret<4>(std::span(bytes).first(4));
  sa.source = *IpAddress::parse("192.0.2.1");
  sa.destination = *IpAddress::parse("192.0.2.2");
  return sa;
}

MacsecSa macsec(CipherSuite suite = CipherSuite::gcm_aes_xpn_256) {
  MacsecSa sa;
  sa.secy.suite = suite;
  sa.sci.address = *MacAddress::parse("02:00:00:00:00:01");
  sa.key = key(key_size(suite));
  if (is_xpn(suite)) {
    sa.salt = Secret<12>(std::span(bytes).first(12));
    sa.ssci = 1;
  }
  return sa;
}

Selector selector(const char* local, const char* remote) {
  Selector one;
  one.local = *Prefix::parse(local);
  one.remote = *Prefix::parse(remote);
  return one;
}

template <typename S>
struct Refusal {
  std::function<void(S&)> change;
  std::string message;  // whole
};

template <typename S>
struct Limit {
  std::function<void(Capabilities&)> without;
  std::function<void(S&)> change;
  std::string message;
};

}  // namespace

TEST_CASE("Plain SAs pass") {
  CHECK(check(everything(), esp()).ok());
  CHECK(check(everything(), esp(Direction::ingress)).ok());
  CHECK(check(everything(), macsec(CipherSuite::gcm_aes_128)).ok());
  CHECK(check(everything(), macsec(CipherSuite::gcm_aes_256)).ok());
  CHECK(check(everything(), macsec(CipherSuite::gcm_aes_xpn_128)).ok());
  CHECK(check(everything(), macsec(CipherSuite::gcm_aes_xpn_256)).ok());
}

TEST_CASE("IANA's SPIs pass where the SA says that it means one") {
  EspSa sa = esp();
  sa.reserved_spi = true;
  for (const std::uint32_t spi : {1U, 255U, 256U, 0xffffffffU}) {
    sa.spi = spi;
    CHECK(check(everything(), sa).ok());
    CHECK(sa.duplicate().reserved_spi);
  }
}

TEST_CASE("Each rule for ESP refuses what breaks it, by field, asked and allowed") {
  using R = Refusal<EspSa>;
  const std::vector<R> refusals = {
      {[](EspSa& sa) { sa.spi = 255; }, "spi: asked 255, allowed 256 and above (RFC 4303 2.1)"},
      {[](EspSa& sa) { sa.spi = 0; }, "spi: asked 0, allowed 256 and above (RFC 4303 2.1)"},
      {[](EspSa& sa) {
         sa.spi = 0;
         sa.reserved_spi = true;
       },
       "spi: asked 0, allowed 1 and above"},
      {[](EspSa& sa) { sa.key = key(16); }, "key: asked 16 bytes, allowed 32 bytes"},
      {[](EspSa& sa) { sa.key = Secret<32>(); }, "key: asked 0 bytes, allowed 32 bytes"},
      {[](EspSa& sa) { sa.algorithm = EspAlgorithm::aes_gmac_192; }, "key: asked 32 bytes, allowed 24 bytes"},
      {[](EspSa& sa) { sa.salt = Secret<4>(); }, "salt: asked 0 bytes, allowed 4 bytes (RFC 4106 4)"},
      {[](EspSa& sa) { sa.replay_window = 63; }, "replay_window: asked 63, allowed a power of two from 64 to 4096"},
      {[](EspSa& sa) { sa.replay_window = 96; }, "replay_window: asked 96, allowed a power of two from 64 to 4096"},
      {[](EspSa& sa) { sa.replay_window = 8192; }, "replay_window: asked 8192, allowed a power of two from 64 to 4096"},
      {[](EspSa& sa) { sa.replay_window = 0; },
       "replay_window: asked 0, allowed 0 only with replay_disabled and without esn"},
      {[](EspSa& sa) { sa.replay_disabled = true; }, "replay_window: asked 1024, allowed 0 with replay_disabled"},
      {[](EspSa& sa) {
         sa.replay_disabled = true;
         sa.replay_window = 0;
       },
       "replay_window: asked 0 with esn, allowed 64 to 4096 with esn, or esn off"},
      {[](EspSa& sa) { sa.destination = *IpAddress::parse("2001:db8::1"); },
       "destination: asked 2001:db8::1 with source 192.0.2.1, allowed one family for both"},
      {[](EspSa& sa) { sa.source = *IpAddress::parse("0.0.0.0"); },
       "source: asked 0.0.0.0, allowed an address other than the unspecified one"},
      {[](EspSa& sa) { sa.destination = *IpAddress::parse("0.0.0.0"); },
       "destination: asked 0.0.0.0, allowed an address other than the unspecified one"},
      {[](EspSa& sa) {
         sa.udp = UdpEncapsulation{0, 4500, false};
       },
       "udp.source_port: asked 0, allowed 1 to 65535"},
      {[](EspSa& sa) {
         sa.udp = UdpEncapsulation{4500, 0, false};
       },
       "udp.destination_port: asked 0, allowed 1 to 65535"},
      {[](EspSa& sa) { sa.dscp = 64; }, "dscp: asked 64, allowed 0 to 63"},
      {[](EspSa& sa) { sa.hop_limit = 0; }, "hop_limit: asked 0, allowed 1 to 255"},
      {[](EspSa& sa) {
         sa.mode = EspMode::transport;
         sa.tfc_pad_to = 500;
       },
       "tfc_pad_to: asked 500 in transport mode, allowed 0; padding needs tunnel mode"},
      {[](EspSa& sa) {
         sa.direction = Direction::ingress;
         sa.tfc_pad_to = 500;
       },
       "tfc_pad_to: asked 500 on ingress, allowed 0; padding is always taken off"},
      {[](EspSa& sa) {
         sa.mode = EspMode::transport;
         sa.decrement_ttl = true;
       },
       "decrement_ttl: asked on in transport mode, allowed off; there is no inner header"},
      {[](EspSa& sa) {
         sa.mode = EspMode::transport;
         sa.verify_inner_checksum = false;
       },
       "verify_inner_checksum: asked off in transport mode, allowed on; the header's checksum is written anew"},
      {[](EspSa& sa) {
         sa.lifetime.soft.packets = 10;
         sa.lifetime.hard.packets = 10;
       },
       "lifetime.soft.packets: asked 10, allowed below lifetime.hard.packets 10"},
      {[](EspSa& sa) {
         sa.lifetime.soft.bytes = 11;
         sa.lifetime.hard.bytes = 10;
       },
       "lifetime.soft.bytes: asked 11, allowed below lifetime.hard.bytes 10"},
      {[](EspSa& sa) {
         sa.lifetime.soft.seconds = 60;
         sa.lifetime.hard.seconds = 30;
       },
       "lifetime.soft.seconds: asked 60, allowed below lifetime.hard.seconds 30"},
      {[](EspSa& sa) { sa.selectors.push_back(selector("10.0.0.0/8", "10.0.0.0/8")); },
       "selectors: asked 1 on egress, allowed none on egress: the policy chooses what an egress SA carries"},
      {[](EspSa& sa) {
         sa.direction = Direction::ingress;
         sa.selectors.push_back(selector("10.0.0.0/8", "2001:db8::/32"));
       },
       "selectors[0]: asked 10.0.0.0/8 to 2001:db8::/32, allowed local and remote of one family"},
      {[](EspSa& sa) {
         sa.direction = Direction::ingress;
         sa.selectors.push_back(selector("10.0.0.0/8", "10.0.0.0/8"));
         sa.selectors.push_back(selector("10.0.0.0/8", "10.0.0.0/8"));
         sa.selectors[1].remote.address.bytes[3] = 1;
       },
       "selectors[1].remote: asked 10.0.0.1/8, allowed a prefix without host bits"},
      {[](EspSa& sa) {
         sa.direction = Direction::ingress;
         sa.selectors.push_back(selector("10.0.0.0/8", "10.0.0.0/8"));
         sa.selectors[0].local.length = 33;
       },
       "selectors[0].local: asked 10.0.0.0/33, allowed a length of 0 to 32"},
      {[](EspSa& sa) {
         sa.direction = Direction::ingress;
         sa.selectors.push_back(selector("10.0.0.0/8", "10.0.0.0/8"));
         sa.selectors[0].protocol = 17;
         sa.selectors[0].local_port = {9, 8};
       },
       "selectors[0].local_port: asked 9-8, allowed a first port not above the last"},
      {[](EspSa& sa) {
         sa.direction = Direction::ingress;
         sa.selectors.push_back(selector("10.0.0.0/8", "10.0.0.0/8"));
         sa.selectors[0].protocol = 1;
         sa.selectors[0].remote_port = {80, 80};
       },
       "selectors[0].remote_port: asked 80-80, allowed 0-65535 unless protocol is 6 (TCP), 17 (UDP), 33 (DCCP) or 132 "
       "(SCTP)"},
      {[](EspSa& sa) {
         sa.direction = Direction::ingress;
         sa.mode = EspMode::transport;
         sa.selectors.push_back(selector("2001:db8::/32", "2001:db8::/32"));
       },
       "selectors[0]: asked IPv6, allowed IPv4 in transport mode between such addresses"},
  };
  for (const R& refusal : refusals) {
    EspSa sa = esp();
    refusal.change(sa);
    const auto result = check(everything(), sa);
    INFO(refusal.message);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message == refusal.message);
  }
}

TEST_CASE("What lies just inside the rules for ESP passes") {
  using Change = std::function<void(EspSa&)>;
  const std::vector<Change> changes = {
      [](EspSa& sa) { sa.spi = 0xffffffffU; },
      [](EspSa& sa) { sa.replay_window = 64; },
      [](EspSa& sa) { sa.replay_window = 4096; },
      [](EspSa& sa) {
        sa.esn = false;
        sa.replay_disabled = true;
        sa.replay_window = 0;
      },
      [](EspSa& sa) { sa.dscp = 63; },
      [](EspSa& sa) { sa.hop_limit = 1; },
      [](EspSa& sa) { sa.verify_inner_checksum = false; },
      [](EspSa& sa) { sa.tfc_pad_to = 1400; },
      [](EspSa& sa) {
        sa.udp = UdpEncapsulation{1, 65535, true};
      },
      [](EspSa& sa) {
        sa.lifetime.soft.packets = 9;
        sa.lifetime.hard.packets = 10;
      },
      [](EspSa& sa) { sa.lifetime.soft.bytes = 9; },
      [](EspSa& sa) {
        sa.algorithm = EspAlgorithm::aes_gmac_192;
        sa.key = key(24);
      },
      [](EspSa& sa) {
        // A receiver that does not verify the outer header needs no addresses.
        sa.direction = Direction::ingress;
        sa.mode = EspMode::transport;
        sa.verify_outer = false;
        sa.source = sa.destination = IpAddress{};
      },
      [](EspSa& sa) {
        sa.direction = Direction::ingress;
        sa.selectors.push_back(selector("2001:db8::/32", "::/0"));
        sa.selectors[0].protocol = 132;
        sa.selectors[0].local_port = {80, 443};
      },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    EspSa sa = esp();
    changes[i](sa);
    const auto result = check(everything(), sa);
    INFO("change " << i << ": " << (result.ok() ? "" : result.error().message));
    CHECK(result.ok());
  }
}

TEST_CASE("An engine without something refuses the ESP SA that needs it, and only that") {
  using L = Limit<EspSa>;
  const std::vector<L> limits = {
      {[](Capabilities& can) { can.esp = false; }, [](EspSa&) {},
       "protocol: asked ESP, allowed by engine test: no ESP"},
      {[](Capabilities& can) { can.esp_tunnel = false; }, [](EspSa&) {},
       "mode: asked tunnel, allowed by engine test: transport"},
      {[](Capabilities& can) { can.esp_transport = false; }, [](EspSa& sa) { sa.mode = EspMode::transport; },
       "mode: asked transport, allowed by engine test: tunnel"},
      {[](Capabilities& can) { can.aes_128 = false; },
       [](EspSa& sa) {
         sa.algorithm = EspAlgorithm::aes_gcm_128;
         sa.key = key(16);
       },
       "algorithm: asked AES-128, allowed by engine test: other key sizes"},
      {[](Capabilities& can) { can.aes_192 = false; },
       [](EspSa& sa) {
         sa.algorithm = EspAlgorithm::aes_gcm_192;
         sa.key = key(24);
       },
       "algorithm: asked AES-192, allowed by engine test: other key sizes"},
      {[](Capabilities& can) { can.aes_256 = false; }, [](EspSa&) {},
       "algorithm: asked AES-256, allowed by engine test: other key sizes"},
      {[](Capabilities& can) { can.gmac = false; }, [](EspSa& sa) { sa.algorithm = EspAlgorithm::aes_gmac_256; },
       "algorithm: asked AES-GMAC, allowed by engine test: AES-GCM"},
      {[](Capabilities& can) { can.esp_esn = false; }, [](EspSa&) {}, "esn: asked on, allowed by engine test: off"},
      {[](Capabilities& can) { can.esp_udp = false; }, [](EspSa& sa) { sa.udp = UdpEncapsulation{}; },
       "udp: asked UDP encapsulation, allowed by engine test: none"},
      {[](Capabilities& can) { can.esp_udp_ipv6 = false; },
       [](EspSa& sa) {
         sa.udp = UdpEncapsulation{};
         sa.source = sa.destination = IpAddress{Family::ipv6, {0x20, 0x01, 0x0d, 0xb8, 1}};
       },
       "udp: asked UDP encapsulation over IPv6, allowed by engine test: UDP encapsulation over IPv4"},
      {[](Capabilities& can) { can.esp_udp_transport = false; },
       [](EspSa& sa) {
         sa.udp = UdpEncapsulation{};
         sa.mode = EspMode::transport;
       },
       "udp: asked UDP encapsulation in transport mode, allowed by engine test: UDP encapsulation in tunnel mode"},
      {[](Capabilities& can) { can.esp_tfc = false; }, [](EspSa& sa) { sa.tfc_pad_to = 100; },
       "tfc_pad_to: asked 100, allowed by engine test: 0"},
      {[](Capabilities& can) { can.max_packet = 1500; }, [](EspSa& sa) { sa.tfc_pad_to = 1501; },
       "tfc_pad_to: asked 1501, allowed by engine test: at most 1500"},
      {[](Capabilities& can) { can.replay_window_max = 512; }, [](EspSa& sa) { sa.direction = Direction::ingress; },
       "replay_window: asked 1024, allowed by engine test: at most 512"},
      {[](Capabilities& can) { can.max_selectors = 1; },
       [](EspSa& sa) {
         sa.direction = Direction::ingress;
         for (int i = 0; i < 2; ++i) sa.selectors.push_back(selector("10.0.0.0/8", "10.0.0.0/8"));
       },
       "selectors: asked 2, allowed by engine test: at most 1"},
      {[](Capabilities& can) { can.esp_inter_family = false; },
       [](EspSa& sa) {
         sa.direction = Direction::ingress;
         sa.selectors.push_back(selector("2001:db8::/32", "2001:db8::/32"));
       },
       "selectors[0]: asked IPv6 in IPv4, allowed by engine test: the family of the outer header"},
  };
  for (const L& limit : limits) {
    Capabilities can = everything();
    EspSa sa = esp();
    limit.change(sa);
    INFO(limit.message);
    CHECK(check(can, sa).ok());
    limit.without(can);
    const auto result = check(can, sa);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message == limit.message);
  }
}

TEST_CASE("Each rule for MACsec refuses what breaks it, by field, asked and allowed") {
  using R = Refusal<MacsecSa>;
  const std::vector<R> xpn = {
      {[](MacsecSa& sa) { sa.secy.confidentiality_offset = 30; },
       "secy.confidentiality_offset: asked 30 with XPN, allowed 0 with XPN (14.7)"},
      {[](MacsecSa& sa) { sa.secy.replay_window = 1U << 30U; },
       "secy.replay_window: asked 1073741824 with XPN, allowed at most 1073741823 with XPN (14.7)"},
      {[](MacsecSa& sa) { sa.salt = Secret<12>(); }, "salt: asked 0 bytes, allowed 12 bytes with XPN"},
      {[](MacsecSa& sa) { sa.salt = Secret<12>(std::span(bytes).first(4)); },
       "salt: asked 4 bytes, allowed 12 bytes with XPN"},
      {[](MacsecSa& sa) { sa.ssci = 0; }, "ssci: asked 0, allowed 1 and above with XPN"},
      {[](MacsecSa& sa) { sa.key = key(16); }, "key: asked 16 bytes, allowed 32 bytes"},
      {[](MacsecSa& sa) { sa.an = 4; }, "an: asked 4, allowed 0 to 3"},
      {[](MacsecSa& sa) { sa.lowest_pn = 0; }, "lowest_pn: asked 0, allowed 1 and above"},
      {[](MacsecSa& sa) { sa.sci.address.bytes[0] = 3; },
       "sci: asked 03:00:00:00:00:01, allowed an individual MAC address"},
      {[](MacsecSa& sa) {
         sa.secy.sci_encoding = SciEncoding::end_station;
         sa.sci.port = 2;
       },
       "sci: asked port 2 with end_station, allowed port 1 with end_station (9.5)"},
      {[](MacsecSa& sa) { sa.secy.clear_tags.resize(3); }, "secy.clear_tags: asked 3 tags, allowed 0, 1 or 2 tags"},
      {[](MacsecSa& sa) {
         sa.secy.clear_tags = {{0x8100, 1}, {0x9100, 1}};
       },
       "secy.clear_tags[1].tpid: asked 0x9100, allowed 0x8100 or 0x88a8"},
      {[](MacsecSa& sa) {
         sa.secy.clear_tags = {{0x8100, 4095}};
       },
       "secy.clear_tags[0].vid: asked 4095, allowed 0 to 4094"},
      {[](MacsecSa& sa) { sa.secy.duplicate_bitmap = 100; },
       "secy.duplicate_bitmap: asked 100, allowed 0 or a power of two from 64 to 4096"},
      {[](MacsecSa& sa) { sa.secy.duplicate_bitmap = 8192; },
       "secy.duplicate_bitmap: asked 8192, allowed 0 or a power of two from 64 to 4096"},
      {[](MacsecSa& sa) {
         sa.secy.duplicate_bitmap = 64;
         sa.secy.replay_window = 65;
       },
       "secy.duplicate_bitmap: asked 64, allowed at least secy.replay_window 65"},
      {[](MacsecSa& sa) {
         sa.secy.duplicate_bitmap = 64;
         sa.secy.replay_protect = false;
       },
       "secy.duplicate_bitmap: asked 64 without replay_protect, allowed 0"},
  };
  const std::vector<R> plain = {
      {[](MacsecSa& sa) { sa.secy.confidentiality_offset = 31; },
       "secy.confidentiality_offset: asked 31, allowed 0, 30 or 50"},
      {[](MacsecSa& sa) {
         sa.secy.confidentiality_offset = 50;
         sa.secy.encrypt = false;
       },
       "secy.confidentiality_offset: asked 50 with integrity only, allowed 0 with integrity only"},
      {[](MacsecSa& sa) { sa.salt = Secret<12>(std::span(bytes).first(12)); },
       "salt: asked 12 bytes, allowed none without XPN"},
      {[](MacsecSa& sa) { sa.ssci = 1; }, "ssci: asked 1, allowed 0 without XPN"},
      {[](MacsecSa& sa) { sa.lowest_pn = 0x100000000ULL; },
       "lowest_pn: asked 4294967296, allowed at most 4294967295 without XPN"},
      {[](MacsecSa& sa) { sa.secy.pn_soft_limit = 0x100000000ULL; },
       "secy.pn_soft_limit: asked 4294967296, allowed at most 4294967295 without XPN"},
  };
  const auto all = [](const std::vector<R>& refusals, CipherSuite suite) {
    for (const R& refusal : refusals) {
      MacsecSa sa = macsec(suite);
      refusal.change(sa);
      const auto result = check(everything(), sa);
      INFO(refusal.message);
      REQUIRE_FALSE(result.ok());
      CHECK(result.error().message == refusal.message);
    }
  };
  all(xpn, CipherSuite::gcm_aes_xpn_256);
  all(plain, CipherSuite::gcm_aes_256);
}

TEST_CASE("What lies just inside the rules for MACsec passes") {
  MacsecSa sa = macsec();
  sa.secy.replay_window = (1U << 30U) - 1;
  sa.an = 3;
  sa.secy.clear_tags = {{0x88a8, 4094}, {0x8100, 0}};
  CHECK(check(everything(), sa).ok());
  sa.secy.replay_window = 64;
  sa.secy.duplicate_bitmap = 64;
  CHECK(check(everything(), sa).ok());
  MacsecSa plain = macsec(CipherSuite::gcm_aes_128);
  plain.secy.replay_window = 0xffffffffU;
  plain.lowest_pn = 0xffffffffU;
  CHECK(check(everything(), plain).ok());
  for (const int offset : {30, 50}) {
    plain.secy.confidentiality_offset = static_cast<std::uint8_t>(offset);
    CHECK(check(everything(), plain).ok());
  }
}

TEST_CASE("An engine without something refuses the MACsec SA that needs it, and only that") {
  using L = Limit<MacsecSa>;
  const std::vector<L> limits = {
      {[](Capabilities& can) { can.macsec = false; }, [](MacsecSa&) {},
       "protocol: asked MACsec, allowed by engine test: no MACsec"},
      {[](Capabilities& can) { can.macsec_xpn = false; }, [](MacsecSa& sa) { sa = macsec(); },
       "secy.suite: asked XPN, allowed by engine test: suites without XPN"},
      {[](Capabilities& can) { can.aes_256 = false; }, [](MacsecSa&) {},
       "secy.suite: asked AES-256, allowed by engine test: other key sizes"},
      {[](Capabilities& can) { can.aes_128 = false; }, [](MacsecSa& sa) { sa = macsec(CipherSuite::gcm_aes_128); },
       "secy.suite: asked AES-128, allowed by engine test: other key sizes"},
      {[](Capabilities& can) { can.macsec_integrity_only = false; }, [](MacsecSa& sa) { sa.secy.encrypt = false; },
       "secy.encrypt: asked off, allowed by engine test: on"},
      {[](Capabilities& can) { can.macsec_confidentiality_offset = false; },
       [](MacsecSa& sa) { sa.secy.confidentiality_offset = 30; },
       "secy.confidentiality_offset: asked 30, allowed by engine test: 0"},
      {[](Capabilities& can) { can.macsec_clear_tags = 1; }, [](MacsecSa& sa) { sa.secy.clear_tags.resize(2); },
       "secy.clear_tags: asked 2 tags, allowed by engine test: at most 1"},
      {[](Capabilities& can) { can.duplicate_bitmap_max = 128; }, [](MacsecSa& sa) { sa.secy.duplicate_bitmap = 256; },
       "secy.duplicate_bitmap: asked 256, allowed by engine test: at most 128"},
  };
  for (const L& limit : limits) {
    Capabilities can = everything();
    MacsecSa sa = macsec(CipherSuite::gcm_aes_256);
    limit.change(sa);
    INFO(limit.message);
    CHECK(check(can, sa).ok());
    limit.without(can);
    const auto result = check(can, sa);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message == limit.message);
  }
}
