// judge and commit: what comes out of the cipher on ingress waits in the hold until these two have decided. commit is
// the only authority on numbers, windows and lifetimes.
#pragma once

#include "firmware_hls/gcm/splice.hpp"
#include "firmware_hls/tables/decode.hpp"
#include "firmware_hls/tables/forwarded.hpp"
#include "firmware_hls/tables/inspection.hpp"
#include "firmware_hls/tables/judgement.hpp"
#include "firmware_hls/tables/loaded.hpp"
#include "firmware_hls/tables/meta.hpp"
#include "firmware_hls/tables/mirror.hpp"
#include "firmware_hls/tables/number_commands.hpp"
#include "firmware_hls/tables/stats.hpp"

namespace linecrypt {
namespace firmware {

// A packet on its way through the cipher.
template <class Meta>
struct Waiting {
  Meta meta;
  bool text;        // the cipher has one: tags and inspection follow
  u16 before_text;  // bytes in front of it
  Cut out;          // where the protocol need not see the text to know it
};

template <class Meta>
struct Judged {
  Meta meta;
  bool text;
  Judgement judgement;
};

// judge: the trailer, the inner packet, the selectors. No state; nothing it says counts before the tag is good.
template <class Meta, class Protocol>
class Judge {
 public:
  Judge(Stream<Waiting<Meta>>& in, Stream<Inspection>& inspections, Stream<Judged<Meta>>& out)
      : in_(in), inspections_(inspections), out_(out), held_(false), waiting_() {}

  void tick() {
    LINECRYPT_PIPELINE
    if (!held_ && !in_.empty()) {
      waiting_ = in_.read();
      held_ = true;
    }
    if (!held_ || out_.full() || (waiting_.text && inspections_.empty())) return;
    held_ = false;
    Judged<Meta> judged = {};
    judged.meta = waiting_.meta;
    judged.text = waiting_.text;
    judged.judgement.verdict = abi::VerdictCode::pending;
    judged.judgement.out = waiting_.out;
    Inspection inspection = {};
    if (waiting_.text) inspection = inspections_.read();
    if (waiting_.meta.mine && waiting_.text) {
      judged.judgement = Protocol::judge(waiting_.meta.sa, waiting_.meta.plan, waiting_.meta.window, inspection,
                                         waiting_.before_text, waiting_.out);
    }
    out_.write(judged);
  }
  bool busy() const { return held_; }

 private:
  Stream<Waiting<Meta>>& in_;
  Stream<Inspection>& inspections_;
  Stream<Judged<Meta>>& out_;
  bool held_;
  Waiting<Meta> waiting_;
};

template <class Meta, class Protocol, u32 N, u32 D>
class Commit {
 public:
  Commit(const Clock& clock, Stream<Judged<Meta>>& in, Stream<ap_uint<128>>& computed, Stream<ap_uint<128>>& received,
         Stream<SpliceCommand>& cuts, Stream<Done>& out, Stream<Opened>& opened, Stream<EventMask>& events)
      : in_(in),
        computed_(computed),
        received_(received),
        cuts_(cuts),
        out_(out),
        opened_(opened),
        events_(events),
        limits_(clock, abi::Table::number),
        numbers_(clock),
        windows_(clock),
        held_(false),
        judged_(),
        verdict_(abi::VerdictCode::pending),
        cycle_(0),
        swept_(0) {}

  // 1. Everything of one packet is there, or nothing is taken.
  // 2. Commands for these tables. The sweep's is held while the windows are zeroed, two words a cycle.
  // 3. The decision. What is not delivered is cut to nothing.
  void tick() {
    LINECRYPT_PIPELINE
    limits_.tick();
    numbers_.tick();
    windows_.tick();
    ++cycle_;
    // 1.
    if (!held_ && !in_.empty()) {
      judged_ = in_.read();
      held_ = true;
    }
    if (!held_ || out_.full() || opened_.full() || !limits_.allows(judged_.meta.info)) return;
    if (judged_.text && (computed_.empty() || received_.empty() || cuts_.full())) return;
    if (is_command(judged_.meta.info, Protocol::block, sweep_op) && !windows_are_zero()) return;
    held_ = false;
    Done done = {};
    if (is_command(judged_.meta.info) && judged_.meta.info.config.block == Protocol::block) {
      // 2.
      if (!configure(judged_.meta.info.config)) judged_.meta.info.config.refused = true;
    }
    // 3.
    if (judged_.text) {
      const bool tag_good = equal_tags(computed_.read(), received_.read());
      Cut cut = judged_.judgement.out;
      if (judged_.meta.mine && !decide(tag_good)) cut = Cut();
      cuts_.write(splice_command(cut));
      judged_.meta.info.length = static_cast<u16>(bytes_of(cut));
    }
    done.info = judged_.meta.info;
    done.counted = judged_.meta.counted;
    done.verdict = judged_.meta.mine ? verdict_ : static_cast<abi::VerdictCode>(judged_.meta.info.verdict);
    out_.write(done);
    judged_ = Judged<Meta>();
  }
  bool busy() const { return held_; }

 private:
  // One step of the sweep; true once the last zero is visible, D cycles behind its write.
  bool windows_are_zero() {
    constexpr u32 pairs = N * window_words / 2;
    if (swept_ < pairs) windows_.zero_pair(swept_);
    ++swept_;
    if (swept_ < pairs + D) return false;
    swept_ = 0;
    return true;
  }

  // False: nothing leaves.
  bool decide(bool tag_good) {
    Meta& meta = judged_.meta;
    if (limits_.generation(meta.index) != meta.generation) {
      drop(meta, abi::VerdictCode::stale_sa);
      return false;
    }
    const abi::LifetimeEntry lifetime = decode_lifetime(limits_.row(meta.index).byte + abi::word_bytes);
    const u32 slot = meta.index * window_words + window_slot(meta.number);
    IngressNumbers numbers = numbers_.read(meta.index);
    WindowWord word = windows_.read(slot);
    Evidence evidence = {};
    evidence.generation = meta.generation;
    evidence.number = meta.number;
    evidence.number_verdict = meta.number_verdict;
    evidence.tag_good = tag_good;
    evidence.can_report = !events_.full();
    evidence.moment = static_cast<u16>(cycle_ >> repeat_cycles_log2);
    const Decision decision =
        Protocol::decide(meta.sa, meta.plan, judged_.judgement, evidence, lifetime, numbers, word);
    numbers_.write(meta.index, numbers);
    if (decision.accepted) windows_.write(slot, word);
    if (decision.events != 0) events_.write(EventMask{meta.index, meta.generation, decision.events});
    if (decision.opened)
      opened_.write(Opened{meta.index, meta.generation, numbers.top, decision.authentic, decision.jumped});
    const u32 at = meta.info.at & 1U;
    meta.info.inner_length[at] = judged_.judgement.counted;
    if (decision.accepted) meta.info.flags = static_cast<u8>(meta.info.flags | (1U << at));
    verdict_ = decision.verdict;
    if (!decision.deliver) {
      drop(meta, decision.verdict);
      return false;
    }
    finish_stage(meta.info, decision.verdict);
    return true;
  }

  // False: refused.
  bool configure(ConfigWord& config) {
    if (!limits_.configure(config)) return false;
    const bool commit = config.op == abi::CommandOp::commit;
    if (!commit && !touches_numbers(config)) return true;
    if (commit) {
      const IngressNumbers none = {};
      numbers_.write(config.index,
                     config.generation == 0 ? none : first_ingress(decode_number(limits_.row(config.index).byte)));
      return true;
    }
    if (config.generation == 0 || limits_.generation(config.index) != config.generation) return false;
    IngressNumbers numbers = numbers_.read(config.index);
    bool good = true;
    if (config.op == abi::CommandOp::grant) {
      u8 payload[abi::word_bytes];
      to_bytes(config.payload, payload);
      good = raise(numbers, little64(payload), little64(payload + 8));
    } else if (config.op == abi::CommandOp::expire) {
      expire(numbers.life);
    } else {
      config.payload = state_word(numbers.top, numbers.ceiling, numbers.life, false);
    }
    numbers_.write(config.index, numbers);
    return good;
  }
  // The lowest PN and the ceiling never go back; a ceiling is not given where there was none, for the host has relied
  // on that.
  static bool raise(IngressNumbers& numbers, u64 lowest, u64 ceiling) {
    if (ceiling != 0 && ceiling <= numbers.ceiling) return false;
    if (lowest > numbers.lowest) numbers.lowest = lowest;
    if (ceiling != 0) {
      numbers.ceiling = ceiling;
      numbers.ceiling_low = numbers.top + (ceiling - numbers.top) / 2;
      numbers.low_reported = false;
      numbers.exhausted = Repeated();
    }
    return true;
  }

  Stream<Judged<Meta>>& in_;
  Stream<ap_uint<128>>& computed_;
  Stream<ap_uint<128>>& received_;
  Stream<SpliceCommand>& cuts_;
  Stream<Done>& out_;
  Stream<Opened>& opened_;
  Stream<EventMask>& events_;
  Loaded<abi::number_words, N, D> limits_;
  Forwarded<IngressNumbers, N, D> numbers_;
  Forwarded<WindowWord, N * window_words, D> windows_;
  bool held_;
  Judged<Meta> judged_;
  abi::VerdictCode verdict_;
  u64 cycle_;
  u32 swept_;  // pairs of window words, and the cycles behind them
};

}  // namespace firmware
}  // namespace linecrypt
