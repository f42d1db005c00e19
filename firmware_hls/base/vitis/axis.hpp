// Vitis: the side channels are signals of the stream, not bits of its data.
#pragma once

#include <ap_axi_sdata.h>

namespace linecrypt {
namespace firmware {

using MacWord = ap_axiu<512, 0, 0, 0>;

}  // namespace firmware
}  // namespace linecrypt
