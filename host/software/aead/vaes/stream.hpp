// One message of any size: key stream and GHASH interleaved, a stride at a time.
#pragma once

#include "host/software/aead/provider.hpp"
#include "host/software/aead/vaes/hash.hpp"

namespace linecrypt::software::vaes {

// 1. The tag: GHASH + E(K, Y0). 2. Seal writes it; open compares it without a branch, its answer is the caller's.
template <class V, bool Sealing>
[[gnu::always_inline]] inline void finish(AeadOp& op, __m128i hash, __m128i first_block) noexcept {
  const __m128i tag = _mm_xor_si128(reverse(hash), first_block);
  if constexpr (Sealing) {
    store_block(op.tag, tag);
    op.good = true;
  } else {
    const __m128i difference = _mm_xor_si128(tag, load_block(op.tag));
    op.good = _mm_testz_si128(difference, difference) != 0;
  }
}

// One vector of text, or its first `size` bytes, which are at least one. Returns the cipher text for GHASH, zeros
// behind its end. In place, open must read before it writes.
template <class V, bool Sealing>
[[gnu::always_inline]] inline typename V::Type cipher(const std::uint8_t* in, std::uint8_t* out, std::size_t size,
                                                      typename V::Type key_stream) noexcept {
  if (size >= sizeof(typename V::Type)) {
    const auto text = V::load(in);
    const auto turned = V::sum(text, key_stream);
    V::store(out, turned);
    return V::reversed(Sealing ? turned : text);
  }
  const auto text = V::load_some(in, size);
  const auto turned = V::keep(V::sum(text, key_stream), size);
  V::store_some(out, size, turned);
  return V::reversed(Sealing ? turned : text);
}

// What a call of key_stream_and_hash() does beside its key stream.
struct Beside {
  bool first_block = false;  // E(K, Y0), begun by the caller
  bool hash = false;         // GHASH over a stride of text
};

// `Count` vectors of key stream, and between their rounds what `Also` says, so that no unit waits for a result where it
// could work on another one. A stride is hashed from `from` on, behind `hash`.
template <class V, Beside Also, std::size_t Count = V::stride>
[[gnu::always_inline]] inline __m128i key_stream_and_hash(const KeyContext& key, typename V::Type& counters,
                                                          typename V::Type (&stream)[V::stride], __m128i& first_block,
                                                          const std::uint8_t* from, __m128i hash) noexcept {
  constexpr std::size_t width = sizeof(typename V::Type);
  constexpr std::size_t common_rounds = 9;  // of every key size, before the last
  const std::uint8_t* round_key = key.first_round_key();
  Product<V> product;
  auto whitening = V::everywhere(round_key);
  if constexpr (Also.first_block) first_block = _mm_xor_si128(first_block, load_block(round_key));
#pragma GCC unroll 16
  for (std::size_t i = 0; i < Count; ++i) {
    stream[i] = V::sum(V::reversed(counters), whitening);
    counters = V::add(counters, V::step());
  }
#pragma GCC unroll 16
  for (std::size_t round = 1; round <= common_rounds; ++round) {
    round_key += 16;
    const auto current = V::everywhere(round_key);
    if constexpr (Also.first_block) first_block = _mm_aesenc_si128(first_block, load_block(round_key));
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Count; ++i) stream[i] = V::round(stream[i], current);
    if (Also.hash && (round - 1) % (8 / V::stride) == 0 && round <= 8) {
      const std::size_t i = (round - 1) / (8 / V::stride);
      auto x = V::reversed(V::load(from + i * width));
      if (i == 0) x = V::sum(x, V::lowest(hash));
      multiply_add_in_stride<V>(product, x, key, i);
    }
  }
  for (std::uint32_t round = common_rounds + 1; round < key.rounds; ++round) {
    round_key += 16;
    const auto current = V::everywhere(round_key);
    if constexpr (Also.first_block) first_block = _mm_aesenc_si128(first_block, load_block(round_key));
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Count; ++i) stream[i] = V::round(stream[i], current);
  }
  const auto last = V::everywhere(round_key + 16);
  if constexpr (Also.first_block) first_block = _mm_aesenclast_si128(first_block, load_block(round_key + 16));
#pragma GCC unroll 16
  for (std::size_t i = 0; i < Count; ++i) stream[i] = V::last_round(stream[i], last);
  return Also.hash ? reduce<V>(product) : hash;
}

// 1. The associated data. 2. E(K, Y0) and strides: open hashes the one it decrypts; seal the one before, since cipher
// text must be there first, and so owes one at the end. 3. Key stream for the rest, less than a stride, and beside it
// what seal owes. 4. The rest and the block of lengths in one sum. 5. The tag.
template <class V, bool Sealing>
[[gnu::noinline]] void stream_message(AeadOp& op) noexcept {
  constexpr std::size_t width = sizeof(typename V::Type);
  constexpr std::size_t stride = V::stride * width;
  constexpr std::size_t quarter = V::stride / 4;
  constexpr bool power_for_lengths = V::stride * V::lanes + 1 <= V::powers;
  const KeyContext& key = *static_cast<const KeyContext*>(op.key);
  // 1.
  const __m128i counter = first_counter(op.iv);
  __m128i first_block = reverse(counter);
  auto counters = V::counters(_mm_add_epi32(counter, _mm_set_epi32(0, 0, 0, 1)));
  __m128i hash = hash_associated<V>(key, op.aad_head, op.aad_head_length, op.aad_tail, op.aad_tail_length);
  // 2.
  const std::uint8_t* in = op.in;
  std::uint8_t* out = op.out;
  std::size_t left = op.length;
  typename V::Type stream[V::stride] = {};
  const auto turn = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (std::size_t i = 0; i < V::stride; ++i) V::store(out + i * width, V::sum(V::load(in + i * width), stream[i]));
    in += stride;
    out += stride;
  };
  const auto step = [&]<Beside Also, std::size_t Count = V::stride>(const std::uint8_t* from)
      __attribute__((always_inline)) {
    hash = key_stream_and_hash<V, Also, Count>(key, counters, stream, first_block, from, hash);
  };
  const bool owes = Sealing && left >= stride;
  if (owes) {
    step.template operator()<Beside{.first_block = true}>(nullptr);
    turn();
    left -= stride;
    while (left >= stride) {
      step.template operator()<Beside{.hash = true}>(out - stride);
      turn();
      left -= stride;
    }
  } else {
    first_block = encrypt_block(key, first_block);
    for (std::size_t strides = left / stride; strides != 0; --strides) {
      step.template operator()<Beside{.hash = true}>(in);
      turn();
      left -= stride;
    }
  }
  // 3.
  Product<V> product;
  const auto last_step = [&]<std::size_t Count>() __attribute__((always_inline)) {
    if (owes)
      step.template operator()<Beside{.hash = true}, Count>(out - stride);
    else
      step.template operator()<Beside{}, Count>(nullptr);
  };
  if (left > 3 * quarter * width) {
    last_step.template operator()<V::stride>();
  } else if (left > 2 * quarter * width) {
    last_step.template operator()<3 * quarter>();
  } else if (left != 0) {
    last_step.template operator()<2 * quarter>();
  } else if (owes && power_for_lengths) {
    add_stride_before_a_block<V>(product, key, hash, out - stride);
    hash = _mm_setzero_si128();
  } else if (owes) {
    hash = hash_stride<V>(key, hash, out - stride);
  }
  // 4.
  const __m128i lengths = lengths_block(std::uint64_t{op.aad_head_length} + op.aad_tail_length, op.length);
  auto carried = V::lowest(hash);
  const std::size_t blocks = (left + 15) / 16;
  // Where the body has no power for one block more than a stride, the block of lengths goes by itself.
  const bool apart = !power_for_lengths && blocks + 1 > V::powers;
  const std::size_t power = blocks + (apart ? 0 : 1);
#pragma GCC unroll 16
  for (std::size_t i = 0; i < V::stride; ++i) {
    if (i * width >= left) break;
    const auto x = cipher<V, Sealing>(in + i * width, out + i * width, left - i * width, stream[i]);
    multiply_add<V>(product, V::sum(x, carried), V::load(key.power(power - i * V::lanes)));
    carried = V::zero();
  }
  if (apart) {
    carried = V::lowest(reduce<V>(product));
    product = {};
  }
  multiply_add<V>(product, V::sum(V::lowest(lengths), carried), V::load(key.power(1)));
  // 5.
  finish<V, Sealing>(op, reduce<V>(product), first_block);
}

}  // namespace linecrypt::software::vaes
