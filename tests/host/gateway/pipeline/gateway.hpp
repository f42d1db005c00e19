// TestGateway: one whole gateway in memory, real engine and tables, a clock of the test's. Pair: two of them, their
// circuits joined.
//
//   host 10.1.0.10 -- [0] gateway 1 [1] == 192.0.2.0/24 == [1] gateway 2 [0] -- host 10.2.0.10
//                               [2] -- 198.51.100.0/24, a second circuit
//
// IPv6 alike: 2001:db8:<n>::/48 at the sites, 2001:db8:ff::/64 and fe80:: on the circuit.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/engines/delaying.hpp"
#include "host/gateway/pipeline/pipeline.hpp"
#include "host/software/engine.hpp"
#include "host/tables/slot_table.hpp"
#include "tests/host/gateway/pipeline/memory_io.hpp"
#include "tests/host/gateway/pipeline/packets.hpp"

namespace linecrypt::gateway::test {

inline constexpr PortIndex clear_port = 0;
inline constexpr PortIndex black_port = 1;
inline constexpr PortIndex second_black_port = 2;

enum class EngineKind : std::uint8_t { ipsec_mb, openssl, delayed };
// Those that this CPU can run. `delayed` is the delaying engine over the fastest of them.
[[nodiscard]] const std::vector<EngineKind>& engine_kinds();

struct Scenario {
  EngineKind engine = EngineKind::openssl;
  Family outer = Family::ipv4;
  EspMode mode = EspMode::tunnel;
  bool udp = false;
  bool macsec = false;                             // on the first circuit
  bool esp = true;                                 // false: the tunnel has no SAs
  bool any_inner = false;                          // the ingress SA takes any inner packet
  std::vector<ClearVlanTag> vlan;                  // on the first circuit, all of them clear for MACsec
  std::vector<Policy> policies;                    // before the tunnels' own
  Requirement requirement = Requirement::require;  // of the first tunnel's policy, both ways
  std::uint32_t path_mtu = 0;
  std::uint32_t black_mtu = 1500;
  engines::DelayingOptions delaying{};
  // Wraps the engine, for engines that misbehave.
  std::function<std::unique_ptr<Engine>(std::unique_ptr<Engine>)> wrap;
};

// A policy over 10.<n>/16 and its like is written from gateway 1's point of view.
[[nodiscard]] Policy policy(std::string name, PolicyAction action, std::string_view local, std::string_view remote,
                            std::uint32_t priority = 100);

class TestGateway {
 public:
  TestGateway(int number, const Scenario& scenario);
  ~TestGateway();

  // ---- who is where ----
  [[nodiscard]] IpAddress own(PortIndex port, Family family = Family::ipv4) const;
  [[nodiscard]] IpAddress host(Family family = Family::ipv4) const;      // on the site
  [[nodiscard]] IpAddress far_host(Family family = Family::ipv4) const;  // on the other site
  [[nodiscard]] IpAddress peer(Family family = Family::ipv4) const;      // the other gateway's circuit address
  [[nodiscard]] MacAddress port_mac(PortIndex port) const;
  [[nodiscard]] MacAddress host_mac() const;
  [[nodiscard]] MacAddress peer_mac() const;
  // A frame from the site's host to the gateway.
  [[nodiscard]] Bytes from_host(const Bytes& packet) const;
  // A frame from the circuit to the gateway, in clear, with the port's VLAN tags.
  [[nodiscard]] Bytes from_peer(const Bytes& packet) const;
  // A frame of the kernel's on this port, to the circuit's peer or the site's host.
  [[nodiscard]] Bytes from_kernel(PortIndex port, const Bytes& packet) const;
  // A UDP packet with the marker, from the site's host to the far one.
  [[nodiscard]] Bytes site_packet(Family family = Family::ipv4, std::size_t size = 64) const;

  // ---- doing ----
  void inject(PortIndex port, Origin origin, const Bytes& frame);
  // Polls until nothing is in flight.
  void settle();
  // One frame in, everything done, and the one verdict that it was counted under.
  Verdict send(PortIndex port, Origin origin, const Bytes& frame);
  // What the port has sent, taken away. Looks for the marker on circuits.
  std::vector<Bytes> take_wire(PortIndex port);
  std::vector<Bytes> take_companion(PortIndex port);
  void advance(std::uint64_t nanoseconds);  // time passes, and tick()
  void rebuild_fib();                       // from `fib_input`

  // ---- SAs ----
  SaId add(EspSa sa, Lease lease = {1, 1U << 20U});
  [[nodiscard]] EspSa esp_sa(Direction direction) const;  // of the first tunnel, with its key
  void carry_tunnel();                                    // installs both SAs of the first tunnel
  [[nodiscard]] SaId egress_sa() const { return egress_sa_; }
  [[nodiscard]] SaId ingress_sa() const { return ingress_sa_; }

  // ---- what must always hold ----
  // Every frame counted once, under one verdict, and none lost; nothing held; no clear byte on a circuit.
  void check_accounts();
  [[nodiscard]] std::uint64_t verdicts(Verdict verdict) const;
  [[nodiscard]] tables::PolicyEntry& entry(std::string_view name);

  std::uint64_t now_ns = 1'000'000'000'000;
  bool clear_expected = false;  // the marker may leave on a circuit
  FibInput fib_input;
  MemoryIo io{3};
  tables::SlotTable slots{64};  // outlives the engine
  std::unique_ptr<Engine> engine;
  tables::SpiTable spi_table{64};
  std::unique_ptr<tables::Spd> spd;
  std::vector<std::unique_ptr<TunnelState>> tunnels;
  std::unique_ptr<tables::Secy> secy;
  std::unique_ptr<Pipeline> pipeline;

 private:
  void add_macsec();
  void look_for_marker(PortIndex port, const Bytes& frame);

  int number_;
  Scenario scenario_;
  std::vector<std::unique_ptr<const Fib>> fibs_;
  SaId egress_sa_{};
  SaId ingress_sa_{};
  std::uint64_t leaks_ = 0;
};

// Nothing has left, by no door, since it was last taken.
void check_silent(TestGateway& gateway);

struct Pair {
  explicit Pair(const Scenario& scenario) : Pair(scenario, scenario) {}
  Pair(const Scenario& for_a, const Scenario& for_b) : a(1, for_a), b(2, for_b) {}
  // Carries frames over the circuit, both ways, until it is silent. What passed is in `circuit`.
  void exchange();
  void check_accounts();

  TestGateway a;
  TestGateway b;
  std::vector<Bytes> circuit;
};

}  // namespace linecrypt::gateway::test
