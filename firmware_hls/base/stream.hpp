// Stream<T>: the FIFO between two processes. hls::stream under Vitis; a clocked model of it elsewhere.
//
// Use: empty(), full(), read(), write(), never blocking: a process tests every stream it needs before it consumes any.
#pragma once

#include "firmware_hls/base/pragmas.hpp"

#if LINECRYPT_VITIS
#include "firmware_hls/base/vitis/stream.hpp"
#else
#include "firmware_hls/base/emulation/stream.hpp"
#endif
