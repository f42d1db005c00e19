// Packet and Job: what a caller hands to an engine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "linecrypt/ids.hpp"
#include "linecrypt/verdict.hpp"
#include "linecrypt/wire/wide_store.hpp"

namespace linecrypt {

// A view over memory the caller owns (an mbuf, a card buffer, a pcap record). An engine may move `data` into the
// headroom and grow `length` into the tailroom; it never reads or writes outside [data - headroom, data + length +
// tailroom).
struct Packet {
  std::uint8_t* data = nullptr;
  std::uint32_t length = 0;    // bytes of this segment
  std::uint32_t headroom = 0;  // writable bytes before data
  std::uint32_t tailroom = 0;  // writable bytes after data + length
  Packet* next = nullptr;      // next segment; engines state how many they take (Capabilities::max_segments)

  // Grows the front by `bytes`; precondition: headroom >= bytes.
  void push_front(std::uint32_t bytes) noexcept {
    data -= bytes;
    length += bytes;
    headroom -= bytes;
  }
  // Cuts `bytes` from the front; precondition: length >= bytes.
  void pull_front(std::uint32_t bytes) noexcept {
    data += bytes;
    length -= bytes;
    headroom += bytes;
  }
  // Sets the length; precondition: new_length <= length + tailroom.
  void set_length(std::uint32_t new_length) noexcept {
    tailroom = tailroom + length - new_length;
    length = new_length;
  }
  // Both ends at once; precondition: [new_data, new_data + new_length) lies within the packet's memory.
  [[gnu::always_inline]] void set(std::uint8_t* new_data, std::uint32_t new_length) noexcept {
    const auto front = static_cast<std::uint32_t>(new_data - data);  // modulo 2^32 where the packet grows
    const std::uint32_t room_before = headroom + front;
    const std::uint32_t room_behind = tailroom + length - front - new_length;
    wire::put16(this, reinterpret_cast<std::uintptr_t>(new_data), wire::join(new_length, room_before));
    tailroom = room_behind;
  }
};
static_assert(offsetof(Packet, data) == 0 && offsetof(Packet, length) == 8 && offsetof(Packet, headroom) == 12,
              "Packet::set() writes them at once");

enum class Operation : std::uint8_t {
  none,
  esp_encapsulate,  // clear IP packet behind an l2 header of Job::l2_length bytes -> ESP behind the same l2 header
  esp_decapsulate,  // the way back; the l2 header is kept, its EtherType follows the inner family
  macsec_protect,   // Ethernet frame -> frame with SecTAG and ICV
  macsec_validate,  // the way back
};

struct Stage {
  SaId sa{};
  Operation operation = Operation::none;
};

// One frame's work: up to two stages in order. The engine writes `verdict`, `verdict_stage` and `number`; the caller
// owns the job until submit() accepts it and again once its verdict is no longer `pending`.
//
// On any ingress failure after decryption began, the destination's payload is zero before the verdict is visible.
struct Job {
  Packet* source = nullptr;
  Packet* destination = nullptr;  // == source: in place
  std::array<Stage, 2> stages{};
  std::uint16_t l2_length = 14;  // Ethernet and VLAN bytes before the IP header; 0 for bare IP (look-aside)
  Verdict verdict = Verdict::pending;
  std::uint8_t verdict_stage = 0;  // stage that gave the verdict
  std::uint64_t number = 0;        // full sequence or packet number of the last stage run
  std::uint64_t user = 0;          // the caller's; engines do not touch it
};

}  // namespace linecrypt
