// The one place where compilers differ in pragmas. A kernel writes only these macros.
//
// Vitis HLS reads them inside the body they belong to. Bambu reads its own before a function and has no loop
// pipelining; it gets none and serves as a check of each step function's logic. A host compiler gets none.
#pragma once

#if defined(__SYNTHESIS__) || defined(__VITIS_HLS__)
#define LINECRYPT_VITIS 1
#else
#define LINECRYPT_VITIS 0
#endif

#if LINECRYPT_VITIS
#define LINECRYPT_PRAGMA_TEXT(text) _Pragma(#text)
#define LINECRYPT_PRAGMA(text) LINECRYPT_PRAGMA_TEXT(text)
#else
#define LINECRYPT_PRAGMA(text)
#endif

// One call a cycle. `flp` flushes: what entered comes out although nothing follows.
#define LINECRYPT_PIPELINE LINECRYPT_PRAGMA(HLS pipeline II = 1 style = flp)
#define LINECRYPT_DATAFLOW LINECRYPT_PRAGMA(HLS dataflow disable_start_propagation)
#define LINECRYPT_INLINE LINECRYPT_PRAGMA(HLS inline)
#define LINECRYPT_UNROLL LINECRYPT_PRAGMA(HLS unroll)

// Kernel borders. Data kernels run free; only the control kernel and the movers have registers and memory ports.
#define LINECRYPT_AXIS(name) LINECRYPT_PRAGMA(HLS interface mode = axis port = name)
#define LINECRYPT_M_AXI(name, bundle_name) \
  LINECRYPT_PRAGMA(HLS interface mode = m_axi port = name offset = slave bundle = bundle_name)
#define LINECRYPT_S_AXILITE(name) LINECRYPT_PRAGMA(HLS interface mode = s_axilite port = name)
#define LINECRYPT_CTRL_HS LINECRYPT_PRAGMA(HLS interface mode = ap_ctrl_hs port = return )
#define LINECRYPT_CTRL_NONE LINECRYPT_PRAGMA(HLS interface mode = ap_ctrl_none port = return )

// Storage.
#define LINECRYPT_REGISTERS(name) LINECRYPT_PRAGMA(HLS array_partition variable = name type = complete)
#define LINECRYPT_URAM(name) LINECRYPT_PRAGMA(HLS bind_storage variable = name type = ram_t2p impl = uram)
#define LINECRYPT_BRAM(name) LINECRYPT_PRAGMA(HLS bind_storage variable = name type = ram_t2p impl = bram)
#define LINECRYPT_AGGREGATE(name) LINECRYPT_PRAGMA(HLS aggregate variable = name)
#define LINECRYPT_STREAM_DEPTH(name, items) LINECRYPT_PRAGMA(HLS stream variable = name depth = items)
#define LINECRYPT_RESET(name) LINECRYPT_PRAGMA(HLS reset variable = name)

// A value written is read at the earliest `cycles` calls later. Only where forwarding, or the algorithm, makes it true.
#define LINECRYPT_DISTANCE(name, cycles) \
  LINECRYPT_PRAGMA(HLS dependence variable = name type = inter direction = RAW distance = cycles true)
