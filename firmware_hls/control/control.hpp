// control: the card's one process with registers for the host. It carries commands to the chains and movers, and
// responses, events and finished batches back. One call does a bounded number of small steps and waits for nothing.
#pragma once

#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/control/facts.hpp"
#include "firmware_hls/control/sweep.hpp"
#include "firmware_hls/dma/memory.hpp"
#include "firmware_hls/dma/words.hpp"
#include "linecrypt/abi/registers.hpp"
#include "linecrypt/abi/version.hpp"

namespace linecrypt {
namespace firmware {

constexpr u32 register_words = (abi::reg::last - abi::reg::window) / 4;

// The streams of one direction.
struct ControlLinks {
  Stream<ConfigWord>& commands;
  Stream<abi::Response>& responses;
  Stream<MoverWord>& mover;
  Stream<MoverReport>& reports;
};

class Control {
 public:
  // `registers`: the window of abi/registers.hpp, shared with the host.
  Control(volatile u32* registers, const CardFacts& facts, ReadPort& commands, WritePort& zeros, WritePort& responses,
          const ControlLinks& egress, const ControlLinks& ingress)
      : registers_(registers),
        facts_(facts),
        command_port_(commands),
        zero_port_(zeros),
        response_port_(responses),
        egress_(egress),
        ingress_(ingress),
        state_() {}

  // 1. Facts, once; the heartbeat, once a call of the kernel (calls_steps steps).
  // 2. What the host asks of the card as a whole.
  // 3. Finished batches, doorbells.
  // 4. Responses and events, whose index follows their data.
  // 5. Commands.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (!state_.started) start();
    rest();
    // 2.
    obey();
    // 3.
    take_report(0, egress_);
    take_report(1, ingress_);
    ring_doorbell(0, egress_);
    ring_doorbell(1, ingress_);
    // 4.
    publish_responses();
    take_response((state_.steps & 1U) != 0 ? egress_ : ingress_);
    // 5.
    publish_zeros();
    take_command();
    ask_commands();
  }

  static constexpr u32 call_steps = 64;

  // A step in which nothing could have moved (busy() is false): only time passes. For the clocked model.
  void rest() {
    if (++state_.steps < call_steps) return;
    state_.steps = 0;
    at(abi::reg::heartbeat) = at(abi::reg::heartbeat) + 1;
  }

  // For the clocked model: false while nothing moves until the host acts or a stream has something.
  bool busy() const {
    const State& s = state_;
    if (!s.started || s.phase != Phase::idle || at(abi::reg::command) != 0) return true;
    if (s.have_command || s.asked != s.head_read || s.zeroed != s.head_read || s.responses_asked != s.responses_done)
      return true;
    if (s.enabled && commands_waiting() != 0) return true;
    for (u32 d = 0; d < abi::directions; ++d) {
      if (s.enabled && s.open[d] && work(abi::reg::work_tail, d) != s.tail[d]) return true;
    }
    return egress_.responses.pending() + ingress_.responses.pending() + egress_.reports.pending() +
               ingress_.reports.pending() !=
           0;
  }

 private:
  // How far a halt or a reset is. Each step begins only when the one before has ended everywhere.
  enum class Phase : u8 {
    idle,
    stop_commands,  // those read from the ring go to their chains
    stop_movers,    // they finish what they took
    drain,          // a token runs behind everything through both chains
    sweep,
  };
  static constexpr u32 token = 0xffffffffU;  // ConfigWord::respond of our own commands

  struct State {
    bool started;
    bool enabled;
    u32 epoch;  // of the session; 0: none since the reset
    u32 steps;
    Phase phase;
    u32 doing;  // the CardCommand of the phase
    bool sent[2];
    bool back[2];
    SweepCursor sweep[2];
    // Command ring, free running.
    u32 bad_tail;   // a doorbell further than the ring is long, counted once
    u32 asked;      // entries asked for
    u32 head_read;  // read, and their zeros on the way
    u32 zeroed;     // their zeros were answered
    bool half;      // the entry's first word is in `front`
    bool front_good;
    ap_uint<512> front;
    bool have_command;
    ConfigWord command;
    u32 answers_due;  // commands that ask for a response and have none yet
    // Response ring.
    u32 responses_asked;
    u32 responses_done;
    // Movers.
    bool open[2];
    u32 tail[2];
    u32 bad[2];       // as last reported
    u32 bad_base[2];  // of it, before the last reset
  };

  volatile u32& at(u32 offset) const { return registers_[(offset - abi::reg::window) / 4]; }
  volatile u32& work(u32 offset, u32 direction) const { return at(offset + direction * abi::reg::work_stride); }
  u64 address(u32 offset) const { return u64{at(offset)} | u64{at(offset + 4)} << 32U; }
  void mark(u32 bit) { at(abi::reg::status) = at(abi::reg::status) | bit; }
  const ControlLinks& link(u32 direction) const { return direction == 0 ? egress_ : ingress_; }
  static bool ring_good(u64 ring, u32 size) {
    return (ring & (abi::page - 1)) == 0 && size != 0 && (size & (size - 1)) == 0;
  }

  void start() {
    state_.started = true;
    at(abi::reg::version) = abi::version;
    at(abi::reg::mode) = static_cast<u32>(facts_.mode);
    at(abi::reg::features) = facts_.features;
    at(abi::reg::sa_count) = facts_.sa_count;
    at(abi::reg::classify_count) = facts_.classify_count;
    at(abi::reg::magic) = abi::magic;
  }

  // ---- the card as a whole ----

  void obey() {
    State& s = state_;
    switch (s.phase) {
      case Phase::idle:
        s.doing = at(abi::reg::command);
        if (s.doing == static_cast<u32>(abi::CardCommand::none)) return;
        if (s.doing == static_cast<u32>(abi::CardCommand::enable)) {
          if (egress_.mover.full() || ingress_.mover.full()) return;
          enable();
        } else if (s.doing == static_cast<u32>(abi::CardCommand::reset) ||
                   s.doing == static_cast<u32>(abi::CardCommand::halt)) {
          s.phase = Phase::stop_commands;
          return;
        }
        finish();
        return;
      case Phase::stop_commands:
        if (s.asked == s.head_read && !s.half && !s.have_command) next_phase(Phase::stop_movers);
        return;
      case Phase::stop_movers:
        for (u32 d = 0; d < abi::directions; ++d) {
          LINECRYPT_UNROLL
          if (!s.sent[d] && !link(d).mover.full()) {
            MoverWord word = {};
            word.op = MoverOp::halt;
            link(d).mover.write(word);
            s.sent[d] = true;
          }
        }
        if (s.back[0] && s.back[1]) next_phase(Phase::drain);
        return;
      case Phase::drain:
        for (u32 d = 0; d < abi::directions; ++d) {
          LINECRYPT_UNROLL
          if (!s.sent[d] && !link(d).commands.full()) {
            ConfigWord word = {};
            word.op = abi::CommandOp::drain;
            word.respond = token;
            link(d).commands.write(word);
            s.sent[d] = true;
          }
        }
        if (!s.back[0] || !s.back[1] || s.responses_asked != s.responses_done || s.zeroed != s.head_read) return;
        at(abi::reg::status) = at(abi::reg::status) & ~abi::status::enabled;
        s.enabled = false;
        if (s.doing == static_cast<u32>(abi::CardCommand::reset)) {
          next_phase(Phase::sweep);
          s.sweep[0] = first_of_sweep(0);
          s.sweep[1] = first_of_sweep(1);
        } else {
          s.phase = Phase::idle;
          finish();
        }
        return;
      case Phase::sweep:
        sweep((s.steps & 1U) != 0 ? 0U : 1U);
        if (!s.back[0] || !s.back[1]) return;
        forget();
        s.phase = Phase::idle;
        finish();
        return;
    }
  }
  void next_phase(Phase phase) {
    state_.phase = phase;
    for (u32 d = 0; d < abi::directions; ++d) {
      LINECRYPT_UNROLL
      state_.sent[d] = false;
      state_.back[d] = false;
    }
  }
  // The host may have asked for something else meanwhile: that is done next.
  void finish() {
    if (at(abi::reg::command) == state_.doing) at(abi::reg::command) = 0;
    state_.doing = 0;
  }

  void sweep(u32 direction) {
    State& s = state_;
    if (s.sent[direction] || link(direction).commands.full()) return;
    ConfigWord word = {};
    s.sent[direction] = !sweep_step(s.sweep[direction], facts_, word);
    if (s.sent[direction]) {  // behind the last word
      word = ConfigWord();
      word.op = abi::CommandOp::drain;
      word.respond = token;
    }
    if (word.op != abi::CommandOp::none) link(direction).commands.write(word);
  }

  // Every pointer to zero, the host's too; the next session begins at entry 0.
  void forget() {
    State& s = state_;
    for (u32 i = (abi::reg::bad_commands - abi::reg::window) / 4; i < register_words; ++i) registers_[i] = 0;
    at(abi::reg::epoch) = 0;
    at(abi::reg::status) = abi::status::swept;
    s.epoch = 0;
    s.bad_tail = 0;
    s.asked = 0;
    s.head_read = 0;
    s.zeroed = 0;
    s.answers_due = 0;
    s.responses_asked = 0;
    s.responses_done = 0;
    for (u32 d = 0; d < abi::directions; ++d) {
      LINECRYPT_UNROLL
      s.open[d] = false;
      s.tail[d] = 0;
      s.bad_base[d] = s.bad[d];
    }
  }

  // 1. No session without an epoch, a command ring and a response ring. A halted session goes on under its own epoch;
  //    another needs a reset.
  // 2. A direction whose work ring is given is opened, or goes on where a halt stopped it.
  void enable() {
    State& s = state_;
    // 1.
    const bool rings = ring_good(address(abi::reg::command_ring), at(abi::reg::command_size)) &&
                       ring_good(address(abi::reg::response_ring), at(abi::reg::response_size));
    if (s.enabled) return;
    if (at(abi::reg::epoch) == 0 || (s.epoch != 0 && s.epoch != at(abi::reg::epoch)) || !rings) {
      refuse_command();
      return;
    }
    // 2.
    for (u32 d = 0; d < abi::directions; ++d) {
      LINECRYPT_UNROLL
      const u64 ring = address(abi::reg::work_ring + d * abi::reg::work_stride);
      const u32 size = work(abi::reg::work_size, d);
      if (ring_good(ring, size)) {
        MoverWord word = {};
        word.op = s.open[d] ? MoverOp::resume : MoverOp::open;
        word.epoch = at(abi::reg::epoch);
        word.ring = ring;
        word.size = size;
        link(d).mover.write(word);
        s.open[d] = true;
      } else if (size != 0 || ring != 0) {
        mark(abi::status::bad_work);
      }
    }
    s.enabled = true;
    s.epoch = at(abi::reg::epoch);
    mark(abi::status::enabled);
  }

  // ---- movers ----

  void take_report(u32 direction, const ControlLinks& links) {
    if (links.reports.empty()) return;
    const MoverReport report = links.reports.read();
    State& s = state_;
    if (report.halted) {
      s.back[direction] = true;
    } else {
      work(abi::reg::work_head, direction) = report.head;
    }
    if (report.bad != s.bad[direction]) {
      s.bad[direction] = report.bad;
      work(abi::reg::bad_work, direction) = report.bad - s.bad_base[direction];
      mark(abi::status::bad_work);
    }
  }
  void ring_doorbell(u32 direction, const ControlLinks& links) {
    State& s = state_;
    if (!s.enabled || s.phase != Phase::idle || !s.open[direction] || links.mover.full()) return;
    const u32 tail = work(abi::reg::work_tail, direction);
    if (tail == s.tail[direction]) return;
    s.tail[direction] = tail;
    MoverWord word = {};
    word.op = MoverOp::doorbell;
    word.tail = tail;
    links.mover.write(word);
  }

  // ---- responses ----

  void publish_responses() {
    if (!response_port_.answered()) return;
    if (!response_port_.take_answer()) refuse_command();
    ++state_.responses_done;
    at(abi::reg::response_tail) = state_.responses_done;
  }
  // Entries of the response ring that are free.
  u32 response_room() const {
    const u32 size = at(abi::reg::response_size);
    const u32 used = state_.responses_asked - at(abi::reg::response_head);
    return used < size ? size - used : 0U;
  }
  // Our own tokens end here. A response has its place in the ring since its command was taken; an event that finds none
  // beside those is dropped and counted: packets must not wait for a host that does not read.
  void take_response(const ControlLinks& links) {
    if (links.responses.empty() || !response_port_.room(1)) return;
    abi::Response response = links.responses.read();
    State& s = state_;
    const bool event = response.kind == abi::ResponseKind::event;
    if (!event && response.reserved1 == token) {
      s.back[&links == &egress_ ? 0 : 1] = true;
      return;
    }
    if (event && (response_room() <= s.answers_due || !s.enabled)) {
      at(abi::reg::events_dropped) = at(abi::reg::events_dropped) + 1;
      return;
    }
    if (!event && s.answers_due != 0) --s.answers_due;
    write_response(response);
  }
  void write_response(const abi::Response& response) {
    const u32 size = at(abi::reg::response_size);
    ap_uint<512> word(0);
    set_word_of(word, 0, u64{state_.epoch} | u64{response.cookie} << 32U);
    set_word_of(word, 1,
                u64{static_cast<u8>(response.kind)} | u64{response.event} << 8U |
                    u64{static_cast<u8>(response.block)} << 16U | u64{response.index} << 32U);
    set_word_of(word, 2, response.generation);
    set_word_of(word, 3, response.next_number);
    set_word_of(word, 4, response.lease_end);
    set_word_of(word, 5, response.packets);
    set_word_of(word, 6, response.bytes);
    set_word_of(word, 7, response.flags);
    response_port_.request(
        address(abi::reg::response_ring) + u64{state_.responses_asked & (size - 1)} * sizeof(abi::Response), 1);
    response_port_.write(word);
    ++state_.responses_asked;
  }

  // ---- commands ----

  void refuse_command() {
    at(abi::reg::bad_commands) = at(abi::reg::bad_commands) + 1;
    mark(abi::status::bad_command);
  }
  // Entries the host has written and nobody asked for; none while the doorbell is nonsense.
  u32 commands_waiting() const {
    const u32 waiting = at(abi::reg::command_tail) - state_.asked;
    return waiting <= at(abi::reg::command_size) ? waiting : 0U;
  }
  void ask_commands() {
    State& s = state_;
    constexpr u32 ahead = 16;  // entries on their way: 32 words hide half of the memory's latency
    const u32 tail = at(abi::reg::command_tail);
    if (s.enabled && tail - s.asked > at(abi::reg::command_size) && tail != s.bad_tail) {
      s.bad_tail = tail;
      refuse_command();
    }
    if (!s.enabled || s.phase != Phase::idle || commands_waiting() == 0 || !command_port_.room(2)) return;
    if (s.asked - s.head_read >= ahead) return;
    const u32 slot = s.asked & (at(abi::reg::command_size) - 1);
    command_port_.request(address(abi::reg::command_ring) + u64{slot} * sizeof(abi::Command), 2);
    ++s.asked;
  }
  // 1. The command in hand goes to its chain: when there is room for its response, too.
  // 2. The next entry: two words; behind them the entry is zeroed.
  void take_command() {
    State& s = state_;
    // 1.
    if (s.have_command) {
      const ControlLinks& links = is_egress(s.command.block) ? egress_ : ingress_;
      const bool answered = s.command.respond == 0 || response_room() > s.answers_due;
      if (links.commands.full() || !answered) return;
      links.commands.write(s.command);
      if (s.command.respond != 0) ++s.answers_due;
      s.command = ConfigWord();  // key words leave no copy
      s.have_command = false;
    }
    // 2.
    if (s.asked == s.head_read || !command_port_.ready()) return;
    if (!s.half) {
      const MemoryWord word = command_port_.read();
      s.front = word.data;
      s.front_good = word.good;
      s.half = true;
      return;
    }
    if (!zero_port_.room(2)) return;
    const MemoryWord word = command_port_.read();
    const u32 slot = s.head_read & (at(abi::reg::command_size) - 1);
    zero_port_.request(address(abi::reg::command_ring) + u64{slot} * sizeof(abi::Command), 2);
    zero_port_.write(ap_uint<512>(0));
    zero_port_.write(ap_uint<512>(0));
    s.half = false;
    ++s.head_read;
    if (!s.front_good || !word.good || static_cast<u32>(word_of(s.front, 0)) != s.epoch) {
      refuse_command();
    } else {
      decode(word.data);
    }
    s.front = ap_uint<512>(0);
  }
  void decode(const ap_uint<512>& payload) {
    State& s = state_;
    const u64 one = word_of(s.front, 1);
    ConfigWord command = {};
    command.cookie = static_cast<u32>(word_of(s.front, 0) >> 32U);
    command.op = static_cast<abi::CommandOp>(static_cast<u8>(one));
    command.block = static_cast<abi::Block>(static_cast<u8>(one >> 8U));
    command.table = static_cast<abi::Table>(static_cast<u8>(one >> 16U));
    command.word = static_cast<u8>(one >> 24U);
    command.index = static_cast<u32>(one >> 32U);
    command.generation = static_cast<u32>(word_of(s.front, 2));
    command.respond = (word_of(s.front, 2) >> 32U) != 0 ? 1U : 0U;
    command.payload = payload;
    if (command.op == abi::CommandOp::none || command.op > abi::CommandOp::expire) {
      refuse_command();
      return;
    }
    // A block that this card does not have takes nothing; the token still runs behind the packets.
    command.refused = command.op != abi::CommandOp::drain && !has_block(facts_, command.block);
    s.command = command;
    s.have_command = true;
    if (at(abi::reg::status) & abi::status::swept) at(abi::reg::status) = at(abi::reg::status) & ~abi::status::swept;
  }
  void publish_zeros() {
    if (!zero_port_.answered()) return;
    if (!zero_port_.take_answer()) refuse_command();
    ++state_.zeroed;
    at(abi::reg::command_head) = state_.zeroed;
  }

  volatile u32* registers_;
  CardFacts facts_;
  ReadPort& command_port_;
  WritePort& zero_port_;
  WritePort& response_port_;
  ControlLinks egress_;
  ControlLinks ingress_;
  State state_;
};

}  // namespace firmware
}  // namespace linecrypt
