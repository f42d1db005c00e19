#include "bitstreams/manifest.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <memory>

#include "bitstreams/json_object.hpp"

namespace linecrypt::bitstreams {
namespace {

constexpr std::uint64_t format_version = 1;

// "1.0" -> {1, 0}.
std::optional<std::pair<std::uint32_t, std::uint32_t>> two_numbers(std::string_view text) {
  std::uint32_t major = 0, minor = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, major);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, minor);
  if (second.ec != std::errc{} || second.ptr != end || major > 0xffff || minor > 0xffff) return std::nullopt;
  return std::pair{major, minor};
}

nlohmann::json unsigned_fields(const Manifest& m) {
  nlohmann::json forwarding = {{"declared", m.forwarding.declared}};
  if (m.forwarding.reported) forwarding["reported"] = *m.forwarding.reported;
  return {{"manifest", format_version},
          {"card", m.card},
          {"shell", m.shell},
          {"wiring", m.wiring},
          {"mode", m.mode},
          {"abi", fmt::format("{}.{}", m.abi_major, m.abi_minor)},
          {"xclbin_sha256", m.xclbin_sha256},
          {"xclbin_uuid", m.xclbin_uuid},
          {"tool", m.tool},
          {"kernel_clock_mhz", m.kernel_clock_mhz},
          {"forwarding", forwarding},
          {"line_rate", m.line_rate}};
}

}  // namespace

Result<Manifest> read_manifest(std::string_view text, const std::string& file) {
  auto parsed = parse_json(text, file);
  if (!parsed) return parsed.error();
  Problem problem;
  JsonObject json(*parsed, file, problem);
  Manifest m;
  // 1. The form first: a later form may mean other things by the same names.
  json.number("manifest", format_version, format_version);
  if (problem.any()) return problem.error();
  json.only({"manifest", "card", "shell", "wiring", "mode", "abi", "xclbin_sha256", "xclbin_uuid", "tool",
             "kernel_clock_mhz", "forwarding", "line_rate", "signature"});

  // 2. What the bitstream is for.
  m.card = json.one_of("card", {"u50", "u55c", "u200", "u250", "u280", emulated_card});
  m.shell = json.text("shell", 63);
  m.wiring = json.one_of("wiring", {"look-aside", "bump-in-the-wire", "port-to-host"});
  m.mode = json.one_of("mode", {"esp", "macsec", "both"});
  const std::string abi_text = json.text("abi");
  if (const auto numbers = two_numbers(abi_text))
    std::tie(m.abi_major, m.abi_minor) = *numbers;
  else
    json.note("abi", fmt::format("found '{}', two numbers such as '1.0' are allowed", abi_text));

  // 3. Which file, and how it was made.
  m.xclbin_sha256 = json.text("xclbin_sha256");
  if (m.xclbin_sha256.size() != 64 || m.xclbin_sha256.find_first_not_of("0123456789abcdef") != std::string::npos)
    json.note("xclbin_sha256",
              fmt::format("found '{}', 64 lower-case hexadecimal digits are allowed", m.xclbin_sha256));
  m.xclbin_uuid = json.text("xclbin_uuid");
  m.tool = json.text("tool");
  m.kernel_clock_mhz = static_cast<std::uint32_t>(json.number("kernel_clock_mhz", 1, 1000));
  JsonObject forwarding = json.object("forwarding");
  forwarding.only({"declared", "reported"});
  m.forwarding.declared = static_cast<std::uint32_t>(forwarding.number("declared", 1, 64));
  if (forwarding.has("reported"))
    m.forwarding.reported = static_cast<std::uint32_t>(forwarding.number("reported", 0, 1000));
  m.line_rate = json.boolean("line_rate");

  // 4. Who vouches for it.
  if (json.has("signature")) {
    JsonObject signature = json.object("signature");
    signature.only({"algorithm", "key_id", "value"});
    signature.one_of("algorithm", {"ed25519"});
    m.signature = Signature{signature.text("key_id"), signature.text("value")};
  }
  if (problem.any()) return problem.error();
  return m;
}

std::string canonical_text(const Manifest& manifest) {
  return unsigned_fields(manifest).dump();
}

std::string manifest_text(const Manifest& manifest) {
  nlohmann::json json = unsigned_fields(manifest);
  if (manifest.signature)
    json["signature"] = {
        {"algorithm", "ed25519"}, {"key_id", manifest.signature->key_id}, {"value", manifest.signature->value}};
  return json.dump(2) + "\n";
}

std::string manifest_file_of(const std::string& xclbin_file) {
  const std::string ending = ".xclbin";
  const bool ends = xclbin_file.size() > ending.size() && xclbin_file.ends_with(ending);
  return (ends ? xclbin_file.substr(0, xclbin_file.size() - ending.size()) : xclbin_file) + ".json";
}

Result<Bytes> read_file(const std::string& file, std::uint64_t most) {
  struct Closer {
    void operator()(std::FILE* f) const noexcept { static_cast<void>(std::fclose(f)); }
  };
  const std::unique_ptr<std::FILE, Closer> handle(std::fopen(file.c_str(), "re"));
  if (!handle) return Error{fmt::format("{}: cannot be opened", file)};
  Bytes bytes;
  std::vector<std::uint8_t> part(1U << 16U);
  while (const std::size_t got = std::fread(part.data(), 1, part.size(), handle.get())) {
    if (bytes.size() + got > most)
      return Error{fmt::format("{}: longer than {} bytes, which is the most allowed", file, most)};
    bytes.insert(bytes.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
  }
  if (std::ferror(handle.get()) != 0) return Error{fmt::format("{}: cannot be read", file)};
  return bytes;
}

}  // namespace linecrypt::bitstreams
