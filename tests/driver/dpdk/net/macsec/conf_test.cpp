// What is refused, and that each refusal names the field, what was found and what is allowed; ids, order, capabilities.
#include <rte_byteorder.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <functional>

#include "tests/driver/dpdk/net/macsec/rig.hpp"

using namespace linecrypt::test;

namespace {

FlowOptions options_of(rte_security_macsec_alg alg = RTE_SECURITY_MACSEC_ALG_GCM_128) {
  FlowOptions options;
  options.alg = alg;
  const bool wide = alg == RTE_SECURITY_MACSEC_ALG_GCM_XPN_128 || alg == RTE_SECURITY_MACSEC_ALG_GCM_XPN_256;
  const bool short_key = alg == RTE_SECURITY_MACSEC_ALG_GCM_128 || alg == RTE_SECURITY_MACSEC_ALG_GCM_XPN_128;
  options.sas = {{.key = key_of(short_key ? 16 : 32), .ssci = wide ? 1U : 0U, .salt = wide ? key_of(12) : Bytes{}}};
  return options;
}

// An application may write what is no enumerator.
template <typename Enumeration>
void set(Enumeration& value, std::uint32_t number) {
  std::memcpy(&value, &number, sizeof number);
}

struct Refusal {
  const char* field;
  const char* found;
  const char* allowed;
};

void check_said(const Refusal& refusal) {
  const std::string text = said();
  INFO(text);
  CHECK(text.find("MACsec refused") != std::string::npos);
  CHECK(text.find(refusal.field) != std::string::npos);
  CHECK(text.find(refusal.found) != std::string::npos);
  CHECK(text.find(refusal.allowed) != std::string::npos);
}

}  // namespace

TEST_CASE("A session that asks for what is not done is refused by field, and its SC and SAs are as before") {
  struct Wrong {
    rte_security_macsec_direction direction;
    std::function<void(rte_security_session_conf&)> change;
    Refusal refusal;
  };
  const std::vector<Wrong> all = {
      {tx, [](auto& c) { c.action_type = RTE_SECURITY_ACTION_TYPE_INLINE_CRYPTO; }, {"action_type", "1", "allowed"}},
      {tx, [](auto& c) { set(c.macsec.alg, 4); }, {"macsec.alg", "4", "0 to 3"}},
      {tx, [](auto& c) { c.macsec.dir = rx; }, {"macsec.dir", "1", "0"}},
      {tx, [](auto& c) { c.macsec.cipher_off = 20; }, {"macsec.cipher_off", "20", "0, 30 or 50"}},
      {tx, [](auto& c) { c.macsec.sci ^= 1; }, {"macsec.sci", "0x0200000000010000", "0x0200000000010001"}},
      {tx, [](auto& c) { c.macsec.sc_id = 99; }, {"macsec.sc_id", "99", "the id of an SC"}},
      {tx, [](auto& c) { c.macsec.tx_secy.mtu = 0; }, {"tx_secy.mtu", "0", "1 to "}},
      {tx, [](auto& c) { c.macsec.tx_secy.mtu = 60000; }, {"tx_secy.mtu", "60000", "1 to "}},
      {tx, [](auto& c) { c.macsec.tx_secy.sectag_off = 14; }, {"tx_secy.sectag_off", "14", "12, 16 or 20"}},
      {tx, [](auto& c) { c.macsec.tx_secy.sectag_off = 24; }, {"tx_secy.sectag_off", "24", "12, 16 or 20"}},
      {tx, [](auto& c) { c.macsec.tx_secy.sectag_insert_mode = 0; }, {"tx_secy.sectag_off", "12", "4"}},
      {tx, [](auto& c) { c.macsec.tx_secy.icv_include_da_sa = 0; }, {"tx_secy.icv_include_da_sa", "0", "1"}},
      {tx, [](auto& c) { c.macsec.tx_secy.sectag_version = 1; }, {"tx_secy.sectag_version", "1", "0"}},
      {tx, [](auto& c) { c.macsec.tx_secy.reserved = 5; }, {"tx_secy.reserved", "0x5", "0"}},
      {tx, [](auto& c) { c.macsec.tx_secy.end_station = 1; }, {"end_station=1", "send_sci=1", "one of them"}},
      {tx, [](auto& c) { c.macsec.tx_secy.scb = 1; }, {"scb=1", "send_sci=1", "one of them"}},
      {rx, [](auto& c) { c.macsec.sci = ~std::uint64_t{0}; }, {"sci", "0xffffffffffffffff", "any other"}},
      {rx, [](auto& c) { c.macsec.rx_secy.preserve_sectag = 1; }, {"rx_secy.preserve_sectag", "1", "0"}},
      {rx, [](auto& c) { c.macsec.rx_secy.preserve_icv = 1; }, {"rx_secy.preserve_icv", "1", "0"}},
      {rx, [](auto& c) { c.macsec.rx_secy.icv_include_da_sa = 0; }, {"rx_secy.icv_include_da_sa", "0", "1"}},
      {rx, [](auto& c) { c.macsec.rx_secy.validate_frames = 3; }, {"rx_secy.validate_frames", "3", "0 (DISABLE)"}},
      {rx, [](auto& c) { c.macsec.rx_secy.reserved = 1; }, {"rx_secy.reserved", "0x1", "0"}},
      {rx, [](auto& c) { c.macsec.alg = RTE_SECURITY_MACSEC_ALG_GCM_256; }, {"sa.key.length", "16", "32"}},
  };
  Port port;
  for (const auto direction : {tx, rx}) {
    const FlowOptions options = options_of();
    const int sa = port.create_sa(sa_conf(direction, options.sas[0]));
    const int sc = port.create_sc(sc_conf(direction, options, {sa}));
    REQUIRE(sc > 0);
    for (const Wrong& wrong : all) {
      if (wrong.direction != direction) continue;
      INFO(wrong.refusal.field << " " << wrong.refusal.found);
      auto conf = session_conf(direction, options, sc);
      wrong.change(conf);
      Session* session = nullptr;
      (void)said();
      CHECK(port.create(conf, session) < 0);
      check_said(wrong.refusal);
    }
    Session* session = nullptr;
    REQUIRE(port.create(session_conf(direction, options, sc), session) == 0);
    CHECK(port.update(session_conf(direction, options, sc), session) == -ENOTSUP);
    check_said({"session_update", "MACSEC", "allowed"});
    // One session an SC; one SC an SA; nothing goes before what stands on it.
    Session* second = nullptr;
    CHECK(port.create(session_conf(direction, options, sc), second) < 0);
    check_said({"macsec.sc_id", "has a session", "allowed"});
    CHECK(port.create_sc(sc_conf(direction, options, {sa})) == -EBUSY);
    check_said({direction == tx ? "sc_tx.sa_id" : "sc_rx.sa_id[0]", "belongs to SC", "allowed"});
    CHECK(port.destroy_sc(sc) == -EBUSY);
    check_said({"sc_id", "has a session", "allowed"});
    REQUIRE(port.destroy(session) == 0);
    REQUIRE(port.destroy_sc(sc) == 0);
    CHECK(port.destroy_sc(sc) == -EINVAL);
    REQUIRE(port.destroy_sa(sa) == 0);
    CHECK(port.destroy_sa(sa) == -EINVAL);
  }
}

TEST_CASE("What the engine or the standard refuses comes with its words, and nothing stays behind") {
  Port port;
  struct Wrong {
    FlowOptions options;
    rte_security_macsec_direction direction;
    Refusal refusal;
  };
  std::vector<Wrong> all;
  FlowOptions options = options_of(RTE_SECURITY_MACSEC_ALG_GCM_XPN_128);
  options.sas[0].ssci = 0;
  all.push_back({options, tx, {"ssci", "asked 0", "1 and above"}});
  options = options_of(RTE_SECURITY_MACSEC_ALG_GCM_XPN_256);
  options.replay_protect = true;
  options.replay_window = 1U << 30U;
  all.push_back({options, rx, {"replay_window", "1073741824", "at most 1073741823"}});
  options = options_of();
  options.sas[0].pn = std::uint64_t{7} << 32U;
  all.push_back({options, tx, {"sa.xpn", "7", "0"}});
  options = options_of();
  options.encrypt = false;
  options.cipher_off = 30;
  all.push_back({options, tx, {"confidentiality_offset", "30", "0 with integrity only"}});
  options = options_of();
  options.sci = 0x0300000000010001;
  all.push_back({options, tx, {"sci", "03:00:00:00:00:01", "individual"}});
  options = options_of();
  options.send_sci = false;
  options.scb = true;
  all.push_back({options, tx, {"sci", "port 1 with scb", "port 0"}});
  for (const Wrong& wrong : all) {
    INFO(wrong.refusal.field);
    const int sa = port.create_sa(sa_conf(wrong.direction, wrong.options.sas[0]));
    const int sc = port.create_sc(sc_conf(wrong.direction, wrong.options, {sa}));
    Session* session = nullptr;
    (void)said();
    CHECK(port.create(session_conf(wrong.direction, wrong.options, sc), session) < 0);
    check_said(wrong.refusal);
    REQUIRE(port.destroy_sc(sc) == 0);
    REQUIRE(port.destroy_sa(sa) == 0);
  }
}

TEST_CASE("SAs and SCs that make no sense are refused by field") {
  Port port;
  rte_security_macsec_sa sa = sa_conf(tx, {.key = key_of(24)});
  CHECK(port.create_sa(sa) == -EINVAL);
  check_said({"sa.key.length", "24", "16 or 32"});
  sa = sa_conf(tx, {.key = key_of(16)});
  set(sa.dir, 2);
  CHECK(port.create_sa(sa) == -EINVAL);
  check_said({"sa.dir", "2", "0 (TX) or 1 (RX)"});
  sa = sa_conf(tx, {});
  sa.key.data = nullptr;
  CHECK(port.create_sa(sa) == -EINVAL);
  check_said({"sa.key.data", "none", "a key"});

  const FlowOptions options = options_of();
  const int out = port.create_sa(sa_conf(tx, {.key = key_of(16)}));
  const int out_too = port.create_sa(sa_conf(tx, {.key = key_of(16, 1)}));
  const int in = port.create_sa(sa_conf(rx, {.key = key_of(16), .an = 2}));
  CHECK(port.create_sc(sc_conf(tx, options, {77})) == -EINVAL);
  check_said({"sc_tx.sa_id", "77", "the id of an SA"});
  CHECK(port.create_sc(sc_conf(tx, options, {in})) == -EINVAL);
  check_said({"sc_tx.sa_id", "an SA for RX", "one for TX"});
  CHECK(port.create_sc(sc_conf(rx, options, {in})) == -EINVAL);
  check_said({"sc_rx.sa_id[0]", "AN 2", "AN 0"});
  CHECK(port.create_sc(sc_conf(tx, options, {out, out_too})) == -EINVAL);
  check_said({"sc_tx.sa_id_rekey", "AN 0", "another AN"});
  rte_security_macsec_sc sc = sc_conf(tx, options, {out});
  sc.sc_tx.reserved = 3;
  CHECK(port.create_sc(sc) == -EINVAL);
  check_said({"sc_tx.reserved", "0x3", "0"});
  set(sc.dir, 9);
  CHECK(port.create_sc(sc) == -EINVAL);
  check_said({"sc.dir", "9", "0 (TX) or 1 (RX)"});
  rte_security_macsec_sc_stats sc_stats;
  CHECK(port.sc_stats(5, sc_stats) == -EINVAL);
  rte_security_macsec_sa_stats sa_stats;
  CHECK(port.sa_stats(500, sa_stats) == -EINVAL);
}

TEST_CASE("Rules that MACsec does not have are refused, and say what is allowed") {
  Port port;
  const Flow flow(port, rx, options_of());
  rte_flow_attr attr{};
  attr.ingress = 1;
  rte_flow_item_eth eth{};
  const auto refused = [&](const rte_flow_attr& asked, std::vector<rte_flow_item> pattern, Session* session,
                           const std::string& says) {
    pattern.push_back({RTE_FLOW_ITEM_TYPE_END, nullptr, nullptr, nullptr});
    rte_flow_error error{};
    CHECK(port.add_rule(asked, pattern.data(), session, &error) == nullptr);
    REQUIRE(error.message != nullptr);
    INFO(error.message);
    CHECK(std::string(error.message).find(says) != std::string::npos);
    CHECK(std::string(error.message).find("allowed") != std::string::npos);
  };
  const rte_flow_item every = {RTE_FLOW_ITEM_TYPE_ETH, nullptr, nullptr, nullptr};
  const rte_flow_item vlan = {RTE_FLOW_ITEM_TYPE_VLAN, nullptr, nullptr, nullptr};
  refused(attr, {every, {RTE_FLOW_ITEM_TYPE_IPV4, nullptr, nullptr, nullptr}}, flow.session(), "pattern");
  refused(attr, {every, every}, flow.session(), "pattern");
  refused(attr, {every, vlan, vlan, vlan}, flow.session(), "two VLAN");
  refused(attr, {{RTE_FLOW_ITEM_TYPE_ETH, &eth, &eth, nullptr}}, flow.session(), "range");
  rte_flow_attr other = attr;
  other.group = 1;
  refused(other, {every}, flow.session(), "group");
  other = attr;
  other.transfer = 1;
  refused(other, {every}, flow.session(), "transfer");
  other = attr;
  other.ingress = 0;
  other.egress = 1;
  refused(other, {every}, flow.session(), "ingress alone");
  other.ingress = 1;
  refused(other, {every}, flow.session(), "ingress alone");
}

TEST_CASE("A key that encrypts already is refused, and its numbers go on where they stopped") {
  Port port("");
  // No other test knows this key.
  FlowOptions options;
  options.sas = {{.key = from_hex("00112233445566778899aabbccddeeff"), .pn = 40}};
  SealOptions sealed;
  sealed.key = options.sas[0].key;
  std::uint64_t next = 40;
  for (int i = 0; i < 2; ++i) {
    const Flow flow(port, tx, options);
    const auto wire = port.transmit({clear_frame(), clear_frame()});
    REQUIRE(wire.size() == 2);
    std::uint32_t first = 0;
    for (std::size_t b = 16; b < 20; ++b) first = first << 8U | wire[0].bytes[b];
    CHECK(first >= next);
    sealed.pn = first;
    CHECK(wire[0].bytes == seal(clear_frame(), sealed));
    sealed.pn = ++first;
    CHECK(wire[1].bytes == seal(clear_frame(), sealed));
    next = first + 1;
    // A second user of it.
    const int sa = port.create_sa(sa_conf(tx, options.sas[0]));
    const int sc = port.create_sc(sc_conf(tx, options, {sa}));
    Session* session = nullptr;
    (void)said();
    CHECK(port.create(session_conf(tx, options, sc), session) < 0);
    check_said({"key", "encrypts with this key", "repeat nonces"});
    REQUIRE(port.destroy_sc(sc) == 0);
    REQUIRE(port.destroy_sa(sa) == 0);
    // Its own numbers again, which are used.
    options.sas[0].pn = 1;
  }
  options.sas[0].pn = 41;
  const int sa = port.create_sa(sa_conf(tx, options.sas[0]));
  const int sc = port.create_sc(sc_conf(tx, options, {sa}));
  Session* session = nullptr;
  (void)said();
  CHECK(port.create(session_conf(tx, options, sc), session) < 0);
  CHECK(said().find("41") != std::string::npos);
}

TEST_CASE("What is said of a refused session shows nothing of its key") {
  Port port("");
  const std::string hex = "c0ffee00deadbeef1122334455667788";
  FlowOptions options;
  options.sas = {{.key = from_hex(hex)}};
  (void)said();
  {
    const Flow flow(port, tx, options);
    const int sa = port.create_sa(sa_conf(tx, options.sas[0]));
    const int sc = port.create_sc(sc_conf(tx, options, {sa}));
    Session* session = nullptr;
    CHECK(port.create(session_conf(tx, options, sc), session) < 0);
  }
  const std::string text = said();
  CHECK(text.find("refused") != std::string::npos);
  for (std::size_t i = 0; i + 8 <= hex.size(); i += 8) CHECK(text.find(hex.substr(i, 8)) == std::string::npos);
}

TEST_CASE("Ids begin at 1, are one space for both directions, and are used again") {
  Port port;
  const int a = port.create_sa(sa_conf(tx, {.key = key_of(16)}));
  const int b = port.create_sa(sa_conf(rx, {.key = key_of(16)}));
  CHECK(a == 1);
  CHECK(b == 2);
  REQUIRE(port.destroy_sa(a) == 0);
  CHECK(port.create_sa(sa_conf(rx, {.key = key_of(16)})) == 1);
}

TEST_CASE("As many SAs as max_sas says, and then a refusal that says so") {
  Port port("key_reuse=allow,max_sas=8");
  for (int i = 0; i < 8; ++i) REQUIRE(port.create_sa(sa_conf(tx, {.key = key_of(16)})) == i + 1);
  (void)said();
  CHECK(port.create_sa(sa_conf(tx, {.key = key_of(16)})) == -ENOMEM);
  CHECK(said().find("all 8 SAs") != std::string::npos);
}

TEST_CASE("Capabilities name each suite, and nothing that is refused") {
  Port port;
  const auto all = port.capabilities();
  CHECK(all.size() == 4);
  std::uint32_t suites = 0;
  for (const auto& one : all) {
    CHECK(one.action == RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL);
    CHECK(one.protocol == RTE_SECURITY_PROTOCOL_MACSEC);
    suites |= 1U << one.macsec.alg;
    CHECK(one.macsec.max_nb_sc >= 126);
    CHECK(one.macsec.max_nb_sa >= 315);
    CHECK(one.macsec.mtu >= 9000);
    CHECK(one.macsec.re_key == 1);
    CHECK(one.macsec.anti_replay == 1);
    CHECK(one.macsec.preserve_sectag == 0);
    CHECK(one.macsec.preserve_icv == 0);
    FlowOptions options = options_of(one.macsec.alg);
    options.mtu = one.macsec.mtu;
    options.replay_protect = true;
    options.replay_window = one.macsec.replay_win_sz;
    const Flow out(port, tx, options);
    const Flow in(port, rx, options);
  }
  CHECK(suites == 0xf);
}
