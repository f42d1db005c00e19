// Right configurations arrive in the model field by field; what is not said has its default.
#include <catch2/catch.hpp>

#include "tests/host/config/support.hpp"

namespace linecrypt::config::test {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
Prefix net(std::string_view text) {
  return Prefix::parse(text).value();
}
MacAddress mac(std::string_view text) {
  return MacAddress::parse(text).value();
}

Loaded good(const std::string& text) {
  Loaded loaded = parse(text, "good.toml");
  INFO(text);
  CHECK(texts(loaded.errors) == std::vector<std::string>{});
  return loaded;
}

const std::string ports = R"(
[[port]]
name = "inside"
side = "clear"
device = "ring:inside"
[[port]]
name = "circuit"
side = "black"
device = "ring:circuit"
)";

const std::string full_tunnel = R"(
[gateway]
static_keys = "accept-risk"
allow_inline_keys = true
[[tunnel]]
name = "site-b"
mode = "tunnel"
local = "192.0.2.1"
remote = "192.0.2.2"
local_networks = ["10.1.0.0/16", "2001:db8:1::/48"]
remote_networks = ["10.2.0.0/16", "10.3.0.0/16", "2001:db8:2::/48"]
protocol = "tcp"
local_ports = "1024-65535"
remote_ports = [443, "8000-8100"]
algorithm = "aes-gcm-128"
esn = true
replay_window = 2048
verify_outer = false
udp_encapsulation = {source_port = 4500, destination_port = 4501, verify_ports = true}
keepalive_seconds = 7
df = "set"
dscp = 46
dscp_copy_in = true
ecn = "compatibility"
hop_limit = 32
tfc_pad_to = 512
lifetime = {soft = {packets = 1, bytes = 2, seconds = 3}, hard = {packets = 4, bytes = 5, seconds = 6}}
path_mtu = 1400
[tunnel.outbound]
spi = 0x1001
key = "file:/etc/keys/./out"
salt = "inline:A1b2C3d4"
[[tunnel.inbound]]
spi = 0xffffffff
key = {exec = ["/usr/bin/vault", "read", "a key"]}
[[tunnel.inbound]]
spi = 256
key = "inline:000102030405060708090a0b0c0d0e0f10111213"
)";

}  // namespace

TEST_CASE("every key of [gateway] arrives") {
  const Loaded loaded = good(R"(
[gateway]
name = "site-a"
offload = "auto"
aead = "ipsec-mb"
poll = "always"
static_keys = "accept-risk"
allow_inline_keys = true
memory_mb = 256
worker_core = 3
max_sas = 100
buffers = 16384
state_directory = "/srv/state"
control_socket = "/run/control"
log_level = "debug"
)" + ports);
  const Gateway& g = loaded.config.gateway;
  CHECK(g.name == "site-a");
  CHECK(g.offload == OffloadMode::automatic);
  CHECK(g.aead == AeadChoice::ipsec_mb);
  CHECK(g.poll == PollMode::always);
  CHECK(g.static_keys == StaticKeys::accept_risk);
  CHECK(g.allow_inline_keys);
  CHECK_FALSE(g.hugepages);
  CHECK(g.memory_mb == 256);
  CHECK(g.worker_core == 3U);
  CHECK(g.max_sas == 100);
  CHECK(g.buffers == 16384);
  CHECK(g.state_directory == "/srv/state");
  CHECK(g.control_socket == "/run/control");
  CHECK(g.log_level == LogLevel::debug);
  CHECK(g.place.line == 2);
  // "auto" has no card to find, and says so once.
  CHECK(texts(loaded.warnings) ==
        std::vector<std::string>{"4:11: offload = \"auto\": this version has no card engine, software does the work"});
  CHECK(good("[gateway]\nhugepages = true\n" + ports).config.gateway.hugepages);
}

TEST_CASE("without [gateway] the defaults hold, the safe ones") {
  const Gateway g = good(ports).config.gateway;
  CHECK(g.offload == OffloadMode::software);
  CHECK(g.aead == AeadChoice::automatic);
  CHECK(g.poll == PollMode::adaptive);
  CHECK(g.static_keys == StaticKeys::refuse);
  CHECK_FALSE(g.allow_inline_keys);
  CHECK_FALSE(g.hugepages);
  CHECK_FALSE(g.worker_core);
  CHECK(g.state_directory == "/var/lib/linecrypt");
}

TEST_CASE("every device and every key of a port arrives") {
  const Config config = good(R"(
[[port]]
name = "p0"
side = "clear"
device = "pci:0000:5e:00.1"
mtu = 9600
[[port]]
name = "p1"
side = "black"
device = "af_packet:eth1"
frame_count = 512
companion = "lc-black"
mac = "02:00:00:00:00:01"
vlan = [{vid = 100}, {tpid = 0x8100, vid = 4094}]
addresses = ["192.0.2.1/30", "2001:db8::1/64"]
[[port]]
name = "p2"
side = "clear"
device = "tap:lc0"
vlan = [{tpid = 0x88a8, vid = 0}]
[[port]]
name = "p3"
side = "black"
device = "pcap:tx=/tmp/out.pcap,rx=/tmp/in.pcap"
mtu = 576
[[port]]
name = "p4"
side = "black"
device = "ring:r"
[[route]]
destination = "10.2.0.0/16"
port = "p1"
via = "192.0.2.2"
[[route]]
destination = "::/0"
port = "p4"
[[neighbour]]
port = "p1"
address = "192.0.2.2"
mac = "02:00:00:00:00:02"
)")
                            .config;
  REQUIRE(config.ports.size() == 5);
  CHECK(std::get<PciDevice>(config.ports[0].device).address == "0000:5e:00.1");
  CHECK(config.ports[0].mtu == 9600);
  CHECK(config.ports[0].side == Side::clear);
  const Port& p1 = config.ports[1];
  CHECK(p1.name == "p1");
  CHECK(p1.side == Side::black);
  CHECK(std::get<AfPacketDevice>(p1.device).netdev == "eth1");
  CHECK(std::get<AfPacketDevice>(p1.device).frame_count == 512);
  CHECK(p1.companion == "lc-black");
  CHECK(p1.mac == mac("02:00:00:00:00:01"));
  CHECK(p1.vlan == std::vector<ClearVlanTag>{{0x8100, 100}, {0x8100, 4094}});
  CHECK(p1.mtu == 1500);
  CHECK(p1.place.line == 7);
  CHECK(std::get<TapDevice>(config.ports[2].device).netdev == "lc0");
  CHECK(config.ports[2].vlan == std::vector<ClearVlanTag>{{0x88a8, 0}});
  CHECK(config.ports[2].companion.empty());
  CHECK_FALSE(config.ports[2].mac);
  CHECK(std::get<PcapDevice>(config.ports[3].device).receive == "/tmp/in.pcap");
  CHECK(std::get<PcapDevice>(config.ports[3].device).transmit == "/tmp/out.pcap");
  CHECK(std::get<RingDevice>(config.ports[4].device).name == "r");

  REQUIRE(config.addresses.size() == 2);
  CHECK(config.addresses[0].port == "p1");
  CHECK(config.addresses[0].address == ip("192.0.2.1"));
  CHECK(config.addresses[0].prefix_length == 30);
  CHECK(config.addresses[1].address == ip("2001:db8::1"));
  CHECK(config.addresses[1].prefix_length == 64);
  REQUIRE(config.routes.size() == 2);
  CHECK(config.routes[0].destination == net("10.2.0.0/16"));
  CHECK(config.routes[0].port == "p1");
  CHECK(config.routes[0].via == ip("192.0.2.2"));
  CHECK_FALSE(config.routes[1].via);
  REQUIRE(config.neighbours.size() == 1);
  CHECK(config.neighbours[0].port == "p1");
  CHECK(config.neighbours[0].address == ip("192.0.2.2"));
  CHECK(config.neighbours[0].mac == mac("02:00:00:00:00:02"));
}

TEST_CASE("every key of [[macsec]] arrives") {
  const Config config = good(R"(
[[port]]
name = "circuit"
side = "black"
device = "ring:circuit"
vlan = [{tpid = 0x88a8, vid = 7}]
[[macsec]]
port = "circuit"
cipher_suite = "gcm-aes-256"
sci_encoding = "explicit"
encrypt = true
confidentiality_offset = 50
validate = "check"
replay_protect = true
replay_window = 100
duplicate_bitmap = 128
clear_tags = [{tpid = 0x88a8, vid = 7}]
pn_soft_limit = 1000
sci = "02:00:00:00:00:01/513"
transmit_an = 3
[[macsec.transmit_sa]]
an = 2
key = "file:/k/2"
[[macsec.transmit_sa]]
an = 3
key = "file:/k/3"
[[macsec.receive_sc]]
sci = "02:00:00:00:00:02/1"
[[macsec.receive_sc.sa]]
an = 3
key = "file:/k/3"
lowest_pn = 77
)")
                            .config;
  REQUIRE(config.macsecs.size() == 1);
  const Macsec& m = config.macsecs[0];
  CHECK(m.port == "circuit");
  CHECK(m.secy.suite == CipherSuite::gcm_aes_256);
  CHECK(m.secy.sci_encoding == SciEncoding::explicit_sci);
  CHECK(m.secy.encrypt);
  CHECK(m.secy.confidentiality_offset == 50);
  CHECK(m.secy.validate == ValidateFrames::check);
  CHECK(m.secy.replay_protect);
  CHECK(m.secy.replay_window == 100);
  CHECK(m.secy.duplicate_bitmap == 128);
  CHECK(m.secy.clear_tags == std::vector<ClearVlanTag>{{0x88a8, 7}});
  CHECK(m.secy.pn_soft_limit == 1000);
  CHECK(m.sci == Sci{mac("02:00:00:00:00:01"), 513});
  CHECK(m.transmit_an == 3);
  REQUIRE(m.transmit_sas.size() == 2);
  CHECK(m.transmit_sas[1].an == 3);
  CHECK(std::get<KeyFile>(m.transmit_sas[1].key.source).path == "/k/3");
  CHECK_FALSE(m.transmit_sas[1].salt);
  REQUIRE(m.receive_scs.size() == 1);
  CHECK(m.receive_scs[0].sci == Sci{mac("02:00:00:00:00:02"), 1});
  REQUIRE(m.receive_scs[0].sas.size() == 1);
  CHECK(m.receive_scs[0].sas[0].an == 3);
  CHECK(m.receive_scs[0].sas[0].lowest_pn == 77);
}

TEST_CASE("MACsec says little and gets XPN-256, strict, replay protection, and the AN of its one SA") {
  const Config config = good(ports + R"(
[[macsec]]
port = "circuit"
[[macsec.transmit_sa]]
an = 2
ssci = 0xffffffff
key = "file:/k/a"
salt = "file:/k/salt"
[[macsec.receive_sc]]
sci = "02:00:00:00:00:02/0"
[[macsec.receive_sc.sa]]
an = 0
ssci = 1
lowest_pn = 9223372036854775807
key = "file:/k/a"
salt = "file:/k/salt"
)")
                            .config;
  const Macsec& m = config.macsecs.at(0);
  CHECK(m.secy.suite == CipherSuite::gcm_aes_xpn_256);
  CHECK(m.secy.validate == ValidateFrames::strict);
  CHECK(m.secy.encrypt);
  CHECK(m.secy.replay_protect);
  CHECK(m.secy.replay_window == 0);
  CHECK_FALSE(m.sci);
  CHECK(m.transmit_an == 2);
  CHECK(m.transmit_sas[0].ssci == 0xffffffff);
  REQUIRE(m.transmit_sas[0].salt);
  CHECK(std::get<KeyFile>(m.transmit_sas[0].salt->source).path == "/k/salt");
  CHECK(m.receive_scs[0].sas[0].lowest_pn == 0x7fffffffffffffff);
}

TEST_CASE("every SCI encoding, cipher suite and validation of MACsec is read") {
  const auto macsec = [](const std::string& lines, bool xpn) {
    const std::string ssci = xpn ? "ssci = 1\n" : "";
    return good(ports + "[[macsec]]\nport = \"circuit\"\n" + lines +
                "\n[[macsec.transmit_sa]]\nan = 0\nkey = \"file:/k/a\"\n" + ssci +
                "[[macsec.receive_sc]]\nsci = \"02:00:00:00:00:02/1\"\n[[macsec.receive_sc.sa]]\nan = 0\n"
                "key = \"file:/k/b\"\n" +
                ssci)
        .config.macsecs.at(0)
        .secy;
  };
  CHECK(macsec("cipher_suite = \"gcm-aes-128\"", false).suite == CipherSuite::gcm_aes_128);
  CHECK(macsec("cipher_suite = \"gcm-aes-xpn-128\"", true).suite == CipherSuite::gcm_aes_xpn_128);
  CHECK(macsec("sci_encoding = \"end-station\"", true).sci_encoding == SciEncoding::end_station);
  CHECK(macsec("sci_encoding = \"implicit\"", true).sci_encoding == SciEncoding::implicit);
  CHECK(macsec("sci_encoding = \"scb\"", true).sci_encoding == SciEncoding::scb);
  CHECK(macsec("validate = \"disabled\"", true).validate == ValidateFrames::disabled);
  CHECK_FALSE(macsec("encrypt = false", true).encrypt);
  CHECK_FALSE(macsec("replay_protect = false", true).replay_protect);
  CHECK(macsec("replay_window = 1073741823", true).replay_window == macsec_xpn_window_largest);
}

TEST_CASE("every key of a tunnel arrives in both directions") {
  const Config config = good(full_tunnel + ports).config;
  REQUIRE(config.tunnels.size() == 1);
  const Tunnel& t = config.tunnels[0];
  CHECK(t.name == "site-b");
  CHECK(t.keepalive_seconds == 7);
  CHECK(t.path_mtu == 1400);
  CHECK_FALSE(t.allow_peer_move);
  // 2 IPv4 pairs and 1 IPv6 pair, with 2 remote port ranges each.
  REQUIRE(t.selectors.size() == 6);
  CHECK(t.selectors[0] == Selector{net("10.1.0.0/16"), net("10.2.0.0/16"), std::uint8_t{6}, {1024, 65535}, {443, 443}});
  CHECK(t.selectors[3] ==
        Selector{net("10.1.0.0/16"), net("10.3.0.0/16"), std::uint8_t{6}, {1024, 65535}, {8000, 8100}});
  CHECK(t.selectors[5].remote == net("2001:db8:2::/48"));

  REQUIRE(t.inbound.size() == 2);
  for (const EspSa* sa : {&t.outbound.prototype, &t.inbound[0].prototype, &t.inbound[1].prototype}) {
    CHECK(sa->mode == EspMode::tunnel);
    CHECK(sa->algorithm == EspAlgorithm::aes_gcm_128);
    CHECK(sa->esn);
    CHECK_FALSE(sa->replay_disabled);
    CHECK_FALSE(sa->verify_outer);
    CHECK(sa->df == DfPolicy::set);
    CHECK_FALSE(sa->dscp_copy_out);
    CHECK(sa->dscp == 46);
    CHECK(sa->dscp_copy_in);
    CHECK_FALSE(sa->ecn);
    CHECK(sa->hop_limit == 32);
    CHECK_FALSE(sa->decrement_ttl);
    CHECK(sa->lifetime.soft.packets == 1);
    CHECK(sa->lifetime.soft.bytes == 2);
    CHECK(sa->lifetime.soft.seconds == 3);
    CHECK(sa->lifetime.hard.packets == 4);
    CHECK(sa->lifetime.hard.bytes == 5);
    CHECK(sa->lifetime.hard.seconds == 6);
    CHECK(sa->key.empty());
    CHECK(sa->salt.empty());
  }
  const EspSa& out = t.outbound.prototype;
  CHECK(out.direction == Direction::egress);
  CHECK(out.spi == 0x1001);
  CHECK(out.source == ip("192.0.2.1"));
  CHECK(out.destination == ip("192.0.2.2"));
  CHECK(out.udp == UdpEncapsulation{4500, 4501, true});
  CHECK(out.tfc_pad_to == 512);
  CHECK(out.selectors.empty());
  CHECK(std::get<KeyFile>(t.outbound.key.source).path == "/etc/keys/out");
  REQUIRE(t.outbound.salt);
  CHECK(std::get<InlineKey>(t.outbound.salt->source).bytes.bytes()[0] == 0xa1);
  CHECK(t.outbound.key.place.line == 31);

  const EspSa& in = t.inbound[0].prototype;
  CHECK(in.direction == Direction::ingress);
  CHECK(in.spi == 0xffffffff);
  CHECK(in.source == ip("192.0.2.2"));
  CHECK(in.destination == ip("192.0.2.1"));
  CHECK(in.udp == UdpEncapsulation{4501, 4500, true});
  CHECK(in.replay_window == 2048);
  CHECK(in.tfc_pad_to == 0);
  CHECK(in.selectors == t.selectors);
  CHECK(std::get<KeyHelper>(t.inbound[0].key.source).arguments ==
        std::vector<std::string>{"/usr/bin/vault", "read", "a key"});
  const auto& bytes = std::get<InlineKey>(t.inbound[1].key.source).bytes;
  REQUIRE(bytes.size() == 20);
  for (std::size_t i = 0; i < 20; ++i) CHECK(bytes.bytes()[i] == i);
}

TEST_CASE("a tunnel without a policy of its own protects its networks, behind the policies of the file") {
  const Config config = good(full_tunnel + R"(
[[policy]]
name = "rest"
priority = 5
action = "discard"
local_networks = ["0.0.0.0/0"]
remote_networks = ["0.0.0.0/0"]
)" + ports)
                            .config;
  REQUIRE(config.policies.size() == 2);
  CHECK(config.policies[0].policy.name == "rest");
  CHECK(config.policies[0].policy.priority == 5);
  CHECK(config.policies[0].policy.action == PolicyAction::discard);
  const Policy& own = config.policies[1].policy;
  CHECK(own.name == "site-b");
  CHECK(own.tunnel == "site-b");
  CHECK(own.priority == 1000);
  CHECK(own.action == PolicyAction::protect);
  CHECK(own.outbound == Requirement::require);
  CHECK(own.inbound == Requirement::require);
  CHECK_FALSE(own.allow_clear);
  CHECK(own.selectors == config.tunnels[0].selectors);
}

TEST_CASE("every key of a policy arrives, and a tunnel with a policy gets no second one") {
  const Loaded loaded = good(full_tunnel + R"(
[[policy]]
name = "web"
priority = 10
action = "protect"
tunnel = "site-b"
local_networks = ["10.1.7.0/24"]
remote_networks = ["10.3.0.0/16"]
protocol = 6
local_ports = "2000-3000"
remote_ports = 443
outbound = "request"
inbound = "request"
allow_clear = true
[[policy]]
name = "all"
action = "protect"
tunnel = "site-b"
)" + ports);
  REQUIRE(loaded.config.policies.size() == 2);
  const Policy& web = loaded.config.policies[0].policy;
  CHECK(web.priority == 10);
  CHECK(web.tunnel == "site-b");
  CHECK(web.selectors ==
        std::vector<Selector>{{net("10.1.7.0/24"), net("10.3.0.0/16"), std::uint8_t{6}, {2000, 3000}, {443, 443}}});
  CHECK(web.outbound == Requirement::request);
  CHECK(web.inbound == Requirement::request);
  CHECK(web.allow_clear);
  CHECK(loaded.config.policies[1].policy.selectors == loaded.config.tunnels[0].selectors);
  // Clear traffic that may pass is said at each start.
  CHECK(std::any_of(loaded.warnings.begin(), loaded.warnings.end(), [](const Diagnostic& warning) {
    return warning.message == "outbound = \"request\": clear traffic passes until an SA has carried a packet";
  }));
}

TEST_CASE("transport mode selects its two ends, and replay protection ends only by its flag") {
  const Config config = good(R"(
[gateway]
static_keys = "accept-risk"
[[tunnel]]
name = "hosts"
mode = "transport"
local = "2001:db8::1"
remote = "2001:db8::2"
protocol = "udp"
esn = false
replay = "off"
[tunnel.outbound]
spi = 1000
key = "file:/k/a"
[[tunnel.inbound]]
spi = 1000
key = "file:/k/b"
)" + ports)
                            .config;
  const Tunnel& t = config.tunnels.at(0);
  CHECK(t.outbound.prototype.mode == EspMode::transport);
  CHECK(t.selectors ==
        std::vector<Selector>{{net("2001:db8::1/128"), net("2001:db8::2/128"), std::uint8_t{17}, {}, {}}});
  CHECK_FALSE(t.inbound[0].prototype.esn);
  CHECK(t.inbound[0].prototype.replay_disabled);
  CHECK(t.inbound[0].prototype.replay_window == 0);
  CHECK_FALSE(t.outbound.prototype.replay_disabled);
}

TEST_CASE("warnings name what the operator should know, and nothing else") {
  const auto warnings = [](const std::string& text) { return texts(good(text).warnings); };
  const std::string risk =
      "static_keys = \"accept-risk\": RFC 4106 section 2 and RFC 8221 forbid ESP keys that outlive "
      "a process; their numbers depend on the state directory";
  SECTION("static keys") {
    CHECK(warnings(full_tunnel + ports) == std::vector<std::string>{"3:15: " + risk});
  }
  SECTION("a tunnel's end that no port has, where the file names addresses") {
    const auto found = warnings(full_tunnel + ports + "addresses = [\"192.0.2.9/24\"]\n");
    CHECK(found.size() == 2);
    CHECK(found.at(1) == "8:9: local 192.0.2.1 is in no port's addresses, the kernel must give it to a companion");
    CHECK(warnings(full_tunnel + ports + "addresses = [\"192.0.2.1/24\"]\n").size() == 1);
  }
  SECTION("a policy that never matches") {
    const std::string policy =
        "[[policy]]\nname = \"NAME\"\naction = \"ACTION\"\nlocal_networks = [\"LOCAL\"]\n"
        "remote_networks = [\"0.0.0.0/0\"]\n";
    const auto with = [&](std::string name, std::string action, std::string local) {
      std::string text = policy;
      text.replace(text.find("NAME"), 4, name);
      text.replace(text.find("ACTION"), 6, action);
      return text.replace(text.find("LOCAL"), 5, local);
    };
    const auto shadowed =
        warnings(with("wide", "discard", "10.0.0.0/8") + with("narrow", "bypass", "10.1.0.0/16") + ports);
    CHECK(shadowed == std::vector<std::string>{
                          "6:1: policy \"narrow\" never matches, \"wide\" (line 1) takes all of its traffic first"});
    CHECK(warnings(with("narrow", "bypass", "10.1.0.0/16") + with("wide", "discard", "10.0.0.0/8") + ports).empty());
  }
  SECTION("a plain file has none") {
    CHECK(warnings(ports).empty());
  }
}

TEST_CASE("the examples have no error and no warning but that of static keys") {
  const auto files = toml_files(LINECRYPT_TEST_DATA "/../tools/examples");
  REQUIRE(files.size() >= 4);
  for (const auto& file : files) {
    INFO(file.string());
    const Loaded loaded = parse(read_text(file), file.string());
    CHECK(texts(loaded.errors) == std::vector<std::string>{});
    for (const Diagnostic& warning : loaded.warnings) CHECK(warning.message.starts_with("static_keys"));
    CHECK(loaded.config.ports.size() >= 2);
  }
}

TEST_CASE("a file of a thousand tunnels is read") {
  std::string text = "[gateway]\nstatic_keys = \"accept-risk\"\n" + ports;
  for (int i = 0; i < 1000; ++i) {
    const std::string n = std::to_string(i);
    const std::string third = std::to_string(i / 250) + "." + std::to_string(i % 250) + ".0/24";
    text += "[[tunnel]]\nname = \"t" + n +
            "\"\nlocal = \"192.0.2.1\"\nremote = \"192.0.2.2\"\nlocal_networks = [\"10." + third +
            "\"]\nremote_networks = [\"11." + third + "\"]\n[tunnel.outbound]\nspi = " + std::to_string(1000 + i) +
            "\nkey = \"file:/k/o" + n + "\"\n[[tunnel.inbound]]\nspi = " + std::to_string(1000 + i) +
            "\nkey = \"file:/k/i" + n + "\"\n";
  }
  const Config config = good(text).config;
  CHECK(config.tunnels.size() == 1000);
  CHECK(config.policies.size() == 1000);
}

}  // namespace linecrypt::config::test
