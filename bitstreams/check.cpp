// What must hold before a bitstream is loaded. Pure but for open_bitstream(), which reads two files.
#include <fmt/format.h>

#include "bitstreams/digest.hpp"
#include "bitstreams/manifest.hpp"

namespace linecrypt::bitstreams {
namespace {

constexpr std::uint64_t manifest_most = 64 * 1024;

Result<SignatureState> check_signature(const Manifest& m, const std::string& place, const Requirements& asked) {
  if (!m.signature) {
    if (asked.signature_required)
      return Error{
          fmt::format("{}: not signed, but signatures are required here; sign it with 'linecrypt-xclbin sign'", place)};
    return SignatureState::none;
  }
  for (const auto& key : asked.trusted) {
    if (key.id() != m.signature->key_id) continue;
    if (key.verifies(canonical_text(m), m.signature->value)) return SignatureState::good;
    return Error{fmt::format("{}: signature: does not fit its text, so the manifest was changed after key {} signed it",
                             place, key.id())};
  }
  if (asked.signature_required)
    return Error{fmt::format("{}: signature: by key {}, which is not among the {} trusted keys here", place,
                             m.signature->key_id, asked.trusted.size())};
  return SignatureState::unknown_key;
}

}  // namespace

std::string_view text_of(SignatureState state) {
  switch (state) {
    case SignatureState::none:
      return "not signed";
    case SignatureState::unknown_key:
      return "signed by a key that is not trusted here";
    case SignatureState::good:
      return "signed by a trusted key";
  }
  return "unknown";
}

Result<void> check_claims(const Manifest& m, const std::string& place) {
  const bool emulated = m.card == emulated_card;
  if (m.line_rate && emulated)
    return Error{fmt::format("{}: line_rate: claimed for the emulated card, which has no line rate", place)};
  if (m.line_rate && m.kernel_clock_mhz < line_rate_mhz)
    return Error{fmt::format(
        "{}: line_rate: claimed at a kernel clock of {} MHz; 100 Gb/s at every frame length needs {} MHz or more",
        place, m.kernel_clock_mhz, line_rate_mhz)};
  if (m.forwarding.reported && *m.forwarding.reported > m.forwarding.declared)
    return Error{
        fmt::format("{}: forwarding: the HLS report gives a distance of {} cycles, the kernels forward over {}: "
                    "packets of one SA that follow each other closely would read a stale number",
                    place, *m.forwarding.reported, m.forwarding.declared)};
  if (!emulated && !m.forwarding.reported)
    return Error{fmt::format(
        "{}: forwarding: 'reported' is missing; a bitstream for a real card needs the distance of its HLS report",
        place)};
  if (m.card == "u50" && m.wiring == "bump-in-the-wire")
    return Error{fmt::format(
        "{}: wiring: bump-in-the-wire needs two ports, the u50 has one; allowed: look-aside, port-to-host", place)};
  return {};
}

Result<Bitstream> check(const Manifest& m, Bytes bytes, const std::string& file, const Requirements& asked) {
  const std::string place = manifest_file_of(file);

  // 1. Who says so: nothing else of the text matters if it is not vouched for.
  auto signature = check_signature(m, place, asked);
  if (!signature) return signature.error();

  // 2. The very file that was described.
  const std::string digest = hex_text(sha256(bytes));
  if (digest != m.xclbin_sha256)
    return Error{fmt::format(
        "{}: SHA-256 is {}, its manifest says {}: the file is damaged, or the manifest belongs to another one", file,
        digest, m.xclbin_sha256)};
  auto xclbin = read_xclbin(bytes, file);
  if (!xclbin) return xclbin.error();
  if (uuid_text(xclbin->uuid) != m.xclbin_uuid)
    return Error{fmt::format("{}: uuid is {}, its manifest says {}", file, uuid_text(xclbin->uuid), m.xclbin_uuid)};

  // 3. For this card and this host.
  if (m.card != asked.card)
    return Error{fmt::format("{}: card: made for '{}', this card is '{}'", place, m.card, asked.card)};
  const bool emulated = m.card == emulated_card;
  if (xclbin->emulation != emulated)
    return Error{fmt::format("{}: is an xclbin for {}, its manifest says card '{}'", file,
                             xclbin->emulation ? "emulation" : "hardware", m.card)};
  if (xclbin->platform != m.shell)
    return Error{fmt::format("{}: shell: the xclbin was linked for '{}', the manifest says '{}'", place,
                             xclbin->platform, m.shell)};
  if (!asked.shell.empty() && m.shell != asked.shell)
    return Error{fmt::format(
        "{}: shell: made for '{}', this card runs '{}'; flash that shell or take the bitstream made for this one",
        place, m.shell, asked.shell)};
  const std::uint32_t asked_major = asked.abi_version >> 16U;
  if (m.abi_major != asked_major)
    return Error{
        fmt::format("{}: abi: the bitstream speaks version {}.{}, this host {}.{}; the first numbers must be equal",
                    place, m.abi_major, m.abi_minor, asked_major, asked.abi_version & 0xffffU)};
  if (asked.mode && m.mode != *asked.mode)
    return Error{fmt::format("{}: mode: has '{}', the configuration asks for '{}'", place, m.mode, *asked.mode)};
  if (asked.wiring && m.wiring != *asked.wiring)
    return Error{fmt::format("{}: wiring: has '{}', the configuration asks for '{}'", place, m.wiring, *asked.wiring)};

  // 4. What it claims, and what the configuration needs of it.
  if (auto claims = check_claims(m, place); !claims) return claims.error();
  if (xclbin->kernel_clock_mhz != 0 && m.kernel_clock_mhz > xclbin->kernel_clock_mhz)
    return Error{fmt::format("{}: kernel_clock_mhz: {}, the xclbin's own clock is {} MHz", place, m.kernel_clock_mhz,
                             xclbin->kernel_clock_mhz)};
  if (m.line_rate && xclbin->kernel_clock_mhz == 0)
    return Error{fmt::format("{}: line_rate: claimed, but the xclbin does not state its kernel clock", place)};
  if (asked.line_rate && !m.line_rate)
    return Error{
        fmt::format("{}: line_rate: the configuration asks for it; this bitstream's kernel clock is {} MHz and it does "
                    "not claim it (at "
                    "least {} MHz is needed)",
                    place, m.kernel_clock_mhz, line_rate_mhz)};
  return Bitstream{m, std::move(*xclbin), std::move(bytes), *signature};
}

Result<Bitstream> open_bitstream(const std::string& file, const Requirements& asked) {
  const std::string manifest_file = manifest_file_of(file);
  auto text = read_file(manifest_file, manifest_most);
  if (!text)
    return Error{fmt::format("{}; a bitstream is loaded only with its manifest beside it", text.error().message)};
  auto manifest = read_manifest({reinterpret_cast<const char*>(text->data()), text->size()}, manifest_file);
  if (!manifest) return manifest.error();
  auto bytes = read_file(file);
  if (!bytes) return bytes.error();
  return check(*manifest, std::move(*bytes), file, asked);
}

}  // namespace linecrypt::bitstreams
