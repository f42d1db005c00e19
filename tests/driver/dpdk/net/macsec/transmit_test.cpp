// What leaves a port, and what never does: VLAN tags in clear, lengths, rules, SAs that are not there.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/driver/dpdk/net/macsec/rig.hpp"

using namespace linecrypt::test;

namespace {

FlowOptions sender() {
  FlowOptions options;
  options.sas = {{.key = key_of(16)}};
  return options;
}

SealOptions sealed(std::uint64_t pn = 1, std::uint32_t tags = 0) {
  SealOptions options;
  options.key = key_of(16);
  options.pn = pn;
  options.tags = tags;
  return options;
}

Bytes tagged(std::uint32_t count) {
  Bytes frame = clear_frame();
  if (count > 0) frame = with_vlan(frame, 0x8100, 0x2005);
  if (count > 1) frame = with_vlan(frame, 0x88a8, 0x0007);
  if (count > 2) frame = with_vlan(frame, 0x8100, 0x0009);
  return frame;
}

}  // namespace

TEST_CASE("VLAN tags stay in clear in front of the SecTAG as sectag_off says, and come in again") {
  const std::uint32_t tags = GENERATE(0U, 1U, 2U, 3U);
  const std::uint32_t headroom = GENERATE(128U, 16U, 4U);
  INFO(tags << " tags, headroom " << headroom);
  Port port;
  const Bytes clear = tagged(tags);
  struct Mode {
    bool fixed;
    std::uint8_t off;
    std::uint32_t in_clear;  // tags
  };
  for (const Mode& mode :
       {Mode{true, 12, 0}, Mode{true, 16, 1}, Mode{true, 20, 2}, Mode{false, 4, std::min(tags, 2U)}}) {
    INFO("fixed " << mode.fixed << ", off " << int{mode.off});
    FlowOptions options = sender();
    options.fixed = mode.fixed;
    options.sectag_off = mode.off;
    Bytes on_wire;
    {
      const Flow flow(port, tx, options);
      const auto wire = port.transmit({clear}, {.headroom = static_cast<std::uint16_t>(headroom)});
      // With fewer tags than configured nothing leaves.
      if (mode.in_clear > tags) {
        CHECK(wire.empty());
        CHECK(flow.stats().pkt_noactivesa_cnt == 1);
        continue;
      }
      REQUIRE(wire.size() == 1);
      on_wire = wire[0].bytes;
      CHECK(on_wire == seal(clear, sealed(1, mode.in_clear)));
      CHECK(flow.stats().octet_encrypted_cnt == clear.size() - 12 - 4 * mode.in_clear);
    }
    const Flow in(port, rx, options);
    const auto came = port.receive({on_wire}, {.headroom = static_cast<std::uint16_t>(headroom)});
    REQUIRE(came.size() == 1);
    CHECK(came[0].bytes == clear);
    CHECK(came[0].secured());
  }
}

TEST_CASE("A frame with tags in clear that is refused shows its tags again, and no text") {
  Port port;
  FlowOptions options = sender();
  options.replay_protect = true;
  const Flow flow(port, rx, options);
  const Bytes frame = seal(tagged(2), sealed(1, 2));
  REQUIRE(port.receive({frame}).size() == 1);
  const auto came = port.receive({frame});
  REQUIRE(came.size() == 1);
  CHECK(came[0].failed());
  CHECK(Bytes(came[0].bytes.begin(), came[0].bytes.begin() + 36) == Bytes(frame.begin(), frame.begin() + 36));
  CHECK(Bytes(came[0].bytes.begin() + 36, came[0].bytes.end()) == Bytes(frame.size() - 36));
  CHECK_FALSE(shows(came[0].memory, tagged(2)));
}

TEST_CASE("Frames in segments, and mbufs without room, come out the same") {
  const Layout layout = GENERATE(Layout{{14}}, Layout{{1, 2, 3, 4}}, Layout{{13, 7}, 0}, Layout{{}, 0}, Layout{{50}, 3},
                                 Layout{{20, 20, 20}, 128});
  Port port;
  std::vector<Bytes> clear;
  std::vector<Bytes> secured;
  for (std::uint32_t pn = 1; pn <= 70; ++pn) {
    clear.push_back(tagged(pn % 3));
    secured.push_back(seal(clear.back(), sealed(pn, pn % 3)));
  }
  FlowOptions options = sender();
  options.fixed = false;
  options.sectag_off = 4;
  {
    const Flow flow(port, tx, options);
    const auto wire = port.transmit(clear, layout);
    REQUIRE(wire.size() == clear.size());
    for (std::size_t i = 0; i < clear.size(); ++i) CHECK(wire[i].bytes == secured[i]);
  }
  const Flow flow(port, rx, options);
  const auto came = port.receive(secured, layout);
  REQUIRE(came.size() == clear.size());
  for (std::size_t i = 0; i < clear.size(); ++i) CHECK(came[i].bytes == clear[i]);
}

TEST_CASE("A frame that its mbuf has no room for when it is secured is dropped, not cut") {
  Port port;
  const Flow flow(port, tx, sender());
  CHECK(port.transmit({clear_frame(2000)}, {.tight = true}).size() <= 1);
  Bytes full = clear_frame(2048 + 128 - 14 - 20);
  FlowOptions wide = sender();
  CHECK(port.transmit({full}, {.headroom = 0}).empty());
  CHECK(flow.stats().pkt_toolong_cnt >= 1);
}

TEST_CASE("A frame over the mtu is dropped: it counts what is behind the Ethernet header, secured") {
  Port port;
  FlowOptions options = sender();
  options.mtu = 200;
  const Flow flow(port, tx, options);
  // SecTAG and ICV are 32.
  CHECK(port.transmit({clear_frame(168)}).size() == 1);
  CHECK(port.transmit({clear_frame(169)}).empty());
  CHECK(flow.stats().pkt_toolong_cnt == 1);
  CHECK(flow.stats().octet_encrypted_cnt == 170);
}

TEST_CASE("With protect_frames=0 frames leave as they are, and are counted") {
  Port port;
  FlowOptions options = sender();
  options.protect = false;
  const Flow flow(port, tx, options);
  const auto wire = port.transmit({clear_frame()});
  REQUIRE(wire.size() == 1);
  CHECK(wire[0].bytes == clear_frame());
  CHECK(flow.stats().pkt_untagged_cnt == 1);
  CHECK(flow.sc_stats().pkt_encrypt_cnt == 0);
}

TEST_CASE("A flagged frame never leaves in clear: not without a rule, a session, or an SA") {
  Port port;
  CHECK(port.transmit({clear_frame()}).empty());
  {
    Flow flow(port, tx, sender());
    rte_flow_item_eth spec{};
    spec.hdr.dst_addr.addr_bytes[5] = 0x77;
    rte_flow_item pattern[2]{};
    pattern[0] = {RTE_FLOW_ITEM_TYPE_ETH, &spec, nullptr, nullptr};
    pattern[1].type = RTE_FLOW_ITEM_TYPE_END;
    flow.replace_rule(pattern);
    CHECK(port.transmit({clear_frame()}).empty());
    CHECK(flow.stats().ctl_octet_cnt == 0);
  }
  // A rule that is left over from a session matches nothing.
  FlowOptions options = sender();
  const int sa = port.create_sa(sa_conf(tx, options.sas[0]));
  const int sc = port.create_sc(sc_conf(tx, options, {sa}));
  Session* session = nullptr;
  REQUIRE(port.create(session_conf(tx, options, sc), session) == 0);
  rte_flow_item every[2]{};
  every[0].type = RTE_FLOW_ITEM_TYPE_ETH;
  every[1].type = RTE_FLOW_ITEM_TYPE_END;
  rte_flow_attr attr{};
  attr.egress = 1;
  Rule* const rule = port.add_rule(attr, every, session, nullptr);
  REQUIRE(rule != nullptr);
  CHECK(port.transmit({clear_frame()}).size() == 1);
  REQUIRE(port.destroy(session) == 0);
  CHECK(port.transmit({clear_frame()}).empty());
  // Not even if the SC has another session.
  REQUIRE(port.create(session_conf(tx, options, sc), session) == 0);
  CHECK(port.transmit({clear_frame()}).empty());
  port.remove_rule(rule);
  REQUIRE(port.destroy(session) == 0);
  REQUIRE(port.destroy_sc(sc) == 0);
  REQUIRE(port.destroy_sa(sa) == 0);
  CHECK(port.transmit({clear_frame()}).empty());
}

TEST_CASE("With ES or SCB a frame of another source does not leave: the peer would take its SCI from it") {
  Port port;
  FlowOptions options = sender();
  options.send_sci = false;
  options.end_station = true;
  const Flow flow(port, tx, options);
  Bytes other = clear_frame();
  other[11] = 0x55;
  CHECK(port.transmit({other, clear_frame()}).size() == 1);
}

TEST_CASE("63 flows of four ANs each way, told apart by addresses out and by SCI in") {
  constexpr std::uint32_t flows = 63;
  Port port;
  std::vector<std::unique_ptr<Flow>> out;
  std::vector<std::unique_ptr<Flow>> in;
  std::vector<Bytes> clear;
  const auto options_of = [](std::uint32_t i) {
    FlowOptions options;
    options.sci = 0x0200000000000001U + (std::uint64_t{i + 1} << 16U);
    return options;
  };
  for (std::uint32_t i = 0; i < flows; ++i) {
    FlowOptions options = options_of(i);
    options.sas = {{.key = key_of(16, static_cast<std::uint8_t>(i)), .an = static_cast<std::uint8_t>(i % 4)}};
    clear.push_back(clear_frame(50 + i));
    clear.back()[5] = static_cast<std::uint8_t>(i);
    out.push_back(std::make_unique<Flow>(port, tx, options));
    rte_flow_item_eth spec{};
    std::copy(clear.back().begin(), clear.back().begin() + 6, spec.hdr.dst_addr.addr_bytes);
    rte_flow_item_eth mask{};
    std::fill_n(mask.hdr.dst_addr.addr_bytes, 6, std::uint8_t{0xff});
    rte_flow_item pattern[2]{};
    pattern[0] = {RTE_FLOW_ITEM_TYPE_ETH, &spec, nullptr, &mask};
    pattern[1].type = RTE_FLOW_ITEM_TYPE_END;
    out.back()->replace_rule(pattern);
  }
  const auto wire = port.transmit(clear);
  REQUIRE(wire.size() == flows);
  std::vector<Bytes> secured;
  for (const Came& one : wire) secured.push_back(one.bytes);
  for (std::uint32_t i = 0; i < flows; ++i) {
    FlowOptions options = options_of(i);
    for (std::uint8_t an = 0; an < 4; ++an)
      options.sas.push_back({.key = key_of(16, static_cast<std::uint8_t>(i + (an == i % 4 ? 0 : 100))), .an = an});
    in.push_back(std::make_unique<Flow>(port, rx, options));
  }
  const auto came = port.receive(secured);
  REQUIRE(came.size() == flows);
  for (std::uint32_t i = 0; i < flows; ++i) {
    CHECK(came[i].bytes == clear[i]);
    CHECK(in[i]->sc_stats().pkt_ok_cnt == 1);
    CHECK(out[i]->sc_stats().pkt_encrypt_cnt == 1);
  }
}

TEST_CASE("Rules: the lower priority first, VLAN items by id and position, the first of equals") {
  Port port;
  FlowOptions options = sender();
  const auto flow_of = [&](std::uint64_t sci) {
    options.sci = sci;
    return std::make_unique<Flow>(port, tx, options);
  };
  const auto a = flow_of(0x0200000000010001);
  const auto b = flow_of(0x0200000000020001);
  const auto c = flow_of(0x0200000000030001);
  rte_flow_item_vlan outer{};
  outer.hdr.vlan_tci = RTE_BE16(7);
  rte_flow_item_vlan inner{};
  inner.hdr.vlan_tci = RTE_BE16(5);
  rte_flow_item two[4]{};
  two[0].type = RTE_FLOW_ITEM_TYPE_ETH;
  two[1] = {RTE_FLOW_ITEM_TYPE_VLAN, &outer, nullptr, nullptr};
  two[2] = {RTE_FLOW_ITEM_TYPE_VLAN, &inner, nullptr, nullptr};
  two[3].type = RTE_FLOW_ITEM_TYPE_END;
  rte_flow_item_eth has_vlan{};
  has_vlan.has_vlan = 1;
  rte_flow_item one[3]{};
  one[0] = {RTE_FLOW_ITEM_TYPE_ETH, &has_vlan, nullptr, &has_vlan};
  one[1].type = RTE_FLOW_ITEM_TYPE_VOID;
  one[2].type = RTE_FLOW_ITEM_TYPE_END;
  a->replace_rule(nullptr, 5);
  b->replace_rule(one, 2);
  c->replace_rule(two, 1);
  REQUIRE(port.transmit({tagged(0), tagged(1), tagged(1), tagged(2)}).size() == 4);
  CHECK(a->sc_stats().pkt_encrypt_cnt == 1);
  CHECK(b->sc_stats().pkt_encrypt_cnt == 2);
  CHECK(c->sc_stats().pkt_encrypt_cnt == 1);
  a->replace_rule(nullptr, 0);
  REQUIRE(port.transmit({tagged(2)}).size() == 1);
  CHECK(a->sc_stats().pkt_encrypt_cnt == 2);
}
