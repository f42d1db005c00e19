// An SA's key beside the faulty engine: to open and seal its packets again, ESP or MACsec.
#pragma once

#include <cstdint>

#include "host/software/aead/provider.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::dpdk {

struct Twin {
  Sa sa;
  void* key = nullptr;
};

// Where the cipher text is in a packet. No text: it is no such packet.
struct Place {
  std::uint8_t* head = nullptr;  // the ESP header, or the frame with its SecTAG right behind the addresses
  std::uint32_t head_length = 0;
  std::uint8_t* open = nullptr;  // MACsec: secure data that is not encrypted
  std::uint32_t open_length = 0;
  std::uint8_t* text = nullptr;
  std::uint32_t text_length = 0;
};

[[nodiscard]] Place place_of(const Twin& twin, const Packet& packet, std::uint32_t l2);
// Its number, as far as it can be told before its ICV is checked.
[[nodiscard]] std::uint64_t number_of(const Twin& twin, const SaSlot& slot, const Place& place);
// GCM of the text in `place` as packet `number`. ESP: under the IV that stands there. `aad` has room for 64 bytes.
[[nodiscard]] software::AeadOp op_of(const Twin& twin, const Place& place, std::uint64_t number, std::uint8_t* aad);
// The packet carries this number's IV from now on; ESP: in its IV field alone.
void set_iv(const Twin& twin, const Place& place, std::uint64_t number);

}  // namespace linecrypt::dpdk
