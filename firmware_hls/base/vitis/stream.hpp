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
  // The clocked model asks, to leave alone what cannot move. Here something always may.
  unsigned long pending() const { return 1; }
};

}  // namespace firmware
}  // namespace linecrypt
