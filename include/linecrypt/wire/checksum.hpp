// The Internet checksum (RFC 1071), its incremental update (RFC 1624) and pseudo-headers (RFC 768, RFC 8200 8.1).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "linecrypt/wire/endian.hpp"

namespace linecrypt::wire {

// The one's-complement sum of a sum's halves, twice: adding a word to itself turned by half leaves it, carry included,
// in the upper half.
[[nodiscard]] constexpr std::uint16_t fold(std::uint64_t sum) noexcept {
  const auto half = static_cast<std::uint32_t>((sum + std::rotl(sum, 32)) >> 32U);
  return static_cast<std::uint16_t>((half + std::rotl(half, 16)) >> 16U);
}

// One's-complement sum over pieces. Each piece but the last has an even length.
class Checksum {
 public:
  void add(const std::uint8_t* p, std::uint32_t length) noexcept {
    // The sum does not depend on byte order (RFC 1071 2 B): add the host's words, swap once at the end.
    while (length >= 4) {
      std::uint32_t word;
      std::memcpy(&word, p, sizeof word);
      sum_ += word;
      p += 4;
      length -= 4;
    }
    if (length >= 2) {
      std::uint16_t word;
      std::memcpy(&word, p, sizeof word);
      sum_ += word;
      p += 2;
      length -= 2;
    }
    if (length != 0) sum_ += *p;  // the missing second byte is zero
  }
  void add16(std::uint16_t value) noexcept { sum_ += __builtin_bswap16(value); }
  void add32(std::uint32_t value) noexcept { sum_ += __builtin_bswap32(value); }

  // The checksum field's value; over data that holds a right checksum it is 0.
  [[nodiscard]] std::uint16_t value() const noexcept {
    return __builtin_bswap16(static_cast<std::uint16_t>(~fold(sum_)));
  }

 private:
  std::uint64_t sum_ = 0;
};

[[nodiscard]] inline std::uint16_t checksum(const std::uint8_t* p, std::uint32_t length) noexcept {
  Checksum sum;
  sum.add(p, length);
  return sum.value();
}

// What `checksum` becomes when the 16-bit field `before` changes to `after` (RFC 1624 equation 3).
[[nodiscard]] inline std::uint16_t checksum_update(std::uint16_t checksum, std::uint16_t before,
                                                   std::uint16_t after) noexcept {
  std::uint32_t sum = static_cast<std::uint16_t>(~checksum);
  sum += static_cast<std::uint16_t>(~before);
  sum += after;
  sum = (sum >> 16U) + (sum & 0xffffU);
  sum = (sum >> 16U) + (sum & 0xffffU);
  return static_cast<std::uint16_t>(~sum);
}

// The checksum over a pseudo-header and `length` bytes of upper-layer data. `address_size` is 4 or 16; the form of the
// pseudo-header differs between the families but its sum does not.
[[nodiscard]] inline std::uint16_t checksum_with_pseudo_header(const std::uint8_t* source,
                                                               const std::uint8_t* destination,
                                                               std::uint32_t address_size, std::uint8_t protocol,
                                                               const std::uint8_t* data,
                                                               std::uint32_t length) noexcept {
  Checksum sum;
  sum.add(source, address_size);
  sum.add(destination, address_size);
  sum.add32(length);
  sum.add16(protocol);
  sum.add(data, length);
  return sum.value();
}

}  // namespace linecrypt::wire
