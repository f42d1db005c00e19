// [[tunnel]], [tunnel.outbound], [[tunnel.inbound]] (RFC 4301 4.4.2, RFC 4303)
#include <fmt/format.h>

#include <bit>
#include <limits>

#include "host/config/draft.hpp"
#include "host/config/key_reference.hpp"
#include "host/config/sa_rules.hpp"
#include "host/config/words.hpp"
#include "linecrypt/wire/esp.hpp"

namespace linecrypt::config {
namespace {

constexpr Word<EspMode> mode_words[] = {{"tunnel", EspMode::tunnel}, {"transport", EspMode::transport}};
constexpr Word<EspAlgorithm> algorithm_words[] = {
    {"aes-gcm-128", EspAlgorithm::aes_gcm_128},   {"aes-gcm-192", EspAlgorithm::aes_gcm_192},
    {"aes-gcm-256", EspAlgorithm::aes_gcm_256},   {"aes-gmac-128", EspAlgorithm::aes_gmac_128},
    {"aes-gmac-192", EspAlgorithm::aes_gmac_192}, {"aes-gmac-256", EspAlgorithm::aes_gmac_256}};
constexpr Word<DfPolicy> df_words[] = {{"copy", DfPolicy::copy}, {"set", DfPolicy::set}, {"clear", DfPolicy::clear}};
constexpr Word<bool> ecn_words[] = {{"normal", true}, {"compatibility", false}};  // RFC 6040 4.1
constexpr Word<bool> flow_label_words[] = {{"computed", false}, {"copy", true}};
constexpr Word<bool> replay_words[] = {{"on", false}, {"off", true}};  // replay_disabled

constexpr std::int64_t number_largest = std::numeric_limits<std::int64_t>::max();

// Everything of a tunnel's SAs that both directions share.
struct SaSettings {
  EspSa sa;  // addresses as of egress
  std::uint32_t replay_window = 1024;
  bool replay_disabled = false;
};

void read_ends(Section& section, EspSa& sa) {
  const bool local = section.parsed("local", parse_host, sa.source, Need::required);
  const bool remote = section.parsed("remote", parse_host, sa.destination, Need::required);
  if (!local || !remote) return;
  if (sa.source.family != sa.destination.family)
    section.error("remote", fmt::format("remote {} and local {} are of different families, one family is needed",
                                        sa.destination.text(), sa.source.text()));
  else if (sa.source == sa.destination)
    section.error("remote", fmt::format("remote and local are both {}", sa.source.text()));
}

void read_replay(Section& section, SaSettings& settings) {
  section.word("replay", replay_words, settings.replay_disabled);
  if (section.integer("replay_window", 0, 0xffffffff, settings.replay_window)) {
    const std::uint32_t window = settings.replay_window;
    if (window == 0)
      section.error("replay_window", "replay_window = 0: to receive without replay protection say replay = \"off\"");
    else if (window < replay_window_smallest || window > replay_window_largest || !std::has_single_bit(window))
      section.error("replay_window", fmt::format("replay_window = {}, allowed: a power of two from {} to {}", window,
                                                 replay_window_smallest, replay_window_largest));
    else if (settings.replay_disabled)
      section.error("replay_window", "replay_window does nothing with replay = \"off\"");
  }
  if (!settings.replay_disabled) return;
  settings.replay_window = 0;
  if (settings.sa.esn)
    section.error("replay",
                  "replay = \"off\" with esn = true, extended sequence numbers need the window "
                  "(RFC 4303 3.4.3)");
}

void read_udp(Section& section, EspSa& sa) {
  auto table = section.subtable("udp_encapsulation", "udp_encapsulation");
  if (!table) return;
  UdpEncapsulation udp;
  table->integer("source_port", 1, 65535, udp.source_port);
  table->integer("destination_port", 1, 65535, udp.destination_port);
  table->boolean("verify_ports", udp.verify_ports);
  table->finish();
  sa.udp = udp;
}

// The outer header (RFC 4301 5.1.2). In transport mode there is none to build.
void read_outer_header(Section& section, EspSa& sa) {
  constexpr std::string_view keys[] = {"df", "dscp", "dscp_copy_in", "ecn", "hop_limit", "flow_label", "tfc_pad_to"};
  if (sa.mode == EspMode::transport) {
    for (const std::string_view key : keys)
      if (section.find(key) != nullptr)
        section.error(key, fmt::format("{} belongs to mode = \"tunnel\", transport mode builds no outer header", key));
    return;
  }
  const bool ipv6 = sa.destination.family == Family::ipv6;
  if (section.word("df", df_words, sa.df) && ipv6)
    section.error("df", "df belongs to an IPv4 outer header, this tunnel's is IPv6");
  if (const Value* const dscp = section.find("dscp")) {
    if (dscp->kind == Kind::integer) {
      sa.dscp_copy_out = false;
      if (section.in_range("dscp", *dscp, 0, 63)) sa.dscp = static_cast<std::uint8_t>(dscp->integer);
    } else if (dscp->kind != Kind::string || dscp->text != "copy") {
      section.error("dscp",
                    fmt::format("dscp is {}, allowed: \"copy\" or a number 0 to 63",
                                dscp->kind == Kind::string ? quoted(dscp->text) : std::string(kind_name(dscp->kind))));
    }
  }
  section.boolean("dscp_copy_in", sa.dscp_copy_in);
  section.word("ecn", ecn_words, sa.ecn);
  section.integer("hop_limit", 1, 255, sa.hop_limit);
  if (section.word("flow_label", flow_label_words, sa.flow_label_copy) && !ipv6)
    section.error("flow_label", "flow_label belongs to an IPv6 outer header, this tunnel's is IPv4");
  section.integer("tfc_pad_to", 0, 9600, sa.tfc_pad_to);
}

void read_limit(Section& lifetime, std::string_view key, LifetimeLimit& limit) {
  auto table = lifetime.subtable(key, fmt::format("lifetime.{}", key));
  if (!table) return;
  table->integer("packets", 1, number_largest, limit.packets);
  table->integer("bytes", 1, number_largest, limit.bytes);
  table->integer("seconds", 1, std::int64_t{10} * 365 * 86400, limit.seconds);
  table->finish();
}

void read_lifetime(Section& section, EspSa& sa) {
  auto table = section.subtable("lifetime", "lifetime");
  if (!table) return;
  read_limit(*table, "soft", sa.lifetime.soft);
  read_limit(*table, "hard", sa.lifetime.hard);
  table->finish();
  const auto below = [&](std::string_view what, std::uint64_t soft, std::uint64_t hard) {
    if (soft != 0 && hard != 0 && soft >= hard)
      table->error("soft", fmt::format("lifetime: soft {0} {1} is not below hard {0} {2}", what, soft, hard));
  };
  below("packets", sa.lifetime.soft.packets, sa.lifetime.hard.packets);
  below("bytes", sa.lifetime.soft.bytes, sa.lifetime.hard.bytes);
  below("seconds", sa.lifetime.soft.seconds, sa.lifetime.hard.seconds);
}

// In transport mode the two ends are the traffic (RFC 4301 4.4.1.1).
void read_selectors(Section& section, const EspSa& sa, Tunnel& tunnel) {
  const bool transport = sa.mode == EspMode::transport;
  Traffic traffic = read_traffic(section, transport ? Need::optional : Need::required);
  if (transport) {
    const auto host = [](const IpAddress& address) {
      return Prefix{address, static_cast<std::uint8_t>(address.size() * 8)};
    };
    const bool sound = section.sound();
    const auto only = [&](std::string_view key, std::vector<Prefix>& networks, const Prefix& end) {
      if (networks.empty())
        networks.push_back(end);
      else if (sound && (networks.size() != 1 || networks.front() != end))
        section.error(key, fmt::format("{} in transport mode, allowed: [\"{}\"] or none", key, end.text()));
    };
    only("local_networks", traffic.local, host(sa.source));
    only("remote_networks", traffic.remote, host(sa.destination));
  }
  tunnel.selectors = expand(traffic, section);
}

// EspSa cannot be copied by accident; settings hold no key, so member by member is exact.
EspSa prototype(const SaSettings& settings, Direction direction, const std::vector<Selector>& selectors) {
  const EspSa& from = settings.sa;
  EspSa sa;
  sa.direction = direction;
  sa.mode = from.mode;
  sa.algorithm = from.algorithm;
  sa.esn = from.esn;
  sa.verify_outer = from.verify_outer;
  sa.df = from.df;
  sa.dscp_copy_out = from.dscp_copy_out;
  sa.dscp_copy_in = from.dscp_copy_in;
  sa.dscp = from.dscp;
  sa.ecn = from.ecn;
  sa.hop_limit = from.hop_limit;
  sa.flow_label_copy = from.flow_label_copy;
  sa.lifetime = from.lifetime;
  sa.udp = from.udp;
  if (direction == Direction::egress) {
    sa.source = from.source;
    sa.destination = from.destination;
    sa.tfc_pad_to = from.tfc_pad_to;
    return sa;
  }
  // The peer's view of the same: ends and ports change places; the window and the selectors are the receiver's.
  sa.source = from.destination;
  sa.destination = from.source;
  if (sa.udp) std::swap(sa.udp->source_port, sa.udp->destination_port);
  sa.replay_window = settings.replay_window;
  sa.replay_disabled = settings.replay_disabled;
  sa.selectors = selectors;
  return sa;
}

EspSaConfig read_sa(Section section, EspSa sa, const KeyPolicy& keys, bool check) {
  EspSaConfig result;
  result.place = section.place();
  section.integer("spi", wire::esp_spi_smallest, 0xffffffff, sa.spi, Need::required);
  KeyAndSaltReference references = read_key_and_salt(section, keys);
  section.finish();
  if (references.key) result.key = std::move(*references.key);
  result.salt = std::move(references.salt);
  result.prototype = std::move(sa);
  if (check && section.sound()) check_rules(result, section.report());
  return result;
}

void read_nat_traversal(Section& section, bool udp, Tunnel& tunnel) {
  if (section.boolean("allow_peer_move", tunnel.allow_peer_move) && tunnel.allow_peer_move)
    section.error("allow_peer_move",
                  "allow_peer_move = true: this version does not follow a peer to a new address, "
                  "allowed: false");
  if (section.integer("keepalive_seconds", 1, 3600, tunnel.keepalive_seconds) && !udp)
    section.error("keepalive_seconds", "keepalive_seconds needs udp_encapsulation");
}

}  // namespace

void read_tunnel(Section section, Draft& draft) {
  Tunnel tunnel;
  tunnel.place = section.place();
  SaSettings settings;
  EspSa& sa = settings.sa;
  read_name(section, tunnel.name);
  section.word("mode", mode_words, sa.mode);
  read_ends(section, sa);
  read_selectors(section, sa, tunnel);
  const bool algorithm_known = section.word("algorithm", algorithm_words, sa.algorithm) || !section.has("algorithm");
  section.boolean("esn", sa.esn);
  read_replay(section, settings);
  section.boolean("verify_outer", sa.verify_outer);
  read_udp(section, sa);
  read_nat_traversal(section, sa.udp.has_value(), tunnel);
  read_outer_header(section, sa);
  read_lifetime(section, sa);
  section.integer("path_mtu", sa.destination.family == Family::ipv6 ? 1280 : 576, 9600, tunnel.path_mtu);

  // The SAs are checked against the rules only where their settings are good: else one mistake is said nine times.
  const bool sound = section.sound();
  const KeyPolicy keys{.allow_inline = draft.config.gateway.allow_inline_keys,
                       .key_bytes = algorithm_known ? key_size(sa.algorithm) : 0,
                       .salt_bytes = 4};
  if (auto outbound = section.subtable("outbound", "[tunnel.outbound]", Need::required))
    tunnel.outbound =
        read_sa(std::move(*outbound), prototype(settings, Direction::egress, tunnel.selectors), keys, sound);
  for (Section& inbound : section.tables("inbound", "[[tunnel.inbound]]", 1, 8))
    tunnel.inbound.push_back(
        read_sa(std::move(inbound), prototype(settings, Direction::ingress, tunnel.selectors), keys, sound));
  section.finish();
  draft.tunnels.push_back(&section.table());
  draft.config.tunnels.push_back(std::move(tunnel));
}

}  // namespace linecrypt::config
