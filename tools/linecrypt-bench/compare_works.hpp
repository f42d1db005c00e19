// What `compare` compares: works by name, the peers of each, and both contestants of a row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/linecrypt-bench/common.hpp"

namespace linecrypt::bench {

enum class Kind : std::uint8_t { aead, esp, macsec, gateway, two_workers };

struct Work {
  const char* option;
  Kind kind;
  bool outward;  // encrypts
};
inline constexpr Work works[] = {
    {"aead-encrypt", Kind::aead, true},
    {"aead-decrypt", Kind::aead, false},
    {"esp-egress", Kind::esp, true},
    {"esp-ingress", Kind::esp, false},
    {"macsec-protect", Kind::macsec, true},
    {"macsec-validate", Kind::macsec, false},
    {"gateway-egress", Kind::gateway, true},
    {"gateway-ingress", Kind::gateway, false},
    {"two-workers-egress", Kind::two_workers, true},
    {"two-workers-ingress", Kind::two_workers, false},
};

// Names of peers that more than one place knows.
inline constexpr std::string_view peer_bare_aead = "bare-aead";
inline constexpr std::string_view peer_engine = "engine";
inline constexpr std::string_view peer_two_processes = "two-processes";

[[nodiscard]] std::vector<std::string> peers_of(Kind kind);
[[nodiscard]] bool is_dpdk(std::string_view peer);

// --provider's names: the engine's, and "aesni_128", the 128-bit body of our own, which only AEAD works can take.
inline constexpr std::string_view aesni_128_provider = "aesni_128";
// What the provider calls itself, or why it cannot be had.
[[nodiscard]] std::string provider_text(const std::string& provider);
// Versions of what stands on the other side.
[[nodiscard]] std::string peers_text();

// One row to be measured.
struct Pairing {
  const Work* work = nullptr;
  std::string peer;
  std::uint32_t key_bits = 128;
  std::uint32_t size = 64;
  std::uint32_t burst = 32;
};

// How a row came out: figures, or a peer (or its environment) that cannot be had here, or a wrong result.
struct Outcome {
  enum class State : std::uint8_t { measured, no_peer, no_side, wrong };
  State state = State::measured;
  Comparison figures;
  std::string message;
};
// `cores`: those that the process may run on; two workers take the last two.
[[nodiscard]] Outcome measure(const Pairing& pairing, const CommonOptions& options, const std::vector<int>& cores);

}  // namespace linecrypt::bench
