#include "host/capi/convert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace linecrypt::capi {

namespace {

// More selectors than any engine takes; keeps a wild count from becoming a wild allocation.
inline constexpr std::size_t selectors_most = 65536;

// Gathers the first thing that is wrong, so that a conversion reads as a list of fields.
class Fields {
 public:
  explicit Fields(const char* type) : type_(type) {}

  bool flag(const char* field, std::uint8_t value) {
    if (value > 1) fail(field, fmt::format("{}, allowed are 0 and 1", value));
    return value == 1;
  }
  template <typename E>
  E one_of(const char* field, std::uint32_t value, std::uint32_t last, const char* names) {
    if (value > last) fail(field, fmt::format("{}, allowed are 0 to {} ({})", value, last, names));
    return static_cast<E>(value);
  }
  void zero(const char* field, std::uint32_t value) {
    if (value != 0) fail(field, fmt::format("{}, allowed is 0", value));
  }
  template <std::size_t N>
  Secret<N> secret(const char* field, const std::uint8_t* bytes, std::uint32_t size, std::uint32_t wanted) {
    if (size != wanted) {
      fail(field, fmt::format("{} bytes, allowed are {}", size, wanted));
      return {};
    }
    if (size == 0) return {};
    if (bytes == nullptr) {
      fail(field, fmt::format("NULL with a size of {}", size));
      return {};
    }
    return Secret<N>(std::span(bytes, size));
  }
  void fail(const char* field, std::string what) {
    if (error_.empty()) error_ = fmt::format("{}.{}: {}", type_, field, what);
  }
  void take(const Error& error) {
    if (error_.empty()) error_ = fmt::format("{}.{}", type_, error.message);
  }
  [[nodiscard]] bool ok() const { return error_.empty(); }
  [[nodiscard]] Error error() const { return {error_}; }

 private:
  const char* type_;
  std::string error_;
};

Result<Prefix> to_prefix(const lc_prefix& given, const char* field) {
  const Result<IpAddress> address = to_address(given.address, field);
  if (!address) return address.error();
  const std::uint32_t bits = address->size() * 8;
  if (given.length > bits)
    return Error{fmt::format("{}: prefix length {}, allowed are 0 to {}", field, given.length, bits)};
  for (std::uint32_t bit = given.length; bit < bits; ++bit) {
    if ((address->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0)
      return Error{fmt::format("{}: {}/{} has host bits set", field, address->text(), given.length)};
  }
  return Prefix{*address, given.length};
}

Result<Selector> to_selector(const lc_selector& given) {
  const Result<Prefix> local = to_prefix(given.local, "selectors.local");
  if (!local) return local.error();
  const Result<Prefix> remote = to_prefix(given.remote, "selectors.remote");
  if (!remote) return remote.error();
  Selector selector{*local, *remote, std::nullopt, {}, {}};
  if (given.protocol < -1 || given.protocol > 255)
    return Error{fmt::format("selectors.protocol: {}, allowed are -1 (any) to 255", given.protocol)};
  if (given.protocol >= 0) selector.protocol = static_cast<std::uint8_t>(given.protocol);
  if (given.local_port_first > given.local_port_last || given.remote_port_first > given.remote_port_last)
    return Error{"selectors: a port range ends before it begins"};
  selector.local_port = {given.local_port_first, given.local_port_last};
  selector.remote_port = {given.remote_port_first, given.remote_port_last};
  return selector;
}

LifetimeLimit to_limit(const lc_limit& given) {
  return {given.packets, given.bytes, given.seconds};
}

}  // namespace

Result<void> check_size(const void* given, std::uint32_t size, std::size_t first, std::size_t ours, const char* type) {
  // No struct of ours comes near this: a size field that was never set must not make us read on and on.
  constexpr std::size_t size_most = 65536;
  if (size < first || size > size_most)
    return Error{fmt::format("{}.size: {}, allowed are {} and above (sizeof the struct; call its init function)", type,
                             size, first)};
  if (size <= ours) return {};
  const auto* bytes = static_cast<const std::uint8_t*>(given);
  if (std::any_of(bytes + ours, bytes + size, [](std::uint8_t b) { return b != 0; }))
    return Error{fmt::format(
        "{}.size: {}, of which this library knows {} bytes, and what comes after is not zero: a newer program asks for "
        "something that this library does not have",
        type, size, ours)};
  return {};
}

lc_options default_options() {
  lc_options options{};
  options.size = sizeof options;
  options.provider = LC_PROVIDER_AUTOMATIC;
  options.max_sas = 1024;
  options.queues = 1;
  return options;
}

lc_esp_sa default_esp_sa() {
  const EspSa values;
  lc_esp_sa sa{};
  sa.size = sizeof sa;
  sa.direction = LC_EGRESS;
  sa.mode = LC_ESP_TUNNEL;
  sa.algorithm = LC_AES_GCM_256;
  sa.key_life = LC_KEY_EPHEMERAL;
  sa.esn = values.esn ? 1 : 0;
  sa.verify_outer = values.verify_outer ? 1 : 0;
  sa.replay_window = values.replay_window;
  sa.udp_source_port = UdpEncapsulation{}.source_port;
  sa.udp_destination_port = UdpEncapsulation{}.destination_port;
  sa.df = LC_DF_COPY;
  sa.dscp_copy_out = values.dscp_copy_out ? 1 : 0;
  sa.ecn = values.ecn ? 1 : 0;
  sa.hop_limit = values.hop_limit;
  return sa;
}

lc_macsec_sa default_macsec_sa() {
  lc_macsec_sa sa{};
  sa.size = sizeof sa;
  sa.direction = LC_EGRESS;
  sa.suite = LC_GCM_AES_XPN_256;
  sa.sci_encoding = LC_SCI_EXPLICIT;
  sa.encrypt = 1;
  sa.validate = LC_VALIDATE_STRICT;
  sa.replay_protect = 1;
  sa.sci_port = 1;
  sa.key_life = LC_KEY_EPHEMERAL;
  sa.lowest_pn = 1;
  return sa;
}

Result<IpAddress> to_address(const lc_address& given, const char* field) {
  if (given.family != 4 && given.family != 6)
    return Error{fmt::format("{}: address family {}, allowed are 4 and 6", field, given.family)};
  IpAddress address;
  address.family = given.family == 4 ? Family::ipv4 : Family::ipv6;
  std::copy(std::begin(given.bytes), std::end(given.bytes), address.bytes.begin());
  if (std::any_of(address.bytes.begin() + address.size(), address.bytes.end(), [](auto b) { return b != 0; }))
    return Error{fmt::format("{}: an IPv4 address uses 4 bytes, the other 12 must be zero", field)};
  return address;
}

Result<EspSa> to_esp_sa(const lc_esp_sa& caller) {
  Result<lc_esp_sa> sized = take_sized(caller, default_esp_sa(), esp_sa_first_size, "lc_esp_sa");
  if (!sized) return sized.error();
  const lc_esp_sa& given = *sized;
  Fields fields("lc_esp_sa");
  EspSa sa;
  sa.spi = given.spi;
  sa.direction = fields.one_of<Direction>("direction", given.direction, 1, "LC_EGRESS, LC_INGRESS");
  sa.mode = fields.one_of<EspMode>("mode", given.mode, 1, "LC_ESP_TUNNEL, LC_ESP_TRANSPORT");
  sa.algorithm = fields.one_of<EspAlgorithm>("algorithm", given.algorithm, 5, "LC_AES_GCM_128 to LC_AES_GMAC_256");
  (void)fields.one_of<int>("key_life", given.key_life, 1, "LC_KEY_EPHEMERAL, LC_KEY_PERSISTENT");
  if (!fields.ok()) return fields.error();
  sa.key = fields.secret<32>("key", given.key, given.key_size, key_size(sa.algorithm));
  sa.salt = fields.secret<4>("salt", given.salt, given.salt_size, 4);
  sa.esn = fields.flag("esn", given.esn);
  sa.replay_disabled = fields.flag("replay_disabled", given.replay_disabled);
  sa.verify_outer = fields.flag("verify_outer", given.verify_outer);
  sa.replay_window = given.replay_window;
  const bool udp = fields.flag("udp", given.udp);
  const bool verify_ports = fields.flag("udp_verify_ports", given.udp_verify_ports);
  if (udp) sa.udp = UdpEncapsulation{given.udp_source_port, given.udp_destination_port, verify_ports};
  sa.df = fields.one_of<DfPolicy>("df", given.df, 2, "LC_DF_COPY, LC_DF_SET, LC_DF_CLEAR");
  sa.dscp_copy_out = fields.flag("dscp_copy_out", given.dscp_copy_out);
  sa.dscp_copy_in = fields.flag("dscp_copy_in", given.dscp_copy_in);
  sa.dscp = given.dscp;
  sa.ecn = fields.flag("ecn", given.ecn);
  sa.hop_limit = given.hop_limit;
  sa.decrement_ttl = fields.flag("decrement_ttl", given.decrement_ttl);
  sa.flow_label_copy = fields.flag("flow_label_copy", given.flow_label_copy);
  fields.zero("reserved0", given.reserved0);
  sa.tfc_pad_to = given.tfc_pad_to;
  for (const auto& [from, to, name] : {std::tuple(&given.source, &sa.source, "source"),
                                       std::tuple(&given.destination, &sa.destination, "destination")}) {
    const Result<IpAddress> address = to_address(*from, name);
    if (address)
      *to = *address;
    else
      fields.take(address.error());
  }
  sa.lifetime = {to_limit(given.soft), to_limit(given.hard)};
  if (given.selector_count > selectors_most) {
    fields.fail("selector_count", fmt::format("{}, allowed are 0 to {}", given.selector_count, selectors_most));
  } else if (given.selector_count != 0 && given.selectors == nullptr) {
    fields.fail("selectors", fmt::format("NULL with a count of {}", given.selector_count));
  } else {
    for (const lc_selector& one : std::span(given.selectors, given.selector_count)) {
      const Result<Selector> selector = to_selector(one);
      if (!selector) {
        fields.take(selector.error());
        break;
      }
      sa.selectors.push_back(*selector);
    }
  }
  if (!fields.ok()) return fields.error();
  return sa;
}

Result<MacsecSa> to_macsec_sa(const lc_macsec_sa& caller) {
  Result<lc_macsec_sa> sized = take_sized(caller, default_macsec_sa(), macsec_sa_first_size, "lc_macsec_sa");
  if (!sized) return sized.error();
  const lc_macsec_sa& given = *sized;
  Fields fields("lc_macsec_sa");
  MacsecSa sa;
  sa.direction = fields.one_of<Direction>("direction", given.direction, 1, "LC_EGRESS, LC_INGRESS");
  sa.secy.suite = fields.one_of<CipherSuite>("suite", given.suite, 3, "LC_GCM_AES_128 to LC_GCM_AES_XPN_256");
  sa.secy.sci_encoding =
      fields.one_of<SciEncoding>("sci_encoding", given.sci_encoding, 3, "LC_SCI_EXPLICIT to LC_SCI_SCB");
  sa.secy.validate =
      fields.one_of<ValidateFrames>("validate", given.validate, 2, "LC_VALIDATE_DISABLED, _CHECK, _STRICT");
  (void)fields.one_of<int>("key_life", given.key_life, 1, "LC_KEY_EPHEMERAL, LC_KEY_PERSISTENT");
  sa.secy.encrypt = fields.flag("encrypt", given.encrypt);
  sa.secy.confidentiality_offset = given.confidentiality_offset;
  sa.secy.replay_protect = fields.flag("replay_protect", given.replay_protect);
  sa.secy.replay_window = given.replay_window;
  sa.secy.duplicate_bitmap = given.duplicate_bitmap;
  sa.secy.pn_soft_limit = given.pn_soft_limit;
  if (given.clear_tag_count > 2) {
    fields.fail("clear_tag_count", fmt::format("{}, allowed are 0 to 2", given.clear_tag_count));
  } else {
    for (std::uint32_t i = 0; i < given.clear_tag_count; ++i)
      sa.secy.clear_tags.push_back({given.clear_tags[i].tpid, given.clear_tags[i].vid});
  }
  sa.an = given.an;
  std::copy(std::begin(given.sci_address), std::end(given.sci_address), sa.sci.address.bytes.begin());
  sa.sci.port = given.sci_port;
  sa.ssci = given.ssci;
  sa.lowest_pn = given.lowest_pn;
  if (!fields.ok()) return fields.error();
  sa.key = fields.secret<32>("key", given.key, given.key_size, key_size(sa.secy.suite));
  sa.salt = fields.secret<12>("salt", given.salt, given.salt_size, is_xpn(sa.secy.suite) ? 12 : 0);
  if (!fields.ok()) return fields.error();
  return sa;
}

}  // namespace linecrypt::capi
