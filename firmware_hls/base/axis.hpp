// MacWord: a beat of a frame as an AXI4-Stream carries it between a kernel and the CMAC port: data, keep, last.
#pragma once

#include "firmware_hls/base/pragmas.hpp"

#if LINECRYPT_VITIS
#include "firmware_hls/base/vitis/axis.hpp"
#else
#include "firmware_hls/base/emulation/axis.hpp"
#endif
