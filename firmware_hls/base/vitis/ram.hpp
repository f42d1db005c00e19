// Vitis: an array. Its owner binds it with LINECRYPT_URAM or LINECRYPT_BRAM and declares LINECRYPT_DISTANCE(cells, D).
#pragma once

#include "firmware_hls/base/vitis/stream.hpp"

namespace linecrypt {
namespace firmware {

template <class T, unsigned long N, unsigned D>
class Ram {
 public:
  explicit Ram(const Clock&) {}
  const T& read(unsigned long index) {
#pragma HLS inline
    return cells[index];
  }
  void write(unsigned long index, const T& value) {
#pragma HLS inline
    cells[index] = value;
  }

  T cells[N];
};

}  // namespace firmware
}  // namespace linecrypt
