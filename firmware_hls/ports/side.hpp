// What stands at a port: PortEntry, in front of the chain that begins here; PortExit, behind the chain that ends here.
// Side is both as one kernel, with the words that go between kernels of a card: MAC words, and wires.
#pragma once

#include "firmware_hls/base/axis.hpp"
#include "firmware_hls/ports/receive.hpp"
#include "firmware_hls/ports/transmit.hpp"
#include "firmware_hls/ports/wire.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

class PortEntry {
 public:
  PortEntry(const Clock& clock, u8 port, Stream<WireBeat>& wire, const Arrive::Source& injected,
            const Arrive::Source& look_aside, Stream<PacketInfo>& infos, Stream<Beat>& beats,
            Stream<abi::PortCounts>& counts)
      : received_infos_(clock, 4),
        received_beats_(clock, 4),
        receive_(clock, port, wire, received_infos_, received_beats_, counts),
        arrive_({received_infos_, received_beats_}, injected, look_aside, infos, beats) {}

  void tick(bool enabled) {
    LINECRYPT_DATAFLOW
    receive_.tick(enabled);
    arrive_.tick();
  }
  // For the clocked model.
  bool busy() const {
    return receive_.busy() || arrive_.busy() || received_infos_.pending() + received_beats_.pending() != 0;
  }
  u32 free_beats() const { return receive_.free_beats(); }
  void refuse() { receive_.refuse(); }

 private:
  Stream<PacketInfo> received_infos_;
  Stream<Beat> received_beats_;
  Receive<> receive_;
  Arrive arrive_;
};

class PortExit {
 public:
  PortExit(const Clock& clock, Stream<PacketInfo>& infos, Stream<Beat>& beats, Stream<WireBeat>& wire,
           Stream<ExceptionNote>& host_notes, Stream<Beat>& host_beats, Stream<PacketInfo>& look_aside_infos,
           Stream<Beat>& look_aside_beats, Stream<abi::PortCounts>& transmit_counts,
           Stream<abi::PortCounts>& to_host_counts)
      : wire_lengths_(clock, 4),
        wire_beats_(clock, 4),
        host_notes_(clock, 4),
        host_beats_(clock, 4),
        depart_(infos, beats, wire_lengths_, wire_beats_, host_notes_, host_beats_, look_aside_infos, look_aside_beats),
        transmit_(clock, wire_lengths_, wire_beats_, wire, transmit_counts),
        to_host_(clock, host_notes_, host_beats_, host_notes, host_beats, to_host_counts) {}

  void tick(bool enabled) {
    LINECRYPT_DATAFLOW
    depart_.tick();
    transmit_.tick();
    to_host_.tick(enabled);
  }
  bool busy(bool enabled) const {
    return depart_.busy() || transmit_.busy() || to_host_.busy(enabled) ||
           wire_lengths_.pending() + wire_beats_.pending() != 0;
  }

 private:
  Stream<u16> wire_lengths_;
  Stream<Beat> wire_beats_;
  Stream<ExceptionNote> host_notes_;
  Stream<Beat> host_beats_;
  Depart depart_;
  Transmit<> transmit_;
  ExceptionFifo<> to_host_;
};

// ---- between kernels ----

// keep is a row of ones from byte 0 on; a word without any is a frame that the port dropped, and its end is bad.
inline WireBeat from_mac(const MacWord& word) {
  WireBeat wire = {};
  u32 bytes = 0;
  for (u32 i = 0; i < beat_bytes; ++i) {
    LINECRYPT_UNROLL
    if (((word.keep >> i) & ap_uint<64>(1)) == ap_uint<64>(1)) bytes = i + 1;
  }
  wire.beat.bytes = static_cast<u8>(bytes == 0 ? 1U : bytes);
  wire.beat.data = first_bytes(word.data, wire.beat.bytes);
  wire.beat.last = word.last == ap_uint<1>(1);
  wire.bad = bytes == 0;
  return wire;
}
inline MacWord to_mac(const WireBeat& wire) {
  const ap_uint<64> all = ~ap_uint<64>(0);
  MacWord word = {};
  word.data = wire.beat.data;
  word.keep = wire.beat.bytes >= beat_bytes ? all : ap_uint<64>(~(all << wire.beat.bytes));
  word.strb = word.keep;
  word.last = ap_uint<1>(wire.beat.last ? 1 : 0);
  return word;
}

// A wire from one kernel to another: its level goes as a word when it changes. Low until the first came.
class WireOut {
 public:
  explicit WireOut(Stream<u8>& out) : out_(out), told_(false) {}
  void tick(bool level) {
    LINECRYPT_INLINE
    if (level == told_ || out_.full()) return;
    out_.write(level ? u8{1} : u8{0});
    told_ = level;
  }

 private:
  Stream<u8>& out_;
  bool told_;
};
class WireIn {
 public:
  explicit WireIn(Stream<u8>& in) : in_(in), level_(false) {}
  bool tick() {
    LINECRYPT_INLINE
    if (!in_.empty()) level_ = in_.read() != 0;
    return level_;
  }

 private:
  Stream<u8>& in_;
  bool level_;
};

template <class T>
void hand_on(Stream<T>& from, Stream<T>& to) {
  LINECRYPT_INLINE
  if (!from.empty() && !to.full()) to.write(from.read());
}

// The kernel at one port. `enabled`: the control kernel's wire.
class Side {
 public:
  Side(const Clock& clock, u8 port, Stream<u8>& enabled, Stream<MacWord>& receive, Stream<MacWord>& transmit,
       const Arrive::Source& injected, const Arrive::Source& look_aside_in, Stream<PacketInfo>& arrived_infos,
       Stream<Beat>& arrived_beats, Stream<PacketInfo>& done_infos, Stream<Beat>& done_beats,
       Stream<PacketInfo>& look_aside_out_infos, Stream<Beat>& look_aside_out_beats, Stream<ExceptionNote>& host_notes,
       Stream<Beat>& host_beats, Stream<abi::PortCounts>& receive_counts, Stream<abi::PortCounts>& transmit_counts,
       Stream<abi::PortCounts>& to_host_counts)
      : enabled_(enabled),
        receive_(receive),
        transmit_(transmit),
        wire_in_(clock, 4),
        wire_out_(clock, 4),
        entry_(clock, port, wire_in_, injected, look_aside_in, arrived_infos, arrived_beats, receive_counts),
        exit_(clock, done_infos, done_beats, wire_out_, host_notes, host_beats, look_aside_out_infos,
              look_aside_out_beats, transmit_counts, to_host_counts) {}

  void tick() {
    LINECRYPT_DATAFLOW
    const bool enabled = enabled_.tick();
    if (!receive_.empty() && !wire_in_.full()) wire_in_.write(from_mac(receive_.read()));
    entry_.tick(enabled);
    exit_.tick(enabled);
    if (!wire_out_.empty() && !transmit_.full()) transmit_.write(to_mac(wire_out_.read()));
  }

 private:
  WireIn enabled_;
  Stream<MacWord>& receive_;
  Stream<MacWord>& transmit_;
  Stream<WireBeat> wire_in_;
  Stream<WireBeat> wire_out_;
  PortEntry entry_;
  PortExit exit_;
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
