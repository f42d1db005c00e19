// Forwarded<T, N, D>: a table of which one process reads, changes and writes one entry a cycle, also the same entry in
// consecutive cycles.
//
// A write is visible in the RAM D cycles later. The last D writes are kept in registers, and a read takes the newest of
// them that has its index: that is what makes the DEPENDENCE pragma on the RAM true.
#pragma once

#include "firmware_hls/base/pragmas.hpp"
#include "firmware_hls/base/ram.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/tables/wire.hpp"

namespace linecrypt {
namespace firmware {

template <class T, u32 N, u32 D>
class Forwarded {
 public:
  static_assert(D >= 1, "a RAM is not read in the cycle it is written");
  explicit Forwarded(const Clock& clock) : ram_(clock), valid_(), index_(), value_() {}

  // Once a cycle, before read() and write().
  void tick() {
    LINECRYPT_INLINE
    for (u32 i = D - 1; i > 0; --i) {
      LINECRYPT_UNROLL
      valid_[i] = valid_[i - 1];
      index_[i] = index_[i - 1];
      value_[i] = value_[i - 1];
    }
    valid_[0] = false;
  }
  T read(u32 index) {
    LINECRYPT_INLINE
    T value = ram_.read(index);
    for (u32 i = D; i > 0; --i) {
      LINECRYPT_UNROLL
      if (valid_[i - 1] && index_[i - 1] == index) value = value_[i - 1];
    }
    return value;
  }
  // At most one a cycle.
  void write(u32 index, const T& value) {
    LINECRYPT_INLINE
    ram_.write(index, value);
    valid_[0] = true;
    index_[0] = index;
    value_[0] = value;
  }
  // Both ports: words 2 * pair and 2 * pair + 1 become zero. No read in this cycle and the D behind it.
  void zero_pair(u32 pair) {
    LINECRYPT_INLINE
    const T zero = T();
    ram_.write(2 * pair, zero);
    ram_.write(2 * pair + 1, zero);
  }

 private:
  Ram<T, N, D> ram_;
  bool valid_[D];  // [0] is this cycle's
  u32 index_[D];
  T value_[D];
};

}  // namespace firmware
}  // namespace linecrypt
