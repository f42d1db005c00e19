// A bump-in-the-wire card in the place of a gateway of the pipeline's tests: the same SAs, policies and addresses,
// frames on its two ports, and the rings of frames between it and its host.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "driver/card/records/classify.hpp"
#include "driver/card/records/commands.hpp"
#include "driver/card/records/hash_placement.hpp"
#include "tests/firmware_hls/model/card_host.hpp"
#include "tests/firmware_hls/ports/gateway_words.hpp"

namespace linecrypt::ports_test {

struct HostFrame {
  abi::HostFrame header{};
  Bytes frame;
};

class InlineRig {
 public:
  static constexpr std::uint32_t ring_entries = 32;
  static constexpr Lease lease{1, 1U << 20U};

  InlineRig();

  // Opens the card, installs the gateway's SAs and publishes its policy.
  void take_place_of(TestGateway& gateway, const gateway::test::Scenario& scenario, Lease egress = lease,
                     std::uint64_t ceiling = 1U << 20U);
  void publish(const card::InlineGateway& gateway);

  // What came back, but for events.
  std::vector<abi::Response> answers(const std::vector<abi::Command>& commands);

  bool receive(std::uint32_t port, const Bytes& frame);
  void settle() { host.settle(); }
  std::vector<Bytes> transmitted(std::uint32_t port);
  std::vector<HostFrame> exceptions(bool consume = true);
  void inject(std::uint32_t port, const Bytes& frame, std::uint32_t epoch = firmware_test::CardHost::epoch);
  // Frames counted under a verdict, in one direction.
  std::uint64_t verdicts(abi::Block direction, Verdict verdict);
  abi::PortCounts counts(abi::Block direction, abi::PortCounter which);

  firmware_test::CardMemory memory{32U << 20U};
  std::unique_ptr<firmware::ClockedCard> card;
  firmware_test::CardHost host;

 private:
  std::uint64_t read(abi::Block block, abi::Table table, std::uint32_t index, std::uint32_t word);

  std::uint64_t exceptions_;
  std::uint64_t injected_;
  std::uint32_t exceptions_head_ = 0;
  std::uint32_t injected_tail_ = 0;
};

}  // namespace linecrypt::ports_test
