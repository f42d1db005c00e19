// Vitis: hls::stream. Depth is a pragma where the stream is declared (LINECRYPT_STREAM_DEPTH); latency is the writer's.
#pragma once

#include <hls_stream.h>

namespace linecrypt {
namespace firmware {

class Clock {};

template <class T>
class Stream : public hls::stream<T> {
 public:
  explicit Stream(const Clock&, unsigned = 2, unsigned = 1) {}
  Clock clock() const { return Clock(); }
  // Only the clocked model asks, to know when nothing can move any more. No kernel calls it.
  unsigned long pending() const { return 0; }
};

}  // namespace firmware
}  // namespace linecrypt
