// What the parts of the C++14 program share: fixed inputs and a digest of outputs.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/base/stream.hpp"

namespace vectors {

using namespace linecrypt::firmware;

// 0: packets were not what they must be; said on standard output.
std::uint64_t blocks_digest(std::size_t sizes);

inline std::uint64_t next_random() {
  static std::uint64_t state = 0x9e3779b97f4a7c15U;
  state ^= state << 13U;
  state ^= state >> 7U;
  state ^= state << 17U;
  return state;
}
inline ap_uint<128> random_block() {
  ap_uint<128> block(0);
  set_word_of(block, 0, next_random());
  set_word_of(block, 1, next_random());
  return block;
}
inline std::vector<std::uint8_t> random_bytes(std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(next_random());
  return bytes;
}

// FNV-1a.
class Digest {
 public:
  void add(std::uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3U; }
  template <int N>
  void add(const ap_uint<N>& value) {
    for (int i = 0; i < N / 64; ++i) {
      for (unsigned j = 0; j < 8; ++j) add(static_cast<std::uint8_t>(word_of(value, i) >> (8 * j)));
    }
  }
  void add(const Beat& beat) {
    add(beat.data);
    add(beat.bytes);
    add(static_cast<std::uint8_t>(beat.last));
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

inline void feed(Stream<Beat>& stream, const std::vector<std::uint8_t>& bytes, std::size_t& at) {
  if (at >= bytes.size() || stream.full()) return;
  std::uint8_t beat[beat_bytes] = {};
  const std::size_t count = bytes.size() - at < beat_bytes ? bytes.size() - at : beat_bytes;
  std::memcpy(beat, bytes.data() + at, count);
  at += count;
  Beat item;
  item.data = from_bytes<512>(beat);
  item.bytes = static_cast<std::uint8_t>(count);
  item.last = at == bytes.size();
  stream.write(item);
}

}  // namespace vectors
