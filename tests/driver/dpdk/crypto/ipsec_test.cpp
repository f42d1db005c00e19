// Look-aside IPsec against OpenSSL: what the device makes OpenSSL opens, and the other way round.
#include <rte_mbuf.h>

#include <catch2/catch.hpp>

#include "tests/driver/dpdk/crypto/ipsec.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

Bytes clear_packet(Family family, std::uint32_t length) {
  return sized_packet(family, length);
}

// Every kind of SA that the device says it does.
struct Kind {
  bool tunnel;
  Family outer;
  Family inner;
  bool esn;
  std::size_t key;
  bool gmac;
  bool udp;
};

std::vector<Kind> kinds(const Device& device) {
  std::vector<Kind> all;
  for (const bool tunnel : {true, false})
    for (const Family outer : {Family::ipv4, Family::ipv6})
      for (const Family inner : {Family::ipv4, Family::ipv6})
        for (const bool esn : {false, true})
          for (const std::size_t key : {16U, 24U, 32U})
            for (const bool gmac : {false, true})
              for (const bool udp : {false, true}) {
                if (!tunnel && outer != inner) continue;
                if (!device.takes_key(key)) continue;
                const auto* const can =
                    device.capability(tunnel ? RTE_SECURITY_IPSEC_SA_MODE_TUNNEL : RTE_SECURITY_IPSEC_SA_MODE_TRANSPORT,
                                      RTE_SECURITY_IPSEC_SA_DIR_EGRESS);
                REQUIRE(can != nullptr);
                if (udp && can->ipsec.options.udp_encap == 0) continue;
                // GMAC stands behind GCM in the list, where it is.
                if (gmac && can->crypto_capabilities[1].op == RTE_CRYPTO_OP_TYPE_UNDEFINED) continue;
                all.push_back({tunnel, outer, inner, esn, key, gmac, udp});
              }
  return all;
}

Esp esp_of(const Kind& kind) {
  Esp esp;
  esp.tunnel = kind.tunnel;
  esp.outer = kind.outer;
  esp.esn = kind.esn;
  esp.gmac = kind.gmac;
  esp.udp = kind.udp;
  esp.key = fresh_key(kind.key);
  return esp;
}

}  // namespace

TEST_CASE("OpenSSL opens what every kind of session encrypts, and the device what OpenSSL encrypts") {
  const Device device;
  std::size_t done = 0;
  for (const Kind& kind : kinds(device)) {
    INFO("tunnel " << kind.tunnel << ", outer " << (kind.outer == Family::ipv4 ? 4 : 6) << ", inner "
                   << (kind.inner == Family::ipv4 ? 4 : 6) << ", esn " << kind.esn << ", key " << kind.key << ", gmac "
                   << kind.gmac << ", udp " << kind.udp);
    const Esp out_esp = esp_of(kind);
    const Esp in_esp = esp_of(kind);
    const EspSession out(device, out_esp, Way::out);
    // What one mode's capabilities promise may hold for one family only: then the session is refused by its name.
    if (out.none()) {
      CHECK(said().find("udp") != std::string::npos);
      CHECK(kind.udp);
      continue;
    }
    const EspSession in(device, in_esp, Way::in);
    REQUIRE_FALSE(in.none());
    for (const std::uint32_t length : {68U, 97U, 500U, 1400U}) {
      const Bytes clear = clear_packet(kind.inner, length);
      const Outcome made = out.run(clear);
      REQUIRE(made.ok());
      const auto opened = open(out_esp, made.bytes);
      REQUIRE(opened);
      CHECK(opened->inner == clear);
      // Transport mode leaves the IP header where it is.
      CHECK(shows(made.bytes, Bytes(clear.begin() + 40, clear.end())) == kind.gmac);
      const Outcome back = in.run(seal(in_esp, clear, ++done));
      REQUIRE(back.ok());
      CHECK(back.bytes == clear);
    }
    CHECK(out.stats().opackets == 4);
    CHECK(in.stats().ipackets == 4);
    CHECK(out.stats().oerrors + in.stats().ierrors == 0);
  }
  CHECK(done > 100);
}

TEST_CASE("Every length, in every layout of segments, in place and apart") {
  const Device device;
  Esp esp;
  esp.key = fresh_key();
  Esp in_esp = esp;
  in_esp.key = fresh_key();
  const EspSession out(device, esp, Way::out);
  const EspSession in(device, in_esp, Way::in);
  REQUIRE_FALSE(out.none());
  REQUIRE_FALSE(in.none());
  const std::vector<Layout> layouts = {
      {},
      {.source = {}, .apart = true, .destination = {}},
      {.source = {40}},
      {.source = {1, 1, 19, 7, 0, 30}},
      {.source = {50, 5}, .apart = true, .destination = {}},
      {.source = {}, .apart = true, .destination = {0, 0}},
      {.source = {20, 20}, .apart = true, .destination = {0}},
      {.source = {}, .headroom = 0},  // no room for what goes in front
      {.source = {30}, .headroom = 5},
  };
  std::uint64_t number = 0;
  const std::uint32_t step = device_is_slow() ? 10 : 1;
  for (std::uint32_t length = 28; length < 1900; length += length < 100 ? step : 137 * step) {
    const Bytes clear = clear_packet(Family::ipv4, length);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t which = (length + 3 * i) % layouts.size();
      const Layout& layout = layouts[which];
      INFO("length " << length << ", layout " << which);
      const Outcome made = out.run(clear, layout);
      REQUIRE(made.ok());
      const auto opened = open(esp, made.bytes);
      REQUIRE(opened);
      CHECK(opened->inner == clear);
      CHECK(opened->sequence == ++number);
      if (layout.apart) CHECK(made.source == clear);
      const Bytes sealed = seal(in_esp, clear, number);
      const Outcome back = in.run(sealed, layout);
      REQUIRE(back.ok());
      CHECK(back.bytes == clear);
      if (layout.apart) CHECK(back.source == sealed);
    }
  }
}

TEST_CASE(
    "A fragment with a right checksum goes through both ways; one with a wrong one is refused, mended or carried") {
  // dpdk-test's "Fragmented packet" computes the checksum with the old one in the header. This is the same packet,
  // right and wrong.
  const std::string devargs = engine_devargs();
  Bytes clear = packet({.fragment = 4, .identification = 7}, noise(64));
  Bytes wrong = clear;
  wrong[10] ^= 0x5a;
  {
    const Device device(devargs);
    Esp esp;
    esp.key = fresh_key();
    Esp in_esp = esp;
    in_esp.key = fresh_key();
    const EspSession out(device, esp, Way::out);
    const EspSession in(device, in_esp, Way::in);
    const Outcome made = out.run(clear);
    REQUIRE(made.ok());
    CHECK(open(esp, made.bytes)->inner == clear);
    CHECK(in.run(seal(in_esp, clear, 1)).bytes == clear);
    CHECK(out.run(wrong).status == RTE_CRYPTO_OP_STATUS_ERROR);
    CHECK(out.stats().oerrors == 1);
    CHECK(in.run(seal(in_esp, wrong, 2)).status == RTE_CRYPTO_OP_STATUS_ERROR);
    CHECK(in.stats().ierrors == 1);
  }
  {
    const Device device(devargs + ",inner_ip_csum=write");
    Esp esp;
    esp.key = fresh_key();
    const EspSession out(device, esp, Way::out);
    const Outcome made = out.run(wrong);
    REQUIRE(made.ok());
    CHECK(open(esp, made.bytes)->inner == clear);
  }
  // Carried: told of on the way in where the session asks, mended on the way out where it asks.
  const Device device(devargs + ",inner_ip_csum=carry");
  const bool asks = GENERATE(false, true);
  const auto change = [asks](rte_security_session_conf& conf) { conf.ipsec.options.ip_csum_enable = asks; };
  Esp esp;
  esp.key = fresh_key();
  Esp in_esp = esp;
  in_esp.key = fresh_key();
  const EspSession out(device, esp, Way::out, change);
  const EspSession in(device, in_esp, Way::in, change);
  const Outcome made = out.run(wrong);
  REQUIRE(made.ok());
  CHECK(open(esp, made.bytes)->inner == (asks ? clear : wrong));
  const auto told = [&](const Bytes& inner, std::uint64_t number) {
    const Outcome come = in.run(seal(in_esp, inner, number));
    REQUIRE(come.ok());
    CHECK(come.bytes == inner);
    return come.mbuf_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  };
  CHECK(told(wrong, 1) == (asks ? RTE_MBUF_F_RX_IP_CKSUM_BAD : 0));
  CHECK(told(clear, 2) == (asks ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : 0));
}

TEST_CASE("dec_ttl on ingress is taken for test suites only, and leaves the packet alone") {
  const auto ask = [](rte_security_session_conf& conf) { conf.ipsec.options.dec_ttl = 1; };
  const bool allowed = GENERATE(false, true);
  const Device device(engine_devargs() + (allowed ? ",test_dec_ttl=1" : ""));
  Esp esp;
  esp.key = fresh_key();
  const EspSession in(device, esp, Way::in, ask);
  CHECK(in.none() == !allowed);
  const rte_security_capability_idx what{
      RTE_SECURITY_ACTION_TYPE_LOOKASIDE_PROTOCOL,
      RTE_SECURITY_PROTOCOL_IPSEC,
      {{RTE_SECURITY_IPSEC_SA_PROTO_ESP, RTE_SECURITY_IPSEC_SA_MODE_TUNNEL, RTE_SECURITY_IPSEC_SA_DIR_INGRESS}}};
  auto* const security = static_cast<rte_security_ctx*>(rte_cryptodev_get_sec_ctx(device.id()));
  CHECK(rte_security_capability_get(security, const_cast<rte_security_capability_idx*>(&what))->ipsec.options.dec_ttl ==
        (allowed ? 1U : 0U));
  if (!allowed) return;
  const Bytes clear = packet({.ttl = 1}, noise(64));
  CHECK(in.run(seal(esp, clear, 1)).bytes == clear);
}

TEST_CASE("Inner checksums are written and told of where the session or the mbuf asks for them") {
  const Device device;
  const Ip ip{};
  const Bytes good = packet(ip, udp_segment(ip, 1000, 2000, noise(80)));
  const auto with_checksums = [](rte_security_session_conf& conf) {
    conf.ipsec.options.ip_csum_enable = 1;
    conf.ipsec.options.l4_csum_enable = 1;
  };
  Esp esp;
  esp.key = fresh_key();
  Esp in_esp = esp;
  in_esp.key = fresh_key();
  SECTION("out, by the session") {
    const EspSession out(device, esp, Way::out, with_checksums);
    Bytes wrong = good;
    put16(wrong, 10, 0);
    put16(wrong, 26, 0xdead);
    const bool apart = GENERATE(false, true);
    const Outcome made = out.run(wrong, {.apart = apart});
    REQUIRE(made.ok());
    CHECK(open(esp, made.bytes)->inner == good);
    if (apart) CHECK(made.source == wrong);
  }
  SECTION("in: flags of the mbuf") {
    const EspSession in(device, in_esp, Way::in, with_checksums);
    const Outcome fine = in.run(seal(in_esp, good, 1));
    REQUIRE(fine.ok());
    CHECK((fine.mbuf_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD);
    CHECK((fine.mbuf_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD);
    Bytes wrong = good;
    wrong[27] ^= 1U;
    const Outcome bad = in.run(seal(in_esp, wrong, 2));
    REQUIRE(bad.ok());
    CHECK((bad.mbuf_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD);
  }
}

TEST_CASE("The outer header says what the session says") {
  const Device device;
  Esp esp;
  esp.key = fresh_key();
  SECTION("IPv4: DSCP, DF, TTL set") {
    const EspSession out(device, esp, Way::out, [](rte_security_session_conf& conf) {
      conf.ipsec.tunnel.ipv4.dscp = 0x2e;
      conf.ipsec.tunnel.ipv4.df = 1;
      conf.ipsec.tunnel.ipv4.ttl = 17;
    });
    const auto opened = open(esp, out.run(packet({.traffic_class = 0x20}, noise(60))).bytes);
    REQUIRE(opened);
    CHECK(opened->outer_header[1] >> 2U == 0x2e);
    CHECK((opened->outer_header[6] & 0x40U) != 0);
    CHECK(opened->outer_header[8] == 17);
  }
  SECTION("IPv4: DSCP and DF copied, ECN carried, TTL of the inner packet decremented") {
    const EspSession out(device, esp, Way::out, [](rte_security_session_conf& conf) {
      conf.ipsec.options.copy_dscp = conf.ipsec.options.copy_df = conf.ipsec.options.ecn = 1;
      conf.ipsec.options.dec_ttl = 1;
    });
    const Bytes clear = packet({.traffic_class = 0x28 << 2U | 2U, .ttl = 9, .fragment = 0x4000}, noise(60));
    const auto opened = open(esp, out.run(clear).bytes);
    REQUIRE(opened);
    CHECK(opened->outer_header[1] == (0x28 << 2U | 2U));
    CHECK((opened->outer_header[6] & 0x40U) != 0);
    Bytes less = clear;
    less[8] = 8;
    fix_ipv4_checksum(less);
    CHECK(opened->inner == less);
  }
  SECTION("IPv6: the flow label of the session, or of the inner packet") {
    esp.outer = Family::ipv6;
    const bool copy = GENERATE(false, true);
    const EspSession out(device, esp, Way::out, [copy](rte_security_session_conf& conf) {
      conf.ipsec.options.copy_flabel = copy;
      conf.ipsec.tunnel.ipv6.flabel = 0x54321;
      conf.ipsec.tunnel.ipv6.hlimit = 3;
    });
    const Ip inner{.source = "2001:db8:1::7", .destination = "2001:db8:2::9", .flow_label = 0x12345};
    const auto opened = open(esp, out.run(packet(inner, udp_segment(inner, 1, 2, noise(60)))).bytes);
    REQUIRE(opened);
    CHECK(((opened->outer_header[1] & 15U) << 16U | get16(opened->outer_header, 2)) == (copy ? 0x12345U : 0x54321U));
    CHECK(opened->outer_header[7] == 3);
  }
}

TEST_CASE("Bursts of many sessions come out in the order in which they went in") {
  const Device device;
  constexpr std::size_t sessions = 7;
  std::vector<Esp> esps(2 * sessions);
  std::vector<std::unique_ptr<EspSession>> open_sessions;
  for (std::size_t i = 0; i < esps.size(); ++i) {
    esps[i].key = fresh_key();
    open_sessions.push_back(std::make_unique<EspSession>(device, esps[i], i % 2 == 0 ? Way::out : Way::in));
    REQUIRE_FALSE(open_sessions.back()->none());
  }
  const Bytes key = fresh_key();
  const SymSession raw(device, gcm_xform(true, key, 8));
  REQUIRE(raw.get() != nullptr);
  std::vector<Mbuf> mbufs;
  std::vector<Op> ops;
  std::vector<Bytes> aads(1);
  aads[0] = noise(8);
  Bytes tags(16 * 600);
  std::vector<std::uint64_t> numbers(esps.size());
  for (std::uint32_t i = 0; i < 600; ++i) {
    const std::size_t which = i * 5 % 15;
    const Bytes clear = clear_packet(Family::ipv4, 60 + i);
    ops.emplace_back();
    if (which == esps.size()) {
      mbufs.emplace_back(clear, Segments{});
      ops.back()->sess_type = RTE_CRYPTO_OP_WITH_SESSION;
      ops.back()->sym->session = raw.get();
      ops.back()->sym->aead.data = {0, static_cast<std::uint32_t>(clear.size())};
      ops.back()->sym->aead.aad.data = aads[0].data();
      ops.back()->sym->aead.digest.data = tags.data() + 16 * i;
      std::fill_n(ops.back().iv(), 12, static_cast<std::uint8_t>(i));
    } else {
      mbufs.emplace_back(which % 2 == 0 ? clear : seal(esps[which], clear, ++numbers[which]),
                         i % 3 == 0 ? Segments{30} : Segments{});
      ops.back()->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
      ops.back()->sym->session = open_sessions[which]->get();
    }
    ops.back()->sym->m_src = mbufs.back().get();
  }
  device.run(ops);
  for (std::uint32_t i = 0; i < 600; ++i) {
    INFO("op " << i);
    CHECK(ops[i]->status == RTE_CRYPTO_OP_STATUS_SUCCESS);
    const std::size_t which = i * 5 % 15;
    if (which == esps.size()) continue;
    const Bytes clear = clear_packet(Family::ipv4, 60 + i);
    if (which % 2 == 0)
      CHECK(open(esps[which], mbufs[i].bytes())->inner == clear);
    else
      CHECK(mbufs[i].bytes() == clear);
  }
  const rte_cryptodev_stats stats = device.stats();
  CHECK(stats.enqueued_count == 600);
  CHECK(stats.dequeued_count == 600);
  CHECK(stats.dequeue_err_count == 0);
}
