// ESP contexts: an EspSa checked for what its packets rely on, and the outer header written once.
#include "host/software/esp/context.hpp"

#include <fmt/format.h>

#include <cstring>
#include <new>

#include "host/software/esp/sa_context.hpp"

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

// The fields of the outer headers that never change; encapsulate.cpp writes the others.
void write_template(Context& context, const EspSa& sa) {
  std::uint8_t* p = context.header.data();
  const std::uint8_t protocol = context.udp ? wire::protocol_udp : wire::protocol_esp;
  if (context.tunnel && context.outer_family == Family::ipv4) {
    p[0] = 0x45;
    p[wire::ipv4_ttl] = sa.hop_limit;
    p[wire::ipv4_protocol] = protocol;
    std::memcpy(p + wire::ipv4_source, sa.source.bytes.data(), 4);
    std::memcpy(p + wire::ipv4_destination, sa.destination.bytes.data(), 4);
    wire::Checksum sum;
    sum.add(p + wire::ipv4_ttl, wire::ipv4_size - wire::ipv4_ttl);
    context.header_sum = static_cast<std::uint16_t>(~sum.value());
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
    wire::store16(p + wire::udp_source_port, context.source_port);
    wire::store16(p + wire::udp_destination_port, context.destination_port);
    p += wire::udp_size;
  }
  context.outer_size = static_cast<std::uint32_t>(p - context.header.data());
}

}  // namespace

std::size_t context_size() {
  return sizeof(Context);
}

Result<void> make_context(const EspSa& sa, void* memory) {
  if (Result<void> good = check_context(sa); !good) return good;
  Context& context = *new (memory) Context;
  std::memcpy(context.salt.data(), sa.salt.bytes().data(), context.salt.size());
  context.spi = sa.spi;
  context.tunnel = sa.mode == EspMode::tunnel;
  context.esn = sa.esn;
  context.gmac = is_gmac(sa.algorithm);
  context.udp = sa.udp.has_value();
  context.ecn = sa.ecn;
  context.inner_checksum = wire::header_checksum(sa.verify_inner_checksum);
  context.outer_family = sa.source.family;
  context.source = sa.source;
  context.destination = sa.destination;
  if (sa.udp) {
    context.source_port = sa.udp->source_port;
    context.destination_port = sa.udp->destination_port;
  }
  context.df = sa.df;
  context.dscp_copy_out = sa.dscp_copy_out;
  context.decrement_ttl = sa.decrement_ttl;
  context.flow_label_copy = sa.flow_label_copy;
  context.dscp = sa.dscp;
  context.tfc_pad_to = sa.tfc_pad_to;
  context.identification = static_cast<std::uint16_t>(mix(sa.spi));
  // A flow label of 0 would mean "no flow" (RFC 6437 2).
  context.flow_label = mix(sa.spi) & wire::ipv6_flow_label_mask;
  if (context.flow_label == 0) context.flow_label = 1;
  write_template(context, sa);

  context.verify_outer = sa.verify_outer;
  context.verify_ports = sa.udp && sa.udp->verify_ports;
  context.dscp_copy_in = sa.dscp_copy_in;
  context.resync.on = sa.esn && sa.direction == Direction::ingress;
  context.selectors = sa.selectors;
  return {};
}

void set_key(void* context, void* key) noexcept {
  static_cast<Context*>(context)->key = key;
}

void destroy_context(void* memory) noexcept {
  auto* context = static_cast<Context*>(memory);
  cleanse(context->salt.data(), context->salt.size());
  context->~Context();
}

void set_resynchronise(void* context, bool on) noexcept {
  static_cast<Context*>(context)->resync.on = on;
}

ResyncCounts resynchronisations(const void* context) noexcept {
  const Resync& resync = static_cast<const Context*>(context)->resync;
  return {.tried = resync.tried.get(), .succeeded = resync.succeeded.get()};
}

}  // namespace linecrypt::software::esp
