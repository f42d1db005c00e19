// A gateway of the pipeline's tests as a bump-in-the-wire card: the same ports, addresses, policies and tunnels, loaded
// through the driver's words.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <random>
#include <vector>

#include "driver/card/records/classify.hpp"
#include "firmware_hls/ports/policy.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"

namespace linecrypt::ports_test {

using firmware::ConfigWord;
using firmware::Window;
using firmware::ports::PolicyTable;
using gateway::test::Bytes;
using gateway::test::TestGateway;

constexpr std::uint32_t entries = abi::policy_entries_most;

// Takes the gateway's third port away: the card has two.
void take_third_port(TestGateway& gateway);

card::InlineGateway inline_gateway(TestGateway& gateway, const gateway::test::Scenario& scenario);

// The gateway's SAs as a card is given them: of its first tunnel, and of its SecY. An egress SA comes with a lease from
// 1 on, an ingress SA with nothing seen.
struct GatewaySa {
  SaId id;
  Sa sa;
};
std::vector<GatewaySa> gateway_sas(TestGateway& gateway);

ConfigWord config_word(const abi::Command& command);

// What a table holds once the commands have passed.
void publish(PolicyTable<entries>& table, const card::InlineGateway& gateway, abi::Block direction,
             abi::CardMode mode = abi::CardMode::both);

// The first bytes of a frame, as gather gives them.
Window window_of(const Bytes& frame);

// A number below `n`.
inline std::uint32_t below(std::mt19937_64& random, std::uint32_t n) {
  return static_cast<std::uint32_t>(random() % n);
}
template <typename T>
const T& one_of(std::mt19937_64& random, const std::vector<T>& from) {
  return from[below(random, static_cast<std::uint32_t>(from.size()))];
}

// Random policies over the addresses that a FrameMaker uses.
std::vector<Policy> random_policies(std::mt19937_64& random, std::uint32_t count);

// Frames of all kinds, good ones and near misses, as they may come to a port. `addresses` are of one family each.
class FrameMaker {
 public:
  FrameMaker(std::uint64_t seed, TestGateway& gateway) : random_(seed), gateway_(gateway) {}

  // From the wire of `port`, or from its companion.
  Bytes make(gateway::PortIndex port, bool from_companion, const std::vector<ClearVlanTag>& tags);
  std::mt19937_64& random() { return random_; }

 private:
  IpAddress address(Family family, gateway::PortIndex port, bool source);
  Bytes packet(gateway::PortIndex port, bool from_companion);
  Bytes body(Family family, const IpAddress& source, const IpAddress& destination, std::uint8_t& protocol);

  std::mt19937_64 random_;
  TestGateway& gateway_;
};

}  // namespace linecrypt::ports_test
