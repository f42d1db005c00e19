// sequence: the only owner of egress numbers.
#pragma once

#include "firmware_hls/tables/decode.hpp"
#include "firmware_hls/tables/forwarded.hpp"
#include "firmware_hls/tables/loaded.hpp"
#include "firmware_hls/tables/meta.hpp"
#include "firmware_hls/tables/number_commands.hpp"
#include "firmware_hls/tables/numbers.hpp"

namespace linecrypt {
namespace firmware {

template <class Meta, class Protocol, u32 N, u32 D>
class Sequence {
 public:
  Sequence(const Clock& clock, Stream<Meta>& in, Stream<Meta>& out, Stream<EventMask>& events)
      : in_(in),
        out_(out),
        events_(events),
        limits_(clock, abi::Table::number),
        numbers_(clock),
        held_(false),
        meta_(),
        cycle_(0) {}

  // 1. Commands for this table.
  // 2. The packet's number, within the lease. A generation that is not the packet's takes none.
  void tick() {
    LINECRYPT_PIPELINE
    limits_.tick();
    numbers_.tick();
    ++cycle_;
    if (!held_ && !in_.empty()) {
      meta_ = in_.read();
      held_ = true;
    }
    if (!held_ || out_.full() || !limits_.allows(meta_.info)) return;
    held_ = false;
    if (is_command(meta_.info) && meta_.info.config.block == Protocol::block) {
      // 1.
      if (!configure(meta_.info.config)) meta_.info.config.refused = true;
    } else if (meta_.mine) {
      // 2.
      take();
    }
    out_.write(meta_);
    meta_ = Meta();  // a key word that went by leaves no copy
  }
  bool busy() const { return held_; }

 private:
  void take() {
    if (limits_.generation(meta_.index) != meta_.generation) {
      drop(meta_, abi::VerdictCode::stale_sa);
      return;
    }
    const u8* row = limits_.row(meta_.index).byte;
    const abi::NumberEntry entry = decode_number(row);
    EgressLimits limits = {};
    limits.lifetime = decode_lifetime(row + abi::word_bytes);
    limits.soft_limit = entry.soft_limit;
    limits.wide = (entry.flags & abi::number_flag::wide) != 0;
    EgressNumbers numbers = numbers_.read(meta_.index);
    const u32 counted = Protocol::counted(meta_.plan);
    const Taken taken = take_number(numbers, limits, counted, Protocol::takes_identification(meta_.plan),
                                    static_cast<u16>(cycle_ >> repeat_cycles_log2), !events_.full());
    numbers_.write(meta_.index, numbers);
    if (taken.events != 0) events_.write(EventMask{meta_.index, meta_.generation, taken.events});
    if (taken.verdict != abi::VerdictCode::pending) {
      drop(meta_, taken.verdict);
      return;
    }
    const u32 at = meta_.info.at & 1U;
    meta_.number = taken.number;
    meta_.identification = taken.identification;
    meta_.info.number[at] = taken.number;
    meta_.info.inner_length[at] = counted;
    meta_.info.flags = static_cast<u8>(meta_.info.flags | (1U << at));
  }

  // False: refused.
  bool configure(ConfigWord& config) {
    if (!limits_.configure(config)) return false;
    const bool commit = config.op == abi::CommandOp::commit;
    if (!commit && !touches_numbers(config)) return true;
    if (commit) {
      const EgressNumbers none = {};
      numbers_.write(config.index,
                     config.generation == 0 ? none : first_numbers(decode_number(limits_.row(config.index).byte)));
      return true;
    }
    if (config.generation == 0 || limits_.generation(config.index) != config.generation) return false;
    EgressNumbers numbers = numbers_.read(config.index);
    bool good = true;
    if (config.op == abi::CommandOp::grant) {
      u8 payload[abi::word_bytes];
      to_bytes(config.payload, payload);
      good = grant(numbers, little64(payload), little64(payload + 8));
    } else if (config.op == abi::CommandOp::expire) {
      expire(numbers.life);
    } else {
      config.payload = state_word(numbers.next, numbers.end, numbers.life, numbers.waiting);
    }
    numbers_.write(config.index, numbers);
    return good;
  }

  Stream<Meta>& in_;
  Stream<Meta>& out_;
  Stream<EventMask>& events_;
  Loaded<abi::number_words, N, D> limits_;
  Forwarded<EgressNumbers, N, D> numbers_;
  bool held_;
  Meta meta_;
  u64 cycle_;
};

}  // namespace firmware
}  // namespace linecrypt
