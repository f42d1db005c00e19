// EspSa: everything an engine must know of one IPsec ESP SA (RFC 4301 4.4.2.1, RFC 4303), as a plain aggregate.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "linecrypt/address.hpp"
#include "linecrypt/policy.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt {

enum class Direction : std::uint8_t { egress, ingress };
enum class EspMode : std::uint8_t { tunnel, transport };

// Sizes are the key's. GMAC is authentication without confidentiality (RFC 4543).
enum class EspAlgorithm : std::uint8_t {
  aes_gcm_128,
  aes_gcm_192,
  aes_gcm_256,
  aes_gmac_128,
  aes_gmac_192,
  aes_gmac_256
};

[[nodiscard]] constexpr std::uint32_t key_size(EspAlgorithm algorithm) noexcept {
  constexpr std::uint32_t sizes[] = {16, 24, 32, 16, 24, 32};
  return sizes[static_cast<std::size_t>(algorithm)];
}
[[nodiscard]] constexpr bool is_gmac(EspAlgorithm algorithm) noexcept {
  return algorithm >= EspAlgorithm::aes_gmac_128;
}

enum class DfPolicy : std::uint8_t { copy, set, clear };  // outer IPv4 DF; from an IPv6 inner header `copy` sets it

// UDP encapsulation (RFC 3948). On ingress `verify_ports` compares the datagram's ports with these.
struct UdpEncapsulation {
  std::uint16_t source_port = 4500;
  std::uint16_t destination_port = 4500;
  bool verify_ports = false;
  auto operator<=>(const UdpEncapsulation&) const = default;
};

// 0 means no limit. Counted over accepted packets only (RFC 4301 4.4.2.1).
struct LifetimeLimit {
  std::uint64_t packets = 0;
  std::uint64_t bytes =
      0;  // inner bytes: the IP packet in tunnel mode, the payload after the IP header in transport mode
  std::uint64_t seconds = 0;
};
struct Lifetime {
  LifetimeLimit soft;  // raises an event
  LifetimeLimit hard;  // stops the SA
};

inline constexpr std::uint32_t esp_icv_size = 16;
inline constexpr std::uint32_t replay_window_smallest = 64;
inline constexpr std::uint32_t replay_window_largest = 4096;

struct EspSa {
  std::uint32_t spi = 0;      // 256 and above (RFC 4303 2.1)
  bool reserved_spi = false;  // 1 to 255 too, IANA's reserve: for applications that count their SAs from 1
  Direction direction = Direction::egress;
  EspMode mode = EspMode::tunnel;
  EspAlgorithm algorithm = EspAlgorithm::aes_gcm_256;
  Secret<32> key;
  Secret<4> salt;  // RFC 4106 4

  bool esn = true;                     // extended sequence numbers (RFC 4303 2.2.1)
  std::uint32_t replay_window = 1024;  // ingress; 64..4096, a power of two
  bool replay_disabled = false;        // the explicit flag for a window of 0; refused with ESN

  // Tunnel mode: the outer header. Transport mode: the two ends, for verification only.
  IpAddress source;
  IpAddress destination;
  // Tunnel mode: a packet whose inner IPv4 header checksum is wrong is refused, on egress before its number is taken,
  // on ingress behind its tag. False: it is carried as it is, for interfaces whose ends look at it (rte_security).
  bool verify_inner_checksum = true;
  bool verify_outer = true;  // ingress: the outer (tunnel) or only (transport) header must carry the two addresses
  std::optional<UdpEncapsulation> udp;

  DfPolicy df = DfPolicy::copy;
  bool dscp_copy_out = true;     // inner to outer at encapsulation; else `dscp`
  bool dscp_copy_in = false;     // outer to inner at decapsulation
  std::uint8_t dscp = 0;         // 0..63, when not copied out
  bool ecn = true;               // RFC 6040 normal mode; false: outer not-ECT (compatibility mode) and never copied in
  std::uint8_t hop_limit = 64;   // of the outer header
  bool decrement_ttl = false;    // of the inner packet at encapsulation; a forwarder has done it already
  bool flow_label_copy = false;  // IPv6 in IPv6: copy; else computed from the SPI
  std::uint16_t tfc_pad_to = 0;  // egress, tunnel mode: pad the inner packet to this size where shorter (RFC 4303 2.7)

  Lifetime lifetime;
  // Ingress: what the inner packet must match, checked after decapsulation by the engine. Empty: anything (host tables
  // only ever install that when the configuration says so).
  std::vector<Selector> selectors;

  // A copy with its secrets; a plain copy does not compile.
  [[nodiscard]] EspSa duplicate() const;
};

}  // namespace linecrypt
