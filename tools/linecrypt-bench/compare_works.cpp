#include "tools/linecrypt-bench/compare_works.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "host/software/engine.hpp"
#include "tools/linecrypt-bench/gateway_work/gateway_side.hpp"
#include "tools/linecrypt-bench/peers/aead_side.hpp"
#include "tools/linecrypt-bench/peers/dpdk_side.hpp"
#include "tools/linecrypt-bench/workload/path_side.hpp"
#include "tools/linecrypt-bench/workload/teams.hpp"

namespace linecrypt::bench {
namespace {

using State = Outcome::State;
using MadeSide = Result<std::unique_ptr<Side>>;

constexpr const char* ipsec_mb = "ipsec-mb";
constexpr const char* openssl = "openssl";
const std::map<std::string, DpdkDevice, std::less<>> dpdk_peers = {
    {"dpdk-aesni_gcm", {"crypto_aesni_gcm", false}},
    {"dpdk-aesni_gcm-cpu", {"crypto_aesni_gcm", true}},
    {"dpdk-aesni_mb", {"crypto_aesni_mb", false}},
};

Direction direction_of(const Pairing& row) {
  return row.work->outward ? Direction::egress : Direction::ingress;
}

PathSettings path_settings(const Pairing& row, bool spoil) {
  PathSettings settings;
  settings.protocols = row.work->kind == Kind::macsec ? Protocols::macsec : Protocols::esp;
  settings.direction = direction_of(row);
  settings.key_bits = row.key_bits;
  settings.sizes = {row.size};
  settings.burst = row.burst;
  settings.spoil_result = spoil;
  return settings;
}

// The texts of a work: alone, or as ESP and MACsec would give them to the cipher.
AeadSettings aead_settings(const Pairing& row, bool spoil) {
  AeadSettings settings;
  settings.way = row.work->outward ? AeadWay::seal : AeadWay::open;
  settings.key_bits = row.key_bits;
  settings.burst = row.burst;
  settings.spoil_result = spoil;
  settings.text_size = row.size;
  if (row.work->kind == Kind::esp) settings.text_size = esp_text_size(row.size);
  if (row.work->kind == Kind::macsec) {
    // DA, SA and SecTAG are associated data; what follows them is encrypted.
    settings.text_size = row.size - 12;
    settings.aad_size = 28;
  }
  return settings;
}

Result<std::unique_ptr<software::AeadProvider>> provider(const std::string& name) {
  if (name == aesni_128_provider) return software::make_vaes_provider(software::VaesLevel::aesni_128);
  return software::make_provider(provider_of(name));
}

MadeSide provider_side(const CommonOptions& options, const AeadSettings& settings) {
  auto made = provider(options.provider);
  if (!made) return made.error();
  return make_provider_side(std::move(made).value(), settings);
}

MadeSide engine_side(const Pairing& row, const CommonOptions& options, bool spoil) {
  auto engine = make_engine(options);
  if (!engine) return engine.error();
  auto helper = software::make_software_engine();
  if (!helper) return helper.error();
  auto side = PathSide::make(std::move(engine).value(), std::move(helper).value(), path_settings(row, spoil));
  if (!side) return side.error();
  return std::unique_ptr<Side>(std::move(side).value());
}

MadeSide gateway_side(const Pairing& row, const CommonOptions& options, bool spoil) {
  auto engine = make_engine(options);
  if (!engine) return engine.error();
  auto helper = software::make_software_engine();
  if (!helper) return helper.error();
  GatewaySettings settings;
  settings.direction = direction_of(row);
  settings.key_bits = row.key_bits;
  settings.size = row.size;
  settings.burst = row.burst;
  settings.spoil_result = spoil;
  return make_gateway_side(std::move(engine).value(), std::move(helper).value(), settings);
}

MadeSide our_side(const Pairing& row, const CommonOptions& options) {
  const bool spoil = options.plant_fault == "ours";
  switch (row.work->kind) {
    case Kind::aead:
      return provider_side(options, aead_settings(row, spoil));
    case Kind::gateway:
      return gateway_side(row, options, spoil);
    default:
      return engine_side(row, options, spoil);
  }
}

MadeSide peer_side(const Pairing& row, const CommonOptions& options) {
  const bool spoil = options.plant_fault == "peer";
  if (const auto found = dpdk_peers.find(row.peer); found != dpdk_peers.end()) {
    DpdkSettings settings;
    settings.device = found->second;
    settings.direction = direction_of(row);
    settings.key_bits = row.key_bits;
    settings.size = row.size;
    settings.burst = row.burst;
    settings.spoil_result = spoil;
    return make_dpdk_side(settings);
  }
  if (row.peer == peer_engine) return engine_side(row, options, spoil);
  if (row.peer == ipsec_mb) return make_ipsec_mb_side(aead_settings(row, spoil));
  if (row.peer == openssl) return make_openssl_side(aead_settings(row, spoil));
  return provider_side(options, aead_settings(row, spoil));
}

// Each team has both of the last two cores to itself for its turn.
Outcome measure_teams(const Pairing& row, const CommonOptions& options, const std::vector<int>& cores) {
  if (cores.size() < 2) return {State::no_peer, {}, fmt::format("2 cores are needed, allowed: core {}", cores.front())};
  TeamSettings settings;
  settings.path = path_settings(row, false);
  settings.cores = {cores[cores.size() - 2], cores.back()};
  settings.slice_ns = options.effort().slice_ns;
  settings.spoil_workers = options.plant_fault == "ours";
  settings.spoil_processes = options.plant_fault == "peer";
  auto teams = Teams::start([&options] { return make_engine(options); }, settings);
  if (!teams) return {State::no_side, {}, teams.error().message};
  auto figures = compare_in_pairs([&] { return (*teams)->workers_slice(); },
                                  [&] { return (*teams)->processes_slice(); }, options.pairs);
  if (!figures) return {State::wrong, {}, figures.error().message};
  return {State::measured, *figures, {}};
}

}  // namespace

std::vector<std::string> peers_of(Kind kind) {
  std::vector<std::string> names;
  switch (kind) {
    case Kind::aead:
      return {ipsec_mb, openssl};
    case Kind::esp:
      for (const auto& [name, device] : dpdk_peers) names.push_back(name);
      names.emplace_back(peer_bare_aead);
      return names;
    case Kind::macsec:
      return {std::string(peer_bare_aead)};
    case Kind::gateway:
      return {std::string(peer_engine)};
    case Kind::two_workers:
      return {std::string(peer_two_processes)};
  }
  return {};
}

bool is_dpdk(std::string_view peer) {
  return dpdk_peers.find(peer) != dpdk_peers.end();
}

std::string provider_text(const std::string& name) {
  auto made = provider(name);
  if (!made) return fmt::format("{}: {}", name, made.error().message);
  return fmt::format("{}: {}", name, (*made)->name());
}

std::string peers_text() {
  return fmt::format("{}, {}, {}", ipsec_mb_version(), openssl_version(), dpdk_version());
}

Outcome measure(const Pairing& row, const CommonOptions& options, const std::vector<int>& cores) {
  if (row.work->kind == Kind::two_workers) return measure_teams(row, options, cores);
  auto ours = our_side(row, options);
  if (!ours) return {State::no_side, {}, ours.error().message};
  auto peer = peer_side(row, options);
  if (!peer) return {State::no_peer, {}, peer.error().message};
  const bool own_results = row.peer == peer_bare_aead || row.peer == peer_engine;
  auto figures = compare(**ours, **peer, own_results ? Results::of_their_own : Results::equal, options.effort());
  if (!figures) return {State::wrong, {}, figures.error().message};
  return {State::measured, *figures, {}};
}

}  // namespace linecrypt::bench
