// The fields of ap_axiu<512, 0, 0, 0>.
#pragma once

#include "firmware_hls/base/ap_uint.hpp"

namespace linecrypt {
namespace firmware {

struct MacWord {
  ap_uint<512> data;
  ap_uint<64> keep;  // bit i: byte i is of the frame
  ap_uint<64> strb;
  ap_uint<1> last;
};

}  // namespace firmware
}  // namespace linecrypt
