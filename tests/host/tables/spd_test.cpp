#include "host/tables/spd.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <random>

namespace linecrypt::tables {
namespace {

using Catch::Contains;

Selector any_v4() {
  return {{{Family::ipv4, {}}, 0}, {{Family::ipv4, {}}, 0}, {}, {}, {}};
}

Policy policy(const std::string& name, PolicyAction action, Selector selector = any_v4(),
              std::uint32_t priority = 1000) {
  Policy result;
  result.name = name;
  result.action = action;
  result.priority = priority;
  result.selectors = {std::move(selector)};
  if (action == PolicyAction::protect) result.tunnel = "a";
  return result;
}

std::unique_ptr<Spd> build(std::vector<Policy> policies) {
  auto spd = Spd::build(std::move(policies), {"z", "a"});
  if (!spd) FAIL(spd.error().message);
  return std::move(spd).value();
}

std::string refusal(Policy one) {
  std::vector<Policy> policies;
  policies.push_back(std::move(one));
  const auto spd = Spd::build(std::move(policies), {"z", "a"});
  return spd ? "not refused" : spd.error().message;
}

struct Key {
  std::array<std::uint8_t, 16> local{};
  std::array<std::uint8_t, 16> remote{};
  TrafficKey key;
  void point() {
    key.local = local.data();
    key.remote = remote.data();
  }
};

// Random policies over a small world, so that selectors nest and overlap.
class World {
 public:
  explicit World(std::uint32_t seed) : random_(seed) {}
  std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }

  std::array<std::uint8_t, 16> address(std::uint32_t size) {
    std::array<std::uint8_t, 16> bytes{};
    for (std::uint32_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(any(10) == 0 ? any(256) : any(2));
    return bytes;
  }
  Prefix prefix(Family family) {
    const std::uint32_t size = family == Family::ipv4 ? 4 : 16;
    Prefix result{{family, address(size)},
                  static_cast<std::uint8_t>(any(3) == 0 ? any(size * 8 + 1) : any(5) * size * 2)};
    for (std::uint32_t bit = result.length; bit < 128; ++bit)
      result.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
    return result;
  }
  PortRange ports() {
    if (any(2) == 0) return {};
    const auto first = static_cast<std::uint16_t>(any(4));
    return {first, static_cast<std::uint16_t>(first + any(3))};
  }
  Selector selector() {
    const Family family = any(2) == 0 ? Family::ipv4 : Family::ipv6;
    Selector result{prefix(family), prefix(family), {}, {}, {}};
    if (any(2) == 0) {
      result.protocol = static_cast<std::uint8_t>(any(2) == 0 ? 6 : 17);
      result.local_port = ports();
      result.remote_port = ports();
    }
    return result;
  }
  Policy random_policy(std::uint32_t number) {
    Policy result = policy("p" + std::to_string(number), static_cast<PolicyAction>(any(3)), selector(), 990 + any(20));
    for (std::uint32_t i = any(4); i > 0; --i) result.selectors.push_back(selector());
    result.allow_clear = any(2) == 0;
    if (result.allow_clear) {
      result.outbound = static_cast<Requirement>(any(2));
      result.inbound = static_cast<Requirement>(any(2));
    }
    return result;
  }
  void random_key(Key& to) {
    to.key.family = any(2) == 0 ? Family::ipv4 : Family::ipv6;
    const std::uint32_t size = to.key.family == Family::ipv4 ? 4 : 16;
    to.local = address(size);
    to.remote = address(size);
    to.key.protocol = static_cast<std::uint8_t>(any(3) == 0 ? 1 : any(2) == 0 ? 6 : 17);
    to.key.has_ports = to.key.protocol != 1 && any(4) != 0;
    to.key.local_port = static_cast<std::uint16_t>(any(6));
    to.key.remote_port = static_cast<std::uint16_t>(any(6));
    to.point();
  }

 private:
  std::mt19937 random_;
};

TEST_CASE("The first matching policy is the one that a walk over all finds") {
  const auto seed = static_cast<std::uint32_t>(GENERATE(range(1, 21)));
  World world(seed);
  std::vector<Policy> policies;
  for (std::uint32_t i = 0; i < 1 + world.any(80); ++i) policies.push_back(world.random_policy(i));
  const auto spd = build(policies);
  std::stable_sort(policies.begin(), policies.end(),
                   [](const Policy& a, const Policy& b) { return a.priority < b.priority; });
  std::uint32_t matched = 0;
  Key key;
  for (int i = 0; i < 2000; ++i) {
    world.random_key(key);
    const Policy* expected = nullptr;
    for (const Policy& candidate : policies) {
      if (std::none_of(candidate.selectors.begin(), candidate.selectors.end(),
                       [&](const Selector& selector) { return matches(selector, key.key); }))
        continue;
      expected = &candidate;
      break;
    }
    for (const bool outbound : {true, false}) {
      const PolicyMatch match = outbound ? spd->outbound(key.key) : spd->inbound(key.key);
      REQUIRE((match.entry == nullptr) == (expected == nullptr));
      if (expected == nullptr) {
        REQUIRE_FALSE(match.may_pass_clear);
        continue;
      }
      ++matched;
      REQUIRE(match.entry->policy.name == expected->name);
      REQUIRE(match.entry->tunnel == (expected->action == PolicyAction::protect ? 1 : no_tunnel));
      const Requirement requirement = outbound ? expected->outbound : expected->inbound;
      REQUIRE(match.may_pass_clear == (expected->action == PolicyAction::protect &&
                                       requirement == Requirement::request && expected->allow_clear));
    }
  }
  CHECK(matched > 0);
}

TEST_CASE("No policy: nothing matches, nothing passes") {
  const auto spd = build({});
  World world(1);
  Key key;
  world.random_key(key);
  CHECK(spd->outbound(key.key).entry == nullptr);
  CHECK(spd->inbound(key.key).entry == nullptr);
  CHECK_FALSE(spd->outbound(key.key).may_pass_clear);
}

TEST_CASE("A request passes clear in its own direction only, and never once it is sealed") {
  Policy one = policy("r", PolicyAction::protect);
  one.allow_clear = true;
  one.outbound = Requirement::request;
  const auto spd = build({one});
  Key key;
  key.point();
  CHECK(spd->outbound(key.key).may_pass_clear);
  CHECK_FALSE(spd->inbound(key.key).may_pass_clear);
  spd->entries()[0]->sealed = true;
  CHECK_FALSE(spd->outbound(key.key).may_pass_clear);
  CHECK(spd->outbound(key.key).entry == spd->entries()[0].get());
}

TEST_CASE("A request on bypass or discard gives nothing") {
  Policy one = policy("d", GENERATE(PolicyAction::discard, PolicyAction::bypass));
  one.allow_clear = true;
  one.outbound = one.inbound = Requirement::request;
  const auto spd = build({one});
  Key key;
  key.point();
  CHECK_FALSE(spd->outbound(key.key).may_pass_clear);
  CHECK_FALSE(spd->inbound(key.key).may_pass_clear);
}

TEST_CASE("Ties of priority go by position, lower priority numbers first") {
  const auto spd = build({policy("late", PolicyAction::discard, any_v4(), 1000),
                          policy("first", PolicyAction::bypass, any_v4(), 999),
                          policy("second", PolicyAction::discard, any_v4(), 999)});
  Key key;
  key.point();
  CHECK(spd->outbound(key.key).entry->policy.name == "first");
  CHECK(spd->entries()[1]->policy.name == "second");
  CHECK(spd->entries()[2]->policy.name == "late");
}

TEST_CASE("A packet without ports never matches a range of ports (RFC 4301 7)") {
  Selector ranged = any_v4();
  ranged.protocol = 17;
  ranged.local_port = {0, 65534};
  const auto spd = build({policy("ports", PolicyAction::bypass, ranged)});
  Key key;
  key.point();
  key.key.protocol = 17;
  CHECK(spd->outbound(key.key).entry == nullptr);
  key.key.has_ports = true;
  CHECK(spd->outbound(key.key).entry != nullptr);
}

TEST_CASE("What cannot be meant is refused by the policy's name") {
  Policy unknown = policy("p1", PolicyAction::protect);
  unknown.tunnel = "nowhere";
  CHECK_THAT(refusal(unknown), Contains("p1") && Contains("nowhere"));

  Policy empty = policy("p2", PolicyAction::bypass);
  empty.selectors.clear();
  CHECK_THAT(refusal(empty), Contains("p2") && Contains("no selectors"));

  Policy request = policy("p3", PolicyAction::protect);
  request.inbound = Requirement::request;
  CHECK_THAT(refusal(request), Contains("p3") && Contains("allow_clear"));

  Policy mixed = policy("p4", PolicyAction::bypass);
  mixed.selectors[0].remote.address.family = Family::ipv6;
  CHECK_THAT(refusal(mixed), Contains("p4") && Contains("two families"));

  Policy ports = policy("p5", PolicyAction::bypass);
  ports.selectors[0].remote_port = {80, 80};
  CHECK_THAT(refusal(ports), Contains("p5") && Contains("port range"));
  ports.selectors[0].protocol = 1;
  CHECK_THAT(refusal(ports), Contains("port range"));
  ports.selectors[0].protocol = 132;
  CHECK(refusal(ports) == "not refused");
}

TEST_CASE("Ten thousand tunnels are told apart") {
  std::vector<Policy> policies;
  for (std::uint32_t i = 0; i < 10000; ++i) {
    Selector selector = any_v4();
    selector.local = {{Family::ipv4, {10, 0, 0, 0}}, 8};
    selector.remote = {{Family::ipv4, {172, static_cast<std::uint8_t>(i / 256), static_cast<std::uint8_t>(i), 0}}, 24};
    policies.push_back(policy(std::to_string(i), PolicyAction::bypass, selector));
  }
  const auto spd = build(policies);
  Key key;
  key.local = {10, 1, 2, 3};
  for (std::uint32_t i = 0; i < 10000; ++i) {
    key.remote = {172, static_cast<std::uint8_t>(i / 256), static_cast<std::uint8_t>(i), 9};
    key.point();
    const PolicyMatch match = spd->outbound(key.key);
    REQUIRE(match.entry == spd->entries()[i].get());
  }
  key.remote = {172, 200, 0, 1};
  key.point();
  CHECK(spd->outbound(key.key).entry == nullptr);
}

}  // namespace
}  // namespace linecrypt::tables
