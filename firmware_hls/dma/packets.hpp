// packets: jobs -> descriptions and beats into a chain. It asks for packets ahead, so a memory's latency costs no beat.
#pragma once

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/dma/memory.hpp"
#include "firmware_hls/dma/words.hpp"

namespace linecrypt {
namespace firmware {

class Packets {
 public:
  Packets(ReadPort& port, Stream<Job>& in, Stream<PacketInfo>& infos, Stream<Beat>& beats)
      : port_(port),
        in_(in),
        infos_(infos),
        beats_(beats),
        waiting_(),
        first_(0),
        count_(0),
        left_(0),
        draining_(false) {}

  // 1. Ask for the next packet.
  // 2. One beat of the oldest, with its description beside the first. Bytes behind its end are zero.
  // 3. A packet that could not be read ends here, under a verdict; its words are taken and forgotten.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (asks() && !in_.empty()) {
      // The room is tested for the largest packet: what is asked for is known only once it is read.
      const Job job = in_.read();
      if (job.info.length != 0) port_.request(job.address, words_of(job.info.length));
      waiting_[(first_ + count_) & (ahead - 1)] = job.info;
      ++count_;
    }
    if (count_ == 0) return;
    PacketInfo& info = waiting_[first_];
    // 2.
    if (info.length == 0) {
      if (infos_.full()) return;
      infos_.write(info);
      next();
      return;
    }
    if (!port_.ready() || infos_.full() || beats_.full()) return;
    const MemoryWord word = port_.read();
    if (left_ == 0) {
      left_ = info.length;
      draining_ = !word.good;
      // 3.
      if (draining_) {
        PacketInfo unread = info;
        unread.length = 0;
        unread.verdict = static_cast<u8>(abi::VerdictCode::no_buffer);
        unread.place = place_unread;
        infos_.write(unread);
      } else {
        infos_.write(info);
      }
    }
    const u32 bytes = left_ < beat_bytes ? left_ : beat_bytes;
    left_ -= bytes;
    if (!draining_) {
      Beat beat = {};
      beat.data = first_bytes(word.data, bytes);
      beat.bytes = static_cast<u8>(bytes);
      beat.last = left_ == 0;
      beats_.write(beat);
    }
    if (left_ == 0) next();
  }
  bool busy() const { return count_ != 0; }

 private:
  static constexpr u32 ahead = 128;  // packets asked for: with one-beat packets, so many cycles of latency are hidden

  bool asks() const { return count_ < ahead && port_.room(words_of(abi::frame_largest)); }
  void next() {
    first_ = (first_ + 1) & (ahead - 1);
    --count_;
  }

  ReadPort& port_;
  Stream<Job>& in_;
  Stream<PacketInfo>& infos_;
  Stream<Beat>& beats_;
  PacketInfo waiting_[ahead];
  u32 first_;
  u32 count_;
  u32 left_;  // bytes of the oldest packet to come
  bool draining_;
};

}  // namespace firmware
}  // namespace linecrypt
