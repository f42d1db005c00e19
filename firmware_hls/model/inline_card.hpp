// The bump-in-the-wire card on one clock: what Card is for look-aside, with two ports on its chains. The MACs are lines
// of beats here; frames come and go as whole ones.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "firmware_hls/model/card.hpp"
#include "firmware_hls/ports/port_control.hpp"
#include "firmware_hls/ports/side.hpp"

namespace linecrypt {
namespace firmware {

// A direction: a chain between the port it begins at, the port it ends at, its mover and the host's rings.
template <class ChainType>
class InlineLane {
 public:
  InlineLane(const Clock& clock, const MemoryHost& host, ChainOperations operations, SpoilPlan& plan, bool egress)
      : ring_(clock, host),
        descriptors_(clock, host),
        packets_(clock, host),
        results_(clock, host),
        completions_(clock, host),
        commands_(clock, 4),
        responses_(clock, 16),
        words_(clock, 4),
        reports_(clock, 4),
        mover_in_(clock),
        mover_out_(clock),
        injected_(clock),
        arrived_(clock),
        entering_(clock, 2),
        done_(clock),
        leaving_(clock, 2),
        wire_in_(clock, 4),
        wire_out_(clock, 4),
        host_notes_(clock, 4),
        host_beats_(clock, 4),
        spoil_(plan, egress ? done_.beats : arrived_.beats, egress ? leaving_ : entering_),
        mover_(clock, {ring_, descriptors_, packets_, results_, completions_}, operations, words_, mover_in_.infos,
               mover_in_.beats, mover_out_.infos, mover_out_.beats, reports_),
        chain_(clock, arrived_.infos, egress ? arrived_.beats : entering_, commands_, done_.infos, done_.beats,
               responses_),
        entry_(clock, static_cast<u8>(egress ? abi::clear_port : abi::black_port), wire_in_,
               {injected_.infos, injected_.beats}, {mover_in_.infos, mover_in_.beats}, arrived_.infos, arrived_.beats,
               tally().counts(abi::PortCounter::receive)),
        exit_(clock, done_.infos, egress ? leaving_ : done_.beats, wire_out_, host_notes_, host_beats_,
              mover_out_.infos, mover_out_.beats, tally().counts(abi::PortCounter::transmit),
              tally().counts(abi::PortCounter::to_host)) {}

  void tick() {
    mac();
    entry_.tick(enabled_);
    if (mover_.busy() || mover_out_.pending() != 0) mover_.tick();
    if (chain_.busy()) chain_.tick();
    tally().listen();
    spoil_.tick();
    exit_.tick(enabled_);
  }
  bool busy() {
    return mover_.busy() || chain_.busy() || entry_.busy() || exit_.busy(enabled_) || tally().listens() ||
           !line_.empty() ||
           injected_.pending() + mover_in_.pending() + mover_out_.pending() + arrived_.pending() + done_.pending() +
                   entering_.pending() + leaving_.pending() + wire_in_.pending() + wire_out_.pending() !=
               0;
  }
  ControlLinks links() { return {commands_, responses_, words_, reports_}; }
  ChainType& chain() { return chain_; }
  auto& tally() { return chain_.second().second().count(); }

  void enable(bool enabled) { enabled_ = enabled; }
  Stream<PacketInfo>& injected_infos() { return injected_.infos; }
  Stream<Beat>& injected_beats() { return injected_.beats; }
  Stream<ports::ExceptionNote>& host_notes() { return host_notes_; }
  Stream<Beat>& host_beats() { return host_beats_; }

  // A frame on the line in. One that would find no room is counted as the port counts it, and dropped.
  bool put_frame(const unsigned char* frame, std::uint32_t length) {
    const std::size_t beats = length == 0 ? 1 : (length + beat_bytes - 1U) / beat_bytes;
    if (line_.size() + beats > entry_.free_beats()) {
      entry_.refuse();
      return false;
    }
    for (std::uint32_t at = 0; at < length; at += beat_bytes) {
      std::uint8_t bytes[beat_bytes] = {};
      const std::uint32_t here = std::min<std::uint32_t>(beat_bytes, length - at);
      std::copy_n(frame + at, here, bytes);
      line_.push_back({{from_bytes<512>(bytes), static_cast<u8>(here), at + here == length}, false});
    }
    return true;
  }
  std::uint32_t take_frame(unsigned char* frame, std::uint32_t room) {
    if (sent_.empty() || sent_.front().size() > room) return 0;
    const auto length = static_cast<std::uint32_t>(sent_.front().size());
    std::copy(sent_.front().begin(), sent_.front().end(), frame);
    sent_.pop_front();
    return length;
  }

 private:
  // Frames that left and nobody took: beyond these the MAC waits.
  static constexpr std::size_t sent_most = 4096;

  // Descriptions and beats, as they go from process to process.
  struct Pair {
    explicit Pair(const Clock& clock) : infos(clock, 4), beats(clock, 4) {}
    [[nodiscard]] std::size_t pending() const { return infos.pending() + beats.pending(); }
    Stream<PacketInfo> infos;
    Stream<Beat> beats;
  };

  void mac() {
    if (!line_.empty() && !wire_in_.full()) {
      wire_in_.write(line_.front());
      line_.pop_front();
    }
    if (wire_out_.empty() || sent_.size() >= sent_most) return;
    const Beat beat = wire_out_.read().beat;
    std::uint8_t bytes[beat_bytes];
    to_bytes(beat.data, bytes);
    assembling_.insert(assembling_.end(), bytes, bytes + beat.bytes);
    if (beat.last) sent_.push_back(std::exchange(assembling_, {}));
  }

  ReadPort ring_;
  ReadPort descriptors_;
  ReadPort packets_;
  WritePort results_;
  WritePort completions_;
  Stream<ConfigWord> commands_;
  Stream<abi::Response> responses_;
  Stream<MoverWord> words_;
  Stream<MoverReport> reports_;
  Pair mover_in_;
  Pair mover_out_;
  Pair injected_;
  Pair arrived_;
  Stream<Beat> entering_;
  Pair done_;
  Stream<Beat> leaving_;
  Stream<ports::WireBeat> wire_in_;
  Stream<ports::WireBeat> wire_out_;
  Stream<ports::ExceptionNote> host_notes_;
  Stream<Beat> host_beats_;
  Spoil spoil_;
  Mover mover_;
  ChainType chain_;
  ports::PortEntry entry_;
  ports::PortExit exit_;
  bool enabled_ = false;
  std::deque<ports::WireBeat> line_;
  std::vector<unsigned char> assembling_;
  std::deque<std::vector<unsigned char>> sent_;
};

// What Card takes as its wiring: the ports' part of the control kernel, and the rings of frames.
class BumpInTheWire {
 public:
  template <class ChainType>
  using Lane = InlineLane<ChainType>;

  template <class EgressLane, class IngressLane>
  BumpInTheWire(const Clock& clock, const MemoryHost& host, u32* window, EgressLane& egress, IngressLane& ingress)
      : exceptions_port_(clock, host),
        injected_port_(clock, host),
        exceptions_(clock, 4),
        exception_tails_(clock, 16),
        injected_(clock, 4),
        injected_reports_(clock, 16),
        control_(window, exceptions_, exception_tails_, injected_, injected_reports_),
        writer_(exceptions_port_, exceptions_, egress.host_notes(), egress.host_beats(), ingress.host_notes(),
                ingress.host_beats(), exception_tails_),
        reader_(injected_port_, injected_, egress.injected_infos(), egress.injected_beats(), ingress.injected_infos(),
                ingress.injected_beats(), injected_reports_) {}

  static bool is_host_register(std::uint32_t offset) {
    using namespace abi::reg;
    return offset == exceptions_ring || offset == exceptions_ring + 4 || offset == exceptions_size ||
           offset == exceptions_head || offset == injected_ring || offset == injected_ring + 4 ||
           offset == injected_size || offset == injected_tail;
  }
  template <class EgressLane, class IngressLane>
  void tick(EgressLane& egress, IngressLane& ingress) {
    control_.tick(egress.tally().exhausted(), ingress.tally().exhausted());
    writer_.tick();
    reader_.tick();
    egress.enable(control_.enabled());
    ingress.enable(control_.enabled());
  }
  template <class EgressLane, class IngressLane>
  bool busy(EgressLane& egress, IngressLane& ingress) const {
    return control_.busy(egress.tally().exhausted(), ingress.tally().exhausted()) || writer_.busy() || reader_.busy() ||
           exceptions_.pending() + injected_.pending() != 0;
  }

  template <class EgressLane, class IngressLane>
  static bool receive(EgressLane& egress, IngressLane& ingress, std::uint32_t port, const unsigned char* frame,
                      std::uint32_t length) {
    if (port == abi::clear_port) return egress.put_frame(frame, length);
    return port == abi::black_port && ingress.put_frame(frame, length);
  }
  template <class EgressLane, class IngressLane>
  static std::uint32_t transmit(EgressLane& egress, IngressLane& ingress, std::uint32_t port, unsigned char* frame,
                                std::uint32_t room) {
    if (port == abi::black_port) return egress.take_frame(frame, room);
    return port == abi::clear_port ? ingress.take_frame(frame, room) : 0;
  }

 private:
  WritePort exceptions_port_;
  ReadPort injected_port_;
  Stream<ports::HostRing> exceptions_;
  Stream<u32> exception_tails_;
  Stream<ports::HostRing> injected_;
  Stream<ports::InjectedReport> injected_reports_;
  ports::PortControl control_;
  ports::ExceptionWriter writer_;
  ports::InjectedReader reader_;
};

template <class Encapsulate, class Protect, class Validate, class Decapsulate>
std::unique_ptr<ClockedCard> make_inline_card(const MemoryHost& host, abi::CardMode mode, u32 sas = emulated_sas) {
  constexpr u32 entries = abi::policy_entries_most;
  using Egress = ports::EgressChain<Encapsulate, Protect, entries>;
  using Ingress = ports::IngressChain<Validate, Decapsulate, entries>;
  constexpr u32 features = abi::feature::look_aside | abi::feature::inline_ports | abi::feature::modelled;
  return std::make_unique<Card<Egress, Ingress, BumpInTheWire>>(host, CardFacts{mode, features, sas, entries});
}

}  // namespace firmware
}  // namespace linecrypt
