#include "tools/linecrypt-bench/model/cycle_model.hpp"

#include <algorithm>

#include "tools/linecrypt-bench/model/packets.hpp"

namespace linecrypt::bench {
namespace {

using firmware::Chain;
using firmware::CycleFigures;
using firmware::CycleRig;
using firmware::Frame;
using firmware::Load;
using firmware::Pass;

using EspEgress = Chain<firmware::EspEncapsulate<table_size>, Pass>;
using EspIngress = Chain<Pass, firmware::EspDecapsulate<table_size>>;
using MacsecEgress = Chain<Pass, firmware::MacsecProtect<table_size>>;
using MacsecIngress = Chain<firmware::MacsecValidate<table_size>, Pass>;

template <class Rig>
void install(Rig& rig, Subject subject, std::uint32_t sas) {
  for (std::uint32_t i = 0; i < sas; ++i) rig.configure(install_words(subject, i));
}

std::vector<firmware::ConfigWord> spare(Subject subject) {
  std::vector<firmware::ConfigWord> words = install_words(subject, table_size - 1);
  words.push_back(remove_word(subject, table_size - 1));
  return words;
}

template <class ChainType>
class EgressModel final : public CycleModel {
 public:
  EgressModel(Subject subject, std::uint32_t sas, firmware::DepthCut cut) : subject_(subject), rig_(cut) {
    install(rig_, subject, sas);
  }
  CycleFigures run(std::uint32_t size, std::uint32_t sas, const Load& load) override {
    const auto bytes = clear_frame(subject_.variant, size - fcs);
    std::vector<Frame> frames;
    const std::uint64_t different = std::min<std::uint64_t>(sas, load.packets + load.warm);
    for (std::uint32_t i = 0; i < different; ++i)
      frames.push_back(to_frame(bytes, subject_, static_cast<std::uint32_t>((first_ + i) % sas)));
    first_ += different;  // the next run begins where this one ends
    Load kept = load;
    kept.keep_frames = true;
    CycleFigures figures = rig_.run(frames, kept);
    if (!rig_.frames().empty()) protected_ = rig_.frames().back().info.length;
    return figures;
  }
  [[nodiscard]] std::vector<firmware::ConfigWord> background() const override { return spare(subject_); }
  [[nodiscard]] std::uint64_t protected_bytes() const override { return protected_; }
  [[nodiscard]] const std::vector<Frame>& frames() const { return rig_.frames(); }

 private:
  Subject subject_;
  CycleRig<ChainType> rig_;
  std::uint64_t first_ = 0;
  std::uint64_t protected_ = 0;
};

// Its frames come from the egress kernel, each with a number of its own.
template <class EgressChain, class IngressChain>
class IngressModel final : public CycleModel {
 public:
  IngressModel(Subject subject, Subject sender, std::uint32_t sas, firmware::DepthCut cut)
      : subject_(subject), sender_(sender, sas, {}), rig_(cut) {
    install(rig_, subject, sas);
  }
  CycleFigures run(std::uint32_t size, std::uint32_t sas, const Load& load) override {
    Load send = load;
    send.pace = 0;
    send.commands.clear();
    sender_.run(size, sas, send);
    protected_ = sender_.protected_bytes();
    std::vector<Frame> frames = sender_.frames();
    for (Frame& frame : frames) {
      const firmware::PacketInfo sent = frame.info;
      frame.info = firmware::PacketInfo{};
      frame.info.kind = firmware::Kind::packet;
      frame.info.length = sent.length;
      frame.info.l2_length = sent.l2_length;
      frame.info.operation[0] = subject_.kernel == Kernel::esp_decapsulate ? abi::Operation::esp_decapsulate
                                                                           : abi::Operation::macsec_validate;
      frame.info.stage[0] = sent.stage[0];
    }
    return rig_.run(frames, load);
  }
  [[nodiscard]] std::vector<firmware::ConfigWord> background() const override { return spare(subject_); }
  [[nodiscard]] std::uint64_t protected_bytes() const override { return protected_; }

 private:
  Subject subject_;
  EgressModel<EgressChain> sender_;
  CycleRig<IngressChain> rig_;
  std::uint64_t protected_ = 0;
};

double gigabits(std::uint64_t wire, double cycles_a_packet) {
  return cycles_a_packet == 0 ? 0 : static_cast<double>(wire * 8) * clock_assumed / cycles_a_packet / 1e9;
}

}  // namespace

const char* name(Kernel kernel) noexcept {
  switch (kernel) {
    case Kernel::esp_encapsulate:
      return "esp_encapsulate";
    case Kernel::esp_decapsulate:
      return "esp_decapsulate";
    case Kernel::macsec_protect:
      return "macsec_protect";
    case Kernel::macsec_validate:
      return "macsec_validate";
  }
  return "unknown";
}
const char* name(Variant variant) noexcept {
  switch (variant) {
    case Variant::tunnel_ipv4:
      return "tunnel-ipv4";
    case Variant::tunnel_ipv6:
      return "tunnel-ipv6";
    case Variant::xpn:
      return "gcm-aes-xpn-256";
  }
  return "unknown";
}
std::vector<Subject> subjects() {
  return {{Kernel::esp_encapsulate, Variant::tunnel_ipv4}, {Kernel::esp_encapsulate, Variant::tunnel_ipv6},
          {Kernel::esp_decapsulate, Variant::tunnel_ipv4}, {Kernel::esp_decapsulate, Variant::tunnel_ipv6},
          {Kernel::macsec_protect, Variant::xpn},          {Kernel::macsec_validate, Variant::xpn}};
}

std::uint64_t wire_bytes(std::uint64_t frame_without_fcs) noexcept {
  constexpr std::uint64_t preamble_and_gap = 20;
  return std::max<std::uint64_t>(frame_without_fcs + fcs, frame_smallest) + preamble_and_gap;
}

double Row::mpps() const {
  return figures.cycles_a_packet() == 0 ? 0 : clock_assumed / figures.cycles_a_packet() / 1e6;
}
double Row::gbps() const {
  return gigabits(wire, figures.cycles_a_packet());
}
double Row::gbps_with_commands() const {
  return gigabits(wire, with_commands.cycles_a_packet());
}

std::unique_ptr<CycleModel> make_cycle_model(Subject subject, std::uint32_t sas, firmware::DepthCut cut) {
  switch (subject.kernel) {
    case Kernel::esp_encapsulate:
      return std::make_unique<EgressModel<EspEgress>>(subject, sas, cut);
    case Kernel::macsec_protect:
      return std::make_unique<EgressModel<MacsecEgress>>(subject, sas, cut);
    case Kernel::esp_decapsulate:
      return std::make_unique<IngressModel<EspEgress, EspIngress>>(
          subject, Subject{Kernel::esp_encapsulate, subject.variant}, sas, cut);
    case Kernel::macsec_validate:
      return std::make_unique<IngressModel<MacsecEgress, MacsecIngress>>(
          subject, Subject{Kernel::macsec_protect, subject.variant}, sas, cut);
  }
  return nullptr;
}

// Enough packets to fill the pipeline and its FIFOs before the measurement begins: its FIFOs are a few hundred beats.
Row measure(CycleModel& model, Subject subject, std::uint32_t size, std::uint32_t sas) {
  Row row;
  row.subject = subject;
  row.size = size;
  row.sas = sas;
  Load load;
  const std::uint64_t beats = size / firmware::beat_bytes + 1;
  load.warm = std::max<std::uint64_t>(8, 800 / beats);
  load.packets = std::max<std::uint64_t>(16, 1200 / beats);
  row.figures = model.run(size, sas, load);
  row.wire = wire_bytes(model.protected_bytes());
  load.commands = model.background();
  row.with_commands = model.run(size, sas, load);
  return row;
}

}  // namespace linecrypt::bench
