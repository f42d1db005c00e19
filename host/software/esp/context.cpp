// ESP contexts: an EspSa checked for what its packets rely on, and the outer header written once.
#include "host/software/esp/context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <span>

#include "host/software/esp/sa_context.hpp"
#include "linecrypt/wire/ecn.hpp"

namespace linecrypt::software::esp {
namespace {

// A value that is the same for an SPI each time and tells nothing of the packets: flow label and first identification.
std::uint32_t mix(std::uint32_t spi) {
  const std::uint64_t product = spi * std::uint64_t{0x9e3779b97f4a7c15};
  return static_cast<std::uint32_t>(product >> 32U);
}

// What an engine's check() leaves to the one who builds the packets.
Result<void> check_context(const EspSa& sa) {
  if (sa.salt.size() != 4) return Error{fmt::format("salt: {} bytes, allowed: 4 bytes (RFC 4106 4)", sa.salt.size())};
  if (sa.mode == EspMode::transport && sa.decrement_ttl)
    return Error{"decrement_ttl: true in transport mode, allowed: false; there is no inner header"};
  return {};
}

// EgressSettings::header_sum of the IPv4 header in a template.
std::uint16_t template_sum(const std::uint8_t* header) {
  wire::Checksum sum;
  sum.add(header + wire::ipv4_ttl, wire::ipv4_size - wire::ipv4_ttl);
  return static_cast<std::uint16_t>(~sum.value());
}

// The fields of the outer headers that never change; encapsulate.cpp writes the others.
void write_template(EgressContext& context, const EspSa& sa) {
  std::uint8_t* p = context.header.data();
  const std::uint8_t protocol = context.udp ? wire::protocol_udp : wire::protocol_esp;
  if (context.tunnel && context.outer_family == Family::ipv4) {
    p[0] = 0x45;
    p[wire::ipv4_ttl] = sa.hop_limit;
    p[wire::ipv4_protocol] = protocol;
    std::memcpy(p + wire::ipv4_source, sa.source.bytes.data(), 4);
    std::memcpy(p + wire::ipv4_destination, sa.destination.bytes.data(), 4);
    context.header_sum = template_sum(p);
    p += wire::ipv4_size;
  } else if (context.tunnel) {
    p[0] = 0x60;
    p[wire::ipv6_next_header] = protocol;
    p[wire::ipv6_hop_limit] = sa.hop_limit;
    std::memcpy(p + wire::ipv6_source, sa.source.bytes.data(), 16);
    std::memcpy(p + wire::ipv6_destination, sa.destination.bytes.data(), 16);
    p += wire::ipv6_size;
  }
  if (context.udp) {
    wire::store16(p + wire::udp_source_port, sa.udp->source_port);
    wire::store16(p + wire::udp_destination_port, sa.udp->destination_port);
    p += wire::udp_size;
  }
  context.outer_size = static_cast<std::uint8_t>(p - context.header.data());
}

// Shape::plain.
bool is_plain(const EspSa& sa) {
  return sa.mode == EspMode::tunnel && sa.source.family == Family::ipv4 && sa.esn && !is_gmac(sa.algorithm) &&
         !sa.udp && sa.tfc_pad_to == 0 && !sa.decrement_ttl && sa.verify_inner_checksum;
}

void fill_settings(Settings& settings, const EspSa& sa) {
  std::memcpy(settings.salt.data(), sa.salt.bytes().data(), settings.salt.size());
  wire::store32(settings.spi.data(), sa.spi);
  settings.tunnel = sa.mode == EspMode::tunnel;
  settings.esn = sa.esn;
  settings.gmac = is_gmac(sa.algorithm);
  settings.udp = sa.udp.has_value();
  settings.ecn = sa.ecn;
  settings.inner_checksum = wire::header_checksum(sa.verify_inner_checksum);
  settings.outer_family = sa.source.family;
  settings.plain = is_plain(sa);
}

// DSCP: the inner one or the SA's (RFC 4301 5.1.2 note 4). ECN by RFC 6040 4.1: what becomes of two set bits says which
// are copied. DF: copied, set or clear.
void fill_marks(EgressSettings& settings, const EspSa& sa) {
  constexpr std::uint8_t df = wire::ipv4_flag_df >> 8U;
  const auto ecn = static_cast<std::uint8_t>(wire::ecn_of_outer(wire::Ecn::ce, sa.ecn));
  settings.class_copied = static_cast<std::uint8_t>((sa.dscp_copy_out ? wire::dscp_mask : 0) | ecn);
  settings.class_set = static_cast<std::uint8_t>(sa.dscp_copy_out ? 0 : sa.dscp << 2U);
  settings.flags_copied = sa.df == DfPolicy::copy ? df : std::uint8_t{0};
  settings.flags_set = sa.df == DfPolicy::set ? df : std::uint8_t{0};
}

ContextHead* make_egress(const EspSa& sa, void* memory) {
  auto* const context = new (memory) EgressContext;
  fill_settings(*context, sa);
  fill_marks(*context, sa);
  context->decrement_ttl = sa.decrement_ttl;
  context->flow_label_copy = sa.flow_label_copy;
  context->tfc_pad_to = sa.tfc_pad_to;
  context->identification = static_cast<std::uint16_t>(mix(sa.spi));
  // A flow label of 0 would mean "no flow" (RFC 6437 2).
  context->flow_label = mix(sa.spi) & wire::ipv6_flow_label_mask;
  if (context->flow_label == 0) context->flow_label = 1;
  write_template(*context, sa);
  context->limits = SaLimits(sa.lifetime);
  return context;
}

ContextHead* make_ingress(const EspSa& sa, void* memory) {
  auto* const context = new (memory) IngressContext;
  fill_settings(*context, sa);
  context->verify_outer = sa.verify_outer;
  context->verify_ports = sa.udp && sa.udp->verify_ports;
  context->dscp_copy_in = sa.dscp_copy_in;
  if (sa.udp) {
    context->source_port = sa.udp->source_port;
    context->destination_port = sa.udp->destination_port;
  }
  const std::uint32_t size = sa.source.size();
  std::memcpy(context->ends.data(), sa.source.bytes.data(), size);
  std::memcpy(context->ends.data() + size, sa.destination.bytes.data(), size);
  context->resync_on = sa.esn;
  if (!sa.selectors.empty()) context->selectors = new Selectors(sa.selectors);
  context->limits = SaLimits(sa.lifetime);
  return context;
}

IngressContext* ingress(void* context) noexcept {
  return static_cast<IngressContext*>(static_cast<ContextHead*>(context));
}
EgressContext* egress(void* context) noexcept {
  return static_cast<EgressContext*>(static_cast<ContextHead*>(context));
}

// A SetPeer must be of the family that the SA has.
Result<void> check_peer(const SetPeer& peer, Family family, std::span<const std::uint8_t> present) {
  if (peer.address.family == family && peer.address != IpAddress{family, {}}) return {};
  if (present.empty())
    return Error{fmt::format("SetPeer: address {}, allowed: an {} address", peer.address.text(),
                             family == Family::ipv4 ? "IPv4" : "IPv6")};
  IpAddress now{family, {}};
  std::copy(present.begin(), present.end(), now.bytes.begin());
  return Error{fmt::format("SetPeer: address {}, allowed: one of the family of {}", peer.address.text(), now.text())};
}

// Egress: the destination in the header template. In transport mode the packet's own address stays.
Result<void> move_egress(const EgressContext& live, const SetPeer& peer, EgressContext& moved) {
  static_cast<EgressSettings&>(moved) = live;
  const bool ipv4 = live.outer_family == Family::ipv4;
  const std::size_t size = ipv4 ? 4 : 16;
  std::uint8_t* p = moved.header.data();
  if (live.tunnel) {
    std::uint8_t* const destination = p + (ipv4 ? wire::ipv4_destination : wire::ipv6_destination);
    if (auto good = check_peer(peer, live.outer_family, {destination, size}); !good) return good;
    std::memcpy(destination, peer.address.bytes.data(), size);
    if (ipv4) moved.header_sum = template_sum(p);
    p += ipv4 ? wire::ipv4_size : wire::ipv6_size;
  } else if (auto good = check_peer(peer, live.outer_family, {}); !good) {
    return good;
  }
  wire::store16(p + wire::udp_destination_port, peer.port);
  moved.identification = static_cast<std::uint16_t>(mix(wire::load32(live.spi.data())));
  return {};
}

// Ingress: the source that packets must come from.
Result<void> move_ingress(const IngressContext& live, const SetPeer& peer, IngressContext& moved) {
  static_cast<IngressSettings&>(moved) = live;
  const std::size_t size = live.outer_family == Family::ipv4 ? 4 : 16;
  if (auto good = check_peer(peer, live.outer_family, {live.ends.data(), size}); !good) return good;
  std::memcpy(moved.ends.data(), peer.address.bytes.data(), size);
  moved.source_port = peer.port;
  moved.resync_on = live.esn;
  return {};
}

}  // namespace

Result<void*> make_context(const EspSa& sa, void* memory) {
  if (Result<void> good = check_context(sa); !good) return good.error();
  return static_cast<void*>(sa.direction == Direction::egress ? make_egress(sa, memory) : make_ingress(sa, memory));
}

Result<void*> move_context(void* live, Direction direction, const SetPeer& peer, void* memory) {
  const bool out = direction == Direction::egress;
  if (out ? !egress(live)->udp : !ingress(live)->udp)
    return Error{"SetPeer: allowed on ESP SAs with UDP encapsulation only"};
  Result<void> moved;
  ContextHead* fresh = nullptr;
  if (out) {
    auto* const context = new (memory) EgressContext;
    fresh = context;
    moved = move_egress(*egress(live), peer, *context);
  } else {
    auto* const context = new (memory) IngressContext;
    fresh = context;
    moved = move_ingress(*ingress(live), peer, *context);
  }
  if (!moved) return moved.error();
  if (peer.port == 0) return Error{"SetPeer: port 0, allowed: 1 to 65535"};
  fresh->key = static_cast<ContextHead*>(live)->key;
  return static_cast<void*>(fresh);
}

const SaLimits* limits_of(void* context, Direction direction) noexcept {
  return direction == Direction::egress ? &egress(context)->limits : &ingress(context)->limits;
}

void destroy_context(void* context, Direction direction) noexcept {
  if (direction == Direction::ingress) delete ingress(context)->selectors;
}

void set_resynchronise(void* context, bool on) noexcept {
  ingress(context)->resync_on = on;
}

ResyncCounts resynchronisations(void* context) noexcept {
  const ResyncTally& tally = ingress(context)->resync_tally;
  return {.tried = tally.tried.get(), .succeeded = tally.succeeded.get()};
}

}  // namespace linecrypt::software::esp
