// Which arithmetic the processes use: the kernel's text, or the host's instructions where CMake asks for them
// (linecrypt::firmware_fast). One program uses one of them throughout.
#pragma once

#if defined(LINECRYPT_HOST_ARITHMETIC)
#include "firmware_hls/gcm/host_arithmetic.hpp"
#else
#include "firmware_hls/gcm/kernel_arithmetic.hpp"
#endif

namespace linecrypt {
namespace firmware {

#if defined(LINECRYPT_HOST_ARITHMETIC)
using Arithmetic = HostArithmetic;
#else
using Arithmetic = KernelArithmetic;
#endif

}  // namespace firmware
}  // namespace linecrypt
