// Drives port_bench, the port's paths without the CMAC, on two clocks. `port_bench <case>`; exit 1 with a sentence on
// the first thing that must never happen. Case `planted` leaves out the error mark of bad frames and must therefore
// fail.
#include <verilated.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "Vport_bench.h"

namespace {

constexpr std::uint64_t ap_period = 3333, cmac_period = 3103;  // ps: 300 and 322.265 MHz
constexpr std::size_t beat_bytes = 64, fifo_beats = 64;

using Frame = std::vector<std::uint8_t>;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "port_bench: %s\n", what.c_str());
  std::exit(1);
}
void check(bool holds, const std::string& what) {
  if (!holds) fail(what);
}

// Number in the first bytes, then a pattern that depends on it: a beat of another frame shows.
Frame frame_of(std::uint32_t number, std::size_t length) {
  Frame frame(length);
  for (std::size_t i = 0; i < length; ++i)
    frame[i] = i < 4 ? static_cast<std::uint8_t>(number >> (8 * i))
                     : static_cast<std::uint8_t>((number * 2654435761U + i * 40503U) >> 7U);
  return frame;
}

template <typename Wide>
void set_beat(Wide& data, QData& keep, CData& last, const Frame& frame, std::size_t beat) {
  keep = 0;
  for (std::size_t w = 0; w < 16; ++w) data[w] = 0xa5a5a5a5U;  // bytes behind the end are not zero
  for (std::size_t i = 0; i < beat_bytes && beat * beat_bytes + i < frame.size(); ++i) {
    keep |= std::uint64_t{1} << i;
    data[i / 4] = (data[i / 4] & ~(0xffU << (8 * (i % 4)))) |
                  (static_cast<std::uint32_t>(frame[beat * beat_bytes + i]) << (8 * (i % 4)));
  }
  last = (beat + 1) * beat_bytes >= frame.size();
}

template <typename Wide>
void take_beat(const Wide& data, QData keep, Frame& frame) {
  check((keep & (keep + 1)) == 0 && keep != 0, "tkeep has a hole or is empty");
  for (std::size_t i = 0; i < beat_bytes && ((keep >> i) & 1U) != 0; ++i)
    frame.push_back(static_cast<std::uint8_t>(data[i / 4] >> (8 * (i % 4))));
}

struct Bench {
  VerilatedContext context;
  Vport_bench top{&context};
  std::mt19937 random{20240607};
  std::uint64_t now = 0, ap_next = 0, cmac_next = 0;
  // Called just before the rising edge of each clock, with all outputs settled: look at handshakes, then set inputs of
  // the next cycle.
  std::function<void()> ap = [] {}, cmac = [] {};

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); }

  void edge(CData& clock, const std::function<void()>& cycle) {
    // Inputs change just after the edge: what the edge saw is what `cycle` has looked at.
    cycle_inputs_.clear();
    cycle();
    clock = 1;
    top.eval();
    for (const auto& set : cycle_inputs_) set();
    clock = 0;
    top.eval();
  }
  void later(std::function<void()> set) { cycle_inputs_.push_back(std::move(set)); }
  void run(std::uint64_t cycles) {
    for (const std::uint64_t end = now + cycles * ap_period; now < end;) {
      if (ap_next <= cmac_next) {
        now = ap_next;
        ap_next += ap_period;
        edge(top.ap_clk, ap);
      } else {
        now = cmac_next;
        cmac_next += cmac_period;
        edge(top.cmac_clk, cmac);
      }
    }
  }
  void reset() {
    top.ap_rst = 1;
    run(20);
    top.ap_rst = 0;
    run(20);
  }
  std::uint32_t read(std::uint32_t address) {
    top.arvalid = 1;
    top.araddr = static_cast<SData>(address);
    std::uint32_t value = 0;
    bool done = false;
    ap_swap(
        [&] {
          if (top.rvalid && !done) {
            value = top.rdata;
            done = true;
            later([this] { top.arvalid = 0; });
          } else if (top.arvalid && top.arready) {
            later([this] { top.arvalid = 0; });
          }
        },
        6);
    check(done, "no answer to a register read");
    return value;
  }
  void ap_swap(std::function<void()> instead, std::uint64_t cycles) {
    std::swap(ap, instead);
    run(cycles);
    std::swap(ap, instead);
  }

 private:
  std::vector<std::function<void()>> cycle_inputs_;
};

struct Sent {
  Frame frame;
  bool bad;
};

// Receive: what comes out is a subset of the good frames, whole and in order; what does not is counted once.
void receive(std::uint32_t frames, std::uint32_t stall_percent, bool with_bad, bool with_resets, bool mark_bad) {
  Bench b;
  b.top.m_tready = 1;
  b.reset();
  std::vector<Sent> sent;
  std::vector<Frame> got;
  Frame current;
  std::size_t beat = 0;
  std::uint32_t gap = 0, aborted = 0, resetting = 0;
  bool sending = false, stopped = false;
  b.cmac = [&] {
    if (resetting > 0) {
      if (--resetting == 0) b.later([&] { b.top.rx_rst = 0; });
      return;
    }
    if (b.top.rx_tvalid && ++beat * beat_bytes >= sent.back().frame.size()) sending = false;
    if (with_resets && sending && b.below(400) == 0) {  // the link goes in the middle of a frame
      sending = false;
      ++aborted;
      sent.pop_back();
      resetting = 5;
      b.later([&] { b.top.rx_tvalid = 0, b.top.rx_rst = 1; });
      return;
    }
    if (!sending && gap > 0) --gap;
    if (!sending && gap == 0 && !stopped) {
      stopped = sent.size() == frames;
      if (!stopped) {
        const std::size_t length = 60 + b.below(b.below(4) == 0 ? 3600 : 200);
        sent.push_back({frame_of(static_cast<std::uint32_t>(sent.size() + aborted * 0x10000U), length),
                        with_bad && b.below(5) == 0});
        sending = true;
        beat = 0;
        gap = 1 + b.below(3);
      }
    }
    // The MAC may pause inside a frame.
    const bool beat_now = sending && b.below(10) != 0;
    if (!beat_now) {
      b.later([&] { b.top.rx_tvalid = 0; });
      return;
    }
    b.later([&] {
      b.top.rx_tvalid = 1;
      set_beat(b.top.rx_tdata, b.top.rx_tkeep, b.top.rx_tlast, sent.back().frame, beat);
      b.top.rx_tuser = b.top.rx_tlast && sent.back().bad && mark_bad;
    });
  };
  b.ap = [&] {
    if (b.top.m_tvalid && b.top.m_tready) {
      take_beat(b.top.m_tdata, b.top.m_tkeep, current);
      if (b.top.m_tlast) {
        got.push_back(std::move(current));
        current.clear();
      }
    }
    const bool ready = b.below(100) >= stall_percent;
    b.later([&b, ready] { b.top.m_tready = ready; });
  };
  for (int i = 0; i < 4000 && !stopped; ++i) b.run(1000);
  check(stopped, "the frames were never sent");
  b.ap = [&, old = b.ap] {
    old();
    b.later([&] { b.top.m_tready = 1; });
  };
  b.run(3000);

  check(current.empty(), "a frame without its end came out");
  std::size_t next = 0;
  std::uint32_t bad = 0;
  for (const auto& frame : got) {
    while (next < sent.size() && sent[next].frame != frame) ++next;
    check(next < sent.size(), "a frame came out that was not sent so, twice, or out of order");
    check(!sent[next].bad, "a frame with a bad FCS came out");
    ++next;
  }
  for (const auto& s : sent) bad += s.bad ? 1U : 0U;
  const std::uint32_t accepted = b.read(0x20), dropped_full = b.read(0x24), dropped_bad = b.read(0x28);
  check(accepted == got.size(), "the counter of frames received is not what came out");
  check(accepted + dropped_full + dropped_bad == sent.size() + aborted ||
            (with_resets && accepted + dropped_full + dropped_bad <= sent.size() + aborted),
        "frames are missing in the counters");
  check(accepted + dropped_full + dropped_bad + aborted >= sent.size(), "frames are missing in the counters");
  check(dropped_bad <= bad + aborted, "good frames were counted as bad");
  if (stall_percent == 0)
    check(dropped_full == 0 && (with_bad || with_resets || got.size() == sent.size()),
          "frames were dropped although the reader kept up");
  if (stall_percent >= 80) check(dropped_full > 0, "the FIFO never filled: this case tests nothing");
  if (with_bad && mark_bad) check(dropped_bad > 0, "no bad frame was dropped: this case tests nothing");
  if (with_resets) check(aborted > 10, "the link never went: this case tests nothing");
  std::printf("receive: %zu sent, %u aborted, %zu out, %u dropped full, %u bad\n", sent.size(), aborted, got.size(),
              dropped_full, dropped_bad);
}

// Transmit: every frame comes out, padded, without a gap inside, whatever the gaps at the input and the waits at the
// output.
void transmit(std::uint32_t frames, std::uint32_t wait_percent, bool with_long, bool with_resets) {
  Bench b;
  b.top.tx_tready = 1;
  b.reset();
  std::vector<Sent> sent;
  std::vector<Frame> got;
  Frame current;
  std::size_t beat = 0;
  bool sending = false, stopped = false, inside = false, held = false;
  std::uint32_t resetting = 0, resets = 0;
  Frame held_beat;
  b.ap = [&] {
    if (b.top.s_tvalid && b.top.s_tready && ++beat * beat_bytes >= sent.back().frame.size()) sending = false;
    if (b.top.s_tvalid && !b.top.s_tready) return;  // the beat stands until it is taken
    if (!sending && !stopped) {
      stopped = sent.size() == frames;
      if (!stopped) {
        const bool too_long = with_long && b.below(6) == 0;
        const std::size_t length =
            too_long ? (fifo_beats + 1 + b.below(30)) * beat_bytes : 14 + b.below(b.below(3) == 0 ? 3900 : 80);
        sent.push_back({frame_of(static_cast<std::uint32_t>(sent.size()), length), too_long});
        sending = true;
        beat = 0;
      }
    }
    const bool beat_now = sending && b.below(4) != 0;
    b.later([&, beat_now] {
      b.top.s_tvalid = beat_now;
      if (beat_now) set_beat(b.top.s_tdata, b.top.s_tkeep, b.top.s_tlast, sent.back().frame, beat);
    });
  };
  b.cmac = [&] {
    if (resetting > 0 && --resetting == 0) b.later([&] { b.top.tx_rst = 0; });
    if (b.top.tx_rst) {
      check(!b.top.tx_tvalid, "a beat is offered to a transmitter that is in reset");
      current.clear();  // the CMAC forgets it
      inside = held = false;
      return;
    }
    if (inside) check(b.top.tx_tvalid, "a gap inside a frame: the CMAC would underrun");
    if (b.top.tx_tvalid) {
      Frame now;
      take_beat(b.top.tx_tdata, b.top.tx_tkeep, now);
      check(!held || now == held_beat, "a beat changed while it waited");
      held = !b.top.tx_tready;
      held_beat = now;
      inside = !b.top.tx_tlast || !b.top.tx_tready ? (inside || b.top.tx_tready) : false;
      if (b.top.tx_tready) {
        current.insert(current.end(), now.begin(), now.end());
        inside = !b.top.tx_tlast;
        if (b.top.tx_tlast) {
          got.push_back(std::move(current));
          current.clear();
        }
      }
    }
    const bool ready = b.below(100) >= wait_percent;
    b.later([&b, ready] { b.top.tx_tready = ready; });
    if (with_resets && b.below(500) == 0) {
      ++resets;
      resetting = 1 + b.below(20);
      b.later([&] { b.top.tx_rst = 1; });
    }
  };
  for (int i = 0; i < 4000 && !stopped; ++i) b.run(1000);
  check(stopped, "the frames were never taken");
  b.run(5000);

  check(current.empty() || with_resets, "a frame without its end came out");
  std::size_t next = 0;
  std::uint32_t too_long = 0;
  for (const auto& frame : got) {
    const auto same = [&](const Sent& s) {
      Frame padded = s.frame;
      if (padded.size() < 60) padded.resize(60, 0);
      return padded == frame;
    };
    while (next < sent.size() && !same(sent[next])) {
      check(sent[next].bad || with_resets, "a frame was lost, or came out otherwise than padded");
      ++next;
    }
    check(next < sent.size(), "a frame came out that was not sent so, twice, or out of order");
    check(!sent[next].bad, "a frame longer than the FIFO came out");
    ++next;
  }
  for (const auto& s : sent) too_long += s.bad ? 1U : 0U;
  const std::uint32_t given = b.read(0x2c), dropped_long = b.read(0x30), dropped_closed = b.read(0x34);
  check(dropped_long == too_long && given + dropped_long == sent.size(), "frames are missing in the counters");
  check(with_resets ? got.size() + dropped_closed <= given && got.size() + dropped_closed + resets >= given
                    : got.size() == given && dropped_closed == 0,
        "frames that the gate dropped are missing in the counters");
  if (with_long) check(too_long > 5, "no frame was too long: this case tests nothing");
  if (with_resets) check(dropped_closed > 5, "no frame met a reset: this case tests nothing");
  std::printf("transmit: %zu sent, %zu out, %u too long, %u dropped while closed\n", sent.size(), got.size(),
              dropped_long, dropped_closed);
}

void registers() {
  Bench b;
  b.reset();
  check(b.top.transmitter_on == 0, "the transmitter is on after reset");
  check(b.top.rs_fec == 1 && b.read(0x10) == 2, "RS-FEC is not on after reset");
  const auto write = [&](std::uint32_t address, std::uint32_t value) {
    b.top.awvalid = b.top.wvalid = 1;
    b.top.awaddr = static_cast<SData>(address);
    b.top.wdata = value;
    b.ap_swap(
        [&] {
          if (b.top.awvalid && b.top.awready) b.later([&] { b.top.awvalid = b.top.wvalid = 0; });
        },
        6);
  };
  write(0x10, 1);
  check(b.top.transmitter_on == 1 && b.top.rs_fec == 0 && b.read(0x10) == 1, "control cannot be written");
  write(0x20, 77);
  check(b.read(0x20) == 0, "a counter can be written");
  check(b.read(0x14) == 1, "the receiver's state does not show");
  check(b.read(0xffc) == 0, "a register that is not there has a value");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  // The long form runs fifty times as many frames.
  const std::uint32_t n = std::getenv("LINECRYPT_LONG") != nullptr ? 50 : 1;
  if (name == "receive")
    receive(300 * n, 0, true, false, true), receive(300 * n, 0, false, false, true);
  else if (name == "receive_full")
    receive(300 * n, 85, true, false, true);
  else if (name == "receive_link_lost")
    receive(400 * n, 30, true, true, true);
  else if (name == "transmit")
    transmit(300 * n, 0, false, false), transmit(300 * n, 40, false, false);
  else if (name == "transmit_too_long")
    transmit(200 * n, 20, true, false);
  else if (name == "transmit_reset")
    transmit(300 * n, 20, false, true);
  else if (name == "registers")
    registers();
  else if (name == "planted")
    receive(300, 0, true, false, false);
  else
    fail("unknown case '" + name + "'");
  return 0;
}
