// Right tunnels and policies arrive in the model field by field; and what is warned of.
#include <catch2/catch.hpp>

#include "tests/host/config/support.hpp"

namespace linecrypt::config::test {
namespace {

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
  SECTION("tunnels and no black port") {
    const std::string clear = "[[port]]\nname = \"a\"\nside = \"clear\"\ndevice = \"ring:a\"\n";
    const auto found = warnings(full_tunnel + clear);
    CHECK(found.size() == 2);
    CHECK(found.at(1) == "5:1: there are tunnels and no port with side = \"black\" to carry them");
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

}  // namespace linecrypt::config::test
