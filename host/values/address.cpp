// Text of addresses: dotted IPv4, RFC 5952 IPv6, MAC with colons.
#include "linecrypt/address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace linecrypt {
namespace {

Error not_an_address(std::string_view text) {
  return {fmt::format("\"{}\" is not an IP address; allowed: IPv4 like 192.0.2.1, IPv6 like 2001:db8::1", text)};
}

// A number of at most `digits` digits, the whole of `text`.
std::optional<unsigned> number(std::string_view text, int base, std::size_t digits, unsigned largest) {
  if (text.empty() || text.size() > digits) return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || value > largest) return std::nullopt;
  return value;
}

// Four decimal numbers. Leading zeros are refused: some readers take them as octal.
bool parse_ipv4(std::string_view text, std::uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return false;
    const std::string_view part = text.substr(0, dot);
    const auto value = number(part, 10, 3, 255);
    if (!value || (part.size() > 1 && part[0] == '0')) return false;
    out[i] = static_cast<std::uint8_t>(*value);
    text.remove_prefix(i < 3 ? dot + 1 : dot);
  }
  return text.empty();
}

// RFC 4291 2.2: eight groups, one "::" for a run of zeros, the last two groups possibly dotted.
bool parse_ipv6(std::string_view text, std::uint8_t* out) {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t filled = 0;
  std::optional<std::size_t> gap;
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    // 1. The dotted form can only be last.
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos && text.find('.') != std::string_view::npos) {
      if (filled > 12 || !parse_ipv4(text, bytes.data() + filled)) return false;
      filled += 4;
      break;
    }
    // 2. One group.
    const auto group = number(text.substr(0, colon), 16, 4, 0xffff);
    if (!group || filled == 16) return false;
    bytes[filled++] = static_cast<std::uint8_t>(*group >> 8U);
    bytes[filled++] = static_cast<std::uint8_t>(*group & 0xffU);
    if (colon == std::string_view::npos) break;
    // 3. Its separator: a single colon needs a group behind it, a double one is the gap.
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;
    if (text[0] == ':') {
      if (gap) return false;
      gap = filled;
      text.remove_prefix(1);
    }
  }
  // 4. The gap stands for one group of zeros at least.
  if (gap ? filled > 14 : filled != 16) return false;
  const std::size_t head = gap.value_or(16);
  std::copy_n(bytes.begin(), head, out);
  std::fill(out + head, out + 16, std::uint8_t{0});
  if (gap)
    std::copy(bytes.begin() + static_cast<long>(head), bytes.begin() + static_cast<long>(filled),
              out + 16 - (filled - head));
  return true;
}

std::string ipv6_text(const std::array<std::uint8_t, 16>& bytes) {
  // 1. IPv4-mapped addresses show their IPv4 part (RFC 5952 5).
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = static_cast<unsigned>(bytes[2 * i] << 8U | bytes[2 * i + 1]);
  if (std::all_of(groups.begin(), groups.begin() + 5, [](unsigned g) { return g == 0; }) && groups[5] == 0xffff)
    return fmt::format("::ffff:{}.{}.{}.{}", bytes[12], bytes[13], bytes[14], bytes[15]);
  // 2. The longest run of two or more zero groups, the first of equal ones, becomes "::" (RFC 5952 4.2).
  std::size_t best = 8;
  std::size_t best_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > best_length) {
      best = i;
      best_length = end - i;
    }
    i = end + 1;
  }
  // 3. Lower case, no leading zeros (RFC 5952 4.1, 4.3).
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      text += "::";
      i += best_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    text += fmt::format("{:x}", groups[i]);
  }
  return text;
}

// `address` with the bits behind `length` cleared.
IpAddress network(const IpAddress& address, std::uint32_t length) {
  IpAddress result = address;
  for (std::uint32_t i = 0; i < address.size(); ++i) {
    const std::uint32_t kept = length > i * 8 ? std::min(8U, length - i * 8) : 0;
    result.bytes[i] = static_cast<std::uint8_t>(result.bytes[i] & (0xff00U >> kept));
  }
  return result;
}

}  // namespace

std::string IpAddress::text() const {
  if (family == Family::ipv4) return fmt::format("{}.{}.{}.{}", bytes[0], bytes[1], bytes[2], bytes[3]);
  return ipv6_text(bytes);
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  IpAddress address;
  if (text.find(':') == std::string_view::npos) {
    if (!parse_ipv4(text, address.bytes.data())) return not_an_address(text);
    return address;
  }
  address.family = Family::ipv6;
  if (!parse_ipv6(text, address.bytes.data())) return not_an_address(text);
  return address;
}

std::string Prefix::text() const {
  return fmt::format("{}/{}", address.text(), length);
}

Result<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos)
    return Error{
        fmt::format("\"{}\" is not a prefix; allowed: an address, a slash and a length, like 10.0.0.0/8", text)};
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return address.error();
  const unsigned longest = address->size() * 8;
  const std::string_view digits = text.substr(slash + 1);
  const auto length = number(digits, 10, 3, longest);
  if (!length || (digits.size() > 1 && digits[0] == '0'))
    return Error{fmt::format("\"{}\": prefix length \"{}\"; allowed: 0 to {}", text, digits, longest)};
  const Prefix right{network(*address, *length), static_cast<std::uint8_t>(*length)};
  if (right.address != *address)
    return Error{fmt::format("\"{}\" has host bits set; the prefix is {}", text, right.text())};
  return right;
}

std::string MacAddress::text() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4],
                     bytes[5]);
}

Result<MacAddress> MacAddress::parse(std::string_view text) {
  MacAddress mac;
  bool good = text.size() == 17;
  for (std::size_t i = 0; good && i < 6; ++i) {
    const auto byte = number(text.substr(i * 3, 2), 16, 2, 0xff);
    good = byte.has_value() && (i == 5 || text[i * 3 + 2] == ':');
    if (good) mac.bytes[i] = static_cast<std::uint8_t>(*byte);
  }
  if (!good) return Error{fmt::format("\"{}\" is not a MAC address; allowed: like 02:00:00:00:00:01", text)};
  return mac;
}

}  // namespace linecrypt
