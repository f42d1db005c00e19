// Bench: one block on a clock of its own, and what goes in and comes out of it. Oracle: the software engine with the
// same SAs.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "driver/card/records/capabilities.hpp"
#include "driver/card/records/commands.hpp"
#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/esp/block.hpp"
#include "firmware_hls/macsec/block.hpp"
#include "host/software/engine.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/hex.hpp"

namespace linecrypt::firmware_test {

using firmware::Beat;
using firmware::Clock;
using firmware::EventWord;
using firmware::Kind;
using firmware::PacketInfo;
using firmware::Stream;
using test::Bytes;

struct Outcome {
  Verdict verdict = Verdict::pending;
  Bytes packet;
  std::uint64_t number = 0;
  std::uint32_t counted = 0;
  bool flag = false;  // took its number, or moved the window
  std::uint64_t cycle = 0;
  std::uint32_t cookie = 0;
};

// What a stage of one operation is asked to do.
struct Asked {
  SaId id;
  Bytes packet;
  std::uint16_t l2 = 0;
  std::uint64_t not_before = 0;  // cycle
};

inline constexpr std::uint32_t bench_slots = 16;

template <class Block>
class Bench {
 public:
  explicit Bench(abi::Operation operation)
      : operation_(operation),
        info_in_(clock_, 2),
        beats_in_(clock_, 2),
        info_out_(clock_, 2),
        beats_out_(clock_, 2),
        events_(clock_, 2),
        block_(std::make_unique<Block>(clock_, info_in_, beats_in_, info_out_, beats_out_, events_)) {}

  // Puts into the input queue, in order.
  void command(const abi::Command& from) { add(command_info(from), {}, 0); }
  void commands(const card::CommandList& list) {
    for (const abi::Command& one : list.commands()) command(one);
  }
  void packet(const Asked& asked) { add(packet_info(asked), asked.packet, asked.not_before); }

  // Clocks until nothing moves; what came out since the last call.
  std::vector<Outcome> run(std::uint64_t limit = 4'000'000) {
    for (std::uint64_t i = 0; busy(); ++i) {
      INFO("cycle " << clock_.now());
      REQUIRE(i < limit);
      step();
    }
    return std::move(outcomes_);
  }
  void step() {
    feed();
    block_->tick();
    drain();
    clock_.tick();
  }

  // Commands that came out, as they were then.
  std::vector<firmware::ConfigWord> responses() { return std::move(responses_); }
  bool refused() {
    bool any = false;
    for (const auto& one : responses_) any = any || one.refused;
    responses_.clear();
    return any;
  }
  std::vector<EventWord> events() { return std::move(raised_); }
  abi::SaState read(SaId id, abi::Block block) {
    command(card::read_command(id, block));
    run();
    REQUIRE_FALSE(responses_.empty());
    REQUIRE_FALSE(responses_.back().refused);
    std::uint8_t bytes[64];
    firmware::to_bytes(responses_.back().payload, bytes);
    abi::SaState state;
    std::memcpy(&state, bytes, sizeof state);
    responses_.clear();
    return state;
  }
  [[nodiscard]] std::uint64_t now() const { return clock_.now(); }
  std::uint64_t last_beat() const { return last_beat_; }
  std::uint64_t first_beat() const { return first_beat_; }
  void forget_beats() { first_beat_ = 0; }

 private:
  struct Item {
    PacketInfo info;
    std::vector<Beat> beats;
    std::uint64_t not_before;
    bool announced = false;
    std::size_t sent = 0;
  };

  PacketInfo packet_info(const Asked& asked) {
    PacketInfo info{};
    info.kind = Kind::packet;
    info.cookie = cookie_++;
    info.length = static_cast<std::uint16_t>(asked.packet.size());
    info.l2_length = asked.l2;
    info.operation[0] = operation_;
    info.stage[0] = {asked.id.index, asked.id.generation};
    return info;
  }
  static PacketInfo command_info(const abi::Command& from) {
    PacketInfo info{};
    info.kind = Kind::command;
    info.config.op = from.op;
    info.config.block = from.block;
    info.config.table = from.table;
    info.config.word = from.word;
    info.config.index = from.index;
    info.config.generation = from.generation;
    info.config.respond = from.respond;
    info.config.payload = firmware::from_bytes<512>(from.payload);
    return info;
  }
  void add(const PacketInfo& info, const Bytes& bytes, std::uint64_t not_before) {
    Item item{info, {}, not_before};
    for (std::size_t at = 0; at < bytes.size(); at += 64) {
      std::uint8_t raw[64] = {};
      const std::size_t n = std::min<std::size_t>(64, bytes.size() - at);
      std::memcpy(raw, bytes.data() + at, n);
      Beat beat;
      beat.data = firmware::from_bytes<512>(raw);
      beat.bytes = static_cast<std::uint8_t>(n);
      beat.last = at + 64 >= bytes.size();
      item.beats.push_back(beat);
    }
    input_.push_back(std::move(item));
  }
  bool busy() {
    const bool outside =
        !input_.empty() ||
        info_in_.pending() + beats_in_.pending() + info_out_.pending() + beats_out_.pending() + events_.pending() != 0;
    const bool inside = block_->busy();
    return outside || inside || !infos_.empty();
  }
  // One description and one beat a cycle at most.
  void feed() {
    if (input_.empty()) return;
    Item& item = input_.front();
    if (clock_.now() < item.not_before) return;
    if (!item.announced) {
      if (info_in_.full()) return;
      info_in_.write(item.info);
      item.announced = true;
    }
    if (item.sent < item.beats.size()) {
      if (beats_in_.full()) return;
      beats_in_.write(item.beats[item.sent++]);
    }
    if (item.sent == item.beats.size()) input_.pop_front();
  }
  void drain() {
    if (!info_out_.empty()) infos_.push_back(info_out_.read());
    if (!events_.empty()) raised_.push_back(events_.read());
    if (!beats_out_.empty()) {
      const Beat beat = beats_out_.read();
      if (first_beat_ == 0) first_beat_ = clock_.now();
      last_beat_ = clock_.now();
      std::uint8_t raw[64];
      firmware::to_bytes(beat.data, raw);
      current_.insert(current_.end(), raw, raw + beat.bytes);
      REQUIRE((beat.last || beat.bytes == 64));
      if (beat.last) {
        packets_.push_back(std::move(current_));
        current_.clear();
      }
    }
    // A description takes the beats of its length; the bytes must be exactly as many.
    while (!infos_.empty()) {
      const PacketInfo& info = infos_.front();
      if (info.kind == Kind::command) {
        responses_.push_back(info.config);
        infos_.pop_front();
        continue;
      }
      if (info.length != 0 && packets_.empty()) break;
      Outcome outcome;
      outcome.verdict = static_cast<Verdict>(info.verdict);
      outcome.number = info.number[0];
      outcome.counted = info.inner_length[0];
      outcome.flag = (info.flags & 1U) != 0;
      outcome.cycle = clock_.now();
      outcome.cookie = info.cookie;
      if (info.length != 0) {
        outcome.packet = std::move(packets_.front());
        packets_.pop_front();
        REQUIRE(outcome.packet.size() == info.length);
      }
      outcomes_.push_back(std::move(outcome));
      infos_.pop_front();
    }
  }

  abi::Operation operation_;
  Clock clock_;
  Stream<PacketInfo> info_in_;
  Stream<Beat> beats_in_;
  Stream<PacketInfo> info_out_;
  Stream<Beat> beats_out_;
  Stream<EventWord> events_;
  std::unique_ptr<Block> block_;
  std::deque<Item> input_;
  std::deque<PacketInfo> infos_;
  std::deque<Bytes> packets_;
  Bytes current_;
  std::vector<Outcome> outcomes_;
  std::vector<firmware::ConfigWord> responses_;
  std::vector<EventWord> raised_;
  std::uint32_t cookie_ = 1;
  std::uint64_t first_beat_ = 0;
  std::uint64_t last_beat_ = 0;
};

// The software engine, one packet at a time.
class Oracle {
 public:
  Oracle() : rig_(test::EngineKind{"fast", software::ProviderChoice::automatic, false}, bench_slots) {}

  SaId install(const Sa& sa, Lease lease, std::uint64_t window_top) { return rig_.install(sa, lease, window_top); }
  Outcome run(Operation operation, const Asked& asked) {
    constexpr std::size_t head = 128;
    constexpr std::size_t tail = 10'240;
    Bytes memory(head + asked.packet.size() + tail);
    std::copy(asked.packet.begin(), asked.packet.end(), memory.begin() + head);
    Packet packet{memory.data() + head, static_cast<std::uint32_t>(asked.packet.size()), head, tail, nullptr};
    Job job;
    job.source = job.destination = &packet;
    job.stages[0] = {asked.id, operation};
    job.l2_length = asked.l2;
    const Verdict verdict = rig_.run(&job);
    Outcome outcome;
    outcome.verdict = verdict;
    outcome.number = job.number;
    if (verdict == Verdict::ok || verdict == Verdict::unchecked)
      outcome.packet = Bytes(packet.data, packet.data + packet.length);
    return outcome;
  }
  test::Rig& rig() { return rig_; }

 private:
  test::Rig rig_;
};

// A block and the oracle with the same SAs, and packets through both.
template <class Block>
class Pair {
 public:
  Pair(abi::Operation card, Operation software) : bench(card), software_(software) {}

  template <class OneSa>
  SaId install(const OneSa& sa, Lease lease = {1, 1U << 20U}, std::uint64_t window_top = 0) {
    const auto allowed = check(card::card_capabilities(abi::CardMode::both, bench_slots), sa);
    INFO((allowed.ok() ? std::string() : allowed.error().message));
    REQUIRE(allowed.ok());
    const SaId id = oracle.install(Sa(sa.duplicate()), sa.direction == Direction::egress ? lease : Lease{}, window_top);
    bench.commands(card::install_commands(id, sa, lease, window_top));
    bench.run();
    REQUIRE_FALSE(bench.refused());
    return id;
  }
  // Packets back to back through the block, one by one through the oracle; same frames, same verdicts. What the block
  // leaves to the host (`unsupported`) has changed nothing in it, so the oracle does not see it either.
  std::vector<Outcome> compare(const std::vector<Asked>& asked) {
    for (const Asked& one : asked) bench.packet(one);
    const std::vector<Outcome> outcomes = bench.run();
    REQUIRE(outcomes.size() == asked.size());
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (outcomes[i].verdict == Verdict::unsupported) {
        ++punted;
        REQUIRE(outcomes[i].packet.empty());
        REQUIRE_FALSE(outcomes[i].flag);
        continue;
      }
      const Outcome expected = oracle.run(software_, asked[i]);
      INFO("packet " << i << " of " << asked[i].packet.size() << " bytes, l2 " << asked[i].l2 << ": "
                     << test::to_hex(asked[i].packet));
      REQUIRE(name(outcomes[i].verdict) == name(expected.verdict));
      if (outcomes[i].packet != expected.packet) {
        CHECK(test::to_hex(outcomes[i].packet) == test::to_hex(expected.packet));
        REQUIRE(false);
      }
      if (expected.verdict == Verdict::ok) REQUIRE(outcomes[i].number == expected.number);
    }
    return outcomes;
  }
  Outcome compare(const Asked& asked) { return compare(std::vector<Asked>{asked}).front(); }

  Bench<Block> bench;
  Oracle oracle;
  std::size_t punted = 0;  // packets left to the host so far

 private:
  Operation software_;
};

using EspOut = Pair<firmware::EspEncapsulate<bench_slots>>;
using EspIn = Pair<firmware::EspDecapsulate<bench_slots>>;
using MacsecOut = Pair<firmware::MacsecProtect<bench_slots>>;
using MacsecIn = Pair<firmware::MacsecValidate<bench_slots>>;

}  // namespace linecrypt::firmware_test
