// A burst: small messages gather until a bundle is full, larger ones go by themselves.
#pragma once

#include "host/software/aead/vaes/body.hpp"
#include "host/software/aead/vaes/bundle.hpp"
#include "host/software/aead/vaes/expansion.hpp"
#include "host/software/aead/vaes/key_context.hpp"

namespace linecrypt::software::vaes {

// Messages of one class that wait for a bundle.
template <class V, bool Sealing, std::size_t Vectors, std::size_t Together>
struct Waiting {
  AeadOp* ops[Together] = {};
  std::size_t count = 0;

  [[gnu::always_inline]] void add(AeadOp& op) noexcept {
    ops[count++] = &op;
    if (count < Together) return;
    bundle<V, Sealing, Vectors, Together>(ops);
    count = 0;
  }
  [[gnu::always_inline]] void finish() noexcept {
    for (std::size_t i = 0; i < count; ++i) bundle<V, Sealing, Vectors, 1>(ops + i);
  }
};

// So many messages ahead a key is asked for: more than wait for a bundle, and few enough to stay in the cache.
inline constexpr std::size_t keys_ahead = 8;

// With many SAs each message's key is far away: it comes while the messages before it are worked on. Messages behind
// each other under one key ask once.
[[gnu::always_inline]] inline void prefetch_key(const AeadOp* ops, std::size_t i, std::size_t count) noexcept {
  if (i >= count || ops[i].key == ops[i - 1].key) return;
  const auto* const key = static_cast<const std::uint8_t*>(ops[i].key);
  for (std::size_t at = 0; at < sizeof(KeyContext); at += alignof(KeyContext)) __builtin_prefetch(key + at);
}

template <class V, bool Sealing>
void burst(AeadOp* ops, std::size_t count) noexcept {
  Waiting<V, Sealing, V::small_vectors, V::small_together> small;
  Waiting<V, Sealing, V::medium_vectors, V::medium_together> medium;
  for (std::size_t i = 1; i < keys_ahead; ++i) prefetch_key(ops, i, count);
  for (std::size_t i = 0; i < count; ++i) {
    AeadOp& op = ops[i];
    prefetch_key(ops, i + keys_ahead, count);
    const bool bundled = std::size_t{op.aad_head_length} + op.aad_tail_length <= bundle_largest_aad;
    if (bundled && op.length <= bundle_largest<V>(V::small_vectors))
      small.add(op);
    else if (bundled && op.length <= bundle_largest<V>(V::medium_vectors))
      medium.add(op);
    else
      stream_message<V, Sealing>(op);
  }
  small.finish();
  medium.finish();
  V::clear_registers();
}

template <class V>
constexpr Body make_body(std::string_view name) {
  return {name, expand<V>, burst<V, true>, burst<V, false>};
}

}  // namespace linecrypt::software::vaes
