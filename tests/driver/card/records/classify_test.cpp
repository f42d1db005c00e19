// What a bump-in-the-wire card is loaded with, and what it is not asked.
#include "driver/card/records/classify.hpp"

#include <catch2/catch.hpp>
#include <cstring>

using namespace linecrypt;

namespace {

Prefix prefix(const char* text) {
  return Prefix::parse(text).value();
}

card::InlineGateway gateway() {
  card::InlineGateway made;
  made.ports[0].mac = MacAddress::parse("02:00:00:00:00:01").value();
  made.ports[0].next_hop = MacAddress::parse("02:00:00:00:00:aa").value();
  made.ports[0].mtu = 9000;
  made.ports[0].addresses = {{IpAddress::parse("10.1.0.1").value(), 16}, {IpAddress::parse("2001:db8::1").value(), 64}};
  made.ports[1].mac = MacAddress::parse("02:00:00:00:00:02").value();
  made.ports[1].addresses = {{IpAddress::parse("192.0.2.1").value(), 24}};
  made.ports[1].udp_ports = {4500};
  made.ports[1].vlan = {{0x8100, 100}, {0x8100, 7}};
  MacsecSecY secy;
  secy.clear_tags = {{0x8100, 100}};
  made.ports[1].secy = secy;
  made.ports[1].macsec_sa = {5, 6};
  made.tunnels = {{"site", EspMode::tunnel, {3, 4}, 1400}};
  Policy last;
  last.name = "last";
  last.action = PolicyAction::bypass;
  last.selectors = {{prefix("0.0.0.0/0"), prefix("0.0.0.0/0"), {}, {}, {}}};
  Policy first;
  first.name = "first";
  first.priority = 10;
  first.action = PolicyAction::protect;
  first.tunnel = "site";
  first.selectors = {{prefix("10.1.0.0/16"), prefix("10.2.0.0/16"), 17, {1, 2}, {3, 4}},
                     {prefix("2001:db8:1::/48"), prefix("2001:db8:2::/48"), {}, {}, {}}};
  made.policies = {last, first};
  return made;
}

std::string refusal(const card::InlineGateway& made, abi::CardMode mode = abi::CardMode::both,
                    std::uint32_t entries = 64) {
  const auto commands = card::classify_commands(made, mode, entries, abi::egress_port, 1);
  return commands ? "" : commands.error().message;
}

template <typename Word>
Word word_of(const abi::Command& command) {
  Word word;
  std::memcpy(&word, command.payload, sizeof word);
  return word;
}

}  // namespace

TEST_CASE("entries come in the order of matching, then ports, addresses and the commit") {
  const auto commands = card::classify_commands(gateway(), abi::CardMode::both, 3, abi::ingress_port, 77).value();
  REQUIRE(commands.size() == 3 + 2 + 4 + 1);
  for (const abi::Command& command : commands) {
    CHECK(command.block == abi::ingress_port);
    CHECK(command.table == abi::Table::classify);
  }
  const auto first = word_of<abi::ClassifyEntry>(commands[0]);
  CHECK(first.action == abi::PolicyAction::protect);
  CHECK(first.local[0] == 10);
  CHECK(first.local_length == 16);
  CHECK(first.protocol == 17);
  CHECK(first.flags ==
        (abi::selector_flag::protocol | abi::selector_flag::local_port | abi::selector_flag::remote_port));
  CHECK(first.local_last == 2);
  CHECK(first.remote_first == 3);
  CHECK(first.largest == 1400);
  CHECK(first.sa.index == 3);
  CHECK(first.sa.generation == 4);
  CHECK(word_of<abi::ClassifyEntry>(commands[1]).flags == abi::selector_flag::ipv6);
  CHECK(word_of<abi::ClassifyEntry>(commands[2]).action == abi::PolicyAction::bypass);
  CHECK(commands[2].index == 2);
  const auto clear = word_of<abi::PortWord>(commands[3]);
  CHECK(commands[3].index == abi::classify_port);
  CHECK(clear.next_hop[5] == 0xaa);
  CHECK(clear.flags == 0);
  const auto black = word_of<abi::PortWord>(commands[4]);
  CHECK(black.flags == (abi::port_flag::macsec | abi::port_flag::strict | abi::port_flag::xpn));
  CHECK(black.tags == 2);
  CHECK(black.macsec_tags == 1);
  CHECK(black.tag[1] == 0x81000007);
  CHECK(black.udp_port[0] == 4500);
  CHECK(black.macsec_sa.index == 5);
  CHECK(black.next_hop[0] == 0);  // not resolved
  const auto own = word_of<abi::OwnAddresses>(commands[5]);
  CHECK(own.address[0].flags == abi::address_flag::present);
  CHECK(own.address[1].flags == (abi::address_flag::present | abi::address_flag::ipv6));
  CHECK(own.address[2].flags == (abi::address_flag::present | abi::address_flag::black));
  CHECK(own.address[2].length == 24);
  CHECK(word_of<abi::OwnAddresses>(commands[6]).address[0].flags == 0);
  CHECK(commands[9].op == abi::CommandOp::commit);
  CHECK(commands[9].index == 3);
  CHECK(commands[9].generation == 77);
  CHECK(commands[9].respond == 1);
  CHECK(card::close_command(abi::egress_port).generation == 0);
}

TEST_CASE("what a card cannot say is refused by name") {
  const auto with = [](auto change) {
    card::InlineGateway made = gateway();
    change(made);
    return made;
  };
  using G = card::InlineGateway;
  CHECK(refusal(gateway()).empty());
  CHECK(refusal(gateway(), abi::CardMode::both, 2) ==
        "policies: 3 selectors, allowed on this card: at most 2 in all policies");
  CHECK(refusal(with([](G& g) { g.policies[0].selectors.clear(); })) ==
        "policy last: it has no selectors, allowed: at least one");
  for (Requirement Policy::*way : {&Policy::outbound, &Policy::inbound}) {
    CHECK(refusal(with([&](G& g) { g.policies[1].*way = Requirement::request; })) ==
          "policy first: request, allowed on a bump-in-the-wire card: require");
  }
  CHECK(refusal(with([](G& g) { g.policies[0].selectors[0].remote = prefix("::/0"); })).find("of two families") !=
        std::string::npos);
  CHECK(refusal(with([](G& g) {
          g.policies[0].selectors[0].local_port = {1, 2};
        })) == "policy last: a port range, allowed: with protocol 6, 17, 33 or 132");
  CHECK(refusal(with([](G& g) { g.policies[1].tunnel = "moon"; })).find("\"moon\", which does not exist") !=
        std::string::npos);
  CHECK(refusal(with([](G& g) { g.tunnels[0].mode = EspMode::transport; })).find("transport mode") !=
        std::string::npos);
  CHECK(refusal(with([](G& g) { g.tunnels[0].largest_clear = 70'000; })).find("largest clear packet 70000") !=
        std::string::npos);
  CHECK(refusal(gateway(), abi::CardMode::macsec).find("protect on a card of mode macsec") != std::string::npos);
  CHECK(refusal(gateway(), abi::CardMode::esp).find("MACsec on a card of mode esp") != std::string::npos);
  for (const ValidateFrames validate : {ValidateFrames::check, ValidateFrames::disabled}) {
    CHECK(refusal(with([&](G& g) { g.ports[1].secy->validate = validate; })).find("allowed on a bump-in-the-wire") !=
          std::string::npos);
  }
  CHECK(refusal(with([](G& g) {
          g.ports[1].secy->clear_tags = {{0x8100, 7}};
        })).find("clear VLAN tags") != std::string::npos);
  CHECK(refusal(with([](G& g) { g.ports[1].vlan.push_back({0x8100, 8}); })).find("3 VLAN tags") != std::string::npos);
  CHECK(refusal(with([](G& g) {
          g.ports[1].udp_ports = {1, 2, 3, 4, 5};
        })).find("5 ports of UDP") != std::string::npos);
  CHECK(refusal(with([](G& g) { g.ports[0].mtu = 575; })) == "clear port: MTU 575, allowed: 576 to 9728");
  CHECK(refusal(with([](G& g) { g.ports[1].mtu = 9729; })) == "black port: MTU 9729, allowed: 576 to 9728");
  CHECK(refusal(with([](G& g) {
          g.ports[0].next_hop = MacAddress::parse("01:00:00:00:00:01").value();
        })).find("next hop") != std::string::npos);
  CHECK(refusal(with([](G& g) { g.ports[0].next_hop = MacAddress{}; })).find("next hop") != std::string::npos);
  CHECK(refusal(with([](G& g) { g.ports[0].addresses[0].length = 33; })).find("10.1.0.1/33") != std::string::npos);
  CHECK(refusal(with([](G& g) {
          g.ports[0].addresses.resize(12, {IpAddress::parse("10.1.0.2").value(), 16});
        })) == "addresses: 13 on both ports, allowed: at most 12");
  CHECK(refusal(with([](G& g) { g.ports[0].secy = MacsecSecY{}; })) ==
        "clear port: MACsec, allowed: on the black port");
  CHECK(refusal(with([](G& g) { g.ports[0].udp_ports = {4500}; })) ==
        "clear port: UDP encapsulation, allowed: on the black port");
  const auto none = card::classify_commands(gateway(), abi::CardMode::both, 64, abi::Block::esp_encapsulate, 1);
  CHECK_FALSE(none);
  CHECK_FALSE(card::classify_commands(gateway(), abi::CardMode::both, 64, abi::egress_port, 0));
}
