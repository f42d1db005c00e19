// linecrypt-xclbin: makes the emulated card's xclbin, writes and signs manifests, shows and verifies both.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "bitstreams/csynth.hpp"
#include "bitstreams/digest.hpp"
#include "bitstreams/manifest.hpp"

using namespace linecrypt;
using namespace linecrypt::bitstreams;

namespace {

constexpr std::uint64_t text_most = 64U << 20U;

Result<std::string> read_text(const std::string& file) {
  auto bytes = read_file(file, text_most);
  if (!bytes) return bytes.error();
  return std::string(bytes->begin(), bytes->end());
}

// Whole or not at all: a reader never meets half a file.
Result<void> write_whole(const std::string& file, ByteSpan bytes) {
  const std::string beside = file + ".part";
  std::FILE* out = std::fopen(beside.c_str(), "we");
  if (out == nullptr) return Error{fmt::format("{}: cannot be created", beside)};
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), out) == bytes.size();
  const bool closed = std::fclose(out) == 0;
  std::error_code failed;
  if (written && closed) std::filesystem::rename(beside, file, failed);
  if (!written || !closed || failed) {
    std::error_code ignored;
    std::filesystem::remove(beside, ignored);
    return Error{fmt::format("{}: cannot be written", file)};
  }
  return {};
}

Result<void> write_manifest(const std::string& xclbin_file, const Manifest& manifest) {
  const std::string text = manifest_text(manifest);
  return write_whole(manifest_file_of(xclbin_file), {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

struct Options {
  std::string spec, image, out, file, key, trusted, card, shell, mode, wiring, tool;
  std::uint32_t declared = 0, clock = 0;
  std::vector<std::string> reports, modules, schedules, memories;
  bool line_rate = false, signature_required = false;
};

// What both `make` and `manifest` know from the file itself.
Manifest manifest_for(const Xclbin& xclbin, ByteSpan bytes, const Options& o) {
  Manifest m;
  m.shell = xclbin.platform;
  m.abi_major = abi::version_major;
  m.abi_minor = abi::version_minor;
  m.xclbin_sha256 = hex_text(sha256(bytes));
  m.xclbin_uuid = uuid_text(xclbin.uuid);
  m.tool = o.tool;
  m.forwarding.declared = o.declared;
  return m;
}

Result<void> make(const Options& o) {
  auto text = read_text(o.spec);
  if (!text) return text.error();
  auto spec = read_specification(*text, o.spec);
  if (!spec) return spec.error();
  if (!o.wiring.empty()) spec->wiring = o.wiring;
  auto image = read_file(o.image);
  if (!image) return image.error();
  auto bytes = write_xclbin(*spec, *image);
  if (!bytes) return bytes.error();
  // What we would refuse to load we do not write.
  auto xclbin = read_xclbin(*bytes, o.out);
  if (!xclbin) return xclbin.error();
  Manifest m = manifest_for(*xclbin, *bytes, o);
  m.card = spec->card;
  m.mode = spec->mode;
  m.wiring = spec->wiring;
  m.kernel_clock_mhz = spec->kernel_clock_mhz;
  if (auto written = write_whole(o.out, *bytes); !written) return written.error();
  return write_manifest(o.out, m);
}

// Over all tables that forward; each must be in one of the schedules.
Result<std::uint32_t> largest_distance(const Options& o) {
  std::uint32_t largest = 0;
  for (const auto& memory : o.memories) {
    bool found = false;
    for (const auto& file : o.schedules) {
      auto text = read_text(file);
      if (!text) return text.error();
      auto distance = forwarding_distance(*text, file, memory);
      if (!distance) return distance.error();
      if (!*distance) continue;
      found = true;
      largest = std::max(largest, **distance);
    }
    if (!found) return Error{fmt::format("table '{}' is in none of: {}", memory, fmt::join(o.schedules, ", "))};
  }
  return largest;
}

Result<void> manifest(const Options& o) {
  auto bytes = read_file(o.file);
  if (!bytes) return bytes.error();
  auto xclbin = read_xclbin(*bytes, o.file);
  if (!xclbin) return xclbin.error();
  // Each kernel has a report of its own; a module stands in one of them.
  std::string reports;
  for (const auto& file : o.reports) {
    auto report = read_text(file);
    if (!report) return report.error();
    reports += *report;
  }
  if (auto intervals = check_intervals(reports, fmt::format("{}", fmt::join(o.reports, " + ")), o.modules); !intervals)
    return intervals.error();
  auto distance = largest_distance(o);
  if (!distance) return distance.error();
  Manifest m = manifest_for(*xclbin, *bytes, o);
  m.card = o.card;
  m.mode = o.mode;
  m.wiring = o.wiring;
  m.forwarding.reported = *distance;
  m.kernel_clock_mhz = xclbin->kernel_clock_mhz;
  if (m.kernel_clock_mhz == 0)
    return Error{fmt::format("{}: CLOCK_FREQ_TOPOLOGY: missing, the achieved kernel clock is needed", o.file)};
  m.line_rate = o.line_rate;
  if (auto claims = check_claims(m, manifest_file_of(o.file)); !claims) return claims.error();
  return write_manifest(o.file, m);
}

Result<Manifest> manifest_beside(const std::string& file) {
  auto text = read_text(manifest_file_of(file));
  if (!text) return text.error();
  return read_manifest(*text, manifest_file_of(file));
}

Result<void> sign(const Options& o) {
  auto m = manifest_beside(o.file);
  if (!m) return m.error();
  auto key = PrivateKey::read(o.key);
  if (!key) return key.error();
  // 1. Sign only what would load: the file it describes, on the card it names.
  m->signature.reset();
  Requirements own;
  own.card = m->card;
  auto bytes = read_file(o.file);
  if (!bytes) return bytes.error();
  if (auto checked = check(*m, std::move(*bytes), o.file, own); !checked) return checked.error();
  // 2. Over the canonical text.
  auto value = key->sign(canonical_text(*m));
  if (!value) return value.error();
  m->signature = Signature{key->id(), *value};
  return write_manifest(o.file, *m);
}

Result<void> verify(const Options& o) {
  Requirements asked;
  if (!o.trusted.empty()) {
    auto keys = read_trusted_keys(o.trusted);
    if (!keys) return keys.error();
    asked.trusted = std::move(*keys);
  }
  asked.signature_required = o.signature_required;
  asked.line_rate = o.line_rate;
  asked.shell = o.shell;
  asked.card = o.card;
  if (asked.card.empty()) {
    auto m = manifest_beside(o.file);
    if (!m) return m.error();
    asked.card = m->card;
  }
  if (!o.mode.empty()) asked.mode = o.mode;
  if (!o.wiring.empty()) asked.wiring = o.wiring;
  auto opened = open_bitstream(o.file, asked);
  if (!opened) return opened.error();
  fmt::print("{}: good: {} {} {}, {}\n", o.file, opened->manifest.card, opened->manifest.mode, opened->manifest.wiring,
             text_of(opened->signature));
  return {};
}

Result<void> info(const Options& o) {
  auto bytes = read_file(o.file);
  if (!bytes) return bytes.error();
  auto x = read_xclbin(*bytes, o.file);
  if (!x) return x.error();
  fmt::print("platform  {}\nuuid      {}\nfor       {}\nclock     {} MHz\nsha256    {}\n", x->platform,
             uuid_text(x->uuid), x->emulation ? "emulation" : "hardware", x->kernel_clock_mhz,
             hex_text(sha256(*bytes)));
  for (const auto& section : x->sections)
    fmt::print("section   {:<22} {:>10} bytes at {}\n", section_name(section.kind), section.size, section.offset);
  for (const auto& bank : x->memory)
    fmt::print("memory    {:<22} {:>10} KiB at {:#x}\n", bank.tag, bank.size_kib, bank.base);
  for (std::uint32_t u = 0; u < x->units.size(); ++u) {
    const auto& unit = x->units[u];
    if (unit.kernel.empty()) continue;
    std::vector<std::string> banks;
    for (const auto& c : x->connections)
      if (c.unit == u) banks.push_back(fmt::format("{}->{}", c.argument, x->memory[c.bank].tag));
    fmt::print("unit      {}:{} {} {} {}\n", unit.kernel, unit.name, name_of(unit.protocol),
               unit.base ? fmt::format("{:#x}", *unit.base) : "no registers", fmt::join(banks, " "));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"linecrypt-xclbin: the emulated card's xclbin (our writer, not xclbinutil), manifests and signatures",
               "linecrypt-xclbin"};
  app.require_subcommand(1);
  Options o;
  Result<void> (*run)(const Options&) = nullptr;
  const auto command = [&](const char* name, const char* text, Result<void> (*function)(const Options&)) {
    CLI::App* sub = app.add_subcommand(name, text);
    sub->callback([&run, function] { run = function; });
    return sub;
  };
  const auto wirings = CLI::IsMember({"look-aside", "bump-in-the-wire", "port-to-host"});

  CLI::App* sub = command("make", "write an xclbin for the emulated card, and its manifest", make);
  sub->add_option("--spec", o.spec, "JSON: memory banks and kernels")->required();
  sub->add_option("--image", o.image, "shared object with the kernels")->required();
  sub->add_option("--out", o.out, "xclbin to write")->required();
  sub->add_option("--tool", o.tool, "what compiled the image")->required();
  sub->add_option("--declared-distance", o.declared, "forwarding distance of the kernels")->required();
  sub->add_option("--wiring", o.wiring, "other than the specification's")->check(wirings);

  sub = command("manifest", "write the manifest beside an xclbin that v++ made", manifest);
  sub->add_option("file", o.file, "xclbin")->required();
  sub->add_option("--card", o.card)->required()->check(CLI::IsMember({"u50", "u55c", "u200", "u250", "u280"}));
  sub->add_option("--mode", o.mode)->required()->check(CLI::IsMember({"esp", "macsec", "both"}));
  sub->add_option("--wiring", o.wiring)->required()->check(wirings);
  sub->add_option("--tool", o.tool, "v++ version")->required();
  sub->add_option("--declared-distance", o.declared, "forwarding distance of the kernels")->required();
  sub->add_option("--report", o.reports, "csynth.xml of a kernel; repeat")->required();
  sub->add_option("--module", o.modules, "process that must take one item a cycle; repeat")->required();
  sub->add_option("--schedule", o.schedules, "verbose.sched.rpt of a process; repeat")->required();
  sub->add_option("--memory", o.memories, "table that forwards, as the schedule names it; repeat")->required();
  sub->add_flag("--line-rate", o.line_rate, "claim 100 Gb/s at every frame length");

  sub = command("sign", "sign the manifest beside an xclbin", sign);
  sub->add_option("file", o.file, "xclbin")->required();
  sub->add_option("--key", o.key, "Ed25519 private key, PEM, mode 0600")->required();

  sub = command("verify", "check an xclbin and its manifest as before a load", verify);
  sub->add_option("file", o.file, "xclbin")->required();
  sub->add_option("--trusted", o.trusted, "directory of public keys (*.pem)");
  sub->add_flag("--signature-required", o.signature_required);
  sub->add_flag("--line-rate", o.line_rate, "as a configuration that asks for line rate");
  sub->add_option("--card", o.card, "the card it shall run on (default: the one it names)");
  sub->add_option("--shell", o.shell, "the shell that card runs");
  sub->add_option("--mode", o.mode);
  sub->add_option("--wiring", o.wiring)->check(wirings);

  sub = command("info", "show what an xclbin holds", info);
  sub->add_option("file", o.file, "xclbin")->required();

  CLI11_PARSE(app, argc, argv);
  if (const auto done = run(o); !done) {
    fmt::print(stderr, "linecrypt-xclbin: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
