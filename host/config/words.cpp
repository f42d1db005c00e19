#include "host/config/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "linecrypt/wire/ethernet.hpp"

namespace linecrypt::config {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool is_name(std::string_view text, std::size_t longest) {
  return !text.empty() && text.size() <= longest && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), is_name_character);
}

bool is_pci_address(std::string_view text) {
  constexpr std::string_view shape = "hhhh:hh:hh.f";
  if (text.size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (shape[i] == 'h' ? !hex : shape[i] == 'f' ? c < '0' || c > '7' : c != shape[i]) return false;
  }
  return true;
}

}  // namespace

bool read_name(Section& section, std::string& out, Need need) {
  constexpr std::size_t longest = 32;
  if (!section.text("name", out, need)) return false;
  if (is_name(out, longest)) return true;
  section.error("name", fmt::format("name = {}, allowed: 1 to {} letters, digits, '.', '_', '-', the first a letter, "
                                    "digit or '_'",
                                    quoted(out), longest));
  out.clear();
  return false;
}

bool is_netdev_name(std::string_view name) {
  return is_name(name, 15);
}

Result<std::string> parse_pci_address(std::string_view text) {
  if (!is_pci_address(text))
    return Error{fmt::format("{} is not a PCI address, allowed: like 0000:01:00.0, lower case", quoted(text))};
  return std::string(text);
}

bool is_absolute_path(std::string_view path) {
  constexpr std::size_t longest = 4095;
  return path.size() > 1 && path.size() <= longest && path.front() == '/' &&
         std::none_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

bool read_absolute_path(Section& section, std::string_view key, std::string& out) {
  std::string path;
  if (!section.text(key, path)) return false;
  if (!is_absolute_path(path)) {
    section.error(key, fmt::format("{} = {}, an absolute path is needed", key, quoted(path)));
    return false;
  }
  out = std::move(path);
  return true;
}

Result<Sci> parse_sci(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view digits = slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
  const auto mac = MacAddress::parse(text.substr(0, slash));
  unsigned port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (!mac || digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || port > 65535)
    return Error{
        fmt::format("{} is not an SCI, allowed: MAC address and port number 0 to 65535, like "
                    "02:00:00:00:00:01/1",
                    quoted(text))};
  return Sci{mac.value(), static_cast<std::uint16_t>(port)};
}

Result<IpAddress> parse_host(std::string_view text) {
  auto address = IpAddress::parse(text);
  if (!address) return address;
  const auto& bytes = address->bytes;
  const bool zero = std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
  const bool group = address->family == Family::ipv4 ? bytes[0] >= 224 : bytes[0] == 0xff;
  const bool loopback =
      address->family == Family::ipv4
          ? bytes[0] == 127
          : bytes[15] == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t b) { return b == 0; });
  if (zero || group || loopback)
    return Error{fmt::format("{} is the {} address, an address of one host is needed", text,
                             zero    ? "unspecified"
                             : group ? "multicast or broadcast"
                                     : "loopback")};
  return address;
}

Result<HostPrefix> parse_host_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos)
    return Error{
        fmt::format("\"{}\" has no prefix length, an address and a length are needed, like 10.0.0.1/24", text)};
  auto address = parse_host(text.substr(0, slash));
  if (!address) return address.error();
  const std::string_view digits = text.substr(slash + 1);
  const unsigned longest = address->size() * 8;
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || length == 0 || length > longest)
    return Error{fmt::format("\"{}\": prefix length \"{}\", allowed: 1 to {}", text, digits, longest)};
  return HostPrefix{address.value(), static_cast<std::uint8_t>(length)};
}

Result<MacAddress> parse_unicast_mac(std::string_view text) {
  auto mac = MacAddress::parse(text);
  if (!mac) return mac;
  if (mac->group()) return Error{fmt::format("{} is a group address, the address of one station is needed", text)};
  if (*mac == MacAddress{}) return Error{fmt::format("{} is no address of a station", text)};
  return mac;
}

std::vector<ClearVlanTag> read_vlan_tags(Section& section, std::string_view key) {
  std::vector<ClearVlanTag> tags;
  for (const Value& item : section.items(key, 2)) {
    if (!section.of_kind(key, item, Kind::table)) continue;
    Section entry(section.report(), item, fmt::format("{} of {}", key, section.title()));
    ClearVlanTag tag;
    if (entry.integer("tpid", 0, 0xffff, tag.tpid) && !wire::is_vlan(tag.tpid))
      entry.error("tpid", fmt::format("tpid = 0x{:04x}, allowed: 0x8100 (C-tag), 0x88a8 (S-tag)", tag.tpid));
    entry.integer("vid", 0, 4094, tag.vid, Need::required);
    entry.finish();
    tags.push_back(tag);
  }
  return tags;
}

std::string vlan_text(const std::vector<ClearVlanTag>& tags) {
  if (tags.empty()) return "no tag";
  std::vector<std::string> words;
  words.reserve(tags.size());
  for (const ClearVlanTag& tag : tags) words.push_back(fmt::format("0x{:04x}/{}", tag.tpid, tag.vid));
  return joined(words);
}

}  // namespace linecrypt::config
