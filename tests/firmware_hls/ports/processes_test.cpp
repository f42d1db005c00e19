// The ports' processes by themselves: whole frames or nothing, nobody waits who cannot, and everything is counted.
#include <catch2/catch.hpp>
#include <deque>
#include <random>

#include "firmware_hls/ports/exceptions.hpp"
#include "firmware_hls/ports/receive.hpp"
#include "firmware_hls/ports/side.hpp"
#include "firmware_hls/ports/tally.hpp"
#include "firmware_hls/ports/transmit.hpp"
#include "firmware_hls/ports/wire.hpp"
#include "tests/support/hex.hpp"
#include "tests/support/ip_packets.hpp"

using namespace linecrypt;
namespace fw = linecrypt::firmware;
namespace fp = linecrypt::firmware::ports;
using linecrypt::test::Bytes;
using linecrypt::test::noise;

namespace {

std::vector<fw::Beat> beats_of(const Bytes& frame) {
  std::vector<fw::Beat> beats;
  for (std::size_t at = 0; at < frame.size(); at += fw::beat_bytes) {
    std::uint8_t bytes[fw::beat_bytes] = {};
    const std::size_t here = std::min<std::size_t>(fw::beat_bytes, frame.size() - at);
    std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), here, bytes);
    beats.push_back({fw::from_bytes<512>(bytes), static_cast<std::uint8_t>(here), at + here == frame.size()});
  }
  return beats;
}
void append(Bytes& frame, const fw::Beat& beat) {
  std::uint8_t bytes[fw::beat_bytes];
  fw::to_bytes(beat.data, bytes);
  frame.insert(frame.end(), bytes, bytes + beat.bytes);
}

// A receive process between a line that never waits and a chain that may.
template <std::uint32_t Beats>
struct Receiver {
  fw::Clock clock;
  fw::Stream<fp::WireBeat> line{clock, 2};
  fw::Stream<fw::PacketInfo> infos{clock, 2};
  fw::Stream<fw::Beat> beats{clock, 2};
  fw::Stream<abi::PortCounts> counts{clock, 2};
  fp::Receive<Beats> receive{clock, 1, line, infos, beats, counts};
  std::deque<fp::WireBeat> waiting;
  std::vector<Bytes> frames;
  std::vector<fw::PacketInfo> descriptions;
  Bytes partial;
  abi::PortCounts last{};

  void arrive(const Bytes& frame, bool bad = false) {
    for (const fw::Beat& beat : beats_of(frame)) waiting.push_back({beat, bad && beat.last});
  }
  // One cycle; `reads`: the chain takes a beat.
  void cycle(bool reads, bool enabled = true) {
    if (!waiting.empty()) {
      REQUIRE_FALSE(line.full());  // the port took the beat before
      line.write(waiting.front());
      waiting.pop_front();
    }
    receive.tick(enabled);
    if (reads && !infos.empty()) descriptions.push_back(infos.read());
    if (reads && !beats.empty()) {
      const fw::Beat beat = beats.read();
      append(partial, beat);
      if (beat.last) frames.push_back(std::exchange(partial, {}));
    }
    if (!counts.empty()) last = counts.read();
    clock.tick();
  }
  void drain(bool enabled = true) {
    for (int i = 0; i < 4000; ++i) cycle(true, enabled);
  }
};

}  // namespace

TEST_CASE("a port hands on whole frames of every size, one beat a cycle") {
  Receiver<512> rig;
  std::vector<Bytes> sent;
  for (std::size_t size = 1; size <= 400; ++size) sent.push_back(noise(size, static_cast<std::uint32_t>(size)));
  sent.push_back(noise(abi::frame_largest, 7));
  std::size_t beats = 0;
  for (const Bytes& frame : sent) {
    rig.arrive(frame);
    beats += beats_of(frame).size();
  }
  for (std::size_t i = 0; i < beats + 152 + 16; ++i) rig.cycle(true);  // no pause between frames, one frame behind
  CHECK(rig.frames == sent);
  REQUIRE(rig.descriptions.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    CHECK(rig.descriptions[i].length == sent[i].size());
    CHECK(rig.descriptions[i].port == (fp::mark::in_line | 1U));
  }
  rig.drain();
  CHECK(rig.last.frames == sent.size());
  CHECK(rig.last.no_room + rig.last.bad_fcs + rig.last.oversize + rig.last.closed == 0);
}

TEST_CASE("a frame with a wrong FCS or beyond the maximum is dropped whole, and its neighbours are not touched") {
  Receiver<512> rig;
  const Bytes good = noise(100, 1);
  rig.arrive(good);
  rig.arrive(noise(1500, 2), true);
  rig.arrive(good);
  rig.arrive(noise(abi::frame_largest + 1, 3));
  rig.arrive(good);
  rig.arrive(noise(60'000, 4));
  rig.arrive(noise(60'000, 5), true);
  rig.arrive(good);
  rig.drain();
  CHECK(rig.frames == std::vector<Bytes>(4, good));
  CHECK(rig.last.frames == 4);
  CHECK(rig.last.bytes == 400);
  CHECK(rig.last.bad_fcs == 2);
  CHECK(rig.last.oversize == 2);
  CHECK(rig.last.no_room == 0);
}

TEST_CASE("a port that is not enabled takes nothing, and a frame that began before it was is not cut") {
  Receiver<512> rig;
  const Bytes frame = noise(1000, 1);
  rig.arrive(frame);
  rig.cycle(true, false);
  rig.cycle(true, false);  // the first beat is read
  rig.drain(true);
  CHECK(rig.frames.empty());
  CHECK(rig.last.closed == 1);
  rig.arrive(frame);
  rig.cycle(true, true);
  rig.cycle(true, true);
  rig.drain(false);
  CHECK(rig.frames == std::vector<Bytes>{frame});
}

TEST_CASE("while a chain does not read, frames are dropped whole and each is counted once") {
  const std::uint64_t seed = GENERATE(1U, 2U, 3U, 4U);
  Receiver<32> rig;
  std::mt19937_64 random(seed);
  std::vector<Bytes> sent;
  std::uint64_t bad = 0;
  std::uint64_t long_ones = 0;
  for (int i = 0; i < 600; ++i) {
    const bool broken = random() % 16 == 0;
    const std::size_t size = random() % 40 == 0 ? abi::frame_largest + 100 : 1 + random() % 900;
    sent.push_back(noise(size, static_cast<std::uint32_t>(i + 1)));
    rig.arrive(sent.back(), broken);
    if (broken) {
      ++bad;
      sent.pop_back();
    } else if (size > abi::frame_largest) {
      ++long_ones;
      sent.pop_back();
    }
  }
  while (!rig.waiting.empty()) rig.cycle(random() % 3 == 0);
  rig.drain();
  // What came out is a part of what came in, in order, each frame whole.
  std::size_t at = 0;
  for (const Bytes& frame : rig.frames) {
    while (at < sent.size() && sent[at] != frame) ++at;
    REQUIRE(at < sent.size());
    ++at;
  }
  CHECK(rig.last.no_room > 0);
  CHECK(rig.last.frames == rig.frames.size());
  CHECK(rig.last.bad_fcs == bad);
  // A frame beyond the maximum does not fit into 32 beats either.
  CHECK(rig.last.frames + rig.last.no_room + rig.last.oversize == sent.size() + long_ones);
}

TEST_CASE("a frame leaves without a pause once all of it is there, padded to 60 bytes") {
  const std::uint64_t seed = GENERATE(1U, 2U, 3U);
  fw::Clock clock;
  fw::Stream<std::uint16_t> lengths{clock, 4};
  fw::Stream<fw::Beat> beats{clock, 4};
  fw::Stream<fp::WireBeat> out{clock, 4};
  fw::Stream<abi::PortCounts> counts{clock, 2};
  fp::Transmit<256> transmit{clock, lengths, beats, out, counts};
  std::mt19937_64 random(seed);
  std::deque<fw::Beat> in;
  std::deque<std::uint16_t> in_lengths;
  std::vector<Bytes> expected;
  std::uint64_t short_ones = 0;
  for (int i = 0; i < 200; ++i) {
    Bytes frame = noise(i % 50 == 9 ? abi::frame_largest : 1 + random() % 300, static_cast<std::uint32_t>(i + 1));
    in_lengths.push_back(static_cast<std::uint16_t>(frame.size()));
    for (const fw::Beat& beat : beats_of(frame)) in.push_back(beat);
    if (frame.size() < 60) ++short_ones;
    if (frame.size() < 60) frame.resize(60);
    expected.push_back(frame);
  }
  std::vector<Bytes> sent;
  Bytes partial;
  abi::PortCounts last{};
  for (int cycle = 0; cycle < 20'000; ++cycle) {
    if (!in_lengths.empty() && !lengths.full()) {
      lengths.write(in_lengths.front());
      in_lengths.pop_front();
    }
    // The chain stumbles; the MAC must not.
    if (!in.empty() && !beats.full() && random() % 3 != 0) {
      beats.write(in.front());
      in.pop_front();
    }
    transmit.tick();
    if (partial.empty() || !out.empty()) {
      if (!out.empty()) {
        const fp::WireBeat wire = out.read();
        append(partial, wire.beat);
        if (wire.beat.last) sent.push_back(std::exchange(partial, {}));
      }
    } else {
      FAIL("a pause inside a frame");
    }
    if (!counts.empty()) last = counts.read();
    clock.tick();
  }
  CHECK(sent == expected);
  CHECK(last.frames == expected.size());
  CHECK(last.padded == short_ones);
  CHECK_FALSE(transmit.busy());
}

TEST_CASE("frames for the host never make a chain wait: what finds no room is dropped whole and counted") {
  fw::Clock clock;
  fw::Stream<fp::ExceptionNote> notes_in{clock, 4};
  fw::Stream<fw::Beat> beats_in{clock, 4};
  fw::Stream<fp::ExceptionNote> notes{clock, 4};
  fw::Stream<fw::Beat> beats{clock, 4};
  fw::Stream<abi::PortCounts> counts{clock, 2};
  fp::ExceptionFifo<64> fifo{clock, notes_in, beats_in, notes, beats, counts};
  std::mt19937_64 random(5);
  std::vector<Bytes> sent;
  std::vector<Bytes> got;
  abi::PortCounts last{};
  Bytes partial;
  const auto cycle = [&](bool reads, bool enabled = true) {
    fifo.tick(enabled);
    if (reads && !notes.empty()) notes.read();
    if (reads && !beats.empty()) {
      const fw::Beat beat = beats.read();
      append(partial, beat);
      if (beat.last) got.push_back(std::exchange(partial, {}));
    }
    if (!counts.empty()) last = counts.read();
    clock.tick();
  };
  // 1. Nobody reads: at most one cycle a beat is taken, always.
  for (int i = 0; i < 300; ++i) {
    sent.push_back(noise(1 + random() % 500, static_cast<std::uint32_t>(i + 1)));
    notes_in.write({static_cast<std::uint16_t>(sent.back().size()), 0, 0, 0});
    for (const fw::Beat& beat : beats_of(sent.back())) {
      REQUIRE_FALSE(beats_in.full());
      beats_in.write(beat);
      cycle(false);
    }
  }
  for (int i = 0; i < 50; ++i) cycle(false);
  // 2. Those that were kept come out whole, in order.
  for (int i = 0; i < 1000; ++i) cycle(true);
  CHECK_FALSE(got.empty());
  CHECK(got.size() < sent.size());
  std::size_t at = 0;
  for (const Bytes& frame : got) {
    while (at < sent.size() && sent[at] != frame) ++at;
    REQUIRE(at < sent.size());
    ++at;
  }
  CHECK(last.frames == got.size());
  CHECK(last.frames + last.no_room == sent.size());
  // 3. A session that ends leaves nothing for the next.
  got.clear();
  notes_in.write({200, 0, 0, 0});
  for (const fw::Beat& beat : beats_of(noise(200, 1))) {
    beats_in.write(beat);
    cycle(false);
  }
  for (int i = 0; i < 200; ++i) cycle(false, false);
  for (int i = 0; i < 200; ++i) cycle(false, true);
  while (!notes.empty()) notes.read();
  std::size_t left = 0;
  for (int i = 0; i < 200; ++i) {
    if (!beats.empty()) {
      beats.read();
      ++left;
    }
    cycle(false);
  }
  CHECK(left <= 4);  // what was in the stream behind the FIFO already
  CHECK_FALSE(fifo.busy(true));
}

TEST_CASE("the tally lets nothing out that no block protected and no policy passed") {
  fw::PacketInfo info = fp::new_packet(100, abi::clear_port);
  const auto with = [&](abi::VerdictCode verdict, abi::Operation first, abi::Operation second, std::uint8_t at,
                        std::uint8_t flags) {
    info.verdict = static_cast<std::uint8_t>(verdict);
    info.operation[0] = first;
    info.operation[1] = second;
    info.at = at;
    info.flags = flags;
    return fp::EgressTally::may_leave(info);
  };
  using abi::Operation;
  using abi::VerdictCode;
  const Operation none = Operation::none;
  const Operation esp = Operation::esp_encapsulate;
  const Operation macsec = Operation::macsec_protect;
  CHECK(with(VerdictCode::ok, esp, none, 2, 1));
  CHECK(with(VerdictCode::ok, esp, macsec, 2, 3));
  CHECK(with(VerdictCode::ok, macsec, none, 2, 1));
  CHECK(with(VerdictCode::bypassed, none, none, 2, 0));
  CHECK(with(VerdictCode::exempt, none, none, 2, 0));
  // A verdict without its operation, an operation that took no number, one that nobody did.
  CHECK_FALSE(with(VerdictCode::ok, none, none, 2, 0));
  CHECK_FALSE(with(VerdictCode::ok, esp, none, 2, 0));
  CHECK_FALSE(with(VerdictCode::ok, esp, macsec, 2, 1));
  CHECK_FALSE(with(VerdictCode::ok, esp, macsec, 1, 1));
  CHECK_FALSE(with(VerdictCode::pending, esp, none, 0, 0));
  CHECK_FALSE(with(VerdictCode::pending, none, none, 0, 0));
  CHECK_FALSE(with(VerdictCode::bypassed, esp, none, 2, 0));
  CHECK_FALSE(with(VerdictCode::policy_discard, none, none, 2, 0));
  // In the process: a frame that claims to go to the wire and was done by nobody is drained and counted.
  fw::Clock clock;
  fw::Stream<fw::PacketInfo> infos{clock, 4};
  fw::Stream<fw::Beat> beats{clock, 4};
  fw::Stream<fw::PacketInfo> out{clock, 4};
  fw::Stream<fw::Beat> beats_out{clock, 4};
  fw::Stream<fw::EventWord> events{clock, 4};
  fp::Tally<fp::EgressTally> tally{clock, infos, beats, out, beats_out, events};
  info = fp::new_packet(100, abi::clear_port);
  info.operation[0] = esp;
  info.place = static_cast<std::uint64_t>(fp::Destination::wire) << fp::mark::destination;
  infos.write(info);
  for (const fw::Beat& beat : beats_of(noise(100, 1))) beats.write(beat);
  for (int i = 0; i < 50; ++i) {
    tally.tick();
    clock.tick();
  }
  REQUIRE_FALSE(out.empty());
  const fw::PacketInfo dropped = out.read();
  CHECK(dropped.length == 0);
  CHECK(dropped.verdict == static_cast<std::uint8_t>(VerdictCode::unsupported));
  CHECK(beats_out.empty());
  CHECK(beats.empty());
}

TEST_CASE("a MAC's word holds a beat of each length, and what no frame has a byte of is bad") {
  for (std::uint32_t bytes = 1; bytes <= fw::beat_bytes; ++bytes) {
    const Bytes frame = noise(bytes);
    const fp::WireBeat wire{beats_of(frame)[0], false};
    const fw::MacWord word = fp::to_mac(wire);
    CHECK(fw::word_of(word.keep, 0) == (bytes == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bytes) - 1));
    fw::MacWord dirty = word;  // bytes that keep does not name may hold anything
    dirty.data = dirty.data | (bytes == 64 ? ap_uint<512>(0) : ~ap_uint<512>(0) << (8 * bytes));
    const fp::WireBeat back = fp::from_mac(dirty);
    CHECK(back.beat.bytes == bytes);
    CHECK(back.beat.last);
    CHECK_FALSE(back.bad);
    CHECK(back.beat.data == wire.beat.data);
  }
  fw::MacWord none = {};
  none.last = ap_uint<1>(1);
  CHECK(fp::from_mac(none).bad);
}

TEST_CASE("a wire between kernels is low until told, and what is told last counts, however slowly it is read") {
  fw::Clock clock;
  fw::Stream<std::uint8_t> words(clock, 2);
  fp::WireOut out(words);
  fp::WireIn in(words);
  std::mt19937 random(3);
  CHECK_FALSE(in.tick());
  bool level = false;
  for (int i = 0; i < 2000; ++i) {
    if (random() % 3 == 0) level = !level;
    out.tick(level);
    if (random() % 4 == 0) in.tick();
    clock.tick();
  }
  bool seen = false;
  for (int i = 0; i < 10; ++i) {
    out.tick(level);
    seen = in.tick();
    clock.tick();
  }
  CHECK(seen == level);
}

TEST_CASE(
    "a side as a kernel: frames go from its MAC to its chain, and from its chain to its MAC, only while enabled") {
  fw::Clock clock;
  fw::Stream<std::uint8_t> enabled(clock, 4);
  fw::Stream<fw::MacWord> receive(clock, 4), transmit(clock, 64);
  fw::Stream<fw::PacketInfo> injected_infos(clock, 4), aside_in_infos(clock, 4), arrived_infos(clock, 64),
      done_infos(clock, 4), aside_out_infos(clock, 4);
  fw::Stream<fw::Beat> injected_beats(clock, 4), aside_in_beats(clock, 4), arrived_beats(clock, 64),
      done_beats(clock, 4), aside_out_beats(clock, 4), host_beats(clock, 4);
  fw::Stream<fp::ExceptionNote> host_notes(clock, 4);
  fw::Stream<abi::PortCounts> received(clock, 4), transmitted(clock, 4), to_host(clock, 4);
  fp::Side side(clock, abi::black_port, enabled, receive, transmit, {injected_infos, injected_beats},
                {aside_in_infos, aside_in_beats}, arrived_infos, arrived_beats, done_infos, done_beats, aside_out_infos,
                aside_out_beats, host_notes, host_beats, received, transmitted, to_host);
  abi::PortCounts last{};
  const auto cycles = [&](int count) {
    for (int i = 0; i < count; ++i) {
      side.tick();
      if (!received.empty()) last = received.read();
      if (!transmitted.empty()) transmitted.read();
      clock.tick();
    }
  };
  const Bytes frame = noise(200);
  const auto arrive = [&] {
    for (const fw::Beat& beat : beats_of(frame)) {
      receive.write(fp::to_mac({beat, false}));
      cycles(2);
    }
    cycles(40);
  };
  // 1. Before the control kernel said a word.
  arrive();
  CHECK(arrived_infos.empty());
  CHECK(last.closed == 1);
  // 2. Enabled.
  enabled.write(1);
  cycles(4);
  arrive();
  REQUIRE_FALSE(arrived_infos.empty());
  const fw::PacketInfo info = arrived_infos.read();
  CHECK(info.length == frame.size());
  Bytes got;
  while (!arrived_beats.empty()) append(got, arrived_beats.read());
  CHECK(got == frame);
  // 3. Out, padded.
  fw::PacketInfo done = fp::new_packet(30, abi::clear_port);
  done.place |= static_cast<std::uint64_t>(fp::Destination::wire) << fp::mark::destination;
  done_infos.write(done);
  done_beats.write(beats_of(noise(30))[0]);
  cycles(60);
  REQUIRE_FALSE(transmit.empty());
  CHECK(fp::from_mac(transmit.read()).beat.bytes == 60);
  CHECK(transmit.empty());
}
