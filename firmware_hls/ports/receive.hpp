// receive: frames from a 100G MAC, which knows no back-pressure: a frame is taken whole or not at all, and counted.
#pragma once

#include "firmware_hls/ports/marks.hpp"
#include "firmware_hls/ports/packet_store.hpp"
#include "linecrypt/abi/classify.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

// A beat between MAC and card. `bad`: with the last one, the FCS or the frame was wrong.
struct WireBeat {
  Beat beat;
  bool bad;
};

struct FrameNote {
  u16 length;
};

// Three frames of the largest size.
constexpr u32 receive_beats = 512;

template <u32 Beats = receive_beats, u32 D = 3>
class Receive {
 public:
  Receive(const Clock& clock, u8 port, Stream<WireBeat>& in, Stream<PacketInfo>& infos, Stream<Beat>& beats,
          Stream<abi::PortCounts>& counts)
      : port_(port),
        in_(in),
        infos_(infos),
        beats_(beats),
        counts_out_(counts),
        store_(clock),
        inside_(false),
        fate_(Fate::keep),
        bytes_(0),
        counts_(),
        changed_(false),
        reading_(false) {}

  // `enabled`: a wire. One beat in, always; one beat out.
  void tick(bool enabled) {
    LINECRYPT_PIPELINE
    if (!in_.empty()) take(in_.read(), enabled);
    give();
    if (changed_ && !counts_out_.full()) {
      counts_out_.write(counts_);
      changed_ = false;
    }
  }
  bool busy() const { return reading_ || store_.busy() || changed_; }
  // For the clocked model, which may be given more frames than a wire carries.
  u32 free_beats() const { return store_.free_beats(); }
  void refuse() {
    ++counts_.no_room;
    changed_ = true;
  }

 private:
  enum class Fate : u8 { keep, closed, oversize, no_room };

  // 1. A frame's first beat decides whether the port is open.
  // 2. Cut at the maximum, and where there is no room; the rest is not stored.
  // 3. At its end the frame is there as a whole, or nothing of it.
  void take(const WireBeat& wire, bool enabled) {
    // 1.
    if (!inside_) {
      fate_ = enabled ? Fate::keep : Fate::closed;
      bytes_ = 0;
    }
    inside_ = !wire.beat.last;
    // 2.
    if (fate_ == Fate::keep) {
      bytes_ += wire.beat.bytes;
      if (bytes_ > abi::frame_largest) {
        fate_ = Fate::oversize;
      } else if (!store_.room() || !store_.room_for_note()) {
        fate_ = Fate::no_room;
      } else {
        store_.put(wire.beat);
      }
    }
    // 3.
    if (!wire.beat.last) return;
    changed_ = true;
    if (fate_ == Fate::keep && !wire.bad) {
      store_.commit(FrameNote{static_cast<u16>(bytes_)});
      ++counts_.frames;
      counts_.bytes += bytes_;
      return;
    }
    store_.take_back();
    if (fate_ == Fate::closed) {
      ++counts_.closed;
    } else if (wire.bad) {
      ++counts_.bad_fcs;
    } else if (fate_ == Fate::oversize) {
      ++counts_.oversize;
    } else {
      ++counts_.no_room;
    }
  }
  void give() {
    if (beats_.full()) return;
    if (!reading_) {
      if (!store_.ready() || infos_.full()) return;
      infos_.write(new_packet(store_.begin().length, port_));
    }
    const Beat beat = store_.next();
    beats_.write(beat);
    reading_ = !beat.last;
  }

  u8 port_;
  Stream<WireBeat>& in_;
  Stream<PacketInfo>& infos_;
  Stream<Beat>& beats_;
  Stream<abi::PortCounts>& counts_out_;
  PacketStore<FrameNote, Beats, D> store_;
  bool inside_;
  Fate fate_;
  u32 bytes_;
  abi::PortCounts counts_;
  bool changed_;
  bool reading_;
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
