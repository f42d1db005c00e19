#include "tests/firmware_hls/ports/gateway_words.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "linecrypt/mtu.hpp"
#include "linecrypt/wire/checksum.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/ethernet.hpp"

namespace linecrypt::ports_test {

namespace gt = gateway::test;

namespace {

// The keys of TestGateway's MACsec SAs.
template <std::size_t N>
Secret<N> secret(int seed) {
  std::array<std::uint8_t, N> bytes{};
  for (std::size_t i = 0; i < N; ++i) bytes[i] = static_cast<std::uint8_t>(seed * 31 + static_cast<int>(i) * 7);
  return Secret<N>(std::span<const std::uint8_t>(bytes));
}

MacsecSa macsec_sa(const MacsecSecY& secy, Direction direction, Sci sci, int sender) {
  MacsecSa sa;
  sa.secy = secy;
  sa.direction = direction;
  sa.sci = sci;
  sa.key = secret<32>(sender + 20);
  sa.salt = secret<12>(sender + 30);
  sa.ssci = static_cast<std::uint32_t>(sender);
  return sa;
}

}  // namespace

void take_third_port(TestGateway& gateway) {
  std::erase_if(gateway.fib_input.addresses,
                [](const gateway::FibAddress& own) { return own.port == gt::second_black_port; });
  gateway.rebuild_fib();
}

card::InlineGateway inline_gateway(TestGateway& gateway, const gt::Scenario& scenario) {
  card::InlineGateway out;
  for (const gateway::PortIndex index : {gt::clear_port, gt::black_port}) {
    card::InlinePort& port = out.ports[index];
    port.mac = gateway.port_mac(index);
    port.next_hop = index == gt::clear_port ? gateway.host_mac() : gateway.peer_mac();
    port.mtu = index == gt::clear_port ? 9000 : scenario.black_mtu;
    for (const gateway::FibAddress& own : gateway.fib_input.addresses) {
      if (own.port == index) port.addresses.push_back({own.address, own.prefix_length});
    }
  }
  card::InlinePort& black = out.ports[gt::black_port];
  black.vlan = scenario.vlan;
  black.udp_ports = {4500};
  if (gateway.secy) {
    black.secy = gateway.secy->settings();
    black.macsec_sa = gateway.secy->transmit_sa();
  }
  for (const auto& entry : gateway.spd->entries()) out.policies.push_back(entry->policy);
  for (const auto& tunnel : gateway.tunnels) {
    const std::uint64_t packed = tunnel->egress_sa.load();
    const SaId sa{static_cast<std::uint32_t>(packed), static_cast<std::uint32_t>(packed >> 32U)};
    const std::uint32_t path =
        tunnel->path_mtu != 0 ? std::min(tunnel->path_mtu, scenario.black_mtu) : scenario.black_mtu;
    const std::uint32_t largest =
        mtu::esp_largest_clear_packet({tunnel->mode, tunnel->source.family, tunnel->udp, 0}, path).value_or(0);
    out.tunnels.push_back({tunnel->name, tunnel->mode, sa, largest});
  }
  return out;
}

std::vector<GatewaySa> gateway_sas(TestGateway& gateway) {
  std::vector<GatewaySa> all;
  if (gateway.egress_sa().valid()) {
    all.push_back({gateway.egress_sa(), gateway.esp_sa(Direction::egress)});
    all.push_back({gateway.ingress_sa(), gateway.esp_sa(Direction::ingress)});
  }
  if (gateway.secy) {
    const MacsecSecY& secy = gateway.secy->settings();
    // The gateway is number 1; the other end's SCI is its black port's.
    const Sci own{gateway.port_mac(gt::black_port), 1};
    const Sci peer{gateway.peer_mac(), 1};
    all.push_back({gateway.secy->transmit_sa(), macsec_sa(secy, Direction::egress, own, 1)});
    all.push_back({SaId{500, 9}, macsec_sa(secy, Direction::ingress, peer, 2)});
  }
  return all;
}

ConfigWord config_word(const abi::Command& command) {
  ConfigWord config = {};
  config.cookie = command.cookie;
  config.op = command.op;
  config.block = command.block;
  config.table = command.table;
  config.word = command.word;
  config.index = command.index;
  config.generation = command.generation;
  config.respond = command.respond;
  config.payload = firmware::from_bytes<512>(command.payload);
  return config;
}

void publish(PolicyTable<entries>& table, const card::InlineGateway& gateway, abi::Block direction,
             abi::CardMode mode) {
  const auto commands = card::classify_commands(gateway, mode, entries, direction, 1);
  if (!commands) FAIL(commands.error().message);
  for (const abi::Command& command : commands.value()) REQUIRE(table.configure(config_word(command), direction));
  REQUIRE(table.live().open);
}

Window window_of(const Bytes& frame) {
  Window window = {};
  std::copy_n(frame.begin(), std::min<std::size_t>(frame.size(), firmware::window_bytes), window.byte);
  return window;
}

// ---- frames ----

IpAddress FrameMaker::address(Family family, gateway::PortIndex port, bool source) {
  const bool v4 = family == Family::ipv4;
  const auto text = [](const char* t) { return gt::address(t); };
  std::vector<IpAddress> likely;
  const bool towards_site = (port == gt::clear_port) == source;
  if (towards_site) {
    likely = {gateway_.host(family), gateway_.host(family)};
  } else {
    likely = {gateway_.far_host(family), gateway_.far_host(family), gateway_.peer(family)};
    for (const char* other : {"10.9.0.5", "203.0.113.5", "172.16.3.4"})
      if (v4) likely.push_back(text(other));
    for (const char* other : {"2001:db8:9::5", "2001:db8:2:3::7"})
      if (!v4) likely.push_back(text(other));
  }
  switch (below(random_, 10)) {
    case 0:
      return gateway_.own(gt::clear_port, family);
    case 1:
    case 2:
      return gateway_.own(gt::black_port, family);
    case 3: {
      std::vector<IpAddress> odd;
      for (const char* t : {"0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.5", "10.1.255.255", "192.0.2.255",
                            "240.0.0.1", "0.1.2.3"})
        if (v4) odd.push_back(text(t));
      for (const char* t : {"::", "::1", "ff02::1", "ff02::1:ff00:1", "ff05::2", "fe80::1", "fe80::77"})
        if (!v4) odd.push_back(text(t));
      return one_of(random_, odd);
    }
    default:
      return one_of(random_, likely);
  }
}

Bytes FrameMaker::body(Family family, const IpAddress& source, const IpAddress& destination, std::uint8_t& protocol) {
  static const std::vector<std::uint16_t> numbers = {500, 4500, 53, 4000, 5000, 5001, 65535, 0};
  const std::size_t size = below(random_, 12) == 0 ? below(random_, 1500) : below(random_, 60);
  switch (below(random_, 8)) {
    case 0:
      protocol = 6;
      break;
    case 1:
      protocol = one_of(random_, std::vector<std::uint8_t>{50, 132, 33, 89, 47});
      break;
    case 2:
      protocol = family == Family::ipv4 ? 1 : 58;
      break;
    default:
      protocol = 17;
      break;
  }
  Bytes data = gt::payload(size);
  if (below(random_, 3) == 0) std::fill_n(data.begin(), std::min<std::size_t>(data.size(), 4), std::uint8_t{0});
  if (below(random_, 8) == 0) data = {0xff};
  if (protocol == 58 && below(random_, 2) == 0) {
    const auto type = static_cast<std::uint8_t>(132 + below(random_, 7));
    const Bytes packet = gt::icmp_packet(source, destination, type, below(random_, 6) == 0 ? 1 : 0,
                                         Bytes(below(random_, 8) == 0 ? below(random_, 200) : 20U));
    return {packet.begin() + 40, packet.end()};
  }
  if (protocol != 17) {
    if (data.size() >= 4 && below(random_, 2) == 0) {
      wire::store16(data.data(), one_of(random_, numbers));
      wire::store16(data.data() + 2, one_of(random_, numbers));
    }
    return data;
  }
  Bytes datagram = gt::udp(source, destination, one_of(random_, numbers), one_of(random_, numbers), data);
  if (below(random_, 20) == 0) datagram[5] ^= 1U;
  if (below(random_, 3) == 0) datagram[6] = datagram[7] = 0;
  return datagram;
}

Bytes FrameMaker::packet(gateway::PortIndex port, bool from_companion) {
  const Family family = below(random_, 2) == 0 ? Family::ipv4 : Family::ipv6;
  IpAddress source = address(family, port, true);
  const IpAddress destination = address(family, port, false);
  if (from_companion && below(random_, 4) != 0) source = gateway_.own(port, family);
  std::uint8_t protocol = 17;
  const Bytes content = body(family, source, destination, protocol);
  gt::IpOptions options;
  options.ttl = one_of(random_, std::vector<std::uint8_t>{64, 64, 64, 255, 255, 2, 1, 0});
  if (below(random_, 8) == 0) options.more_fragments = true;
  if (below(random_, 8) == 0) options.fragment_offset = static_cast<std::uint16_t>(1 + below(random_, 100));
  options.traffic_class = static_cast<std::uint8_t>(random_());
  Bytes made = gt::ip(source, destination, protocol, content, options);
  if (family == Family::ipv6 && below(random_, 6) == 0) {
    // Extension headers, sometimes more than the kernel walks, a routing header with segments left among them.
    const std::uint32_t count = 1 + below(random_, 6);
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto kind = one_of(random_, std::vector<std::uint8_t>{0, 43, 60, 60});
      Bytes extension(8 * (1 + below(random_, 3)), 0);
      extension[0] = made[6];
      extension[1] = static_cast<std::uint8_t>(extension.size() / 8 - 1);
      if (kind == 43) extension[3] = static_cast<std::uint8_t>(below(random_, 2));
      made[6] = kind;
      made.insert(made.begin() + 40, extension.begin(), extension.end());
      wire::store16(made.data() + 4, static_cast<std::uint16_t>(wire::load16(made.data() + 4) + extension.size()));
    }
  }
  if (family == Family::ipv4 && below(random_, 8) == 0) {
    const std::uint32_t words = 1 + below(random_, 10);
    made.insert(made.begin() + 20, words * 4, std::uint8_t{1});
    made[0] = static_cast<std::uint8_t>(0x45U + words);
    wire::store16(made.data() + 2, static_cast<std::uint16_t>(made.size()));
    wire::store16(made.data() + 10, 0);
    wire::store16(made.data() + 10, wire::checksum(made.data(), 20 + words * 4));
  }
  return made;
}

Bytes FrameMaker::make(gateway::PortIndex port, bool from_companion, const std::vector<ClearVlanTag>& tags) {
  const MacAddress own = gateway_.port_mac(port);
  const MacAddress neighbour = port == gt::clear_port ? gateway_.host_mac() : gateway_.peer_mac();
  MacAddress from = from_companion ? own : neighbour;
  MacAddress to = from_companion ? neighbour : own;
  if (below(random_, 12) == 0) to = gt::mac("ff:ff:ff:ff:ff:ff");
  if (below(random_, 12) == 0) to = gt::mac("33:33:00:00:00:01");
  if (below(random_, 30) == 0) to = gt::mac("02:00:00:00:77:77");
  if (below(random_, 40) == 0) from = gt::mac("01:00:00:00:77:77");
  if (below(random_, 40) == 0) from = gt::mac("02:00:00:00:77:77");
  std::vector<ClearVlanTag> on = from_companion ? std::vector<ClearVlanTag>{} : tags;
  if (below(random_, 25) == 0) on.push_back({0x8100, 7});
  if (below(random_, 25) == 0 && !on.empty()) on.pop_back();
  if (below(random_, 25) == 0 && !on.empty()) on[0].vid = 99;
  Bytes frame;
  switch (below(random_, 12)) {
    case 0: {
      const MacAddress pae = gt::mac(below(random_, 2) == 0 ? "01:80:c2:00:00:03" : "01:80:c2:00:00:02");
      frame = gt::ethernet(below(random_, 3) == 0 ? to : pae, from, wire::ethertype_eapol,
                           Bytes(below(random_, 8) == 0 ? 9500 : 4));
      break;
    }
    case 1: {
      const bool near = below(random_, 2) == 0;
      const MacAddress sender = below(random_, 4) == 0 ? neighbour : from;
      const IpAddress senders = from_companion && near ? gateway_.own(port) : address(Family::ipv4, port, true);
      Bytes arp = gt::arp(static_cast<std::uint16_t>(1 + below(random_, 3)), sender, senders, own,
                          near ? gateway_.own(port) : address(Family::ipv4, port, false));
      if (below(random_, 10) == 0) arp.pop_back();
      if (below(random_, 6) == 0) arp[below(random_, 8)] ^= 1U;
      if (below(random_, 4) == 0) arp.resize(arp.size() + 20);
      frame = gt::ethernet(to, from, wire::ethertype_arp, arp, on);
      break;
    }
    case 2:
      frame =
          gt::ethernet(to, from, one_of(random_, std::vector<std::uint16_t>{0x88cc, 0x0800, 0x86dd, 0x88e5, 0x8100}),
                       gt::payload(below(random_, 80)), on);
      break;
    default: {
      const Bytes ip = packet(port, from_companion);
      // A group's packet in a group's frame, most times.
      if ((ip[0] >> 4U == 6 && ip.size() > 24 && ip[24] == 0xff) || (ip[0] >> 4U == 4 && ip[16] >= 224))
        if (below(random_, 4) != 0) to = gt::mac("33:33:00:00:00:01");
      frame = gt::ethernet_ip(to, from, ip, on);
      break;
    }
  }
  if (below(random_, 10) == 0) frame.resize(frame.size() + below(random_, 40));  // padding
  if (below(random_, 25) == 0) frame.resize(below(random_, static_cast<std::uint32_t>(frame.size())) + 1);
  if (below(random_, 25) == 0)
    frame[below(random_, static_cast<std::uint32_t>(frame.size()))] ^=
        static_cast<std::uint8_t>(1U << below(random_, 8));
  return frame;
}

std::vector<Policy> random_policies(std::mt19937_64& random, std::uint32_t count) {
  std::vector<Policy> made;
  for (std::uint32_t i = 0; i < count; ++i) {
    Policy policy;
    policy.name = "random" + std::to_string(i);
    policy.priority = below(random, 2000);
    policy.action = one_of(random, std::vector<PolicyAction>{PolicyAction::bypass, PolicyAction::discard,
                                                             PolicyAction::protect, PolicyAction::bypass});
    policy.tunnel = policy.action == PolicyAction::protect ? (below(random, 3) == 0 ? "other" : "site") : "";
    const std::uint32_t selectors = 1 + below(random, 3);
    for (std::uint32_t j = 0; j < selectors; ++j) {
      const bool v4 = below(random, 2) == 0;
      Selector selector;
      // Clear traffic is let in only for the site itself: where else it would go is the routes' business.
      const std::vector<std::string> locals4 = {"10.1.0.0/16", "10.1.0.10/32", "10.1.0.8/29", "10.1.0.1/32",
                                                "192.0.2.1/32"};
      const std::vector<std::string> locals6 = {"2001:db8:1::/48", "2001:db8:1::10/128", "2001:db8:1::/123",
                                                "2001:db8:ff::1/128"};
      const std::vector<std::string> remotes4 = {"0.0.0.0/0",   "10.2.0.0/16",    "10.2.0.10/32",
                                                 "10.9.0.0/16", "203.0.113.0/25", "192.0.2.2/32"};
      const std::vector<std::string> remotes6 = {"::/0", "2001:db8:2::/48", "2001:db8:2::10/127", "2001:db8:9::/49",
                                                 "2001:db8:ff::2/128"};
      selector.local = gt::prefix(v4 ? one_of(random, locals4) : one_of(random, locals6));
      selector.remote = gt::prefix(v4 ? one_of(random, remotes4) : one_of(random, remotes6));
      if (below(random, 2) == 0) {
        selector.protocol = one_of(random, std::vector<std::uint8_t>{17, 17, 6, 132, 58, 1, 50});
        if (*selector.protocol == 17 || *selector.protocol == 6) {
          if (below(random, 2) == 0)
            selector.local_port = {4000, static_cast<std::uint16_t>(4000 + below(random, 600))};
          if (below(random, 2) == 0)
            selector.remote_port = {500, static_cast<std::uint16_t>(500 + below(random, 5000))};
        }
      }
      policy.selectors.push_back(selector);
    }
    made.push_back(policy);
  }
  return made;
}

}  // namespace linecrypt::ports_test
