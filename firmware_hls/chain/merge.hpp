// merge and split: a chain's two ends. Commands travel among the packets, each at its place in the order.
#pragma once

#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/tables/stats.hpp"

namespace linecrypt {
namespace firmware {

// While packets flow, one command in so many cycles: its own cycle, and those in which a table waits for it (2 D for a
// commit), together cost at most 11 % of the smallest packets' rate, and 4.6 M commands a second come through at 300
// MHz.
constexpr u32 command_period = 64;

class Merge {
 public:
  Merge(Stream<PacketInfo>& packets, Stream<ConfigWord>& commands, Stream<PacketInfo>& out)
      : packets_(packets), commands_(commands), out_(out), since_command_(0), since_packet_(0), forced_(0) {}

  // 1. A command, once its time has come; a packet that waits then is the one it delays. Without packets for that long,
  //    one each cycle.
  // 2. Else a packet's description.
  void tick() {
    LINECRYPT_PIPELINE
    const bool due = since_command_ == 0;
    const bool quiet = since_packet_ == 0;
    if (since_command_ != 0) --since_command_;
    if (since_packet_ != 0) --since_packet_;
    if (out_.full()) return;
    const bool packet = !packets_.empty();
    if (!commands_.empty() && (due || (quiet && !packet))) {
      // 1.
      if (packet) ++forced_;
      since_command_ = command_period - 1;
      PacketInfo info = {};
      info.kind = Kind::command;
      info.config = commands_.read();
      out_.write(info);
    } else if (packet) {
      // 2.
      since_packet_ = command_period - 1;
      out_.write(packets_.read());
    }
  }
  // For the cycle model: commands that took the place of a packet.
  u32 forced() const { return forced_; }

 private:
  Stream<PacketInfo>& packets_;
  Stream<ConfigWord>& commands_;
  Stream<PacketInfo>& out_;
  u32 since_command_;  // cycles until the next may come
  u32 since_packet_;   // cycles until its absence counts
  u32 forced_;
};

// A command that left the last process, as the host reads it. `reserved1` has what `respond` asked for; the control
// kernel clears it.
inline abi::Response response_of(const ConfigWord& config) {
  abi::Response response = {};
  response.cookie = config.cookie;
  response.kind = config.refused                      ? abi::ResponseKind::refused
                  : config.op == abi::CommandOp::read ? abi::ResponseKind::state
                                                      : abi::ResponseKind::done;
  response.block = config.block;
  response.index = config.index;
  response.generation = config.generation;
  response.reserved1 = config.respond;
  if (response.kind != abi::ResponseKind::state) return response;
  // A response has room for five of a word's eight numbers: `word` says which is the first.
  const ap_uint<512> payload = config.payload >> (64U * (config.word & 7U));
  response.next_number = word_of(payload, 0);
  response.lease_end = word_of(payload, 1);
  response.packets = word_of(payload, 2);
  response.bytes = word_of(payload, 3);
  response.flags = word_of(payload, 4);
  return response;
}

class Split {
 public:
  Split(Stream<PacketInfo>& in, Stream<EventWord>& events_first, Stream<EventWord>& events_second,
        Stream<PacketInfo>& packets, Stream<abi::Response>& responses)
      : in_(in),
        events_first_(events_first),
        events_second_(events_second),
        packets_(packets),
        responses_(responses),
        held_(false),
        info_() {}

  // 1. A packet's description goes on; a command becomes a response, or ends.
  // 2. An event, in cycles without a response.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (!held_ && !in_.empty()) {
      info_ = in_.read();
      held_ = true;
    }
    bool responded = false;
    if (held_ && info_.kind == Kind::packet) {
      if (!packets_.full()) {
        packets_.write(info_);
        held_ = false;
      }
    } else if (held_ && info_.config.respond == 0) {
      held_ = false;
    } else if (held_ && !responses_.full()) {
      responses_.write(response_of(info_.config));
      responded = true;
      held_ = false;
    }
    // 2.
    if (responded || responses_.full()) return;
    if (!events_first_.empty()) {
      responses_.write(event(events_first_.read()));
    } else if (!events_second_.empty()) {
      responses_.write(event(events_second_.read()));
    }
  }
  bool busy() const { return held_; }

 private:
  static abi::Response event(const EventWord& word) {
    abi::Response response = {};
    response.kind = abi::ResponseKind::event;
    response.event = word.kind;
    response.block = word.block;
    response.index = word.index;
    response.generation = word.generation;
    return response;
  }

  Stream<PacketInfo>& in_;
  Stream<EventWord>& events_first_;
  Stream<EventWord>& events_second_;
  Stream<PacketInfo>& packets_;
  Stream<abi::Response>& responses_;
  bool held_;
  PacketInfo info_;
};

}  // namespace firmware
}  // namespace linecrypt
