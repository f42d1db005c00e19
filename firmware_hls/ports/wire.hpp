// The wiring of a bump-in-the-wire card: what stands at both ends of a chain, and the chains themselves.
//
//     port 0 --\                                                            /--> port 1
//     injected -> arrive -> merge -> site -> ESP -> MACsec -> tally -> depart --> host ring
//     movers --/                                                            \--> movers
//
//     port 1 --\                                                                              /--> port 0
//     injected -> arrive -> merge -> circuit -> MACsec -> controlled -> ESP -> inner -> tally -> depart -> host ring
//     movers --/                                                                              \--> movers
#pragma once

#include "firmware_hls/chain/chain.hpp"
#include "firmware_hls/ports/deciders.hpp"
#include "firmware_hls/ports/exceptions.hpp"
#include "firmware_hls/ports/tally.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

template <class Encapsulate, class Protect, u32 N>
using EgressChain = Chain<Series<Step<Site, N>, Encapsulate>, Series<Protect, Tally<EgressTally>>>;

template <class Validate, class Decapsulate, u32 N>
using IngressChain = Chain<Series<Series<Step<Circuit, N>, Validate>, Step<Controlled, N>>,
                           Series<Series<Decapsulate, Step<Inner, N>>, Tally<IngressTally>>>;

// Whole packets of three sources into one chain. The wire comes first, since it cannot wait; after fifteen of its
// frames in a row the host has one turn.
class Arrive {
 public:
  struct Source {
    Stream<PacketInfo>& infos;
    Stream<Beat>& beats;
  };
  Arrive(const Source& wire, const Source& injected, const Source& look_aside, Stream<PacketInfo>& infos,
         Stream<Beat>& beats)
      : wire_(wire),
        injected_(injected),
        look_aside_(look_aside),
        infos_(infos),
        beats_(beats),
        inside_(false),
        from_(0),
        in_a_row_(0),
        host_turn_(false) {}

  void tick() {
    LINECRYPT_PIPELINE
    if (!inside_ && !begin()) return;
    const bool empty = from_ == 0   ? wire_.beats.empty()
                       : from_ == 1 ? injected_.beats.empty()
                                    : look_aside_.beats.empty();
    if (empty || beats_.full()) return;
    const Beat beat = from_ == 0 ? wire_.beats.read() : from_ == 1 ? injected_.beats.read() : look_aside_.beats.read();
    beats_.write(beat);
    inside_ = !beat.last;
  }
  bool busy() const { return inside_; }

 private:
  // A description; true if beats follow.
  bool begin() {
    if (infos_.full()) return false;
    const bool injected = !injected_.infos.empty();
    const bool look_aside = !look_aside_.infos.empty();
    const bool host = injected || look_aside;
    const bool wire = !wire_.infos.empty() && (in_a_row_ < 15 || !host);
    if (!wire && !host) return false;
    from_ = wire ? u8{0} : injected && (host_turn_ || !look_aside) ? u8{1} : u8{2};
    in_a_row_ = wire ? static_cast<u8>(in_a_row_ + (in_a_row_ < 15 ? 1U : 0U)) : u8{0};
    if (!wire) host_turn_ = from_ == 2;
    const PacketInfo info = from_ == 0   ? wire_.infos.read()
                            : from_ == 1 ? injected_.infos.read()
                                         : look_aside_.infos.read();
    infos_.write(info);
    inside_ = info.length != 0;
    return inside_;
  }

  Source wire_;
  Source injected_;
  Source look_aside_;
  Stream<PacketInfo>& infos_;
  Stream<Beat>& beats_;
  bool inside_;
  u8 from_;
  u8 in_a_row_;
  bool host_turn_;
};

// Where each packet of a chain goes. The way to the host takes every beat at once.
class Depart {
 public:
  Depart(Stream<PacketInfo>& infos_in, Stream<Beat>& beats_in, Stream<u16>& wire_lengths, Stream<Beat>& wire_beats,
         Stream<ExceptionNote>& host_notes, Stream<Beat>& host_beats, Stream<PacketInfo>& look_aside_infos,
         Stream<Beat>& look_aside_beats)
      : infos_in_(infos_in),
        beats_in_(beats_in),
        wire_lengths_(wire_lengths),
        wire_beats_(wire_beats),
        host_notes_(host_notes),
        host_beats_(host_beats),
        look_aside_infos_(look_aside_infos),
        look_aside_beats_(look_aside_beats),
        inside_(false),
        to_(To::nowhere) {}

  // 1. A description: what was dropped ends here.
  // 2. A beat.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (!inside_ && !begin()) return;
    // 2.
    const bool full = to_ == To::wire   ? wire_beats_.full()
                      : to_ == To::host ? host_beats_.full()
                                        : look_aside_beats_.full();
    if (beats_in_.empty() || full) return;
    const Beat beat = beats_in_.read();
    if (to_ == To::wire) {
      wire_beats_.write(beat);
    } else if (to_ == To::host) {
      host_beats_.write(beat);
    } else {
      look_aside_beats_.write(beat);
    }
    inside_ = !beat.last;
  }
  bool busy() const { return inside_; }

 private:
  enum class To : u8 { nowhere, wire, host, look_aside };

  bool begin() {
    if (infos_in_.empty() || wire_lengths_.full() || host_notes_.full() || look_aside_infos_.full()) return false;
    const PacketInfo info = infos_in_.read();
    inside_ = info.length != 0;
    if (!is_in_line(info)) {
      to_ = To::look_aside;
      look_aside_infos_.write(info);
    } else if (inside_ && destination_of(info) == Destination::wire) {
      to_ = To::wire;
      wire_lengths_.write(info.length);
    } else if (inside_) {
      to_ = To::host;
      ExceptionNote note = {};
      note.length = info.length;
      note.port = static_cast<u8>(info.port & mark::port);
      note.verdict = verdict_of(info);
      note.flags = static_cast<u8>(((info.place & mark::validated) != 0 ? abi::host_frame::validated : 0U) |
                                   ((info.place & mark::decapsulated) != 0 ? abi::host_frame::decapsulated : 0U));
      host_notes_.write(note);
    }
    return inside_;
  }

  Stream<PacketInfo>& infos_in_;
  Stream<Beat>& beats_in_;
  Stream<u16>& wire_lengths_;
  Stream<Beat>& wire_beats_;
  Stream<ExceptionNote>& host_notes_;
  Stream<Beat>& host_beats_;
  Stream<PacketInfo>& look_aside_infos_;
  Stream<Beat>& look_aside_beats_;
  bool inside_;
  To to_;
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
