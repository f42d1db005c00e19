// Ram<T, N, D>: a table that one process owns. An array under Vitis; elsewhere a model in which a write is visible to
// reads D cycles later, so that a process without the forwarding it needs computes wrong results in the emulation too.
#pragma once

#include "firmware_hls/base/pragmas.hpp"

#if LINECRYPT_VITIS
#include "firmware_hls/base/vitis/ram.hpp"
#else
#include "firmware_hls/base/emulation/ram.hpp"
#endif
