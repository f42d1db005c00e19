// Ingress numbers of one SA: the full number of a packet, and the anti-replay window. The same rules as
// linecrypt::ReplayWindow, host/software/esp/sequence.hpp and host/values/packet_number.hpp.
#pragma once

#include "firmware_hls/tables/lifetime.hpp"

namespace linecrypt {
namespace firmware {

// The window's bits live in words of 64 numbers, each stored with the number of its block and its SA's generation. A
// word with another block or generation reads as zero, so moving the window clears nothing, and a packet reads and
// writes one word. A window of 4096 reaches into 65 blocks; with 128 words no two of them share one.
constexpr u32 window_words = 128;
constexpr u32 window_largest = 4096;

struct WindowWord {
  u64 bits;
  u64 block;
  u32 generation;
};

inline u32 window_slot(u64 number) {
  return static_cast<u32>(number >> 6U) & (window_words - 1);
}

struct IngressNumbers {
  u64 top;      // highest number accepted
  u64 start;    // numbers up to it count as seen
  u64 lowest;   // MACsec: lowest acceptable PN as installed, or raised by the KaY
  u64 ceiling;  // first number not accepted; 0: none
  u64 ceiling_low;
  bool low_reported;
  Repeated exhausted;
  Life life;
};

inline IngressNumbers first_ingress(const abi::NumberEntry& entry) {
  IngressNumbers numbers = {};
  numbers.top = entry.window_top;
  numbers.start = entry.window_top;
  numbers.lowest = entry.lowest;
  numbers.ceiling = entry.end;
  numbers.ceiling_low = entry.end == 0 ? 0 : entry.window_top + (entry.end - entry.window_top) / 2;
  return numbers;
}

enum class Replay : u8 { fresh, late, duplicate };

// Under a window of `size` numbers (0: no check). `word` is the one of number's block.
inline Replay check_window(const IngressNumbers& numbers, const WindowWord& word, u32 generation, u32 size,
                           u64 number) {
  if (size == 0 || number > numbers.top) return Replay::fresh;
  if (numbers.top - number >= size) return Replay::late;
  const bool own = word.block == number >> 6U && word.generation == generation;
  const bool marked = own && ((word.bits >> (number & 63U)) & 1U) != 0;
  return marked || number <= numbers.start ? Replay::duplicate : Replay::fresh;
}

// Marks `number` as seen; only after its tag is good and check_window() said fresh.
inline void accept(IngressNumbers& numbers, WindowWord& word, u32 generation, u64 number) {
  if (word.block != number >> 6U || word.generation != generation) {
    word.block = number >> 6U;
    word.generation = generation;
    word.bits = 0;
  }
  word.bits |= u64{1} << (number & 63U);
  if (number > numbers.top) numbers.top = number;
}

// IEEE 802.1AE-2018 10.6.2, 10.6.4: is `number` below the lowest acceptable PN?
inline bool below_lowest(const IngressNumbers& numbers, u32 window, u64 number) {
  return number < numbers.lowest || (number <= numbers.top && numbers.top - number >= window);
}

// 10.6.4: lowestPN = max(lowestPN, nextPN - replayWindow).
inline u64 lowest_acceptable(u64 top, u64 lowest, u32 window) {
  const u64 by_window = top >= window ? top - window + 1 : 0;
  return by_window > lowest ? by_window : lowest;
}

// The 64-bit PN of a frame (10.6.2).
inline u64 recover_pn(u64 lowest, u32 received) {
  u64 high = lowest >> 32U;
  if ((lowest & 0x80000000U) != 0 && (received & 0x80000000U) == 0) ++high;
  return (high << 32U) | received;
}

struct Inferred {
  bool exists;  // false: it would lie before number 0 or behind the last number
  u64 number;
};

// The full number of an ESP packet that carries `low`, seen from a window that ends at `top` (RFC 4303 A2.2).
//
// 1. Case A, the window lies within one subspace: numbers left of its bottom can only be of the next subspace.
// 2. Case B, the window reaches back into the subspace before: numbers from its bottom on are of that one.
inline Inferred infer_number(u32 low, u64 top, u32 window) {
  const u32 top_low = static_cast<u32>(top);
  const u32 top_high = static_cast<u32>(top >> 32U);
  const u32 bottom = top_low - window + 1;  // wraps in case B
  Inferred out = {true, 0};
  u32 high = top_high;
  if (top_low >= window - 1) {
    // 1.
    if (low < bottom) {
      out.exists = top_high != 0xffffffffU;
      ++high;
    }
  } else if (low >= bottom) {
    // 2.
    out.exists = top_high != 0;
    --high;
  }
  out.number = out.exists ? (static_cast<u64>(high) << 32U) | low : low;
  return out;
}

}  // namespace firmware
}  // namespace linecrypt
