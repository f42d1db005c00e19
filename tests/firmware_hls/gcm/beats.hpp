// A packet's bytes as the beats of a stream, and back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "firmware_hls/base/beat.hpp"
#include "tests/support/hex.hpp"

namespace linecrypt::test {

// As a stream carries it; garbage past the end when asked for.
inline std::vector<firmware::Beat> beats_of(const Bytes& text, std::uint8_t past_end = 0) {
  std::vector<firmware::Beat> beats;
  for (std::size_t at = 0; at < text.size(); at += firmware::beat_bytes) {
    std::uint8_t bytes[firmware::beat_bytes];
    std::fill_n(bytes, sizeof bytes, past_end);
    const std::size_t count = std::min<std::size_t>(firmware::beat_bytes, text.size() - at);
    std::copy_n(text.begin() + static_cast<long>(at), count, bytes);
    beats.push_back({firmware::from_bytes<512>(bytes), static_cast<std::uint8_t>(count), at + count == text.size()});
  }
  return beats;
}

// Bytes of one packet's beats; throws on a beat that breaks the rules of Beat.
inline Bytes bytes_of(const std::vector<firmware::Beat>& beats) {
  Bytes text;
  for (std::size_t i = 0; i < beats.size(); ++i) {
    std::uint8_t bytes[firmware::beat_bytes];
    firmware::to_bytes(beats[i].data, bytes);
    const std::size_t count = beats[i].bytes;
    if (beats[i].last != (i + 1 == beats.size())) throw std::logic_error("beat: last is wrong");
    if (count == 0 || count > 64 || (!beats[i].last && count != 64))
      throw std::logic_error("beat: wrong count of bytes");
    if (!std::all_of(bytes + count, bytes + 64, [](std::uint8_t b) { return b == 0; }))
      throw std::logic_error("beat: not zero past its end");
    text.insert(text.end(), bytes, bytes + count);
  }
  return text;
}

}  // namespace linecrypt::test
