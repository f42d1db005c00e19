#include "tools/linecrypt-bench/gateway_work/gateway_side.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "host/gateway/pipeline/pipeline.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ipv4.hpp"
#include "tools/linecrypt-bench/measure/stopwatch.hpp"
#include "tools/linecrypt-bench/workload/packet_block.hpp"

namespace linecrypt::bench {
namespace {

using namespace gateway;

constexpr PortIndex clear_port = 0;
constexpr PortIndex black_port = 1;
constexpr std::uint32_t mtu = 9600;
constexpr std::uint32_t room = 9600;
// What forwarding leaves of an IP packet as it was: all behind TTL, protocol and checksum.
constexpr std::uint32_t kept_from = wire::ethernet_size + wire::ipv4_source;

MacAddress mac(std::uint8_t last) {
  return {{2, 0, 0, 0, 1, last}};
}
constexpr std::uint8_t host_mac = 0xaa;
constexpr std::uint8_t peer_mac = 0xbb;

IpAddress ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {Family::ipv4, {a, b, c, d}};
}

std::uint64_t now_ns(void* /*self*/) {
  return static_cast<std::uint64_t>(static_cast<double>(__rdtsc()) / Stopwatch::ticks_per_ns());
}

// The far ends of both ports: what leaves is kept in order, what is dropped is counted.
class MemoryPorts final : public FrameIo {
 public:
  std::uint32_t transmit(PortIndex port, std::span<Frame* const> frames) override {
    if (port != wanted_) misled_ += static_cast<std::uint32_t>(frames.size());
    for (Frame* frame : frames)
      if (count_ < out_.size()) out_[count_++] = frame;
    return static_cast<std::uint32_t>(frames.size());
  }
  std::uint32_t punt(PortIndex /*port*/, std::span<Frame* const> frames) override {
    misled_ += static_cast<std::uint32_t>(frames.size());
    return static_cast<std::uint32_t>(frames.size());
  }
  void release(std::span<Frame* const> frames) override { misled_ += static_cast<std::uint32_t>(frames.size()); }
  Frame* allocate() override { return nullptr; }

  void begin(PortIndex wanted) noexcept {
    wanted_ = wanted;
    count_ = 0;
    misled_ = 0;
  }
  [[nodiscard]] std::span<Frame* const> out() const noexcept { return {out_.data(), count_}; }
  [[nodiscard]] std::uint32_t misled() const noexcept { return misled_; }

 private:
  std::array<Frame*, 64> out_{};
  std::uint32_t count_ = 0;
  std::uint32_t misled_ = 0;
  PortIndex wanted_ = no_port;
};

// Sites are 10.1/16 and 10.2/16, as ipv4_packet() has them; the first one's gateway is 192.0.2.1, the other 192.0.2.2.
class GatewaySide final : public Side {
 public:
  explicit GatewaySide(const GatewaySettings& settings)
      : settings_(settings),
        number_(settings.direction == Direction::egress ? std::uint8_t{1} : std::uint8_t{2}),
        block_(settings.burst, room),
        helper_block_(settings.burst, room),
        frames_(settings.burst),
        pointers_(settings.burst) {
    for (std::uint32_t i = 0; i < settings.burst; ++i) {
      clear_.push_back(ipv4_packet(settings.size, i));
      pointers_[i] = &frames_[i];
    }
  }

  Result<void> set_up(std::unique_ptr<Engine> engine, std::unique_ptr<Engine> helper);

  [[nodiscard]] std::uint32_t packets() const noexcept override { return settings_.burst; }
  void prepare() override;
  void run() override;
  [[nodiscard]] std::string check() override;
  [[nodiscard]] std::span<const std::uint8_t> result(std::uint32_t i) const override {
    return {frames_[i].packet.data, frames_[i].packet.length};
  }

 private:
  [[nodiscard]] bool egress() const noexcept { return settings_.direction == Direction::egress; }
  Result<void> set_up_tables();
  void address(Bytes& frame, std::uint8_t to, std::uint8_t from) const;
  void ask_helper(std::uint32_t i);

  GatewaySettings settings_;
  std::uint32_t checks_ = 0;
  std::uint8_t number_;  // which of the two gateways the pipeline is
  std::vector<Bytes> clear_;
  PacketBlock block_;
  PacketBlock helper_block_;
  std::vector<Frame> frames_;
  std::vector<Frame*> pointers_;

  std::unique_ptr<EngineRig> rig_;
  std::unique_ptr<EngineRig> helper_;
  SaId helper_esp_;
  SaId helper_macsec_;
  SaId own_esp_;
  SaId own_macsec_;

  MemoryPorts io_;
  tables::SpiTable spi_table_{16};
  std::unique_ptr<tables::Spd> spd_;
  std::vector<std::unique_ptr<TunnelState>> tunnels_;
  std::unique_ptr<tables::Secy> secy_;
  std::unique_ptr<const Fib> fib_;
  std::unique_ptr<Pipeline> pipeline_;
};

// 1. Each engine has the SAs of its direction. 2. Tables. 3. The pipeline over them.
Result<void> GatewaySide::set_up(std::unique_ptr<Engine> engine, std::unique_ptr<Engine> helper) {
  // 1.
  const Direction other = egress() ? Direction::ingress : Direction::egress;
  auto own_rig = EngineRig::make(std::move(engine), 2);
  auto helper_rig = EngineRig::make(std::move(helper), 2);
  if (!own_rig || !helper_rig) return own_rig ? helper_rig.error() : own_rig.error();
  rig_ = std::move(own_rig).value();
  helper_ = std::move(helper_rig).value();
  struct Wanted {
    EngineRig* rig;
    Protocol protocol;
    Direction direction;
    SaId* id;
  };
  for (const Wanted& one : {Wanted{rig_.get(), Protocol::esp, settings_.direction, &own_esp_},
                            Wanted{rig_.get(), Protocol::macsec, settings_.direction, &own_macsec_},
                            Wanted{helper_.get(), Protocol::esp, other, &helper_esp_},
                            Wanted{helper_.get(), Protocol::macsec, other, &helper_macsec_}}) {
    auto id = one.rig->install(make_sa(one.protocol, one.direction, settings_.key_bits, 0));
    if (!id) return id.error();
    *one.id = *id;
  }
  // 2.
  if (auto good = set_up_tables(); !good) return good;
  // 3.
  PipelineSetup setup;
  setup.engine = &rig_->engine();
  setup.spi_table = &spi_table_;
  setup.spd = spd_.get();
  setup.tunnels = tunnels_;
  setup.io = &io_;
  setup.clock.now_ns = now_ns;
  for (const PortIndex port : {clear_port, black_port}) {
    PortSettings one;
    one.name = port == clear_port ? "clear" : "black";
    one.side = port == clear_port ? config::Side::clear : config::Side::black;
    one.mac = mac(static_cast<std::uint8_t>(port));
    one.mtu = mtu;
    if (port == black_port) one.secy = secy_.get();
    setup.ports.push_back(std::move(one));
  }
  pipeline_ = std::make_unique<Pipeline>(setup);
  pipeline_->publish(fib_.get());
  return {};
}

Result<void> GatewaySide::set_up_tables() {
  const auto far = static_cast<std::uint8_t>(3 - number_);
  const IpAddress own_outer = ipv4(192, 0, 2, number_);
  const IpAddress peer_outer = ipv4(192, 0, 2, far);
  // 1. One tunnel, one policy.
  auto tunnel = std::make_unique<TunnelState>();
  tunnel->name = "site";
  tunnel->source = own_outer;
  tunnel->destination = peer_outer;
  tunnels_.push_back(std::move(tunnel));
  Policy policy;
  policy.name = "site";
  policy.priority = 1000;
  policy.action = PolicyAction::protect;
  Selector selector;
  selector.local = Prefix{ipv4(10, number_, 0, 0), 16};
  selector.remote = Prefix{ipv4(10, far, 0, 0), 16};
  policy.selectors.push_back(selector);
  policy.tunnel = "site";
  policy.outbound = policy.inbound = Requirement::require;
  std::vector<Policy> policies;
  policies.push_back(std::move(policy));
  auto spd = tables::Spd::build(std::move(policies), {"site"});
  if (!spd) return spd.error();
  spd_ = std::move(spd).value();
  // 2. The SA, by tunnel or by SPI.
  const std::uint32_t spi = make_esp_sa(settings_.direction, settings_.key_bits, 0).spi;
  if (egress()) tunnels_[0]->carry_with(own_esp_, spi);
  if (!egress())
    if (auto inserted = spi_table_.insert(spi, own_esp_); !inserted) return inserted;
  // 3. MACsec. The SC is the same whoever sends with it; a SecY that only receives has an SCI of its own.
  if (settings_.macsec) {
    const MacsecSa sa = make_macsec_sa(settings_.direction, settings_.key_bits, 0);
    const Sci own = egress() ? sa.sci : make_macsec_sa(settings_.direction, settings_.key_bits, 1).sci;
    secy_ = std::make_unique<tables::Secy>(sa.secy, own);
    if (egress()) {
      if (auto set = secy_->set_transmit_sa(0, own_macsec_); !set) return set.error();
      if (auto good = secy_->transmit_with(0); !good) return good;
    } else {
      if (auto good = secy_->add_receive_sc(sa.sci); !good) return good;
      if (auto set = secy_->set_receive_sa(sa.sci, 0, own_macsec_); !set) return set.error();
    }
  }
  // 4. Addresses and neighbours.
  FibInput input;
  input.addresses = {{clear_port, ipv4(10, number_, 0, 1), 16}, {black_port, own_outer, 24}};
  input.neighbours = {{clear_port, ipv4(10, number_, 0, 10), mac(host_mac)}, {black_port, peer_outer, mac(peer_mac)}};
  fib_ = Fib::build(input);
  return {};
}

void GatewaySide::address(Bytes& frame, std::uint8_t to, std::uint8_t from) const {
  std::memcpy(frame.data(), mac(to).bytes.data(), wire::mac_size);
  std::memcpy(frame.data() + wire::mac_size, mac(from).bytes.data(), wire::mac_size);
}

void GatewaySide::ask_helper(std::uint32_t i) {
  const Direction direction = egress() ? Direction::ingress : Direction::egress;
  const Stage esp{helper_esp_, operation_of(Protocol::esp, direction)};
  const Stage macsec{helper_macsec_, operation_of(Protocol::macsec, direction)};
  if (!settings_.macsec)
    helper_block_.ask(i, esp);
  else if (egress())
    helper_block_.ask(i, macsec, esp);
  else
    helper_block_.ask(i, esp, macsec);
}

void GatewaySide::prepare() {
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    address(clear_[i], static_cast<std::uint8_t>(egress() ? clear_port : black_port), egress() ? host_mac : peer_mac);
    if (egress()) {
      block_.put(i, clear_[i]);
      continue;
    }
    helper_block_.put(i, clear_[i]);
    ask_helper(i);
  }
  if (!egress()) {
    helper_->run(helper_block_.pointers());
    for (std::uint32_t i = 0; i < settings_.burst; ++i) block_.put(i, helper_block_.bytes(i));
  }
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    frames_[i] = Frame{};
    frames_[i].packet = block_.packet(i);
  }
  io_.begin(egress() ? black_port : clear_port);
}

void GatewaySide::run() {
  pipeline_->process(egress() ? clear_port : black_port, Origin::wire, pointers_);
  while (pipeline_->in_flight() != 0) pipeline_->poll();
}

// 1. Every frame left by the other port, in order. 2. From the circuit's side it is opened again. 3. All of the packet
// that forwarding does not change.
std::string GatewaySide::check() {
  // 1.
  const auto out = io_.out();
  if (io_.misled() != 0 || out.size() != settings_.burst)
    return fmt::format("{} of {} frames left by the other port, {} went elsewhere", out.size(), settings_.burst,
                       io_.misled());
  if (settings_.spoil_result && checks_++ > 0) out[0]->packet.data[out[0]->packet.length - 1] ^= 1U;
  // 2.
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    helper_block_.put(i, {out[i]->packet.data, out[i]->packet.length});
    if (egress()) ask_helper(i);
  }
  if (egress()) helper_->run(helper_block_.pointers());
  // 3.
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    const auto bytes = helper_block_.bytes(i);
    if (egress() && helper_block_.job(i).verdict != Verdict::ok)
      return fmt::format("opened again, frame {} ended as {}", i, name(helper_block_.job(i).verdict));
    if (bytes.size() < clear_[i].size() ||
        !std::equal(clear_[i].begin() + kept_from, clear_[i].end(), bytes.begin() + kept_from))
      return fmt::format("frame {} does not carry the clear packet", i);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Side>> make_gateway_side(std::unique_ptr<Engine> engine, std::unique_ptr<Engine> helper,
                                                const GatewaySettings& settings) {
  auto side = std::make_unique<GatewaySide>(settings);
  if (auto ready = side->set_up(std::move(engine), std::move(helper)); !ready) return ready.error();
  return std::unique_ptr<Side>(std::move(side));
}

}  // namespace linecrypt::bench
