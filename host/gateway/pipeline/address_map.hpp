// AddressMap: (port, IP address) -> value, open addressing, built once by the control thread and only read by the
// worker.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "host/gateway/pipeline/frame.hpp"
#include "linecrypt/address.hpp"

namespace linecrypt::gateway {

template <typename Value>
class AddressMap {
 public:
  // Room for `count` entries at half load or less.
  explicit AddressMap(std::size_t count = 0) : slots_(std::bit_ceil(count * 2 + 1)) {}

  // The first value of a key stays. Precondition: fewer entries than the constructor was told.
  void insert(PortIndex port, Family family, const std::uint8_t* address, const Value& value) {
    Slot& slot = slots_[index(port, family, address)];
    if (slot.used) return;
    slot.used = true;
    slot.port = port;
    slot.family = family;
    std::memcpy(slot.address, address, size(family));
    slot.value = value;
  }

  [[nodiscard]] const Value* find(PortIndex port, Family family, const std::uint8_t* address) const noexcept {
    const Slot& slot = slots_[index(port, family, address)];
    return slot.used ? &slot.value : nullptr;
  }

 private:
  struct Slot {
    bool used = false;
    Family family = Family::ipv4;
    PortIndex port = 0;
    std::uint8_t address[16] = {};
    Value value{};
  };

  static std::uint32_t size(Family family) noexcept { return family == Family::ipv4 ? 4 : 16; }

  // The slot of this key, or the free one where it would go.
  [[nodiscard]] std::size_t index(PortIndex port, Family family, const std::uint8_t* address) const noexcept {
    std::uint64_t words[2] = {};
    std::memcpy(words, address, size(family));
    std::uint64_t hash = (words[0] ^ (std::uint64_t{port} << 48U)) * 0x9e3779b97f4a7c15U;
    hash = (hash ^ (hash >> 32U) ^ words[1]) * 0xd6e8feb86659fd93U;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = (hash ^ (hash >> 32U)) & mask;; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (!slot.used) return at;
      if (slot.port == port && slot.family == family && std::memcmp(slot.address, address, size(family)) == 0)
        return at;
    }
  }

  std::vector<Slot> slots_;
};

}  // namespace linecrypt::gateway
