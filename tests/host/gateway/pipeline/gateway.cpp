#include "tests/host/gateway/pipeline/gateway.hpp"

#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>

namespace linecrypt::gateway::test {

namespace {

std::unique_ptr<Engine> software(software::ProviderChoice provider) {
  auto engine = software::make_software_engine({provider});
  return engine ? std::move(engine).value() : nullptr;
}

std::unique_ptr<Engine> make_engine(const Scenario& scenario) {
  switch (scenario.engine) {
    case EngineKind::ipsec_mb:
      return software(software::ProviderChoice::ipsec_mb);
    case EngineKind::openssl:
      return software(software::ProviderChoice::openssl);
    case EngineKind::delayed:
      return engines::make_delaying_engine(software(software::ProviderChoice::automatic), scenario.delaying);
  }
  return nullptr;
}

template <std::size_t N>
Secret<N> secret(std::size_t size, int seed) {
  std::array<std::uint8_t, N> bytes{};
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(seed * 31 + static_cast<int>(i) * 7);
  return Secret<N>(std::span<const std::uint8_t>(bytes.data(), size));
}

std::uint64_t read_clock(void* self) {
  return *static_cast<std::uint64_t*>(self);
}

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}
void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

constexpr Family both[] = {Family::ipv4, Family::ipv6};

}  // namespace

const std::vector<EngineKind>& engine_kinds() {
  static const std::vector<EngineKind> kinds = [] {
    std::vector<EngineKind> found = {EngineKind::openssl, EngineKind::delayed};
    if (software(software::ProviderChoice::ipsec_mb) != nullptr) found.push_back(EngineKind::ipsec_mb);
    return found;
  }();
  return kinds;
}

Policy policy(std::string name, PolicyAction action, std::string_view local, std::string_view remote,
              std::uint32_t priority) {
  Policy made;
  made.name = std::move(name);
  made.priority = priority;
  made.action = action;
  Selector selector;
  selector.local = prefix(local);
  selector.remote = prefix(remote);
  made.selectors.push_back(selector);
  return made;
}

TestGateway::TestGateway(int number, const Scenario& scenario) : number_(number), scenario_(scenario) {
  const int far = 3 - number;
  // 1. Engine.
  engine = make_engine(scenario);
  if (scenario.wrap) engine = scenario.wrap(std::move(engine));
  REQUIRE(engine != nullptr);
  EngineSetup open;
  open.slots = slots.slots();
  open.reclamation.wait_for_workers = [](void*) {};
  open.clock = {&now_ns, read_clock};
  must(engine->open(open));

  // 2. Tunnels: the site's, and another whose peer is somebody else.
  for (const char* name : {"site", "other"}) {
    auto tunnel = std::make_unique<TunnelState>();
    tunnel->name = name;
    tunnel->source = own(black_port, scenario.outer);
    tunnel->destination = peer(scenario.outer);
    tunnel->mode = scenario.mode;
    tunnel->udp = scenario.udp;
    tunnel->path_mtu = scenario.path_mtu;
    tunnels.push_back(std::move(tunnel));
  }
  tunnels[1]->destination = address(scenario.outer == Family::ipv4 ? "192.0.2.9" : "2001:db8:ff::9");

  // 3. Policies.
  std::vector<Policy> policies = scenario.policies;
  Policy protect = policy("site", PolicyAction::protect, fmt::format("10.{}.0.0/16", number),
                          fmt::format("10.{}.0.0/16", far), 1000);
  Selector v6;
  v6.local = prefix(fmt::format("2001:db8:{}::/48", number));
  v6.remote = prefix(fmt::format("2001:db8:{}::/48", far));
  protect.selectors.push_back(v6);
  if (scenario.mode == EspMode::transport) {
    protect.selectors.clear();
    Selector ends;
    const auto bits = static_cast<std::uint8_t>(scenario.outer == Family::ipv4 ? 32 : 128);
    ends.local = {own(black_port, scenario.outer), bits};
    ends.remote = {peer(scenario.outer), bits};
    protect.selectors.push_back(ends);
  }
  protect.tunnel = "site";
  protect.outbound = protect.inbound = scenario.requirement;
  protect.allow_clear = scenario.requirement == Requirement::request;
  policies.push_back(protect);
  Policy other = policy("other", PolicyAction::protect, fmt::format("10.{}.0.0/16", number), "10.9.0.0/16", 1000);
  other.tunnel = "other";
  policies.push_back(other);
  spd = must(tables::Spd::build(std::move(policies), {"site", "other"}));

  // 4. Ports.
  PipelineSetup setup;
  for (const PortIndex port : {clear_port, black_port, second_black_port}) {
    PortSettings settings;
    settings.name = fmt::format("port{}", port);
    settings.side = port == clear_port ? config::Side::clear : config::Side::black;
    settings.mac = port_mac(port);
    settings.mtu = port == clear_port ? 9000 : scenario.black_mtu;
    if (port == black_port) settings.vlan = scenario.vlan;
    setup.ports.push_back(std::move(settings));
  }
  if (scenario.macsec) {
    add_macsec();
    setup.ports[black_port].secy = secy.get();
  }

  // 5. The pipeline on it.
  setup.engine = engine.get();
  setup.spi_table = &spi_table;
  setup.spd = spd.get();
  setup.tunnels = tunnels;
  setup.io = &io;
  setup.clock = {&now_ns, read_clock};
  pipeline = std::make_unique<Pipeline>(setup);
  for (const Family family : both) {
    const bool v4 = family == Family::ipv4;
    fib_input.addresses.push_back({clear_port, own(clear_port, family), static_cast<std::uint8_t>(v4 ? 16 : 48)});
    fib_input.addresses.push_back({black_port, own(black_port, family), static_cast<std::uint8_t>(v4 ? 24 : 64)});
    fib_input.addresses.push_back(
        {second_black_port, own(second_black_port, family), static_cast<std::uint8_t>(v4 ? 24 : 64)});
    fib_input.neighbours.push_back({clear_port, host(family), host_mac()});
    fib_input.neighbours.push_back({black_port, peer(family), peer_mac()});
    // Everything else is behind the peer: traffic that would leave in clear finds a way.
    fib_input.routes.push_back({prefix(v4 ? "0.0.0.0/0" : "::/0"), black_port, peer(family), 0});
  }
  fib_input.addresses.push_back({black_port, address(fmt::format("fe80::{}", number)), 64});
  fib_input.neighbours.push_back({second_black_port, address("198.51.100.9"), mac("02:00:00:00:00:99")});
  rebuild_fib();
  if (scenario.esp) carry_tunnel();
}

TestGateway::~TestGateway() {
  settle();
  engine->close();
}

void TestGateway::rebuild_fib() {
  fibs_.push_back(Fib::build(fib_input));
  pipeline->publish(fibs_.back().get());
}

IpAddress TestGateway::own(PortIndex port, Family family) const {
  const bool v4 = family == Family::ipv4;
  if (port == clear_port) return address(fmt::format(fmt::runtime(v4 ? "10.{}.0.1" : "2001:db8:{}::1"), number_));
  if (port == black_port) return address(fmt::format(fmt::runtime(v4 ? "192.0.2.{}" : "2001:db8:ff::{}"), number_));
  return address(fmt::format(fmt::runtime(v4 ? "198.51.100.{}" : "2001:db8:fe::{}"), number_));
}
IpAddress TestGateway::host(Family family) const {
  return address(fmt::format(fmt::runtime(family == Family::ipv4 ? "10.{}.0.10" : "2001:db8:{}::10"), number_));
}
IpAddress TestGateway::far_host(Family family) const {
  return address(fmt::format(fmt::runtime(family == Family::ipv4 ? "10.{}.0.10" : "2001:db8:{}::10"), 3 - number_));
}
IpAddress TestGateway::peer(Family family) const {
  return address(fmt::format(fmt::runtime(family == Family::ipv4 ? "192.0.2.{}" : "2001:db8:ff::{}"), 3 - number_));
}
MacAddress TestGateway::port_mac(PortIndex port) const {
  return mac(fmt::format("02:00:00:00:0{}:0{}", number_, port));
}
MacAddress TestGateway::host_mac() const {
  return mac(fmt::format("02:00:00:00:0{}:aa", number_));
}
MacAddress TestGateway::peer_mac() const {
  return mac(fmt::format("02:00:00:00:0{}:01", 3 - number_));
}

Bytes TestGateway::from_host(const Bytes& packet) const {
  return ethernet_ip(port_mac(clear_port), host_mac(), packet);
}
Bytes TestGateway::from_peer(const Bytes& packet) const {
  return ethernet_ip(port_mac(black_port), peer_mac(), packet, scenario_.vlan);
}
Bytes TestGateway::from_kernel(PortIndex port, const Bytes& packet) const {
  return ethernet_ip(port == clear_port ? host_mac() : peer_mac(), port_mac(port), packet);
}
Bytes TestGateway::site_packet(Family family, std::size_t size) const {
  return udp_packet(host(family), far_host(family), 4000, 5000, payload(size));
}

void TestGateway::inject(PortIndex port, Origin origin, const Bytes& frame) {
  Frame* made = io.make(frame);
  pipeline->process(port, origin, {&made, 1});
}

void TestGateway::settle() {
  for (int i = 0; i < 100'000 && pipeline->in_flight() != 0; ++i) pipeline->poll();
  REQUIRE(pipeline->in_flight() == 0);
}

Verdict TestGateway::send(PortIndex port, Origin origin, const Bytes& frame) {
  settle();
  std::array<std::uint64_t, verdict_count> before{};
  const VerdictCounters& counters = pipeline->counters(port).verdicts;
  for (std::size_t i = 0; i < verdict_count; ++i) before[i] = counters.get(static_cast<Verdict>(i));
  inject(port, origin, frame);
  settle();
  std::optional<Verdict> found;
  for (std::size_t i = 0; i < verdict_count; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    const std::uint64_t more = counters.get(verdict) - before[i];
    if (more == 0 || verdict == Verdict::answered) continue;  // what the gateway itself said about it
    CHECK_FALSE(found.has_value());
    CHECK(more == 1);
    found = verdict;
  }
  REQUIRE(found.has_value());
  return *found;
}

void TestGateway::look_for_marker(PortIndex port, const Bytes& frame) {
  if (port != clear_port && !clear_expected && contains(frame, marker)) ++leaks_;
}

std::vector<Bytes> TestGateway::take_wire(PortIndex port) {
  for (const Bytes& frame : io.wire[port]) look_for_marker(port, frame);
  return std::exchange(io.wire[port], {});
}
std::vector<Bytes> TestGateway::take_companion(PortIndex port) {
  return std::exchange(io.companion[port], {});
}

void TestGateway::advance(std::uint64_t nanoseconds) {
  now_ns += nanoseconds;
  pipeline->tick();
}

SaId TestGateway::add(EspSa sa, Lease lease) {
  const SaId id = must(slots.allocate());
  const bool ingress = sa.direction == Direction::ingress;
  const std::uint32_t spi = sa.spi;
  must(engine->install(id, Sa{std::move(sa)}, ingress ? Lease{} : lease, 0));
  if (ingress) must(spi_table.insert(spi, id));
  return id;
}

EspSa TestGateway::esp_sa(Direction direction) const {
  const bool out = direction == Direction::egress;
  const int sender = out ? number_ : 3 - number_;
  EspSa sa;
  sa.spi = 0x1000U + static_cast<std::uint32_t>(sender);
  sa.direction = direction;
  sa.mode = scenario_.mode;
  sa.key = secret<32>(32, sender);
  sa.salt = secret<4>(4, sender + 10);
  sa.source = out ? own(black_port, scenario_.outer) : peer(scenario_.outer);
  sa.destination = out ? peer(scenario_.outer) : own(black_port, scenario_.outer);
  if (scenario_.udp) sa.udp = UdpEncapsulation{};
  if (!out && !scenario_.any_inner) sa.selectors = spd->entries()[scenario_.policies.size()]->policy.selectors;
  return sa;
}

void TestGateway::carry_tunnel() {
  ingress_sa_ = add(esp_sa(Direction::ingress));
  EspSa out = esp_sa(Direction::egress);
  const std::uint32_t spi = out.spi;
  egress_sa_ = add(std::move(out));
  tunnels[0]->carry_with(egress_sa_, spi);
}

void TestGateway::add_macsec() {
  MacsecSecY settings;
  settings.clear_tags = scenario_.vlan;
  const auto sci_of = [](int number) { return Sci{mac(fmt::format("02:00:00:00:0{}:01", number)), 1}; };
  secy = std::make_unique<tables::Secy>(settings, sci_of(number_));
  const auto install = [&](Direction direction, int sender) {
    MacsecSa sa;
    sa.secy = settings;
    sa.direction = direction;
    sa.sci = sci_of(sender);
    sa.key = secret<32>(32, sender + 20);
    sa.salt = secret<12>(12, sender + 30);
    sa.ssci = static_cast<std::uint32_t>(sender);
    const SaId id = must(slots.allocate());
    must(engine->install(id, Sa{std::move(sa)}, direction == Direction::egress ? Lease{1, 1U << 20U} : Lease{}, 0));
    return id;
  };
  must(secy->add_receive_sc(sci_of(3 - number_)));
  must(secy->set_receive_sa(sci_of(3 - number_), 0, install(Direction::ingress, 3 - number_)));
  must(secy->set_transmit_sa(0, install(Direction::egress, number_)));
  must(secy->transmit_with(0));
}

std::uint64_t TestGateway::verdicts(Verdict verdict) const {
  std::uint64_t sum = 0;
  for (const PortIndex port : {clear_port, black_port, second_black_port})
    sum += pipeline->counters(port).verdicts.get(verdict);
  return sum;
}

tables::PolicyEntry& TestGateway::entry(std::string_view name) {
  for (const auto& candidate : spd->entries())
    if (candidate->policy.name == name) return *candidate;
  throw std::runtime_error("no such policy");
}

void TestGateway::check_accounts() {
  settle();
  std::uint64_t in = 0;
  std::uint64_t ended = 0;
  std::uint64_t dropped = 0;
  std::uint64_t transmitted = 0;
  std::uint64_t punted = 0;
  std::uint64_t made = 0;
  for (const PortIndex port : {clear_port, black_port, second_black_port}) {
    const PortCounters& counters = pipeline->counters(port);
    const std::uint64_t port_in =
        counters.received_frames.get() + counters.companion_frames.get() + counters.made_frames.get();
    std::uint64_t port_ended = 0;
    for (std::size_t i = 0; i < verdict_count; ++i) {
      const auto verdict = static_cast<Verdict>(i);
      port_ended += counters.verdicts.get(verdict);
      if (is_drop(verdict)) dropped += counters.verdicts.get(verdict);
    }
    CHECK(port_in == port_ended);
    in += port_in;
    ended += port_ended;
    transmitted += counters.transmitted_frames.get();
    punted += counters.punted_frames.get();
    made += counters.made_frames.get();
    for (const Bytes& frame : io.wire[port]) look_for_marker(port, frame);
  }
  const std::uint64_t consumed = verdicts(Verdict::dummy) + verdicts(Verdict::keepalive);
  CHECK(in == ended);
  CHECK(ended == transmitted + punted + consumed + dropped);
  CHECK(verdicts(Verdict::pending) == 0);
  CHECK(transmitted == io.transmitted);
  CHECK(punted == io.punted);
  CHECK(made <= io.made);
  CHECK(io.released == consumed + dropped + (io.made - made));
  CHECK(io.held() == 0);
  CHECK(io.mistakes == 0);
  CHECK(leaks_ == 0);
}

void check_silent(TestGateway& gateway) {
  for (const PortIndex port : {clear_port, black_port, second_black_port}) {
    CHECK(gateway.take_wire(port).empty());
    CHECK(gateway.take_companion(port).empty());
  }
}

void Pair::exchange() {
  for (bool moved = true; moved;) {
    moved = false;
    a.settle();
    b.settle();
    for (const auto& [from, to] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
      for (Bytes& frame : from->take_wire(black_port)) {
        to->inject(black_port, Origin::wire, frame);
        circuit.push_back(std::move(frame));
        moved = true;
      }
    }
  }
}

void Pair::check_accounts() {
  a.check_accounts();
  b.check_accounts();
}

}  // namespace linecrypt::gateway::test
