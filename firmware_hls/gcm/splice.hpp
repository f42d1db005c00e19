// splice: a packet with other bytes in front and behind, at any offset: head ++ packet[strip, strip + keep) ++ zeros ++
// tail (++ tag). What is not kept of the packet is drained.
//
// Two processes, each one beat a cycle with no pause between packets: `align` takes as many cycles as beats come in,
// `join` as many as go out. So a packet costs max(beats in, beats out).
#pragma once

#include <cstdint>

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/base/stream.hpp"

namespace linecrypt {
namespace firmware {

constexpr unsigned splice_head_most = 128;
constexpr unsigned splice_tail_most = 32;
constexpr unsigned splice_tag_bytes = 16;

// One for each packet; the packet has at least one beat and strip + keep bytes. Bytes of head and tail past their
// counts do not matter. All counts zero: nothing comes out.
struct SpliceCommand {
  ap_uint<8 * splice_head_most> head;
  ap_uint<8 * splice_tail_most> tail;
  std::uint16_t strip;
  std::uint16_t keep;
  std::uint16_t fill;
  std::uint8_t head_bytes;
  std::uint8_t tail_bytes;
  bool seal;  // SealingSplice: the tag follows the tail; otherwise it is taken from its stream and goes nowhere
};

// `Cut` is the same in bytes, as a protocol's build step fills it.
template <class Cut>
SpliceCommand sealing_command(const Cut& cut, bool seal) {
  LINECRYPT_INLINE
  SpliceCommand command = {};
  static_assert(sizeof cut.head == splice_head_most && sizeof cut.tail == splice_tail_most, "whole registers");
  command.head = from_bytes<8 * splice_head_most>(cut.head);
  command.tail = from_bytes<8 * splice_tail_most>(cut.tail);
  command.strip = cut.strip;
  command.keep = cut.keep;
  command.fill = cut.fill;
  command.head_bytes = cut.head_bytes;
  command.tail_bytes = cut.tail_bytes;
  command.seal = seal;
  return command;
}
template <class Cut>
SpliceCommand splice_command(const Cut& cut) {
  LINECRYPT_INLINE
  return sealing_command(cut, false);
}

inline ap_uint<1024> beat_pair(const ap_uint<512>& low, const ap_uint<512>& high) {
  LINECRYPT_INLINE
  return ap_uint<1024>(low) | ap_uint<1024>(ap_uint<1024>(high) << 512);
}

// align: the kept bytes, moved to byte 0. Owns the beat before the one that comes in: every packet leaves one cycle
// behind its beats, so one that needs two beats for its first never makes the next one wait.
class Align {
 public:
  static constexpr unsigned latency() { return 3; }

  void tick(Stream<SpliceCommand>& commands, Stream<Beat>& in, Stream<SpliceCommand>& joins, Stream<Beat>& out) {
    LINECRYPT_PIPELINE
    // 1. What the beat at hand gives: `count` bytes from `skip_` on, with those that the next beat has of them.
    const bool gives = valid_ && skip_ < beat_bytes && keep_ != 0;
    const unsigned count = keep_ < beat_bytes ? keep_ : beat_bytes;
    const bool needs_next = gives && !beat_.last && skip_ + count > beat_bytes;
    if (gives && out.full()) return;
    // 2. What can be read: more of this packet, or the next one's first beat if its command is there.
    const bool begins = !inside_;
    const bool readable = !in.empty() && !(begins && (commands.empty() || joins.full()));
    if (needs_next && !readable) return;
    Beat next = no_beat();
    if (readable) next = in.read();

    // 3. Out, and what is left of the packet.
    if (valid_) {
      if (gives) {
        const ap_uint<512> following = needs_next ? next.data : ap_uint<512>(0);
        Beat aligned;
        aligned.data = first_bytes(ap_uint<512>(beat_pair(beat_.data, following) >> (8 * skip_)), count);
        aligned.bytes = static_cast<std::uint8_t>(count);
        aligned.last = keep_ <= beat_bytes;
        out.write(aligned);
        keep_ = static_cast<std::uint16_t>(keep_ - count);
      } else {
        skip_ = static_cast<std::uint16_t>(skip_ < beat_bytes ? skip_ : skip_ - beat_bytes);
      }
    }

    // 4. The beat read is the one at hand.
    valid_ = readable;
    if (readable) {
      if (begins) {
        const SpliceCommand command = commands.read();
        joins.write(command);
        skip_ = command.strip;
        keep_ = command.keep;
      }
      inside_ = !next.last;
      beat_ = next;
    }
  }

 private:
  bool inside_ = false;     // beats of the packet at hand are to come
  bool valid_ = false;      // beat_ waits for its turn
  std::uint16_t skip_ = 0;  // bytes from the beat at hand on that are not kept
  std::uint16_t keep_ = 0;  // bytes to give
  Beat beat_{};
};

// What join asks for a tag. The plain one has none.
struct NoTags {
  static constexpr bool sealing = false;
  bool empty() const { return false; }
  ap_uint<128> read() { return ap_uint<128>(0); }
};
struct TagStream {
  static constexpr bool sealing = true;
  bool empty() const { return stream.empty(); }
  ap_uint<128> read() { return stream.read(); }
  Stream<ap_uint<128>>& stream;
};

// join: head, aligned bytes, zeros and tail as one packet. Owns the packet it is in. The tag is asked for in the beat
// it begins in, and not before.
class Join {
 public:
  static constexpr unsigned latency() { return 3; }

  template <class Tags>
  void tick(Stream<SpliceCommand>& commands, Stream<Beat>& in, Tags tags, Stream<Beat>& out) {
    LINECRYPT_PIPELINE
    // 1. The next packet.
    if (out.full()) return;
    if (!inside_) {
      if (commands.empty()) return;
      begin(commands.read());
    }
    // 2. Everything this beat needs must be there.
    const bool last = left_ <= beat_bytes;
    const bool takes_data =
        data_left_ != 0 && at_ + beat_bytes > head_bytes_ && at_ + beat_bytes - head_bytes_ > taken_;
    const bool takes_tag = Tags::sealing && !tagged_ && (command_.seal ? at_ + beat_bytes > tag_at_ : last);
    if ((takes_data && in.empty()) || (takes_tag && tags.empty())) return;
    if (takes_tag) {
      const ap_uint<128> tag = tags.read();
      if (command_.seal) tail_ = tail_ | ap_uint<512>(ap_uint<512>(tag) << (8 * command_.tail_bytes));
      tagged_ = true;
    }

    // 3. Head.
    ap_uint<512> data(0);
    if (at_ == 0) data = slice<512>(command_.head, 0);
    if (at_ == beat_bytes) data = slice<512>(command_.head, 512);
    // 4. The kept bytes follow it: the rest of the beat before, and this one.
    Beat now = no_beat();
    if (takes_data) {
      now = in.read();
      data_left_ = static_cast<std::uint16_t>(data_left_ - now.bytes);
      taken_ = static_cast<std::uint16_t>(taken_ + beat_bytes);
    }
    const unsigned offset = head_bytes_ % beat_bytes;
    data = data | ap_uint<512>(beat_pair(before_, now.data) >> (512 - 8 * offset));
    before_ = now.data;
    // 5. Zeros are there already. The tail and the tag, in the beat they begin in and the one after it.
    const ap_uint<1024> tail = ap_uint<1024>(tail_) << (8 * (tail_at_ % beat_bytes));
    if (at_ / beat_bytes == tail_at_ / beat_bytes) data = data | slice<512>(tail, 0);
    if (at_ / beat_bytes == tail_at_ / beat_bytes + 1) data = data | slice<512>(tail, 512);

    // 6. Out.
    if (left_ != 0) {
      Beat beat;
      beat.data = data;
      beat.bytes = static_cast<std::uint8_t>(last ? left_ : beat_bytes);
      beat.last = last;
      out.write(beat);
    }
    at_ += beat_bytes;
    left_ = last ? 0 : left_ - beat_bytes;
    inside_ = !last;
  }

 private:
  void begin(const SpliceCommand& command) {
    LINECRYPT_INLINE
    command_ = command;
    command_.head = first_bytes(command.head, command.head_bytes);
    tail_ = ap_uint<512>(first_bytes(command.tail, command.tail_bytes));
    head_bytes_ = command.head_bytes;
    data_left_ = command.keep;
    taken_ = 0;
    tail_at_ = static_cast<std::uint32_t>(command.head_bytes) + command.keep + command.fill;
    tag_at_ = tail_at_ + command.tail_bytes;
    left_ = tag_at_ + (command.seal ? splice_tag_bytes : 0U);
    at_ = 0;
    tagged_ = false;
    before_ = ap_uint<512>(0);
    inside_ = true;
  }

  bool inside_ = false;
  bool tagged_ = false;
  std::uint8_t head_bytes_ = 0;
  std::uint16_t data_left_ = 0;  // bytes of aligned data to read
  std::uint16_t taken_ = 0;      // and read so far, in whole beats
  std::uint32_t at_ = 0;         // place of this beat in the packet that goes out
  std::uint32_t left_ = 0;       // bytes from there to its end
  std::uint32_t tail_at_ = 0;
  std::uint32_t tag_at_ = 0;
  ap_uint<512> tail_;
  ap_uint<512> before_;  // the aligned beat before this one
  SpliceCommand command_{};
};

// Both together, in front of the cipher or behind it. `out` must be made with latency().
class Splice {
 public:
  static constexpr unsigned latency() { return Join::latency(); }

  Splice(Stream<SpliceCommand>& commands, Stream<Beat>& in, Stream<Beat>& out)
      : commands_(commands),
        in_(in),
        out_(out),
        joins_(commands.clock(), 4, Align::latency()),
        aligned_(commands.clock(), 4, Align::latency()) {}

  void tick() {
    LINECRYPT_DATAFLOW
    align_.tick(commands_, in_, joins_, aligned_);
    join_.tick(joins_, aligned_, NoTags(), out_);
  }

 private:
  Stream<SpliceCommand>& commands_;
  Stream<Beat>& in_;
  Stream<Beat>& out_;
  Stream<SpliceCommand> joins_;
  Stream<Beat> aligned_;
  Align align_;
  Join join_;
};

// The tag of each packet comes from a stream, later than its text.
class SealingSplice {
 public:
  static constexpr unsigned latency() { return Join::latency(); }

  SealingSplice(Stream<SpliceCommand>& commands, Stream<Beat>& in, Stream<ap_uint<128>>& tags, Stream<Beat>& out)
      : commands_(commands),
        in_(in),
        tags_(tags),
        out_(out),
        joins_(commands.clock(), 4, Align::latency()),
        aligned_(commands.clock(), 4, Align::latency()) {}

  void tick() {
    LINECRYPT_DATAFLOW
    align_.tick(commands_, in_, joins_, aligned_);
    join_.tick(joins_, aligned_, TagStream{tags_}, out_);
  }

 private:
  Stream<SpliceCommand>& commands_;
  Stream<Beat>& in_;
  Stream<ap_uint<128>>& tags_;
  Stream<Beat>& out_;
  Stream<SpliceCommand> joins_;
  Stream<Beat> aligned_;
  Align align_;
  Join join_;
};

}  // namespace firmware
}  // namespace linecrypt
