// Kernels such as XRT's own samples have, for the emulated card: plain functions without a clock.
#include <unistd.h>

#include "driver/card/model/plain_kernel.hpp"

extern "C" void vadd(const int* a, const int* b, int* c, unsigned n) {
  for (unsigned i = 0; i < n; ++i) c[i] = a[i] + b[i];
}
LINECRYPT_PLAIN_KERNEL(vadd)

// Scales, and takes its time: a kernel to wait for.
extern "C" void slow_scale(float* values, unsigned n, float factor, unsigned milliseconds) {
  usleep(milliseconds * 1000);
  for (unsigned i = 0; i < n; ++i) values[i] *= factor;
}
LINECRYPT_PLAIN_KERNEL(slow_scale)
