// Keys that follow one another: out by sa_id_rekey, in by the AN; and their events.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>

#include "tests/driver/dpdk/net/macsec/rig.hpp"

using namespace linecrypt::test;

namespace {

constexpr std::uint64_t threshold = 0xc0000000;  // IEEE 802.1X-2020 9.8
constexpr std::uint64_t threshold_wide = 0xc000000000000000;

struct Key {
  Bytes bytes;
  std::uint8_t an;
  std::uint64_t pn;
};

FlowOptions options_of(const std::vector<Key>& keys, bool wide = false) {
  FlowOptions options;
  if (wide) options.alg = RTE_SECURITY_MACSEC_ALG_GCM_XPN_128;
  for (const Key& key : keys) {
    SaOptions sa{.key = key.bytes, .an = key.an, .pn = key.pn};
    if (wide) {
      sa.salt = key_of(12, 0x40);
      sa.ssci = 3;
    }
    options.sas.push_back(sa);
  }
  return options;
}

Bytes sealed(const Key& key, std::uint64_t pn, bool wide = false) {
  SealOptions options;
  options.key = key.bytes;
  options.an = key.an;
  options.pn = pn;
  if (wide) {
    options.salt = key_of(12, 0x40);
    options.ssci = 3;
  }
  return seal(clear_frame(), options);
}

std::vector<Bytes> clear(std::size_t count) {
  return std::vector<Bytes>(count, clear_frame());
}

std::vector<rte_eth_event_macsec_type> types(const std::vector<rte_eth_event_macsec_desc>& told) {
  std::vector<rte_eth_event_macsec_type> out;
  for (const auto& one : told) out.push_back(one.type);
  return out;
}

}  // namespace

TEST_CASE(
    "The next SA takes over where the first one's numbers reach their limit: no frame is lost, each is in order") {
  const bool wide = GENERATE(false, true);
  const std::uint64_t limit = wide ? threshold_wide : threshold;
  const std::vector<Key> keys = {{key_of(16, 1), 0, limit - 3}, {key_of(16, 2), 1, 10}};
  Port port;
  int mine = 0;
  FlowOptions options = options_of(keys, wide);
  options.userdata = &mine;
  const Flow flow(port, tx, options);
  const auto wire = port.transmit(clear(8));
  REQUIRE(wire.size() == 8);
  for (std::size_t i = 0; i < 3; ++i) CHECK(wire[i].bytes == sealed(keys[0], limit - 3 + i, wide));
  for (std::size_t i = 3; i < 8; ++i) CHECK(wire[i].bytes == sealed(keys[1], 10 + i - 3, wide));
  CHECK(flow.sa_stats(0).pkt_encrypt_cnt == 3);
  CHECK(flow.sa_stats(1).pkt_encrypt_cnt == 5);
  CHECK(flow.sc_stats().pkt_encrypt_cnt == 8);
  const auto told = port.events(1);
  REQUIRE(types(told) == std::vector{RTE_ETH_EVENT_MACSEC_TX_SA_PN_SOFT_EXP});
  CHECK(told[0].metadata == reinterpret_cast<std::uint64_t>(&mine));
}

TEST_CASE("An SA that began behind the threshold is used to its last number, and then the next one") {
  const std::vector<Key> keys = {{key_of(16, 1), 3, 0xfffffffe}, {key_of(16, 2), 0, 1}};
  Port port;
  const Flow flow(port, tx, options_of(keys));
  const auto wire = port.transmit(clear(6));
  REQUIRE(wire.size() == 6);
  CHECK(wire[0].bytes == sealed(keys[0], 0xfffffffe));
  CHECK(wire[1].bytes == sealed(keys[0], 0xffffffff));
  for (std::size_t i = 2; i < 6; ++i) CHECK(wire[i].bytes == sealed(keys[1], i - 1));
  auto told = types(port.events(2));
  std::sort(told.begin(), told.end());
  CHECK(told == std::vector{RTE_ETH_EVENT_MACSEC_TX_SA_PN_HARD_EXP, RTE_ETH_EVENT_MACSEC_TX_SA_PN_SOFT_EXP});
}

TEST_CASE("Without a next SA the numbers end, nothing leaves, and the application is told") {
  const std::vector<Key> keys = {{key_of(16, 1), 0, 0xffffffff}};
  Port port;
  const Flow flow(port, tx, options_of(keys));
  const auto wire = port.transmit(clear(5));
  REQUIRE(wire.size() == 1);
  CHECK(wire[0].bytes == sealed(keys[0], 0xffffffff));
  CHECK(flow.stats().pkt_noactivesa_cnt == 4);
  auto told = types(port.events(2));
  std::sort(told.begin(), told.end());
  CHECK(told == std::vector{RTE_ETH_EVENT_MACSEC_TX_SA_PN_HARD_EXP, RTE_ETH_EVENT_MACSEC_TX_SA_PN_SOFT_EXP});
}

TEST_CASE("A place is filled again while the other SA transmits: keys follow one another for as long as one likes") {
  // Each has two numbers.
  std::vector<Key> keys = {{key_of(16, 1), 0, threshold - 2}, {key_of(16, 2), 1, threshold - 2}};
  Port port;
  const Flow flow(port, tx, options_of(keys));
  REQUIRE(port.transmit(clear(2)).size() == 2);
  std::size_t now = 0;
  for (std::uint8_t round = 0; round < 10; ++round) {
    INFO(int{round});
    // 1. The other one takes over. 2. This one's place gets a new SA, under the id that the SC names.
    Key& used = keys[now];
    now = 1 - now;
    auto wire = port.transmit(clear(1));
    REQUIRE(wire.size() == 1);
    CHECK(wire[0].bytes == sealed(keys[now], threshold - 2));
    CHECK(port.destroy_sa(flow.sa(now)) == -EBUSY);
    REQUIRE(port.destroy_sa(flow.sa(1 - now)) == 0);
    CHECK(flow.sc_stats().pkt_encrypt_cnt == 3 + 2U * round);
    used.bytes = key_of(16, static_cast<std::uint8_t>(100 + round));
    REQUIRE(port.create_sa(sa_conf(tx, {.key = used.bytes, .an = used.an, .pn = threshold - 2})) == flow.sa(1 - now));
    wire = port.transmit(clear(1));
    REQUIRE(wire.size() == 1);
    CHECK(wire[0].bytes == sealed(keys[now], threshold - 1));
  }
}

TEST_CASE("In, the AN says which key it is: old and new frames pass side by side, and a new key takes an AN's place") {
  const std::vector<Key> keys = {{key_of(16, 1), 0, 100}, {key_of(16, 2), 1, 1}};
  Port port;
  Flow flow(port, rx, options_of(keys));
  CHECK(port.receive({sealed(keys[0], 100), sealed(keys[1], 1), sealed(keys[0], 101), sealed(keys[1], 2)}).size() == 4);
  REQUIRE(port.destroy_sa(flow.sa(0)) == 0);
  CHECK(port.receive({sealed(keys[0], 102)}).empty());
  CHECK(flow.stats().pkt_nosaerror_cnt == 1);
  CHECK(flow.sc_stats().pkt_ok_cnt == 4);
  const Key next = {key_of(16, 3), 0, 1};
  REQUIRE(port.create_sa(sa_conf(rx, {.key = next.bytes, .an = 0})) == flow.sa(0));
  const auto came = port.receive({sealed(keys[0], 103), sealed(next, 1), sealed(keys[1], 3)});
  REQUIRE(came.size() == 2);
  CHECK(came[0].bytes == clear_frame());
  CHECK(flow.sc_stats().pkt_ok_cnt == 6);
  CHECK(flow.sc_stats().pkt_notvalid_cnt == 1);
  CHECK(flow.sa_stats(0).pkt_ok_cnt == 1);
}

TEST_CASE("A received number at the threshold, and the last one, are told once") {
  const bool wide = GENERATE(false, true);
  const std::uint64_t limit = wide ? threshold_wide : threshold;
  const std::uint64_t last = wide ? ~std::uint64_t{0} - 1 : 0xffffffff;
  const Key key = {key_of(16, 1), 0, limit - 2};
  Port port;
  FlowOptions options = options_of({key}, wide);
  {
    const Flow flow(port, rx, options);
    REQUIRE(port.receive({sealed(key, limit - 2, wide)}).size() == 1);
    CHECK(port.events(0).empty());
    REQUIRE(port.receive({sealed(key, limit - 1, wide), sealed(key, limit, wide)}).size() == 2);
    CHECK(types(port.events(1)) == std::vector{RTE_ETH_EVENT_MACSEC_RX_SA_PN_SOFT_EXP});
    REQUIRE(port.receive({sealed(key, limit + 1, wide)}).size() == 1);
    CHECK(port.events(0).empty());
  }
  options.sas[0].pn = last;
  const Flow flow(port, rx, options);
  // A number that is not authentic says nothing.
  Bytes bad = sealed(key, last, wide);
  bad.back() ^= 1U;
  CHECK(port.receive({bad}).empty());
  CHECK(port.events(0).empty());
  REQUIRE(port.receive({sealed(key, last, wide)}).size() == 1);
  CHECK(types(port.events(2)) ==
        std::vector{RTE_ETH_EVENT_MACSEC_RX_SA_PN_SOFT_EXP, RTE_ETH_EVENT_MACSEC_RX_SA_PN_HARD_EXP});
}

TEST_CASE("A TX SA without a follower goes on behind the threshold") {
  Port port;
  const std::vector<Key> keys = {{key_of(16, 1), 0, threshold - 1}, {key_of(16, 2), 1, 1}};
  Flow flow(port, tx, options_of(keys));
  REQUIRE(port.destroy_sa(flow.sa(1)) == 0);
  flow.set_sa(1, 0);
  const auto wire = port.transmit(clear(3));
  REQUIRE(wire.size() == 3);
  CHECK(wire[2].bytes == sealed(keys[0], threshold + 1));
}
