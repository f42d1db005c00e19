// A burst: small messages gather until a bundle is full, larger ones go by themselves.
#pragma once

#include "host/software/aead/vaes/body.hpp"
#include "host/software/aead/vaes/bundle.hpp"
#include "host/software/aead/vaes/expansion.hpp"

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

template <class V, bool Sealing>
void burst(AeadOp* ops, std::size_t count) noexcept {
  Waiting<V, Sealing, V::small_vectors, V::small_together> small;
  Waiting<V, Sealing, V::medium_vectors, V::medium_together> medium;
  for (std::size_t i = 0; i < count; ++i) {
    AeadOp& op = ops[i];
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
