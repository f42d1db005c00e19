// AES in counter mode, four blocks a cycle.
#pragma once

#include <cstdint>

#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/gcm/arithmetic.hpp"
#include "firmware_hls/gcm/gcm_types.hpp"

namespace linecrypt {
namespace firmware {

// Owns the packet it is in. A packet of n blocks takes n / 4 + 1 cycles and the next one, with whatever key, starts in
// the cycle after: the key travels through the rounds with its blocks.
struct AesCtr {
  // Two registers a round, and the keys' selection and the text's exclusive or.
  static constexpr unsigned latency() { return 32; }

  void tick(Stream<GcmCommand>& commands, Stream<Beat>& text, Stream<Beat>& out, Stream<GhashCommand>& hash_commands,
            Stream<GhashBeat>& hash_beats) {
    LINECRYPT_PIPELINE
    // 1. Room for everything that this cycle may write.
    if (out.full() || hash_commands.full() || hash_beats.full()) return;
    // 2. The next packet. Its first beat is worked on in the same cycle if it is there.
    if (!inside_) {
      if (commands.empty()) return;
      command_ = commands.read();
      inside_ = true;
      left_ = command_.text_bytes;
      counter_ = 2;
      first_ = true;
    }
    const bool with_text = left_ != 0;
    if (with_text && text.empty()) return;
    const unsigned bytes = left_ < beat_bytes ? left_ : beat_bytes;
    const unsigned blocks = (bytes + block_bytes - 1) / block_bytes;
    const bool last = blocks < lanes;

    // 3. Counter blocks: IV || counter (SP 800-38D 7.1, a 96-bit IV). Y0 has counter 1, the text begins with 2. The
    // first
    //    lane without text in the last cycle enciphers Y0.
    ap_uint<128> stream[lanes];
    LINECRYPT_REGISTERS(stream)
    for (unsigned lane = 0; lane < lanes; ++lane) {
      LINECRYPT_UNROLL
      const std::uint32_t counter = last && lane == blocks ? 1 : counter_ + lane;
      stream[lane] = ap_uint<128>(command_.iv) | (ap_uint<128>(std::uint64_t{swap32(counter)}) << 96);
    }
    Arithmetic::encrypt_lanes(stream, command_.key);

    // 4. The text, without anything past its end.
    const ap_uint<512> in = with_text ? first_bytes(text.read().data, bytes) : ap_uint<512>(0);
    ap_uint<512> pad(0);
    for (unsigned lane = 0; lane < lanes; ++lane) {
      LINECRYPT_UNROLL
      set_word_of(pad, static_cast<int>(2 * lane), word_of(stream[lane], 0));
      set_word_of(pad, static_cast<int>(2 * lane + 1), word_of(stream[lane], 1));
    }
    const ap_uint<512> changed =
        command_.mode == GcmMode::authenticate ? in : ap_uint<512>(in ^ first_bytes(pad, bytes));
    if (with_text) {
      Beat beat;
      beat.data = changed;
      beat.bytes = static_cast<std::uint8_t>(bytes);
      beat.last = left_ <= beat_bytes;
      out.write(beat);
    }

    // 5. What is hashed: the enciphered side.
    if (first_) {
      GhashCommand hash;
      for (unsigned i = 0; i < abi::ghash_powers; ++i) {
        LINECRYPT_UNROLL
        hash.power[i] = command_.key.power[i];
      }
      hash.aad[0] = command_.aad[0];
      hash.aad[1] = command_.aad[1];
      hash.aad_bytes = command_.aad_bytes;
      hash.text_bytes = command_.text_bytes;
      hash.text_is_aad = command_.mode == GcmMode::authenticate;
      hash_commands.write(hash);
    }
    GhashBeat hashed;
    hashed.data = command_.mode == GcmMode::encrypt ? changed : in;
    hashed.mask = ap_uint<128>(0);
    for (unsigned lane = 0; lane < lanes; ++lane) {
      LINECRYPT_UNROLL
      if (last && lane == blocks) hashed.mask = stream[lane];
    }
    hash_beats.write(hashed);

    // 6. On to the next beat or packet.
    left_ = static_cast<std::uint16_t>(left_ - bytes);
    counter_ += lanes;
    first_ = false;
    inside_ = !last;
    if (last) command_ = GcmCommand();  // a key stays no longer than its packet
  }

 private:
  bool inside_ = false;
  bool first_ = false;
  std::uint16_t left_ = 0;     // bytes of text to come
  std::uint32_t counter_ = 0;  // of lane 0
  GcmCommand command_{};
};

}  // namespace firmware
}  // namespace linecrypt
