// Card: every process of a look-aside card on one clock: control, two movers, two chains. Parts in which nothing can
// move are not called.
#pragma once

#include <algorithm>
#include <array>

#include "firmware_hls/chain/chain.hpp"
#include "firmware_hls/control/control.hpp"
#include "firmware_hls/dma/mover.hpp"
#include "firmware_hls/model/clocked_card.hpp"
#include "firmware_hls/model/spoil.hpp"

namespace linecrypt {
namespace firmware {

// A direction: its mover, its chain, and the streams to the control kernel.
template <class ChainType>
class Lane {
 public:
  Lane(const Clock& clock, const MemoryHost& host, ChainOperations operations, SpoilPlan& plan, bool spoil_out)
      : spoil_out_(spoil_out),
        ring_(clock, host),
        descriptors_(clock, host),
        packets_(clock, host),
        results_(clock, host),
        completions_(clock, host),
        commands_(clock, 4),
        responses_(clock, 16),
        words_(clock, 4),
        reports_(clock, 4),
        infos_in_(clock, 2),
        infos_out_(clock, 2),
        beats_in_(clock, 2),
        beats_spoilt_(clock, 2),
        beats_out_(clock, 2),
        spoil_(plan, spoil_out ? beats_spoilt_ : beats_in_, spoil_out ? beats_out_ : beats_spoilt_),
        mover_(clock, {ring_, descriptors_, packets_, results_, completions_}, operations, words_, infos_in_, beats_in_,
               infos_out_, beats_out_, reports_),
        chain_(clock, infos_in_, spoil_out ? beats_in_ : beats_spoilt_, commands_, infos_out_,
               spoil_out ? beats_spoilt_ : beats_out_, responses_) {}

  void tick() {
    if (mover_.busy() || beats_out_.pending() != 0) mover_.tick();
    if (chain_.busy()) chain_.tick();
    if (beats_spoilt_.pending() + beats_in_.pending() != 0) spoil_.tick();
  }
  bool busy() const {
    return mover_.busy() || chain_.busy() ||
           beats_in_.pending() + beats_spoilt_.pending() + beats_out_.pending() + infos_out_.pending() != 0;
  }
  ControlLinks links() { return {commands_, responses_, words_, reports_}; }
  ChainType& chain() { return chain_; }

 private:
  bool spoil_out_;
  ReadPort ring_;
  ReadPort descriptors_;
  ReadPort packets_;
  WritePort results_;
  WritePort completions_;
  Stream<ConfigWord> commands_;
  Stream<abi::Response> responses_;
  Stream<MoverWord> words_;
  Stream<MoverReport> reports_;
  Stream<PacketInfo> infos_in_;
  Stream<PacketInfo> infos_out_;
  Stream<Beat> beats_in_;
  Stream<Beat> beats_spoilt_;
  Stream<Beat> beats_out_;
  Spoil spoil_;
  Mover mover_;
  ChainType chain_;
};

// A card without ports of its own. inline_card.hpp has the other wiring.
class LookAside {
 public:
  template <class ChainType>
  using Lane = firmware::Lane<ChainType>;

  template <class EgressLane, class IngressLane>
  LookAside(const Clock&, const MemoryHost&, u32*, EgressLane&, IngressLane&) {}
  static bool is_host_register(std::uint32_t) { return false; }
  template <class EgressLane, class IngressLane>
  void tick(EgressLane&, IngressLane&) {}
  template <class EgressLane, class IngressLane>
  bool busy(EgressLane&, IngressLane&) const {
    return false;
  }
  template <class EgressLane, class IngressLane>
  static bool receive(EgressLane&, IngressLane&, std::uint32_t, const unsigned char*, std::uint32_t) {
    return false;
  }
  template <class EgressLane, class IngressLane>
  static std::uint32_t transmit(EgressLane&, IngressLane&, std::uint32_t, unsigned char*, std::uint32_t) {
    return 0;
  }
};

template <class EgressChain, class IngressChain, class Wiring = LookAside>
class Card final : public ClockedCard {
 public:
  Card(const MemoryHost& host, const CardFacts& facts)
      : egress_(clock_, host, operations_of(facts.mode, abi::Direction::egress), spoil_plan_, true),
        ingress_(clock_, host, operations_of(facts.mode, abi::Direction::ingress), spoil_plan_, false),
        command_port_(clock_, host),
        zero_port_(clock_, host),
        response_port_(clock_, host),
        control_(window_.data(), facts, command_port_, zero_port_, response_port_, egress_.links(), ingress_.links()),
        wiring_(clock_, host, window_.data(), egress_, ingress_) {}
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;
  ~Card() override = default;

  // Between two reads of the heartbeat a card at rest has made calls that nobody clocked here.
  std::uint32_t read_register(std::uint32_t offset) override {
    if (offset == abi::reg::control) return control_word_;
    if (offset < abi::reg::window || offset >= abi::reg::last || offset % 4 != 0) return 0;
    if (offset == abi::reg::heartbeat && rests_ && running()) ++window_[word_of_register(offset)];
    return window_[word_of_register(offset)];
  }
  void write_register(std::uint32_t offset, std::uint32_t value) override {
    rests_ = false;
    if (offset == abi::reg::control) control_word_ = value & 0x81U;
    if (is_host_register(offset) || Wiring::is_host_register(offset)) window_[word_of_register(offset)] = value;
  }

  std::uint64_t run(std::uint64_t cycles, bool& idle) override {
    std::uint64_t passed = 0;
    idle = false;
    while (passed < cycles) {
      if (stop_at_ <= clock_.now()) {
        idle = true;  // for ever
        return passed;
      }
      if (stall_until_ > clock_.now()) {
        clock_.tick();
        ++passed;
        continue;
      }
      if (!busy()) {
        rests_ = running();
        idle = true;
        return passed;
      }
      tick();
      ++passed;
    }
    return passed;
  }
  [[nodiscard]] std::uint64_t now() const override { return clock_.now(); }
  [[nodiscard]] const Clock& clock() const override { return clock_; }

  bool inject(std::string_view fault, std::uint64_t argument) override {
    if (fault == "wrong_tag") {
      spoil_plan_.left = argument;
    } else if (fault == "stall") {
      stall_until_ = clock_.now() + argument;
    } else if (fault == "stop") {
      stop_at_ = clock_.now();
    } else if (fault == "stop_after") {
      stop_at_ = clock_.now() + argument;
    } else {
      return false;
    }
    rests_ = false;
    return true;
  }

  bool port_receive(std::uint32_t port, const unsigned char* frame, std::uint32_t length) override {
    rests_ = false;
    return Wiring::receive(egress_, ingress_, port, frame, length);
  }
  std::uint32_t port_transmit(std::uint32_t port, unsigned char* frame, std::uint32_t room) override {
    return Wiring::transmit(egress_, ingress_, port, frame, room);
  }

 private:
  static std::size_t word_of_register(std::uint32_t offset) { return (offset - abi::reg::window) / 4; }
  static bool is_host_register(std::uint32_t offset) {
    using namespace abi::reg;
    if (offset == command || offset == epoch) return true;
    if (offset >= command_ring && offset <= command_tail) return offset % 4 == 0;
    if (offset == response_ring || offset == response_ring + 4 || offset == response_size || offset == response_head)
      return true;
    for (std::uint32_t d = 0; d < abi::directions; ++d) {
      const std::uint32_t base = work_ring + d * work_stride;
      if (offset >= base && offset <= base + (work_tail - work_ring)) return offset % 4 == 0;
    }
    return false;
  }
  [[nodiscard]] bool running() const { return (control_word_ & 1U) != 0; }
  [[nodiscard]] bool busy() {
    return (running() && (control_.busy() || wiring_.busy(egress_, ingress_))) || egress_.busy() || ingress_.busy();
  }

  void tick() {
    if (running()) {
      if (control_.busy())
        control_.tick();
      else
        control_.rest();
      wiring_.tick(egress_, ingress_);
    }
    if (egress_.busy()) egress_.tick();
    if (ingress_.busy()) ingress_.tick();
    clock_.tick();
  }

  Clock clock_;
  SpoilPlan spoil_plan_;
  std::array<std::uint32_t, register_words> window_{};
  std::uint32_t control_word_ = 0;
  std::uint64_t stall_until_ = 0;
  std::uint64_t stop_at_ = ~std::uint64_t{0};
  bool rests_ = false;  // nothing moved at the end of the last run, and the host has done nothing since
  typename Wiring::template Lane<EgressChain> egress_;
  typename Wiring::template Lane<IngressChain> ingress_;
  ReadPort command_port_;
  WritePort zero_port_;
  WritePort response_port_;
  Control control_;
  Wiring wiring_;
};

// SAs of the emulated card: thousands, and few enough that a reset sweeps them in a moment.
constexpr u32 emulated_sas = 2048;

template <class EgressChain, class IngressChain>
std::unique_ptr<ClockedCard> make_card(const MemoryHost& host, abi::CardMode mode, u32 sas = emulated_sas) {
  return std::make_unique<Card<EgressChain, IngressChain>>(
      host, CardFacts{mode, abi::feature::look_aside | abi::feature::modelled, sas, 0});
}

}  // namespace firmware
}  // namespace linecrypt
