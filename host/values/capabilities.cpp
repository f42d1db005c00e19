// check(): the one place that says which SAs are right (the standards' rules), and which an engine takes (its limits).
#include "linecrypt/capabilities.hpp"

#include <fmt/format.h>

#include <bit>

#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ethernet.hpp"

namespace linecrypt {
namespace {

template <typename Asked>
Error refuse(std::string_view field, const Asked& asked, std::string_view allowed) {
  return {fmt::format("{}: asked {}, allowed {}", field, asked, allowed)};
}

Error lacks(const Capabilities& capabilities, std::string_view field, std::string_view asked,
            std::string_view allowed) {
  return {fmt::format("{}: asked {}, allowed by engine {}: {}", field, asked, capabilities.engine, allowed)};
}

bool power_of_two_within(std::uint32_t value, std::uint32_t least, std::uint32_t most) {
  return value >= least && value <= most && std::has_single_bit(value);
}

std::string_view family_name(Family family) {
  return family == Family::ipv4 ? "IPv4" : "IPv6";
}

bool unspecified(const IpAddress& address) {
  return address == IpAddress{address.family, {}};
}

// The soft limit warns before the hard one stops; equal or later it would come too late.
Result<void> check_lifetime(const Lifetime& lifetime) {
  const auto one = [](std::string_view name, std::uint64_t soft, std::uint64_t hard) -> Result<void> {
    if (soft != 0 && hard != 0 && soft >= hard)
      return refuse(fmt::format("lifetime.soft.{}", name), soft, fmt::format("below lifetime.hard.{} {}", name, hard));
    return {};
  };
  if (auto good = one("packets", lifetime.soft.packets, lifetime.hard.packets); !good) return good;
  if (auto good = one("bytes", lifetime.soft.bytes, lifetime.hard.bytes); !good) return good;
  return one("seconds", lifetime.soft.seconds, lifetime.hard.seconds);
}

Result<void> check_port_range(const std::string& field, const PortRange& range,
                              const std::optional<std::uint8_t>& protocol) {
  if (range.first > range.last)
    return refuse(field, fmt::format("{}-{}", range.first, range.last), "a first port not above the last");
  // Only these have ports where the selector looks for them (RFC 4301 4.4.1.1).
  const bool has_ports = protocol && (*protocol == wire::protocol_tcp || *protocol == wire::protocol_udp ||
                                      *protocol == 132 || *protocol == 33);
  if (!range.any() && !has_ports)
    return refuse(field, fmt::format("{}-{}", range.first, range.last),
                  "0-65535 unless protocol is 6 (TCP), 17 (UDP), 33 (DCCP) or 132 (SCTP)");
  return {};
}

Result<void> check_selector(const std::string& field, const Selector& selector) {
  const auto prefix = [&](std::string_view side, const Prefix& value) -> Result<void> {
    const std::uint32_t longest = value.address.size() * 8;
    if (value.length > longest)
      return refuse(fmt::format("{}.{}", field, side), value.text(), fmt::format("a length of 0 to {}", longest));
    if (auto parsed = Prefix::parse(value.text()); !parsed)
      return refuse(fmt::format("{}.{}", field, side), value.text(), "a prefix without host bits");
    return {};
  };
  if (auto good = prefix("local", selector.local); !good) return good;
  if (auto good = prefix("remote", selector.remote); !good) return good;
  if (selector.local.address.family != selector.remote.address.family)
    return refuse(field, fmt::format("{} to {}", selector.local.text(), selector.remote.text()),
                  "local and remote of one family");
  if (auto good = check_port_range(field + ".local_port", selector.local_port, selector.protocol); !good) return good;
  return check_port_range(field + ".remote_port", selector.remote_port, selector.protocol);
}

// RFC 4303 3.4.3, 2.2.1; DESIGN 3.5.
Result<void> check_replay(const EspSa& sa) {
  if (sa.replay_disabled) {
    if (sa.replay_window != 0) return refuse("replay_window", sa.replay_window, "0 with replay_disabled");
    // The receiver infers the high half of an extended number from the window.
    if (sa.esn) return refuse("replay_window", "0 with esn", "64 to 4096 with esn, or esn off");
    return {};
  }
  if (sa.replay_window == 0) return refuse("replay_window", 0, "0 only with replay_disabled and without esn");
  if (!power_of_two_within(sa.replay_window, replay_window_smallest, replay_window_largest))
    return refuse("replay_window", sa.replay_window, "a power of two from 64 to 4096");
  return {};
}

Result<void> check_addresses(const EspSa& sa) {
  if (sa.source.family != sa.destination.family)
    return refuse("destination", fmt::format("{} with source {}", sa.destination.text(), sa.source.text()),
                  "one family for both");
  const bool used = sa.mode == EspMode::tunnel || (sa.direction == Direction::ingress && sa.verify_outer);
  for (const auto& [field, address] : {std::pair{"source", &sa.source}, std::pair{"destination", &sa.destination}}) {
    if (used && unspecified(*address))
      return refuse(field, address->text(), "an address other than the unspecified one");
  }
  return {};
}

Result<void> check_selectors(const EspSa& sa) {
  if (sa.direction == Direction::egress && !sa.selectors.empty())
    return refuse("selectors", fmt::format("{} on egress", sa.selectors.size()),
                  "none on egress: the policy chooses what an egress SA carries");
  for (std::size_t i = 0; i < sa.selectors.size(); ++i) {
    const std::string field = fmt::format("selectors[{}]", i);
    if (auto good = check_selector(field, sa.selectors[i]); !good) return good;
    const Family family = sa.selectors[i].local.address.family;
    if (sa.mode == EspMode::transport && family != sa.source.family)
      return refuse(field, family_name(family),
                    fmt::format("{} in transport mode between such addresses", family_name(sa.source.family)));
  }
  return {};
}

// What RFC 4301, 4303, 4106 and 3948 ask of any implementation.
Result<void> check_esp_rules(const EspSa& sa) {
  if (const std::uint32_t smallest = sa.reserved_spi ? 1 : wire::esp_spi_smallest; sa.spi < smallest)
    return refuse("spi", sa.spi, sa.reserved_spi ? "1 and above" : "256 and above (RFC 4303 2.1)");
  if (sa.key.size() != key_size(sa.algorithm))
    return refuse("key", fmt::format("{} bytes", sa.key.size()), fmt::format("{} bytes", key_size(sa.algorithm)));
  if (sa.salt.size() != 4) return refuse("salt", fmt::format("{} bytes", sa.salt.size()), "4 bytes (RFC 4106 4)");
  if (auto good = check_replay(sa); !good) return good;
  if (auto good = check_addresses(sa); !good) return good;
  if (sa.udp && sa.udp->source_port == 0) return refuse("udp.source_port", 0, "1 to 65535");
  if (sa.udp && sa.udp->destination_port == 0) return refuse("udp.destination_port", 0, "1 to 65535");
  if (sa.dscp > 63) return refuse("dscp", sa.dscp, "0 to 63");
  if (sa.hop_limit == 0 && sa.mode == EspMode::tunnel) return refuse("hop_limit", 0, "1 to 255");
  // In transport mode nothing tells padding from payload (RFC 4303 2.7).
  if (sa.tfc_pad_to != 0 && sa.mode != EspMode::tunnel)
    return refuse("tfc_pad_to", fmt::format("{} in transport mode", sa.tfc_pad_to), "0; padding needs tunnel mode");
  if (sa.tfc_pad_to != 0 && sa.direction != Direction::egress)
    return refuse("tfc_pad_to", fmt::format("{} on ingress", sa.tfc_pad_to), "0; padding is always taken off");
  if (sa.decrement_ttl && sa.mode != EspMode::tunnel)
    return refuse("decrement_ttl", "on in transport mode", "off; there is no inner header");
  if (!sa.verify_inner_checksum && sa.mode != EspMode::tunnel)
    return refuse("verify_inner_checksum", "off in transport mode", "on; the header's checksum is written anew");
  if (auto good = check_lifetime(sa.lifetime); !good) return good;
  return check_selectors(sa);
}

Result<void> check_esp_limits(const Capabilities& can, const EspSa& sa) {
  const auto size = key_size(sa.algorithm);
  if (!can.esp) return lacks(can, "protocol", "ESP", "no ESP");
  if (sa.mode == EspMode::tunnel && !can.esp_tunnel) return lacks(can, "mode", "tunnel", "transport");
  if (sa.mode == EspMode::transport && !can.esp_transport) return lacks(can, "mode", "transport", "tunnel");
  const bool has_size = size == 16 ? can.aes_128 : size == 24 ? can.aes_192 : can.aes_256;
  if (!has_size) return lacks(can, "algorithm", fmt::format("AES-{}", size * 8), "other key sizes");
  if (is_gmac(sa.algorithm) && !can.gmac) return lacks(can, "algorithm", "AES-GMAC", "AES-GCM");
  if (sa.esn && !can.esp_esn) return lacks(can, "esn", "on", "off");
  if (sa.udp && !can.esp_udp) return lacks(can, "udp", "UDP encapsulation", "none");
  if (sa.udp && sa.source.family == Family::ipv6 && !can.esp_udp_ipv6)
    return lacks(can, "udp", "UDP encapsulation over IPv6", "UDP encapsulation over IPv4");
  if (sa.udp && sa.mode == EspMode::transport && !can.esp_udp_transport)
    return lacks(can, "udp", "UDP encapsulation in transport mode", "UDP encapsulation in tunnel mode");
  if (sa.tfc_pad_to != 0 && !can.esp_tfc) return lacks(can, "tfc_pad_to", fmt::to_string(sa.tfc_pad_to), "0");
  if (sa.tfc_pad_to > can.max_packet)
    return lacks(can, "tfc_pad_to", fmt::to_string(sa.tfc_pad_to), fmt::format("at most {}", can.max_packet));
  if (sa.direction == Direction::ingress && sa.replay_window > can.replay_window_max)
    return lacks(can, "replay_window", fmt::to_string(sa.replay_window),
                 fmt::format("at most {}", can.replay_window_max));
  if (sa.selectors.size() > can.max_selectors)
    return lacks(can, "selectors", fmt::to_string(sa.selectors.size()), fmt::format("at most {}", can.max_selectors));
  for (std::size_t i = 0; i < sa.selectors.size(); ++i) {
    const Family family = sa.selectors[i].local.address.family;
    if (family != sa.source.family && !can.esp_inter_family)
      return lacks(can, fmt::format("selectors[{}]", i),
                   fmt::format("{} in {}", family_name(family), family_name(sa.source.family)),
                   "the family of the outer header");
  }
  return {};
}

Result<void> check_clear_tags(const std::vector<ClearVlanTag>& tags) {
  if (tags.size() > 2) return refuse("secy.clear_tags", fmt::format("{} tags", tags.size()), "0, 1 or 2 tags");
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (!wire::is_vlan(tags[i].tpid))
      return refuse(fmt::format("secy.clear_tags[{}].tpid", i), fmt::format("{:#06x}", tags[i].tpid),
                    "0x8100 or 0x88a8");
    if (tags[i].vid > 4094) return refuse(fmt::format("secy.clear_tags[{}].vid", i), tags[i].vid, "0 to 4094");
  }
  return {};
}

// IEEE 802.1AE-2018 10.7, 14.7.
Result<void> check_secy(const MacsecSecY& secy) {
  const bool xpn = is_xpn(secy.suite);
  if (secy.confidentiality_offset != 0 && secy.confidentiality_offset != 30 && secy.confidentiality_offset != 50)
    return refuse("secy.confidentiality_offset", secy.confidentiality_offset, "0, 30 or 50");
  if (secy.confidentiality_offset != 0 && xpn)
    return refuse("secy.confidentiality_offset", fmt::format("{} with XPN", secy.confidentiality_offset),
                  "0 with XPN (14.7)");
  if (secy.confidentiality_offset != 0 && !secy.encrypt)
    return refuse("secy.confidentiality_offset", fmt::format("{} with integrity only", secy.confidentiality_offset),
                  "0 with integrity only");
  if (xpn && secy.replay_window > macsec_xpn_window_largest)
    return refuse("secy.replay_window", fmt::format("{} with XPN", secy.replay_window),
                  fmt::format("at most {} with XPN (14.7)", macsec_xpn_window_largest));
  if (secy.duplicate_bitmap != 0) {
    if (!secy.replay_protect)
      return refuse("secy.duplicate_bitmap", fmt::format("{} without replay_protect", secy.duplicate_bitmap), "0");
    if (!power_of_two_within(secy.duplicate_bitmap, replay_window_smallest, replay_window_largest))
      return refuse("secy.duplicate_bitmap", secy.duplicate_bitmap, "0 or a power of two from 64 to 4096");
    if (secy.duplicate_bitmap < secy.replay_window)
      return refuse("secy.duplicate_bitmap", secy.duplicate_bitmap,
                    fmt::format("at least secy.replay_window {}", secy.replay_window));
  }
  if (!xpn && secy.pn_soft_limit > 0xffffffffU)
    return refuse("secy.pn_soft_limit", secy.pn_soft_limit, "at most 4294967295 without XPN");
  return check_clear_tags(secy.clear_tags);
}

Result<void> check_macsec_rules(const MacsecSa& sa) {
  const bool xpn = is_xpn(sa.secy.suite);
  if (auto good = check_secy(sa.secy); !good) return good;
  if (sa.an > 3) return refuse("an", sa.an, "0 to 3");
  if (sa.key.size() != key_size(sa.secy.suite))
    return refuse("key", fmt::format("{} bytes", sa.key.size()), fmt::format("{} bytes", key_size(sa.secy.suite)));
  if (sa.salt.size() != (xpn ? 12U : 0U))
    return refuse("salt", fmt::format("{} bytes", sa.salt.size()), xpn ? "12 bytes with XPN" : "none without XPN");
  if (xpn && sa.ssci == 0) return refuse("ssci", 0, "1 and above with XPN");
  if (!xpn && sa.ssci != 0) return refuse("ssci", sa.ssci, "0 without XPN");
  if (sa.sci.address.group()) return refuse("sci", sa.sci.address.text(), "an individual MAC address");
  if (sa.direction == Direction::egress && sa.secy.sci_encoding == SciEncoding::end_station && sa.sci.port != 1)
    return refuse("sci", fmt::format("port {} with end_station", sa.sci.port), "port 1 with end_station (9.5)");
  if (sa.lowest_pn == 0) return refuse("lowest_pn", 0, "1 and above");
  if (!xpn && sa.lowest_pn > 0xffffffffU) return refuse("lowest_pn", sa.lowest_pn, "at most 4294967295 without XPN");
  return {};
}

Result<void> check_macsec_limits(const Capabilities& can, const MacsecSa& sa) {
  if (!can.macsec) return lacks(can, "protocol", "MACsec", "no MACsec");
  if (is_xpn(sa.secy.suite) && !can.macsec_xpn) return lacks(can, "secy.suite", "XPN", "suites without XPN");
  const bool has_size = key_size(sa.secy.suite) == 16 ? can.aes_128 : can.aes_256;
  if (!has_size) return lacks(can, "secy.suite", fmt::format("AES-{}", key_size(sa.secy.suite) * 8), "other key sizes");
  if (!sa.secy.encrypt && !can.macsec_integrity_only) return lacks(can, "secy.encrypt", "off", "on");
  if (sa.secy.confidentiality_offset != 0 && !can.macsec_confidentiality_offset)
    return lacks(can, "secy.confidentiality_offset", fmt::to_string(sa.secy.confidentiality_offset), "0");
  if (sa.secy.clear_tags.size() > can.macsec_clear_tags)
    return lacks(can, "secy.clear_tags", fmt::format("{} tags", sa.secy.clear_tags.size()),
                 fmt::format("at most {}", can.macsec_clear_tags));
  if (sa.secy.duplicate_bitmap > can.duplicate_bitmap_max)
    return lacks(can, "secy.duplicate_bitmap", fmt::to_string(sa.secy.duplicate_bitmap),
                 fmt::format("at most {}", can.duplicate_bitmap_max));
  return {};
}

}  // namespace

Result<void> check(const Capabilities& capabilities, const EspSa& sa) {
  if (auto good = check_esp_rules(sa); !good) return good;
  return check_esp_limits(capabilities, sa);
}

Result<void> check(const Capabilities& capabilities, const MacsecSa& sa) {
  if (auto good = check_macsec_rules(sa); !good) return good;
  return check_macsec_limits(capabilities, sa);
}

}  // namespace linecrypt
