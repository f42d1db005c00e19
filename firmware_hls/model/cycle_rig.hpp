// CycleRig: one chain on a clock of its own, packets fed to it as fast as it takes them (or at a fixed pace), and what
// that shows: cycles and beats a packet, the deepest occupancy of each FIFO, deadlock, overflow.
//
// It may claim: beats and cycles as written, with the declared latencies and depths. It knows nothing of what a tool
// makes of the text: modelled at 300 MHz, not synthesized with Vitis.
#pragma once

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "firmware_hls/chain/chain.hpp"

namespace linecrypt {
namespace firmware {

struct Frame {
  PacketInfo info{};
  std::vector<Beat> beats;
};

struct FifoUse {
  std::string name;
  std::size_t depth = 0;
  std::size_t deepest = 0;
};

// A depth that is cut: streams of depth `from` get `to`.
struct DepthCut {
  std::size_t from = 0;
  std::size_t to = 0;
};

struct CycleFigures {
  std::uint64_t packets = 0;   // measured
  std::uint64_t cycles = 0;    // from the last beat before them to their last beat
  std::uint64_t beats_in = 0;  // of one packet
  std::uint64_t beats_out = 0;
  std::uint64_t latency = 0;   // cycles from the first packet's first beat in to its last beat out
  std::uint64_t commands = 0;  // configuration words that went through meanwhile
  std::uint64_t forced = 0;    // of them, in a packet's cycle
  std::uint64_t refused = 0;   // packets that came out with another verdict than ok
  bool deadlock = false;       // nothing moved for long, with packets inside
  bool overflow = false;       // at a fixed pace: the FIFO in front was full when a beat came
  std::string stuck;           // the FIFOs that were full then
  std::vector<FifoUse> fifos;

  [[nodiscard]] double cycles_a_packet() const {
    return packets == 0 ? 0 : static_cast<double>(cycles) / static_cast<double>(packets);
  }
  [[nodiscard]] std::uint64_t wider() const { return beats_in > beats_out ? beats_in : beats_out; }
  // Cycles in which the wider side carried nothing.
  [[nodiscard]] std::int64_t bubbles() const {
    return static_cast<std::int64_t>(cycles) - static_cast<std::int64_t>(packets * wider());
  }
};

struct Load {
  std::uint64_t packets = 64;  // measured, behind as many as fill the pipeline
  std::uint64_t warm = 32;
  std::uint64_t pace = 0;            // cycles from one packet's first beat to the next's; 0: as fast as they are taken
  std::vector<ConfigWord> commands;  // always one of these waiting, in turn; empty: none
  bool keep_frames = false;
};

template <class ChainType>
class CycleRig {
 public:
  explicit CycleRig(DepthCut cut = {}) : clock_(std::make_unique<Clock>()) {
    clock_->cut_depth(cut.from, cut.to);
    infos_in_ = std::make_unique<Stream<PacketInfo>>(*clock_, front_infos);
    beats_in_ = std::make_unique<Stream<Beat>>(*clock_, front_beats);
    commands_ = std::make_unique<Stream<ConfigWord>>(*clock_, 4);
    infos_out_ = std::make_unique<Stream<PacketInfo>>(*clock_, 4);
    beats_out_ = std::make_unique<Stream<Beat>>(*clock_, 4);
    responses_ = std::make_unique<Stream<abi::Response>>(*clock_, 4);
    chain_ =
        std::make_unique<ChainType>(*clock_, *infos_in_, *beats_in_, *commands_, *infos_out_, *beats_out_, *responses_);
  }

  // Puts the words through the chain; throws where one is refused.
  void configure(std::vector<ConfigWord> words) {
    std::size_t sent = 0;
    std::size_t answered = 0;
    for (ConfigWord& word : words) word.respond = 1;
    while (answered < words.size()) {
      if (sent < words.size() && !commands_->full()) commands_->write(words[sent++]);
      step();
      if (responses_->empty()) continue;
      ++answered;
      if (responses_->read().kind == abi::ResponseKind::refused)
        throw std::logic_error("cycle rig: a word was refused");
    }
  }

  // The same frames in turn. `frames()` has what came out, if asked for.
  CycleFigures run(const std::vector<Frame>& frames, const Load& load) {
    CycleFigures figures;
    Feed feed;
    frames_.clear();
    const std::uint64_t total = load.packets + load.warm;
    const std::uint64_t begin = clock_->now();
    const std::uint64_t forced = chain_->forced();
    std::uint64_t done = 0;
    std::uint64_t moved = begin;  // when something last came out
    std::uint64_t measured_from = begin;
    std::size_t next_command = 0;
    std::vector<Beat> current;
    std::deque<std::vector<Beat>> packets;  // descriptions may come before their beats, and behind them
    std::deque<PacketInfo> infos;
    while (done < total) {
      send(frames, load, total, begin, feed, figures);
      if (!load.commands.empty() && !commands_->full()) {
        commands_->write(load.commands[next_command++ % load.commands.size()]);
        ++figures.commands;
      }
      step();
      if (!responses_->empty()) responses_->read();
      if (!infos_out_->empty()) infos.push_back(infos_out_->read());
      if (!beats_out_->empty()) {
        const Beat beat = beats_out_->read();
        moved = clock_->now();
        current.push_back(beat);
        if (beat.last) {
          packets.push_back(std::move(current));
          current.clear();
        }
      }
      while (!infos.empty() && (infos.front().length == 0 || !packets.empty())) {
        moved = clock_->now();
        Frame frame;
        frame.info = infos.front();
        infos.pop_front();
        if (frame.info.length != 0) {
          frame.beats = std::move(packets.front());
          packets.pop_front();
        }
        if (frame.info.verdict != static_cast<u8>(abi::VerdictCode::ok)) ++figures.refused;
        ++done;
        if (done == 1) figures.latency = clock_->now() - begin;
        if (done == load.warm) measured_from = clock_->now();
        if (done == total) {
          figures.cycles = clock_->now() - measured_from;
          figures.packets = load.packets;
          figures.beats_in = frames[(total - 1) % frames.size()].beats.size();
          figures.beats_out = frame.beats.size();
        }
        if (load.keep_frames) frames_.push_back(std::move(frame));
      }
      if (clock_->now() - moved > patience + load.pace) {
        figures.deadlock = true;
        break;
      }
      if (figures.overflow) break;
    }
    figures.forced = chain_->forced() - forced;
    chain_->each_fifo([&](const char* name, auto& fifo) {
      figures.fifos.push_back({name, fifo.depth(), fifo.deepest()});
      if (figures.deadlock && fifo.full()) figures.stuck += (figures.stuck.empty() ? "" : ", ") + std::string(name);
    });
    return figures;
  }
  [[nodiscard]] const std::vector<Frame>& frames() const { return frames_; }

 private:
  // In front of the chain: a packet-mode port FIFO would hold this much.
  static constexpr std::size_t front_beats = 320;
  static constexpr std::size_t front_infos = 330;
  static constexpr std::uint64_t patience = 4096;  // several times a maximum packet's way through both blocks

  struct Feed {
    std::uint64_t packet = 0;
    std::size_t beat = 0;
  };

  void step() {
    chain_->tick();
    clock_->tick();
  }
  // At a fixed pace a beat comes when it comes, room or not.
  void send(const std::vector<Frame>& frames, const Load& load, std::uint64_t total, std::uint64_t begin, Feed& feed,
            CycleFigures& figures) {
    if (feed.packet == total) return;
    if (load.pace != 0 && clock_->now() < begin + feed.packet * load.pace) return;
    const Frame& frame = frames[feed.packet % frames.size()];
    const bool room = !beats_in_->full() && (feed.beat != 0 || !infos_in_->full());
    if (!room) {
      figures.overflow = figures.overflow || load.pace != 0;
      return;
    }
    if (load.pace == 0 && beats_in_->pending() > 2) return;  // as deep as the stream between two kernels
    if (feed.beat == 0) infos_in_->write(frame.info);
    beats_in_->write(frame.beats[feed.beat]);
    if (++feed.beat < frame.beats.size()) return;
    feed.beat = 0;
    ++feed.packet;
  }

  std::unique_ptr<Clock> clock_;
  std::unique_ptr<Stream<PacketInfo>> infos_in_;
  std::unique_ptr<Stream<Beat>> beats_in_;
  std::unique_ptr<Stream<ConfigWord>> commands_;
  std::unique_ptr<Stream<PacketInfo>> infos_out_;
  std::unique_ptr<Stream<Beat>> beats_out_;
  std::unique_ptr<Stream<abi::Response>> responses_;
  std::unique_ptr<ChainType> chain_;
  std::vector<Frame> frames_;
};

}  // namespace firmware
}  // namespace linecrypt
