#include "driver/card/records/commands.hpp"

#include <algorithm>
#include <cstring>

#include "driver/card/records/key_expansion.hpp"
#include "host/values/packet_number.hpp"
#include "linecrypt/abi/layout.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/ipv6.hpp"
#include "linecrypt/wire/sectag.hpp"

namespace linecrypt::card {
namespace {

abi::Command command(abi::CommandOp op, abi::Block block, SaId id) noexcept {
  abi::Command out{};
  out.op = op;
  out.block = block;
  out.index = id.index;
  out.generation = id.generation;
  out.respond = 1;
  return out;
}

// One `load` for each 64 bytes of `entry`.
template <typename Entry>
void load(CommandList& list, abi::Block block, SaId id, abi::Table table, const Entry& entry, std::size_t first = 0) {
  static_assert(sizeof(Entry) % abi::word_bytes == 0);
  for (std::size_t i = 0; i < sizeof(Entry) / abi::word_bytes; ++i) {
    abi::Command& out = list.append();
    out.op = abi::CommandOp::load;
    out.block = block;
    out.table = table;
    out.word = static_cast<std::uint8_t>(first + i);
    out.index = id.index;
    std::memcpy(out.payload, reinterpret_cast<const std::uint8_t*>(&entry) + i * abi::word_bytes, abi::word_bytes);
  }
}

// The key's words; `iv` is the IV without the number. Round keys leave no copy behind.
void load_key(CommandList& list, abi::Block block, SaId id, std::span<const std::uint8_t> key,
              std::span<const std::uint8_t, 12> iv) {
  abi::KeyEntry entry{};
  expand_key(key, entry);
  std::memcpy(entry.salt, iv.data(), iv.size());
  load(list, block, id, abi::Table::key, entry);
  cleanse(&entry, sizeof entry);
}

abi::NumberEntry number_entry(bool egress, bool wide, Lease lease, std::uint64_t window_top, std::uint64_t ceiling) {
  abi::NumberEntry entry{};
  entry.begin = egress ? lease.begin : 0;
  entry.end = egress ? lease.end : ceiling;
  entry.window_top = egress ? 0 : window_top;
  entry.flags = wide ? abi::number_flag::wide : 0;
  return entry;
}

void finish(CommandList& list, abi::Block block, SaId id) {
  list.append() = command(abi::CommandOp::commit, block, id);
}

// The same for an SPI each time: flow label and first identification (as host/software/esp/context.cpp).
std::uint32_t mix(std::uint32_t spi) noexcept {
  return static_cast<std::uint32_t>((spi * std::uint64_t{0x9e3779b97f4a7c15}) >> 32U);
}

abi::EspRecord esp_record(const EspSa& sa) {
  namespace flag = abi::esp_flag;
  abi::EspRecord record{};
  record.spi = sa.spi;
  record.flow_label = mix(sa.spi) & wire::ipv6_flow_label_mask;
  if (record.flow_label == 0) record.flow_label = 1;  // 0 would mean "no flow" (RFC 6437 2)
  std::copy(sa.source.bytes.begin(), sa.source.bytes.end(), record.source);
  std::copy(sa.destination.bytes.begin(), sa.destination.bytes.end(), record.destination);
  if (sa.udp) {
    record.source_port = sa.udp->source_port;
    record.destination_port = sa.udp->destination_port;
  }
  record.tfc_pad_to = sa.tfc_pad_to;
  const auto set = [&](bool on, std::uint16_t bit) {
    if (on) record.flags = static_cast<std::uint16_t>(record.flags | bit);
  };
  set(sa.mode == EspMode::tunnel, flag::tunnel);
  set(sa.source.family == Family::ipv6, flag::outer_ipv6);
  set(sa.esn, flag::esn);
  set(is_gmac(sa.algorithm), flag::gmac);
  set(sa.udp.has_value(), flag::udp);
  set(sa.ecn, flag::ecn);
  set(sa.dscp_copy_out, flag::dscp_copy_out);
  set(sa.dscp_copy_in, flag::dscp_copy_in);
  set(sa.decrement_ttl, flag::decrement_ttl);
  set(sa.flow_label_copy, flag::flow_label_copy);
  set(sa.verify_outer, flag::verify_outer);
  set(sa.udp && sa.udp->verify_ports, flag::verify_ports);
  set(!sa.verify_inner_checksum, flag::carry_inner_checksum);
  record.df = static_cast<std::uint8_t>(sa.df);
  record.dscp = sa.dscp;
  record.hop_limit = sa.hop_limit;
  record.selectors = static_cast<std::uint8_t>(sa.selectors.size());
  record.replay_window = static_cast<std::uint16_t>(sa.replay_window);
  return record;
}
static_assert(static_cast<int>(DfPolicy::copy) == 0 && static_cast<int>(DfPolicy::set) == 1, "EspRecord::df");

abi::SelectorRecord selector_record(const Selector& selector) {
  namespace flag = abi::selector_flag;
  abi::SelectorRecord record{};
  std::copy(selector.local.address.bytes.begin(), selector.local.address.bytes.end(), record.local);
  std::copy(selector.remote.address.bytes.begin(), selector.remote.address.bytes.end(), record.remote);
  record.local_length = selector.local.length;
  record.remote_length = selector.remote.length;
  record.protocol = selector.protocol.value_or(0);
  const std::uint32_t flags =
      (selector.local.address.family == Family::ipv6 ? flag::ipv6 : 0U) | (selector.protocol ? flag::protocol : 0U) |
      (selector.local_port.any() ? 0U : flag::local_port) | (selector.remote_port.any() ? 0U : flag::remote_port);
  record.flags = static_cast<std::uint8_t>(flags);
  record.local_first = selector.local_port.first;
  record.local_last = selector.local_port.last;
  record.remote_first = selector.remote_port.first;
  record.remote_last = selector.remote_port.last;
  return record;
}

abi::MacsecRecord macsec_record(const MacsecSa& sa) {
  namespace flag = abi::macsec_flag;
  const MacsecSecY& secy = sa.secy;
  abi::MacsecRecord record{};
  record.sci = sa.sci.value();
  const wire::ClearTags tags(secy.clear_tags);
  for (std::uint32_t i = 0; i < tags.count; ++i) record.clear_tag[i] = tags.tags[i];
  record.clear_tags = static_cast<std::uint8_t>(tags.count);
  record.replay_window = secy.replay_window;
  record.bitmap = secy.duplicate_bitmap;
  const bool source_is_sci = secy.sci_encoding == SciEncoding::end_station || secy.sci_encoding == SciEncoding::scb;
  const std::uint32_t flags = (is_xpn(secy.suite) ? flag::xpn : 0U) | (secy.encrypt ? flag::encrypt : 0U) |
                              (source_is_sci ? flag::source_is_sci : 0U) |
                              (secy.replay_protect ? flag::replay_protect : 0U);
  record.flags = static_cast<std::uint16_t>(flags);
  record.an = sa.an;
  record.validate = static_cast<std::uint8_t>(secy.validate);
  record.tci_an = wire::build_tci(secy.sci_encoding, secy.encrypt, sa.an);
  record.tag_size = static_cast<std::uint8_t>(wire::sectag_size_of(secy.sci_encoding));
  return record;
}
static_assert(static_cast<int>(ValidateFrames::disabled) == 0 && static_cast<int>(ValidateFrames::strict) == 2,
              "MacsecRecord::validate");

}  // namespace

abi::Block block_of(const EspSa& sa) noexcept {
  return sa.direction == Direction::egress ? abi::Block::esp_encapsulate : abi::Block::esp_decapsulate;
}
abi::Block block_of(const MacsecSa& sa) noexcept {
  return sa.direction == Direction::egress ? abi::Block::macsec_protect : abi::Block::macsec_validate;
}

// 1. Key; the IV begins with the salt (RFC 4106 4).
// 2. Record; on ingress with room for all selectors, for an entry is loaded as a whole.
// 3. Numbers and lifetimes.
CommandList install_commands(SaId id, const EspSa& sa, Lease lease, std::uint64_t window_top, std::uint64_t ceiling) {
  const abi::Block block = block_of(sa);
  const bool egress = sa.direction == Direction::egress;
  CommandList list;
  // 1.
  std::array<std::uint8_t, 12> iv{};
  std::copy(sa.salt.bytes().begin(), sa.salt.bytes().end(), iv.begin());
  load_key(list, block, id, sa.key.bytes(), iv);
  cleanse(iv.data(), iv.size());
  // 2.
  load(list, block, id, abi::Table::record, esp_record(sa));
  if (!egress) {
    for (std::size_t i = 0; i < abi::selectors_per_sa; ++i)
      load(list, block, id, abi::Table::record,
           i < sa.selectors.size() ? selector_record(sa.selectors[i]) : abi::SelectorRecord{}, 1 + i);
  }
  // 3.
  abi::NumberEntry numbers = number_entry(egress, sa.esn, lease, window_top, ceiling);
  numbers.identification = static_cast<std::uint16_t>(mix(sa.spi));
  load(list, block, id, abi::Table::number, numbers);
  const abi::LifetimeEntry lifetime{.soft_packets = sa.lifetime.soft.packets,
                                    .soft_bytes = sa.lifetime.soft.bytes,
                                    .hard_packets = sa.lifetime.hard.packets,
                                    .hard_bytes = sa.lifetime.hard.bytes,
                                    .reserved = {}};
  load(list, block, id, abi::Table::number, lifetime, 1);
  finish(list, block, id);
  return list;
}

// 1. Key; the IV begins with the SCI, or under XPN is the salt xor the SSCI (14.5, 14.7).
// 2. Record.
// 3. Numbers. A start behind PN 0 raises the lowest acceptable PN as well.
CommandList install_commands(SaId id, const MacsecSa& sa, Lease lease, std::uint64_t window_top,
                             std::uint64_t ceiling) {
  const abi::Block block = block_of(sa);
  const bool egress = sa.direction == Direction::egress;
  const bool xpn = is_xpn(sa.secy.suite);
  CommandList list;
  // 1.
  std::array<std::uint8_t, 12> iv{};
  if (xpn) {
    std::copy(sa.salt.bytes().begin(), sa.salt.bytes().end(), iv.begin());
    wire::store32(iv.data(), wire::load32(iv.data()) ^ sa.ssci);
  } else {
    wire::store64(iv.data(), sa.sci.value());
  }
  load_key(list, block, id, sa.key.bytes(), iv);
  cleanse(iv.data(), iv.size());
  // 2.
  load(list, block, id, abi::Table::record, macsec_record(sa));
  // 3.
  abi::NumberEntry numbers = number_entry(egress, xpn, lease, window_top, ceiling);
  if (!egress) numbers.lowest = window_top == 0 ? sa.lowest_pn : std::max(sa.lowest_pn, window_top + 1);
  if (egress) numbers.soft_limit = pn_threshold_of(sa.secy);
  load(list, block, id, abi::Table::number, numbers);
  load(list, block, id, abi::Table::number, abi::LifetimeEntry{}, 1);
  finish(list, block, id);
  return list;
}

abi::Command remove_command(SaId id, abi::Block block) noexcept {
  return command(abi::CommandOp::commit, block, {.index = id.index, .generation = 0});
}

namespace {
abi::Command numbers_command(SaId id, abi::Block block, std::uint64_t begin, std::uint64_t end) noexcept {
  abi::Command out = command(abi::CommandOp::grant, block, id);
  const abi::NumberGrant grant{.begin = begin, .end = end, .reserved = {}};
  std::memcpy(out.payload, &grant, sizeof grant);
  return out;
}
}  // namespace

abi::Command grant_command(SaId id, abi::Block block, Lease lease) noexcept {
  return numbers_command(id, block, lease.begin, lease.end);
}
abi::Command raise_lowest_command(SaId id, abi::Block block, std::uint64_t lowest_pn) noexcept {
  return numbers_command(id, block, lowest_pn, 0);
}
abi::Command raise_ceiling_command(SaId id, abi::Block block, std::uint64_t ceiling) noexcept {
  return numbers_command(id, block, 0, ceiling);
}
abi::Command expire_command(SaId id, abi::Block block) noexcept {
  return command(abi::CommandOp::expire, block, id);
}
abi::Command read_command(SaId id, abi::Block block) noexcept {
  return command(abi::CommandOp::read, block, id);
}
abi::Command drain_command(abi::Block block) noexcept {
  return command(abi::CommandOp::drain, block, {});
}

}  // namespace linecrypt::card
