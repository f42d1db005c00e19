// GHASH (SP 800-38D 6.4), four blocks a cycle without feedback inside a cycle.
//
// The hash of blocks b_1..b_m is the sum of b_i * H^(m+1-i). The blocks, lengths included, are set right: zeros in
// front fill the first beat, which changes nothing. Beat t then contributes D_t = b_0*H^4 + b_1*H^3 + b_2*H^2 + b_3*H,
// and the hash is the sum of D_t * H^(4(T-1-t)) over T beats.
//
// That sum needs a multiplication a beat whose result the next beat needs; L sums taken in turn need it L cycles later:
// S_t = S_(t-L) * H^(4L) + D_t. The last L of them, S_(T-1-d) * H^(4d), add up to the hash: one more multiplication a
// beat.
#pragma once

#include <cstdint>

#include "firmware_hls/base/ram.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/gcm/arithmetic.hpp"
#include "firmware_hls/gcm/gcm_types.hpp"

namespace linecrypt {
namespace firmware {

// Owns the ring of sums. One beat a cycle, and the next packet's beat in the cycle after the last.
//
// Eight multipliers: four for the beat, one for the associated data, one in front of that for its second block, one in
// the ring, one for the final sum.
class Ghash {
 public:
  static constexpr unsigned ring = abi::ghash_ring;
  // Of one multiplication; no more than `ring`, or a sum would not be ready for its turn.
  static constexpr unsigned multiply_latency = 6;
  // The associated data's two, the ring's and the last, with a register after each sum.
  static constexpr unsigned latency() { return 4 * multiply_latency + 6; }
  static_assert(multiply_latency + 1 <= ring, "a sum and its addition are done when their turn comes again");

  explicit Ghash(const Clock& clock) : sums_(clock) {}

  void tick(Stream<GhashCommand>& commands, Stream<GhashBeat>& beats, Stream<ap_uint<128>>& tags) {
    LINECRYPT_PIPELINE
    // 1. The cipher writes a packet's command no later than its first beat.
    if (tags.full() || beats.empty()) return;
    if (!inside_) {
      if (commands.empty()) return;
      begin(commands.read());
    }
    const GhashBeat beat = beats.read();
    const bool last = remaining_ == 0;

    // 2. The beat's blocks, the lengths after the last of them, moved right by `pad_` blocks.
    ap_uint<128> block[2 * lanes];
    LINECRYPT_REGISTERS(block)
    for (unsigned i = 0; i < lanes; ++i) {
      LINECRYPT_UNROLL
      block[i] = carry_[i];
      block[lanes + i] = slice<128>(beat.data, 128 * i);
      // Right alignment puts the lengths in the last place of the last beat: lanes - 1 - pad_ before the move.
      if (last && i == lanes - 1 - pad_) block[lanes + i] = lengths_;
      carry_[i] = block[lanes + i];
    }
    ap_uint<128> sum(0);
    for (unsigned i = 0; i < lanes; ++i) {
      LINECRYPT_UNROLL
      // block[lanes + i - pad_], with constant indexes.
      ap_uint<128> chosen = block[lanes + i];
      if (pad_ == 1) chosen = block[lanes + i - 1];
      if (pad_ == 2) chosen = block[lanes + i - 2];
      if (pad_ == 3) chosen = block[lanes + i - 3];
      sum = sum ^ multiply(chosen, power_[lanes - 1 - i]);
    }

    // 3. The associated data stand before the first block of text: with (H^(5-pad)). Two blocks are one, A1*H + A2.
    if (first_) {
      const ap_uint<128> data =
          aad_bytes_ > block_bytes ? ap_uint<128>(multiply(aad_[0], power_[0]) ^ aad_[1]) : aad_[0];
      ap_uint<128> power = power_[4];
      if (pad_ == 1) power = power_[3];
      if (pad_ == 2) power = power_[2];
      if (pad_ == 3) power = power_[1];
      if (aad_bytes_ != 0) sum = sum ^ multiply(data, power);
    }

    // 4. The ring: this place's sum is of `ring` beats ago, and of this packet once the ring has gone round. A sum that
    //    nothing will be added to is not kept: with the text that made it, it would tell H.
    LINECRYPT_DISTANCE(sums_, abi::ghash_ring)
    const ap_uint<128> before = sums_.read(place_);
    if (round_) sum = sum ^ multiply(before, power_[abi::ghash_powers - 1]);
    sums_.write(place_, remaining_ < ring ? ap_uint<128>(0) : sum);

    // 5. The last `ring` sums, each times H^(4d); d is what remains after it.
    if (remaining_ < ring) {
      ap_uint<128> power = power_[3];
      for (unsigned d = 2; d < ring; ++d) {
        LINECRYPT_UNROLL
        if (remaining_ == d) power = power_[d + 3];
      }
      hash_ = hash_ ^ (last ? sum : ap_uint<128>(multiply(sum, power)));
    }

    // 6. The tag (SP 800-38D 7.1 step 6), or the next beat.
    if (last) tags.write(hash_ ^ beat.mask);
    round_ = round_ || place_ == ring - 1;
    place_ = (place_ + 1) % ring;
    first_ = false;
    inside_ = !last;
    remaining_ = static_cast<std::uint16_t>(remaining_ - 1);
    if (last) forget();
  }

 private:
  // Nothing of the key, or of the hash before it was masked, outlives its packet.
  void forget() {
    LINECRYPT_INLINE
    for (unsigned i = 0; i < abi::ghash_powers; ++i) {
      LINECRYPT_UNROLL
      power_[i] = ap_uint<128>(0);
    }
    hash_ = ap_uint<128>(0);
  }
  static ap_uint<128> multiply(const ap_uint<128>& a, const ap_uint<128>& b) {
    LINECRYPT_INLINE
    return gf128_mul<Arithmetic>(a, b);
  }

  void begin(const GhashCommand& command) {
    LINECRYPT_INLINE
    const unsigned blocks = (command.text_bytes + block_bytes - 1U) / block_bytes;
    for (unsigned i = 0; i < abi::ghash_powers; ++i) {
      LINECRYPT_UNROLL
      power_[i] = command.power[i];
    }
    for (unsigned i = 0; i < lanes; ++i) {
      LINECRYPT_UNROLL
      carry_[i] = ap_uint<128>(0);
    }
    aad_[0] = command.aad[0];
    aad_[1] = command.aad[1];
    aad_bytes_ = command.aad_bytes;
    // Lengths in bits, the associated data's first, each of 64 bits in network order.
    const std::uint64_t text_bits = 8 * std::uint64_t{command.text_bytes};
    const std::uint64_t aad_bits = 8 * std::uint64_t{command.aad_bytes};
    lengths_ = ap_uint<128>(0);
    set_word_of(lengths_, 0, swap64(command.text_is_aad ? text_bits : aad_bits));
    set_word_of(lengths_, 1, swap64(command.text_is_aad ? 0 : text_bits));
    pad_ = static_cast<std::uint8_t>(lanes - 1 - blocks % lanes);
    remaining_ = static_cast<std::uint16_t>(blocks / lanes);
    hash_ = ap_uint<128>(0);
    place_ = 0;
    round_ = false;
    first_ = true;
    inside_ = true;
  }

  bool inside_ = false;
  bool first_ = false;
  bool round_ = false;      // the ring's sums are of this packet
  std::uint8_t place_ = 0;  // in the ring
  std::uint8_t pad_ = 0;    // blocks of zeros in front
  std::uint8_t aad_bytes_ = 0;
  std::uint16_t remaining_ = 0;  // beats after this one
  ap_uint<128> power_[abi::ghash_powers];
  ap_uint<128> aad_[2];
  ap_uint<128> lengths_;
  ap_uint<128> carry_[lanes];  // the beat before
  ap_uint<128> hash_;
  Ram<ap_uint<128>, abi::ghash_ring, abi::ghash_ring> sums_;
};

}  // namespace firmware
}  // namespace linecrypt
