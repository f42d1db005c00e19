// As hls_stream.h beside it.
#pragma once

#include <ap_int.h>

template <int D, int U, int I, int T>
struct ap_axiu {
  ap_uint<D> data;
  ap_uint<D / 8> keep;
  ap_uint<D / 8> strb;
  ap_uint<1> last;
};
