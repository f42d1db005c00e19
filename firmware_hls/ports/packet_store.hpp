// PacketStore: a FIFO of whole packets in memory. A packet that is being written can be taken back; one that was
// committed is read to its end without a pause.
#pragma once

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/base/ram.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/tables/wire.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

// Beats: a power of two. D: cycles from a write to a read that sees it. Note: what is known of a packet, its `length`
// among it.
template <class Note, u32 Beats, u32 D>
class PacketStore {
 public:
  static_assert((Beats & (Beats - 1)) == 0, "a power of two");
  explicit PacketStore(const Clock& clock)
      : cells_(clock), notes_(clock, Beats, D + 1), written_(0), committed_(0), read_(0) {}

  // ---- the writing side: one beat a cycle ----
  bool room() const { return written_ - read_ < Beats; }
  bool room_for_note() const { return !notes_.full(); }
  u32 free_beats() const { return Beats - (written_ - read_); }
  void put(const Beat& beat) {
    cells_.write(written_ & (Beats - 1), beat);
    ++written_;
  }
  void commit(const Note& note) {
    committed_ = written_;
    notes_.write(note);
  }
  void take_back() { written_ = committed_; }

  // ---- the reading side: a packet's note, then each of its beats ----
  bool ready() const { return !notes_.empty(); }
  Note begin() { return notes_.read(); }
  Beat next() {
    const Beat beat = cells_.read(read_ & (Beats - 1));
    ++read_;
    return beat;
  }

  bool busy() const { return notes_.pending() != 0; }

 private:
  Ram<Beat, Beats, D> cells_;
  Stream<Note> notes_;
  u32 written_;
  u32 committed_;
  u32 read_;
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
