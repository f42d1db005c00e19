// Ports come, work and go; what they are told is checked.
#include <rte_bus_vdev.h>

#include <catch2/catch.hpp>

#include "tests/driver/dpdk/net/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

Esp esp_of(std::uint32_t spi) {
  Esp esp;
  esp.key = fresh_key();
  esp.spi = spi;
  return esp;
}

Bytes clear_packet() {
  return packet({}, noise(80));
}

bool visible(std::uint16_t port) {
  rte_eth_dev_owner owner{};
  return rte_eth_dev_is_valid_port(port) == 1 && rte_eth_dev_owner_get(port, &owner) == 0 &&
         owner.id == RTE_ETH_DEV_NO_OWNER;
}

}  // namespace

TEST_CASE("A wrong devarg is named with what is allowed, and leaves no port") {
  Wire wire;
  const Port user("lower=" + wire.name());
  Wire started;
  rte_eth_conf conf{};
  REQUIRE(rte_eth_dev_configure(started.port(), 1, 1, &conf) == 0);
  REQUIRE(rte_eth_rx_queue_setup(started.port(), 0, 64, 0, nullptr, frame_pool()) == 0);
  REQUIRE(rte_eth_tx_queue_setup(started.port(), 0, 64, 0, nullptr) == 0);
  REQUIRE(rte_eth_dev_start(started.port()) == 0);
  struct Wrong {
    std::string devargs;
    const char* words;
  };
  const std::vector<Wrong> all = {
      {"", "lower is missing; allowed: loopback, the name of an ethdev"},
      {"lower=", "lower=; allowed: loopback"},
      {"lower=dev()", "lower=dev(); allowed: loopback"},
      {"lower=dev(net_wire9", "a ( without its )"},
      {"lower=loopback)", "a ) without its ("},
      {"lower=net_nowhere", "no ethdev has that name; allowed: one that is there ("},
      {"lower=net_linecrypt_try", "cannot stand on itself"},
      {"lower=dev(net_nodriver0,a=b)", "it cannot be made"},
      {"lower=dev(" + wire.name() + ")", "is there already; allowed: lower="},
      {"lower=" + wire.name(), "it belongs to net_linecrypt"},
      {"lower=" + started.name(), "it is started; allowed: an ethdev that nobody uses"},
      {"lower=loopback,unprotected=maybe", "unprotected=maybe; allowed: drop, pass"},
      {"lower=loopback,queues=1", "queues=1; allowed: 2 to 64"},
      {"lower=loopback,engine=card", "need xclbin=<path>"},
      {"lower=loopback,engine=card,xclbin=/nowhere/x.xclbin", "engine=card and there is none to use"},
      {"lower=loopback,key=1", "unknown key key; allowed: engine"},
      {"lower=loopback,lower=loopback", "lower is given twice"},
  };
  const std::uint16_t before = rte_eth_dev_count_total();
  for (const Wrong& wrong : all) {
    INFO(wrong.devargs);
    said();
    CHECK(Port::try_probe(wrong.devargs) != 0);
    CHECK_THAT(said(), Catch::Contains(wrong.words));
    CHECK(rte_eth_dev_count_total() == before);
  }
  CHECK(Port::try_probe("lower=loopback,queues=64,max_sas=3,provider=openssl") == 0);
  CHECK(rte_eth_dev_count_total() == before);
  rte_eth_dev_stop(started.port());
}

TEST_CASE("A refusal behind the lower device gives it back") {
  Wire wire;
  CHECK(Port::try_probe("lower=" + wire.name() + ",engine=card,xclbin=/nowhere/x.xclbin") != 0);
  CHECK(visible(wire.port()));
  const std::uint16_t before = rte_eth_dev_count_total();
  CHECK(Port::try_probe("lower=dev(net_wire_made),engine=card,xclbin=/nowhere/x.xclbin") != 0);
  CHECK(rte_eth_dev_count_total() == before);
}

TEST_CASE("The lower port is hidden while it is used, and given back stopped") {
  Wire wire;
  CHECK(visible(wire.port()));
  {
    const Port port("lower=" + wire.name());
    CHECK_FALSE(visible(wire.port()));
    CHECK(visible(port.id()));
    CHECK(wire.started());
    rte_eth_dev_owner owner{};
    rte_eth_dev_owner_get(wire.port(), &owner);
    CHECK(std::string(owner.name) == port.name());
    // What is set on ours is set there.
    REQUIRE(rte_eth_promiscuous_enable(port.id()) == 0);
    CHECK(wire.promiscuous());
    REQUIRE(rte_eth_dev_set_mtu(port.id(), 4000) == 0);
    CHECK(wire.mtu() == 4000);
    rte_ether_addr mine{};
    rte_ether_addr its{};
    rte_eth_macaddr_get(port.id(), &mine);
    rte_eth_macaddr_get(wire.port(), &its);
    CHECK(rte_is_same_ether_addr(&mine, &its));
    // And what is seen there is told here.
    rte_eth_link link{};
    rte_eth_link_get_nowait(port.id(), &link);
    CHECK(link.link_speed == RTE_ETH_SPEED_NUM_10G);
    wire.set_link(false);
    CHECK(port.events().links == 1);
    rte_eth_link_get_nowait(port.id(), &link);
    CHECK(link.link_status == RTE_ETH_LINK_DOWN);
    CHECK(port.stats().imissed == 11);
  }
  CHECK(visible(wire.port()));
  CHECK_FALSE(wire.started());
}

TEST_CASE("A lower device that was made for a port comes behind it and goes with it, closed or not") {
  start_eal();
  const std::uint16_t before = rte_eth_dev_count_total();
  for (const bool closed : {true, false, true}) {
    INFO("closed " << closed);
    REQUIRE(rte_vdev_init("net_linecrypt_over", "lower=dev(net_wire_made),engine=software") == 0);
    std::uint16_t ours = 0;
    std::uint16_t its = 0;
    REQUIRE(rte_eth_dev_get_port_by_name("net_linecrypt_over", &ours) == 0);
    REQUIRE(rte_eth_dev_get_port_by_name("net_wire_made", &its) == 0);
    CHECK(ours < its);
    CHECK_FALSE(visible(its));
    if (closed) CHECK(rte_eth_dev_close(ours) == 0);
    CHECK(rte_vdev_uninit("net_linecrypt_over") == 0);
    CHECK(rte_eth_dev_count_total() == before);
  }
}

TEST_CASE("More queues than the engine has are refused, and fewer work after it") {
  start_eal();
  const Port port("lower=loopback,queues=4,unprotected=pass");
  rte_eth_dev_info info{};
  REQUIRE(rte_eth_dev_info_get(port.id(), &info) == 0);
  CHECK(info.max_rx_queues == 3);
  port.stop();
  rte_eth_conf conf{};
  said();
  CHECK(rte_eth_dev_configure(port.id(), 3, 2, &conf) < 0);
  CHECK_THAT(said(), Catch::Contains("3 receive and 2 transmit queues, allowed: 4 together"));
  REQUIRE(rte_eth_dev_configure(port.id(), 2, 2, &conf) == 0);
  for (std::uint16_t i = 0; i < 2; ++i) {
    REQUIRE(rte_eth_rx_queue_setup(port.id(), i, 64, 0, nullptr, frame_pool()) == 0);
    REQUIRE(rte_eth_tx_queue_setup(port.id(), i, 64, 0, nullptr) == 0);
  }
  port.start();
  // A loop brings frames back on the queue of the same number.
  port.send({make_mbuf(frame_pool(), frame_of(clear_packet()))}, 1);
  CHECK(port.receive(1, 1).front().frame == frame_of(clear_packet()));
}

TEST_CASE("What the port says that it does, it says for each mode and direction") {
  const Port port("lower=loopback");
  rte_eth_dev_info info{};
  REQUIRE(rte_eth_dev_info_get(port.id(), &info) == 0);
  CHECK((info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_SECURITY | RTE_ETH_RX_OFFLOAD_CHECKSUM)) ==
        (RTE_ETH_RX_OFFLOAD_SECURITY | RTE_ETH_RX_OFFLOAD_CHECKSUM));
  CHECK((info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_SECURITY) != 0);
  for (const auto mode : {RTE_SECURITY_IPSEC_SA_MODE_TUNNEL, RTE_SECURITY_IPSEC_SA_MODE_TRANSPORT}) {
    const auto* const out = port.capability(mode, RTE_SECURITY_IPSEC_SA_DIR_EGRESS);
    const auto* const in = port.capability(mode, RTE_SECURITY_IPSEC_SA_DIR_INGRESS);
    REQUIRE(out != nullptr);
    REQUIRE(in != nullptr);
    CHECK(out->ol_flags == RTE_SECURITY_TX_OLOAD_NEED_MDATA);
    CHECK(in->ipsec.replay_win_sz_max >= 1024);
    CHECK(out->ipsec.options.iv_gen_disable == 0);
  }
}

TEST_CASE("Each ingress session has an SPI of its own, reserved ones too where they are allowed") {
  const Port port("lower=loopback,reserved_spi=allow");
  for (const std::uint32_t spi : {7U, 70'000U}) {
    const Esp first = esp_of(spi);
    Session one(port, first, Way::in);
    REQUIRE_FALSE(one.none());
    said();
    CHECK(Session(port, esp_of(spi), Way::in).none());
    CHECK_THAT(said(), Catch::Contains("another ingress session has it"));
    // Egress has numbers of its own.
    CHECK_FALSE(Session(port, esp_of(spi), Way::out).none());
    CHECK(one.destroy() == 0);
    CHECK_FALSE(Session(port, esp_of(spi), Way::in).none());
  }
}

TEST_CASE("The debugging contract of test suites holds behind its devarg alone") {
  const auto given = [](rte_security_session_conf& conf) { conf.ipsec.options.iv_gen_disable = 1; };
  ::setenv("ETH_SEC_IV_OVR", "0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, ", 1);
  {
    const Port port("lower=loopback");
    CHECK(Session(port, esp_of(900), Way::out, given).none());
  }
  Wire wire;
  const Port port("lower=" + wire.name() + ",test_iv=1");
  const Esp esp = esp_of(901);
  {
    const Session out(port, esp, Way::out, given);
    REQUIRE_FALSE(out.none());
    port.send({out.mbuf_of(clear_packet())});
    std::vector<Bytes> sent;
    REQUIRE(wait_until([&] {
      sent = wire.sent();
      return !sent.empty();
    }));
    const auto opened = open(esp, {sent[0].begin() + 14, sent[0].end()});
    REQUIRE(opened);
    CHECK(opened->iv == 0x0102030405060708U);
    CHECK(opened->inner == clear_packet());
  }
  for (const char* const wrong : {"", "0x01, 0x02", "0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x100"}) {
    ::setenv("ETH_SEC_IV_OVR", wrong, 1);
    said();
    CHECK(Session(port, esp_of(902), Way::out, given).none());
    CHECK_THAT(said(), Catch::Contains("ETH_SEC_IV_OVR"));
  }
  ::unsetenv("ETH_SEC_IV_OVR");
}

TEST_CASE("rte_flow: ESP rules are taken, counted and flushed; others are refused by what is wrong with them") {
  Wire wire;
  const Port port("lower=" + wire.name());
  const Esp esp = esp_of(3000);
  const Esp other = esp_of(3001);
  const Session in(port, esp, Way::in);
  const Session beside(port, other, Way::in);
  const Session out(port, esp_of(3002), Way::out);
  rte_flow_attr attr{};
  attr.ingress = 1;
  rte_flow_item_esp spec{};
  rte_flow_item_esp mask{};
  spec.hdr.spi = rte_cpu_to_be_32(3000);
  mask.hdr.spi = 0xffffffffU;
  const rte_flow_item eth{RTE_FLOW_ITEM_TYPE_ETH, nullptr, nullptr, nullptr};
  const rte_flow_item ipv4{RTE_FLOW_ITEM_TYPE_IPV4, nullptr, nullptr, nullptr};
  const rte_flow_item ipv6{RTE_FLOW_ITEM_TYPE_IPV6, nullptr, nullptr, nullptr};
  const rte_flow_item udp_item{RTE_FLOW_ITEM_TYPE_UDP, nullptr, nullptr, nullptr};
  const rte_flow_item esp_any{RTE_FLOW_ITEM_TYPE_ESP, nullptr, nullptr, nullptr};
  const rte_flow_item esp_3000{RTE_FLOW_ITEM_TYPE_ESP, &spec, nullptr, &mask};
  const rte_flow_item end{RTE_FLOW_ITEM_TYPE_END, nullptr, nullptr, nullptr};
  const rte_flow_action secure{RTE_FLOW_ACTION_TYPE_SECURITY, nullptr};
  const rte_flow_action count{RTE_FLOW_ACTION_TYPE_COUNT, nullptr};
  const rte_flow_action drop{RTE_FLOW_ACTION_TYPE_DROP, nullptr};
  const rte_flow_action last{RTE_FLOW_ACTION_TYPE_END, nullptr};
  const auto session = [](const Session& one) { return rte_flow_action{RTE_FLOW_ACTION_TYPE_SECURITY, one.get()}; };
  using Items = std::vector<rte_flow_item>;
  using Actions = std::vector<rte_flow_action>;
  const auto validate = [&](const Items& items, const Actions& actions, std::string& words) {
    rte_flow_error error{};
    const int code = rte_flow_validate(port.id(), &attr, items.data(), actions.data(), &error);
    words = error.message == nullptr ? "" : error.message;
    return code;
  };
  SECTION("wrong ones") {
    struct Wrong {
      Items items;
      Actions actions;
      const char* words;
    };
    rte_flow_item_ipv4 address{};
    address.hdr.dst_addr = 1;
    rte_flow_item_esp number{};
    number.hdr.seq = 1;
    rte_flow_item_esp part{};
    part.hdr.spi = 0xff;
    const std::vector<Wrong> all = {
        {{eth, ipv4, end}, {secure, last}, "without ESP"},
        {{esp_any, ipv4, end}, {secure, last}, "in this order"},
        {{{RTE_FLOW_ITEM_TYPE_TCP, nullptr, nullptr, nullptr}, end}, {secure, last}, "allowed: [ETH]"},
        {{eth, {RTE_FLOW_ITEM_TYPE_IPV4, &address, nullptr, nullptr}, esp_any, end}, {secure, last}, "are not matched"},
        {{{RTE_FLOW_ITEM_TYPE_ESP, &spec, &spec, &mask}, end}, {secure, last}, "a range is not matched"},
        {{{RTE_FLOW_ITEM_TYPE_ESP, &spec, nullptr, &number}, end}, {secure, last}, "sequence number"},
        {{{RTE_FLOW_ITEM_TYPE_ESP, &spec, nullptr, &part}, end}, {secure, last}, "SPI: allowed: a whole one"},
        {{esp_any, end}, {last}, "without SECURITY"},
        {{esp_any, end}, {drop, last}, "allowed: SECURITY, once, and COUNT"},
        {{esp_any, end}, {secure, secure, last}, "allowed: SECURITY, once"},
        {{esp_any, end}, {session(out), last}, "an egress session"},
        {{esp_3000, end}, {session(beside), last}, "another SPI than the pattern"},
    };
    for (const Wrong& wrong : all) {
      std::string words;
      CHECK(validate(wrong.items, wrong.actions, words) < 0);
      CHECK_THAT(words, Catch::Contains(wrong.words));
    }
    std::string words;
    for (const auto change : {0, 1, 2, 3}) {
      attr = {};
      attr.ingress = change != 0;
      attr.egress = change == 1;
      attr.group = change == 2;
      attr.priority = change == 3;
      CHECK(validate({esp_any, end}, {secure, last}, words) < 0);
    }
    rte_flow_error error{};
    CHECK(rte_flow_destroy(port.id(), reinterpret_cast<rte_flow*>(&error), &error) < 0);
  }
  SECTION("one session's, with a counter") {
    const Items items = {eth, ipv4, esp_3000, end};
    const Actions actions = {count, session(in), last};
    rte_flow_error error{};
    rte_flow* const flow = rte_flow_create(port.id(), &attr, items.data(), actions.data(), &error);
    REQUIRE(flow != nullptr);
    const Bytes clear = clear_packet();
    wire.put(frames_of({seal(esp, clear, 1), seal(other, clear, 1), seal(esp, clear, 1)}));
    const auto came = port.receive(3);
    CHECK(came[0].good());
    CHECK_FALSE(came[1].secured());
    CHECK(came[2].failed());
    rte_flow_query_count hits{};
    hits.reset = 1;
    REQUIRE(rte_flow_query(port.id(), flow, &count, &hits, &error) == 0);
    CHECK(hits.hits == 2);
    REQUIRE(rte_flow_query(port.id(), flow, &count, &hits, &error) == 0);
    CHECK(hits.hits == 0);
    CHECK(rte_flow_flush(port.id(), &error) == 0);
    wire.put(frames_of({seal(esp, clear, 2)}));
    CHECK_FALSE(port.receive(1).front().secured());
    CHECK(rte_flow_query(port.id(), flow, &count, &hits, &error) < 0);
  }
  SECTION("a family's") {
    const Items items = {eth, ipv6, esp_any, end};
    const Actions actions = {secure, last};
    rte_flow_error error{};
    REQUIRE(rte_flow_create(port.id(), &attr, items.data(), actions.data(), &error) != nullptr);
    wire.put(frames_of({seal(esp, clear_packet(), 1)}));
    CHECK_FALSE(port.receive(1).front().secured());
  }
  SECTION("sessions in UDP alone") {
    const Items items = {eth, ipv4, udp_item, esp_any, end};
    const Actions actions = {secure, last};
    rte_flow_error error{};
    REQUIRE(rte_flow_create(port.id(), &attr, items.data(), actions.data(), &error) != nullptr);
    wire.put(frames_of({seal(esp, clear_packet(), 1)}));
    CHECK_FALSE(port.receive(1).front().secured());
  }
}
