// The manifest beside a bitstream (<name>.xclbin and <name>.json): what it is, for which card and shell, and by whom it
// is vouched for. It is checked before anything is loaded; a mismatch is explained in words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitstreams/signature.hpp"
#include "bitstreams/xclbin.hpp"
#include "linecrypt/abi/version.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::bitstreams {

constexpr std::uint32_t line_rate_mhz = 281;  // 65-byte frames: 2 beats in 7.12 ns (firmware_hls/README.md)
constexpr std::string_view emulated_card = "emulated";

// Deepest read-to-write distance of the tables that forward (firmware_hls: read, compute, write).
struct Forwarding {
  std::uint32_t declared = 0;             // what the kernels' forwarding covers
  std::optional<std::uint32_t> reported;  // what the HLS report says; none for the emulated card
};

struct Signature {
  std::string key_id;
  std::string value;  // base64
};

struct Manifest {
  std::string card;    // u50, u55c, u200, u250, u280, emulated
  std::string shell;   // platform name in the xclbin
  std::string wiring;  // look-aside, bump-in-the-wire, port-to-host
  std::string mode;    // esp, macsec, both
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  std::string xclbin_sha256;
  std::string xclbin_uuid;
  std::string tool;  // "v++ 2022.2", or the compiler of the emulated card's kernels
  std::uint32_t kernel_clock_mhz = 0;
  Forwarding forwarding;
  bool line_rate = false;  // claims 100 Gb/s at every frame length
  std::optional<Signature> signature;
};

Result<Manifest> read_manifest(std::string_view text, const std::string& file);

// The text that is signed: every field but the signature, names sorted, no spaces.
std::string canonical_text(const Manifest& manifest);
// The file's text: as above, indented, with the signature.
std::string manifest_text(const Manifest& manifest);

// What the host asks of a bitstream.
struct Requirements {
  std::string card;                   // of the card found, as Manifest::card
  std::string shell;                  // platform of the card found; empty: not known yet, not compared
  std::optional<std::string> mode;    // none: any
  std::optional<std::string> wiring;  // none: any
  std::uint32_t abi_version = abi::version;
  bool line_rate = false;  // the configuration asks for line rate
  bool signature_required = false;
  std::vector<PublicKey> trusted;
};

enum class SignatureState : std::uint8_t { none, unknown_key, good };
std::string_view text_of(SignatureState state);

// One loaded from disk and checked; `bytes` is what was checked, so give these to XRT, not the file's name again.
struct Bitstream {
  Manifest manifest;
  Xclbin xclbin;
  Bytes bytes;
  SignatureState signature = SignatureState::none;
};

// Judges a manifest against the xclbin it stands beside and against what the host asks. `file` names the xclbin.
Result<Bitstream> check(const Manifest& manifest, Bytes xclbin, const std::string& file, const Requirements& asked);

// Reads <file> and the manifest beside it, then check(). Nothing of the card is touched.
Result<Bitstream> open_bitstream(const std::string& file, const Requirements& asked);

// "dir/name.xclbin" -> "dir/name.json".
std::string manifest_file_of(const std::string& xclbin_file);

// What a manifest alone can contradict itself in: the line-rate claim, the emulated card, the HLS report. Part of
// check() and of every command that writes a manifest.
Result<void> check_claims(const Manifest& manifest, const std::string& place);

Result<Bytes> read_file(const std::string& file, std::uint64_t most = std::uint64_t{1} << 31U);

}  // namespace linecrypt::bitstreams
