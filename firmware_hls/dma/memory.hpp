// ReadPort and WritePort: the memory ports of the control kernel and the movers. A request is made apart from its
// words, so a reader has many on their way and takes one word a cycle in spite of the memory's latency. Under Vitis
// they are hls::burst_maxi; elsewhere a clocked model over the emulated card's memory.
//
// Use, never blocking: room(words) before request(); ready() before read(); as many read() or write() calls as the
// request has words. A write is done when its answer was taken: nothing may tell the host of data before that.
#pragma once

#include "firmware_hls/base/pragmas.hpp"

#if LINECRYPT_VITIS
#include "firmware_hls/dma/vitis/memory.hpp"
#else
#include "firmware_hls/dma/emulation/memory.hpp"
#endif
