// Right configurations arrive in the model field by field; what is not said has its default.
#include <catch2/catch.hpp>

#include "tests/host/config/support.hpp"

namespace linecrypt::config::test {

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
  CHECK(g.max_sas == 100U);
  CHECK(g.buffers == 16384);
  CHECK(g.state_directory == "/srv/state");
  CHECK(g.control_socket == "/run/control");
  CHECK(g.log_level == LogLevel::debug);
  CHECK(g.place.line == 2);
  // "auto" is told of no card, and says so once.
  CHECK(texts(loaded.warnings) ==
        std::vector<std::string>{"4:11: offload = \"auto\" without a [card] section: software does the work"});
  CHECK(good("[gateway]\nhugepages = true\n" + ports).config.gateway.hugepages);
}

TEST_CASE("every key of [card] arrives") {
  const Loaded loaded = good(R"(
[gateway]
offload = "card"
[card]
address = "0000:65:00.1"
bitstream = "/lib/linecrypt/u50-esp.xclbin"
mode = "esp"
trusted_keys = "/etc/linecrypt/bitstreams.pem"
allow_shared_node = true
)" + ports);
  CHECK(loaded.config.gateway.offload == OffloadMode::card);
  CHECK(loaded.warnings.empty());
  REQUIRE(loaded.config.card);
  const Card& card = *loaded.config.card;
  CHECK(card.address == "0000:65:00.1");
  CHECK(card.index == 0);
  CHECK(card.bitstream == "/lib/linecrypt/u50-esp.xclbin");
  CHECK(card.mode == abi::CardMode::esp);
  CHECK(card.trusted_keys == "/etc/linecrypt/bitstreams.pem");
  CHECK(card.allow_shared_node);
  CHECK(card.place.line == 4);

  const Loaded least = good("[gateway]\noffload = \"auto\"\n[card]\nbitstream = \"/a.xclbin\"\nindex = 2\n" + ports);
  CHECK(least.warnings.empty());
  CHECK(least.config.card->address.empty());
  CHECK(least.config.card->index == 2);
  CHECK(least.config.card->mode == abi::CardMode::none);
  CHECK(least.config.card->trusted_keys.empty());
  CHECK_FALSE(least.config.card->allow_shared_node);
  CHECK_FALSE(good(ports).config.card);
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
