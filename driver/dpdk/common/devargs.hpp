// Devargs: "engine=auto,card=0000:65:00.1,queues=4" as options. A wrong value is named with what is allowed; an unknown
// key is refused.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "host/software/aead/provider.hpp"
#include "linecrypt/offload.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::dpdk {

// What may be done with a key that was used before. README.md: `allow` is for the third-party test suites only.
enum class KeyReuse : std::uint8_t { refuse, allow };

inline constexpr std::uint32_t sas_default = 4096;
inline constexpr std::uint32_t queues_default = 8;

// The inner IPv4 header checksum in tunnel mode. keep: a wrong one is refused. write: computed anew on egress. carry: a
// wrong one goes through, and is told of on ingress where the session asks.
enum class InnerIpChecksum : std::uint8_t { keep, write, carry };

// Those of both drivers.
struct DriverOptions {
  OffloadMode engine = OffloadMode::software;
  std::string card;          // PCI address; empty: by number
  std::uint32_t device = 0;  // number in XRT's order
  std::string xclbin;
  std::string trusted_keys;
  bool shared_node = false;
  std::uint32_t queues = queues_default;
  std::uint32_t max_sas = 0;  // 0: sas_default, or as many as a smaller card has room for
  software::ProviderChoice provider = software::ProviderChoice::automatic;
  KeyReuse key_reuse = KeyReuse::refuse;
  bool test_iv = false;
  bool reserved_spi = false;  // SPIs 1 to 255
  InnerIpChecksum inner_ip_csum = InnerIpChecksum::keep;
  bool test_dec_ttl = false;
  int socket = -1;  // SOCKET_ID_ANY
};

// One key: what it may be, for messages, and what it sets in the struct that parse_devargs() was given.
struct DevargKey {
  std::string_view key;
  std::string_view allowed;
  // False: not one of `allowed`.
  bool (*set)(void* options, std::string_view value);
};

// Their set functions want a DriverOptions.
[[nodiscard]] std::span<const DevargKey> common_devargs();

struct DevargTable {
  std::span<const DevargKey> keys;
  void* options = nullptr;
};

// Each pair goes to the table that has its key. A key given twice is refused.
Result<void> parse_devargs(std::string_view text, std::span<const DevargTable> tables);

// What set functions use.
[[nodiscard]] bool parse_number(std::string_view text, std::uint64_t least, std::uint64_t most, std::uint64_t& value);

// What two keys say together: a card's keys without a card, a card without its bitstream.
Result<void> check_options(const DriverOptions& options);

}  // namespace linecrypt::dpdk
