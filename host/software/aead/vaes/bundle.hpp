// Several small messages side by side, each under its own key, so that their rounds fill the AES units: one alone is
// a chain of ten rounds that waits for itself.
#pragma once

#include "host/software/aead/vaes/stream.hpp"

namespace linecrypt::software::vaes {

inline constexpr std::size_t bundle_largest_aad = 32;

// What fits in `vectors` of key stream behind E(K, Y0).
template <class V>
constexpr std::size_t bundle_largest(std::size_t vectors) {
  return (vectors * V::lanes - 1) * 16;
}

// At most two blocks of associated data, their bytes reversed.
[[gnu::always_inline]] inline void load_associated(const AeadOp& op, __m128i (&blocks)[2]) noexcept {
  const std::uint8_t* from = op.aad_head_length != 0 ? op.aad_head : op.aad_tail;
  const std::size_t size = std::size_t{op.aad_head_length} + op.aad_tail_length;
  std::uint8_t gathered[bundle_largest_aad];
  if (op.aad_head_length != 0 && op.aad_tail_length != 0) {
    std::memcpy(gathered, op.aad_head, op.aad_head_length);
    std::memcpy(gathered + op.aad_head_length, op.aad_tail, op.aad_tail_length);
    from = gathered;
  }
  if (size < 16) {
    blocks[0] = reverse(load_piece(from, size));
    blocks[1] = _mm_setzero_si128();
    return;
  }
  blocks[0] = reverse(load_block(from));
  blocks[1] = size == 32 ? reverse(load_block(from + 16)) : reverse(load_second(from, size));
}

// The text, its GHASH and the tag of one message whose key stream is there. All blocks are one sum, reduced once.
template <class V, bool Sealing, std::size_t Vectors>
[[gnu::always_inline]] inline void finish_bundled(AeadOp& op, const typename V::Type (&stream)[Vectors]) noexcept {
  constexpr std::size_t width = sizeof(typename V::Type);
  // The associated data, the text (a block less than the key stream has) and the block of lengths.
  static_assert(bundle_largest_aad / 16 + Vectors * V::lanes - 1 + 1 <= V::powers);
  const KeyContext& key = *static_cast<const KeyContext*>(op.key);
  const std::size_t aad_size = std::size_t{op.aad_head_length} + op.aad_tail_length;
  const std::size_t text_blocks = (std::size_t{op.length} + 15) / 16;
  Product<V> product;
#pragma GCC unroll 16
  for (std::size_t i = 0; i < Vectors; ++i) {
    if (i * width >= op.length) break;
    const auto key_stream = V::one_block_on(stream[i], stream[i + 1 < Vectors ? i + 1 : i]);
    const auto x = cipher<V, Sealing>(op.in + i * width, op.out + i * width, op.length - i * width, key_stream);
    multiply_add<V>(product, x, V::load(key.power(text_blocks + 1 - i * V::lanes)));
  }
  __m128i associated[2];
  load_associated(op, associated);
  const __m128i lengths = lengths_block(aad_size, op.length);
  // Without a second block, the first one's power is one less; without any, both are zero whatever the power.
  const std::size_t aad_power = text_blocks + (aad_size > 16 ? 3 : 2);
  if constexpr (V::lanes == 1) {
    multiply_add<V>(product, associated[0], V::load(key.power(aad_power)));
    if (aad_size > 16) multiply_add<V>(product, associated[1], V::load(key.power(aad_power - 1)));
    multiply_add<V>(product, lengths, V::load(key.power(1)));
  } else {
    multiply_add<V>(product, V::pair(associated[0], lengths),
                    V::pair(load_block(key.power(aad_power)), load_block(key.power(1))));
    if (aad_size > 16)
      multiply_add<V>(product, V::lowest(associated[1]), V::lowest(load_block(key.power(aad_power - 1))));
  }
  finish<V, Sealing>(op, reduce<V>(product), V::lowest_of(stream[0]));
}

// 1. Counters from Y0 on. 2. Nine rounds, which every key size has, in step. 3. The further rounds of longer keys. 4.
// Each message by itself; nothing of one waits for another.
template <class V, bool Sealing, std::size_t Vectors, std::size_t Together>
[[gnu::noinline]] void bundle(AeadOp* const* ops) noexcept {
  constexpr std::size_t common_rounds = 9;
  typename V::Type stream[Together][Vectors];
  const std::uint8_t* round_keys[Together];
  std::uint32_t rounds[Together];
  // 1.
#pragma GCC unroll 16
  for (std::size_t m = 0; m < Together; ++m) {
    const KeyContext& key = *static_cast<const KeyContext*>(ops[m]->key);
    round_keys[m] = key.first_round_key();
    rounds[m] = key.rounds;
    const auto whitening = V::everywhere(round_keys[m]);
    auto counters = V::counters(first_counter(ops[m]->iv));
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Vectors; ++i) {
      stream[m][i] = V::sum(V::reversed(counters), whitening);
      counters = V::add(counters, V::step());
    }
  }
  // 2.
#pragma GCC unroll 16
  for (std::size_t round = 1; round <= common_rounds; ++round) {
#pragma GCC unroll 16
    for (std::size_t m = 0; m < Together; ++m) {
      const auto current = V::everywhere(round_keys[m] + 16 * round);
#pragma GCC unroll 16
      for (std::size_t i = 0; i < Vectors; ++i) stream[m][i] = V::round(stream[m][i], current);
    }
  }
  // 3.
#pragma GCC unroll 16
  for (std::size_t m = 0; m < Together; ++m) {
    const std::uint8_t* round_key = round_keys[m] + 16 * common_rounds;
    for (std::uint32_t round = common_rounds + 1; round < rounds[m]; ++round) {
      round_key += 16;
      const auto current = V::everywhere(round_key);
#pragma GCC unroll 16
      for (std::size_t i = 0; i < Vectors; ++i) stream[m][i] = V::round(stream[m][i], current);
    }
    const auto last = V::everywhere(round_key + 16);
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Vectors; ++i) stream[m][i] = V::last_round(stream[m][i], last);
  }
  // 4.
#pragma GCC unroll 16
  for (std::size_t m = 0; m < Together; ++m) finish_bundled<V, Sealing, Vectors>(*ops[m], stream[m]);
}

}  // namespace linecrypt::software::vaes
