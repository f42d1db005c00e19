// Inspection: what is looked at of a decrypted text while it flows into the hold.
#pragma once

#include "firmware_hls/tables/window.hpp"

namespace linecrypt {
namespace firmware {

struct Inspection {
  Window first;    // the text's first bytes
  u8 pad_length;   // the byte before the last
  u8 next_header;  // the last byte
  u16 run_value;   // ESP padding, see pad_run()
  u16 run_length;
};

// ESP padding is 1, 2, 3, ... (RFC 4303 2.4), and its length is known only at the end. So each byte before the pad
// length tells which length it would fit: a byte v that is d bytes before the pad length byte fits v + d - 1. The bytes
// of a right padding all fit the same length, and there are enough of them. This takes one byte: the run of bytes that
// fit one length, up to here.
inline void pad_run(Inspection& inspection, u8 value, u32 distance) {
  const u16 fits = static_cast<u16>(value + distance - 1);
  if (fits == inspection.run_value) {
    inspection.run_length = static_cast<u16>(inspection.run_length + 1U);
  } else {
    inspection.run_value = fits;
    inspection.run_length = 1;
  }
}
constexpr u32 pad_longest = 255;

inline bool padding_good(const Inspection& inspection) {
  const u32 pad = inspection.pad_length;
  return pad == 0 || (inspection.run_value == pad && inspection.run_length >= pad);
}

}  // namespace firmware
}  // namespace linecrypt
