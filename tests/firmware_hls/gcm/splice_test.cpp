// Every offset and length of splice. LINECRYPT_LONG=1 takes the whole product of strip, head and keep.
#include "firmware_hls/gcm/splice.hpp"

#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <optional>
#include <random>

#include "tests/firmware_hls/gcm/beats.hpp"
#include "tests/support/long_form.hpp"

namespace linecrypt::test {
namespace {

using firmware::Beat;
using firmware::SpliceCommand;

// As protocols describe it.
struct Cut {
  std::uint16_t strip;
  std::uint16_t keep;
  std::uint16_t fill;
  std::uint8_t head_bytes;
  std::uint8_t tail_bytes;
  std::uint8_t head[128];
  std::uint8_t tail[32];
};

struct Case {
  Cut cut;
  Bytes packet;
  bool seal = false;
  Bytes tag = Bytes(16);
};

std::uint8_t random_byte(std::mt19937& random) {
  return static_cast<std::uint8_t>(random() | 1U);
}

// Head and tail are full of bytes beyond their counts, which must not be seen.
Case make_case(std::mt19937& random, std::size_t strip, std::size_t keep, std::size_t rest, std::size_t head,
               std::size_t fill, std::size_t tail) {
  Case one{};
  one.cut.strip = static_cast<std::uint16_t>(strip);
  one.cut.keep = static_cast<std::uint16_t>(keep);
  one.cut.fill = static_cast<std::uint16_t>(fill);
  one.cut.head_bytes = static_cast<std::uint8_t>(head);
  one.cut.tail_bytes = static_cast<std::uint8_t>(tail);
  for (auto& byte : one.cut.head) byte = random_byte(random);
  for (auto& byte : one.cut.tail) byte = random_byte(random);
  one.packet.resize(std::max(std::size_t{1}, strip + keep + rest));
  for (auto& byte : one.packet) byte = random_byte(random);
  one.tag.resize(16);
  for (auto& byte : one.tag) byte = random_byte(random);
  return one;
}

// byte by byte.
Bytes expected(const Case& one) {
  Bytes bytes(one.cut.head, one.cut.head + one.cut.head_bytes);
  const auto from = one.packet.begin() + one.cut.strip;
  bytes.insert(bytes.end(), from, from + one.cut.keep);
  bytes.resize(bytes.size() + one.cut.fill);
  bytes.insert(bytes.end(), one.cut.tail, one.cut.tail + one.cut.tail_bytes);
  if (one.seal) bytes.insert(bytes.end(), one.tag.begin(), one.tag.end());
  return bytes;
}

std::size_t beats_in(const Case& one) {
  return (one.packet.size() + 63) / 64;
}
std::size_t beats_out(const Case& one) {
  return (expected(one).size() + 63) / 64;
}

using Pause = std::function<bool()>;
bool never() {
  return false;
}

// The block under test is either Splice or SealingSplice; its tags come `tag_delay` cycles after the packet's last
// beat.
class Rig {
 public:
  explicit Rig(bool sealing, Pause input = never, Pause output = never)
      : input_(std::move(input)), output_(std::move(output)) {
    if (sealing) sealing_.emplace(commands_, in_, tags_, out_);
    if (!sealing) plain_.emplace(commands_, in_, out_);
  }

  void put(const Case& one) {
    waiting_commands_.push_back(firmware::sealing_command(one.cut, one.seal));
    for (const auto& beat : beats_of(one.packet)) waiting_beats_.push_back(beat);
    waiting_tags_.push_back(firmware::from_bytes<128>(one.tag.data()));
  }

  // Empty results are not seen on the stream of beats: `packets` counts those with bytes.
  std::vector<Bytes> run(std::size_t packets) {
    std::vector<Bytes> results;
    std::vector<Beat> open;
    for (int quiet = 0; quiet < 400;) {
      if (!input_()) {
        if (!waiting_commands_.empty() && !commands_.full()) {
          commands_.write(waiting_commands_.front());
          waiting_commands_.pop_front();
        }
        if (!waiting_beats_.empty() && !in_.full()) {
          const Beat beat = waiting_beats_.front();
          waiting_beats_.pop_front();
          in_.write(beat);
          if (beat.last && sealing_) {
            tags_.write(waiting_tags_.front());
            waiting_tags_.pop_front();
          }
        }
      }
      if (plain_) plain_->tick();
      if (sealing_) sealing_->tick();
      ++quiet;
      if (!output_() && !out_.empty()) {
        quiet = 0;
        open.push_back(out_.read());
        if (open.back().last) {
          results.push_back(bytes_of(open));
          last_cycles.push_back(clock.now());
          open.clear();
        }
      }
      clock.tick();
    }
    if (!open.empty() || !waiting_beats_.empty() || in_.pending() != 0 || tags_.pending() != 0)
      throw std::logic_error("rig: something stayed inside");
    if (results.size() != packets) throw std::logic_error("rig: not as many packets as expected");
    return results;
  }

  firmware::Clock clock;
  std::vector<std::uint64_t> last_cycles;

 private:
  firmware::Stream<SpliceCommand> commands_{clock, 4, 1};
  firmware::Stream<Beat> in_{clock, 128, 1};
  firmware::Stream<ap_uint<128>> tags_{clock, 300, 40};
  firmware::Stream<Beat> out_{clock, 2, firmware::Splice::latency()};
  std::optional<firmware::Splice> plain_;
  std::optional<firmware::SealingSplice> sealing_;
  Pause input_;
  Pause output_;
  std::deque<SpliceCommand> waiting_commands_;
  std::deque<Beat> waiting_beats_;
  std::deque<ap_uint<128>> waiting_tags_;
};

void check(Rig& rig, const std::vector<Case>& cases) {
  std::vector<Bytes> answers;
  for (const auto& one : cases) {
    rig.put(one);
    if (Bytes answer = expected(one); !answer.empty()) answers.push_back(std::move(answer));
  }
  const auto results = rig.run(answers.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (results[i] != answers[i] && ++wrong == 1) {
      CAPTURE(i);
      CHECK(to_hex(results[i]) == to_hex(answers[i]));
    }
  }
  REQUIRE(wrong == 0);
}

}  // namespace

TEST_CASE("Every strip and every head give the bytes of a plain copy") {
  std::mt19937 random(1);
  for (unsigned strip = 0; strip < 128; ++strip) {
    std::vector<Case> cases;
    for (unsigned head = 0; head <= 128; ++head) {
      if (long_form()) {
        for (unsigned keep = 0; keep <= 129; ++keep)
          cases.push_back(make_case(random, strip, keep, random() % 20, head, random() % 4, random() % 33));
      } else {
        cases.push_back(make_case(random, strip, random() % 200, random() % 20, head, random() % 4, random() % 33));
      }
    }
    Rig rig(false);
    check(rig, cases);
  }
}

TEST_CASE("Every length kept, with every tail, gives the bytes of a plain copy") {
  std::mt19937 random(2);
  for (unsigned tail = 0; tail <= 32; ++tail) {
    std::vector<Case> cases;
    for (unsigned keep = 0; keep <= 193; ++keep)
      cases.push_back(make_case(random, random() % 130, keep, random() % 70, random() % 129, random() % 5, tail));
    Rig rig(false);
    check(rig, cases);
  }
}

TEST_CASE("Zeros between the packet and the tail are zeros at every length") {
  std::mt19937 random(3);
  std::vector<Case> cases;
  for (unsigned fill = 0; fill <= 1500; fill += fill < 260 ? 1 : 37)
    cases.push_back(
        make_case(random, random() % 70, random() % 100, random() % 70, random() % 129, fill, random() % 33));
  Rig rig(false);
  check(rig, cases);
}

TEST_CASE("The largest packet keeps every byte") {
  std::mt19937 random(4);
  std::vector<Case> cases;
  for (const unsigned keep : {9216U, 9600U, 9728U}) cases.push_back(make_case(random, 14, keep, 20, 100, 2, 16));
  Rig rig(false);
  check(rig, cases);
}

TEST_CASE("A tag that comes late is put behind every length, tail or none, and packets without a seal lose theirs") {
  std::mt19937 random(5);
  std::vector<Case> cases;
  for (unsigned keep = 0; keep <= 130; ++keep) {
    for (const unsigned tail : {0U, 2U, 17U, 32U}) {
      cases.push_back(make_case(random, random() % 80, keep, random() % 20, random() % 129, random() % 3, tail));
      cases.back().seal = random() % 4 != 0;
    }
  }
  Rig rig(true);
  check(rig, cases);
}

TEST_CASE("Pauses of either side change no byte") {
  std::mt19937 random(6);
  std::mt19937 pauses(7);
  const bool sealing = GENERATE(false, true);
  const unsigned input = GENERATE(1U, 2U, 9U);
  const unsigned output = GENERATE(1U, 2U, 9U);
  std::vector<Case> cases;
  for (int i = 0; i < 150; ++i) {
    cases.push_back(
        make_case(random, random() % 300, random() % 300, random() % 300, random() % 129, random() % 5, random() % 33));
    cases.back().seal = sealing && random() % 2 == 0;
  }
  Rig rig(
      sealing, [&] { return pauses() % input != 0; }, [&] { return pauses() % output != 0; });
  check(rig, cases);
}

TEST_CASE("A packet that gives nothing is drained and the next one is whole") {
  std::mt19937 random(8);
  const bool sealing = GENERATE(false, true);
  std::vector<Case> cases;
  for (int i = 0; i < 60; ++i) {
    if (i % 3 == 0) cases.push_back(make_case(random, 0, 0, 1 + random() % 300, 0, 0, 0));
    if (i % 3 != 0) cases.push_back(make_case(random, 20, random() % 100, 3, 30, 0, 4));
    cases.back().seal = sealing && i % 3 != 0;
  }
  Rig rig(sealing);
  check(rig, cases);
}

TEST_CASE("Bytes leave as soon as they are there: a beat that has none of them is not waited for") {
  std::mt19937 random(11);
  const std::size_t strip = GENERATE(0U, 10U, 63U);
  const std::size_t keep = 64 - strip;
  const Case one = make_case(random, strip, keep, 30, 0, 0, 0);
  firmware::Clock clock;
  firmware::Stream<SpliceCommand> commands(clock);
  firmware::Stream<Beat> in(clock);
  firmware::Stream<Beat> out(clock, 2, firmware::Splice::latency());
  firmware::Splice splice(commands, in, out);
  commands.write(firmware::splice_command(one.cut));
  in.write(beats_of(one.packet).front());
  for (int cycle = 0; cycle < 20; ++cycle) {
    clock.tick();
    splice.tick();
  }
  REQUIRE_FALSE(out.empty());
  CHECK(bytes_of({out.read()}) == expected(one));
}

TEST_CASE("Steady state is max(beats in, beats out) cycles a packet, late tags or not") {
  std::mt19937 random(9);
  const bool sealing = GENERATE(false, true);
  for (unsigned strip = 0; strip < 130; strip += 1 + strip % 5) {
    for (const unsigned keep : {1U, 40U, 64U, 65U, 127U, 128U, 700U}) {
      for (const unsigned head : {0U, 8U, 24U, 64U, 100U}) {
        std::vector<Case> cases;
        for (int i = 0; i < 6; ++i) {
          cases.push_back(make_case(random, strip, keep, std::size_t{50} * ((strip + keep) % 3), head, 0, 2));
          cases.back().seal = sealing;
        }
        Rig rig(sealing);
        check(rig, cases);
        const std::size_t cycles = std::max(beats_in(cases[0]), beats_out(cases[0]));
        // The first packets fill the pipeline.
        for (std::size_t i = 3; i < cases.size(); ++i) {
          CAPTURE(strip, keep, head, i);
          REQUIRE(rig.last_cycles[i] - rig.last_cycles[i - 1] == cycles);
        }
      }
    }
  }
}

TEST_CASE("Packets of any mix together take no longer than max(beats in, beats out) each") {
  std::mt19937 random(10);
  for (int round = 0; round < 20; ++round) {
    std::vector<Case> cases;
    std::uint64_t cycles = 0;
    for (int i = 0; i < 100; ++i) {
      cases.push_back(
          make_case(random, random() % 140, 1 + random() % 200, random() % 140, random() % 129, 0, random() % 33));
      cycles += std::max(beats_in(cases.back()), beats_out(cases.back()));
    }
    Rig rig(false);
    check(rig, cases);
    CHECK(rig.last_cycles.back() <= cycles + std::size_t{3} * firmware::Splice::latency() + 2);
  }
}

}  // namespace linecrypt::test
