// Flows that are remembered: never anything else than what the tables say now.
#include "host/gateway/pipeline/flow_memory.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "linecrypt/wire/ethernet.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::test;

namespace {

std::optional<FlowKey> key_of(const Bytes& packet, PortIndex port = 0) {
  return flow_key(wire::parse_ip(packet.data(), static_cast<std::uint32_t>(packet.size())), port);
}

const IpAddress from = address("10.1.0.10");
const IpAddress to = address("10.2.0.10");

}  // namespace

TEST_CASE("a flow is its addresses, its protocol, its ports and the port that it comes in by") {
  const Bytes packet = udp_packet(from, to, 4000, 5000, payload());
  const auto key = key_of(packet);
  REQUIRE(key.has_value());
  CHECK(key == key_of(udp_packet(from, to, 4000, 5000, payload(200), {.ttl = 3, .traffic_class = 8})));
  CHECK(key != key_of(packet, 1));
  CHECK(key != key_of(udp_packet(from, to, 4000, 5001, payload())));
  CHECK(key != key_of(udp_packet(from, to, 4001, 5000, payload())));
  CHECK(key != key_of(udp_packet(to, from, 4000, 5000, payload())));
  CHECK(key != key_of(ip(from, to, 6, udp(from, to, 4000, 5000, payload()))));
  // Without ports it is the addresses and the protocol.
  CHECK(key_of(ip(from, to, 47, Bytes(20))) == key_of(ip(from, to, 47, payload())));
  CHECK(key_of(ip(from, to, 47, {})).has_value());
}

TEST_CASE("what the tables are asked by must be in the packet, or its flow is not remembered") {
  const Bytes datagram = udp(from, to, 4000, 5000, payload());
  CHECK_FALSE(key_of(ip(from, to, 17, datagram, {.more_fragments = true})).has_value());
  CHECK_FALSE(key_of(ip(from, to, 17, datagram, {.fragment_offset = 1})).has_value());
  CHECK_FALSE(key_of(ip(from, to, 17, Bytes(3))).has_value());
  CHECK(key_of(ip(from, to, 17, Bytes(4))).has_value());
  CHECK_FALSE(key_of(udp_packet(address("2001:db8:1::a"), address("2001:db8:2::a"), 1, 2, payload())).has_value());
  // With options: one word of no-operations.
  Bytes longer = ip(from, to, 17, datagram);
  longer.insert(longer.begin() + 20, 4, 1);
  longer[0] = 0x46;
  wire::store16(&longer[2], static_cast<std::uint16_t>(longer.size()));
  wire::ipv4_set_checksum(longer.data(), 24);
  REQUIRE(wire::parse_ip(longer.data(), static_cast<std::uint32_t>(longer.size())).valid);
  CHECK_FALSE(key_of(longer).has_value());
}

TEST_CASE("what is remembered ends with its tables, and with a flow that takes its place") {
  const auto memory = std::make_unique<FlowMemory>();
  tables::PolicyEntry policy;
  tables::PolicyEntry other;
  const FlowKey key = *key_of(udp_packet(from, to, 4000, 5000, payload()));
  CHECK(memory->find(key, 7) == nullptr);
  memory->put(key, 7, policy);
  CHECK(memory->find(key, 7) == &policy);
  CHECK(memory->find(key, 8) == nullptr);
  memory->put(key, 8, other);
  CHECK(memory->find(key, 8) == &other);
  CHECK(memory->find(key, 7) == nullptr);
  // Each of many is found or is not there: never another's answer.
  std::vector<std::unique_ptr<tables::PolicyEntry>> policies;
  std::size_t found = 0;
  const auto key_at = [](std::size_t i) {
    return *key_of(udp_packet(from, to, static_cast<std::uint16_t>(i / 7), static_cast<std::uint16_t>(i), payload()));
  };
  for (std::size_t i = 0; i < 2000; ++i) {
    policies.push_back(std::make_unique<tables::PolicyEntry>());
    memory->put(key_at(i), 9, *policies.back());
  }
  for (std::size_t i = 0; i < policies.size(); ++i) {
    tables::PolicyEntry* const answer = memory->find(key_at(i), 9);
    if (answer != nullptr) CHECK(answer == policies[i].get());
    found += answer == nullptr ? 0 : 1;
  }
  CHECK(found > 100);
}

TEST_CASE("two Fibs have two serials, also one that lies where another was") {
  const std::uint64_t first = Fib::build({})->serial();
  const std::uint64_t second = Fib::build({})->serial();
  CHECK(first != 0);
  CHECK(first != second);
}

TEST_CASE("gateways that remember flows do with every packet what gateways do that never saw its flow") {
  // Two pairs of gateways with the same SAs and policies get the same packets. In the second pair all is forgotten
  // before each packet, by a new Fib that says the same.
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.any_inner = true;
  scenario.requirement = GENERATE(Requirement::require, Requirement::request);
  scenario.policies = {policy("never", PolicyAction::discard, "10.1.0.0/16", "10.2.0.0/16", 10),
                       policy("clear", PolicyAction::bypass, "10.1.0.0/16", "10.2.7.0/24", 11)};
  scenario.policies[0].selectors[0].protocol = 17;
  scenario.policies[0].selectors[0].remote_port = {53, 53};
  Pair remembers(scenario);
  Pair forgets(scenario);
  std::mt19937_64 random(3);
  const auto pick = [&](const auto& list) { return list[random() % std::size(list)]; };
  const IpAddress sources[] = {from,
                               address("10.1.0.11"),
                               address("127.0.0.1"),
                               address("224.0.0.5"),
                               remembers.a.own(clear_port),
                               remembers.a.own(black_port)};
  const IpAddress destinations[] = {to,
                                    to,
                                    address("10.2.0.11"),
                                    address("10.2.7.1"),
                                    address("10.9.0.1"),
                                    remembers.a.own(clear_port),
                                    remembers.b.own(clear_port),
                                    address("255.255.255.255")};
  const std::uint16_t ports[] = {53, 4000, 4000, 4000, 4001};
  const std::uint8_t ttls[] = {64, 64, 64, 64, 64, 64, 1, 2};
  const std::size_t sizes[] = {18, 64, 700, 1472};
  for (Pair* pair : {&remembers, &forgets}) pair->a.clear_expected = pair->b.clear_expected = true;

  std::uint64_t delivered = 0;
  bool to_is_ours = false;
  const int steps = linecrypt::test::long_form() ? 20'000 : 1'000;
  for (int step = 0; step < steps; ++step) {
    if (random() % 50 == 0) {
      // The far host's address becomes one of gateway 2's own, and ceases to be.
      to_is_ours = !to_is_ours;
      for (Pair* pair : {&remembers, &forgets}) {
        auto& addresses = pair->b.fib_input.addresses;
        if (to_is_ours)
          addresses.push_back({clear_port, to, 32});
        else
          addresses.pop_back();
        pair->b.rebuild_fib();
      }
    }
    IpOptions options{.ttl = pick(ttls), .more_fragments = random() % 20 == 0};
    if (random() % 20 == 0) options.fragment_offset = 2;
    const IpAddress source = random() % 8 == 0 ? pick(sources) : from;
    Bytes packet = udp_packet(source, random() % 2 == 0 ? to : pick(destinations), pick(ports), pick(ports),
                              payload(pick(sizes)), options);
    if (random() % 30 == 0) packet[10] ^= 1U;  // the checksum
    Bytes frame = remembers.a.from_host(packet);
    if (random() % 30 == 0) frame[0] |= 1U;  // to a group

    forgets.a.rebuild_fib();
    forgets.b.rebuild_fib();
    INFO("step " << step);
    for (Pair* pair : {&remembers, &forgets}) {
      pair->a.inject(clear_port, Origin::wire, frame);
      pair->exchange();
    }
    REQUIRE(remembers.circuit == forgets.circuit);
    const std::vector<Bytes> out = remembers.b.take_wire(clear_port);
    REQUIRE(out == forgets.b.take_wire(clear_port));
    delivered += out.size();
    for (const auto& [one, other] : {std::pair{&remembers.a, &forgets.a}, std::pair{&remembers.b, &forgets.b}}) {
      for (const PortIndex port : {clear_port, black_port}) {
        REQUIRE(one->take_companion(port) == other->take_companion(port));
        REQUIRE(one->take_wire(port) == other->take_wire(port));
      }
      for (std::size_t v = 0; v < verdict_count; ++v)
        REQUIRE(one->verdicts(static_cast<Verdict>(v)) == other->verdicts(static_cast<Verdict>(v)));
      for (std::size_t i = 0; i < one->spd->entries().size(); ++i) {
        REQUIRE(one->spd->entries()[i]->outbound_bytes.get() == other->spd->entries()[i]->outbound_bytes.get());
        REQUIRE(one->spd->entries()[i]->inbound_bytes.get() == other->spd->entries()[i]->inbound_bytes.get());
      }
    }
  }
  CHECK(delivered > static_cast<std::uint64_t>(steps) / 20);
  remembers.check_accounts();
  forgets.check_accounts();
}

TEST_CASE("a flow ends where its destination becomes an address of ours, on either side of the tunnel") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.any_inner = true;
  Pair pair(scenario);
  const Bytes frame = pair.a.from_host(udp_packet(from, to, 4000, 5000, payload()));
  const auto send = [&] {
    pair.a.inject(clear_port, Origin::wire, frame);
    pair.exchange();
  };
  for (int i = 0; i < 3; ++i) send();
  CHECK(pair.b.take_wire(clear_port).size() == 3);
  // Of the far gateway: from its tunnel to its kernel.
  pair.b.fib_input.addresses.push_back({clear_port, to, 32});
  pair.b.rebuild_fib();
  for (int i = 0; i < 2; ++i) send();
  CHECK(pair.b.take_wire(clear_port).empty());
  CHECK(pair.b.take_companion(clear_port).size() == 2);
  // Of the near one, on another port: it goes nowhere.
  const std::size_t before = pair.circuit.size();
  pair.a.fib_input.addresses.push_back({black_port, to, 32});
  pair.a.rebuild_fib();
  send();
  CHECK(pair.a.verdicts(Verdict::policy_default) == 1);
  CHECK(pair.circuit.size() == before);
  pair.check_accounts();
}
