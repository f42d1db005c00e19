// What is not delivered, and what is, flagged: bad ICVs, replays, tags that break rules, frames without tags or SAs.
#include <catch2/catch.hpp>

#include "tests/driver/dpdk/net/macsec/rig.hpp"

using namespace linecrypt::test;

namespace {

constexpr std::uint8_t strict = RTE_SECURITY_MACSEC_VALIDATE_STRICT;
constexpr std::uint8_t no_discard = RTE_SECURITY_MACSEC_VALIDATE_NO_DISCARD;
constexpr std::uint8_t disabled = RTE_SECURITY_MACSEC_VALIDATE_DISABLE;

FlowOptions receiver(std::uint8_t validate = strict) {
  FlowOptions options;
  options.sas = {{.key = key_of(16)}};
  options.validate = validate;
  return options;
}

SealOptions sealed(std::uint64_t pn = 1, bool encrypt = true) {
  SealOptions options;
  options.key = key_of(16);
  options.pn = pn;
  options.encrypt = encrypt;
  return options;
}

Bytes flipped(Bytes frame, std::size_t at, std::uint8_t bits = 1) {
  frame[at] = static_cast<std::uint8_t>(frame[at] ^ bits);
  return frame;
}

}  // namespace

TEST_CASE("A frame with a bit flipped anywhere is dropped, and the good one behind it passes") {
  Port port;
  const Flow flow(port, rx, receiver());
  const bool encrypt = GENERATE(true, false);
  const Bytes clear = clear_frame(60);
  std::uint64_t pn = 1;
  std::uint64_t wrong = 0;
  const std::size_t length = seal(clear, sealed()).size();
  for (std::size_t at = 0; at < length; ++at) {
    // What is no SecTAG any more, or another SCI's or AN's, is not told by its ICV.
    if (at >= 12 && at < 28) continue;
    INFO(at);
    const auto came = port.receive({flipped(seal(clear, sealed(pn, encrypt)), at), seal(clear, sealed(pn, encrypt))});
    REQUIRE(came.size() == 1);
    CHECK(came[0].bytes == clear);
    ++pn;
    ++wrong;
  }
  CHECK(flow.sc_stats().pkt_notvalid_cnt == wrong);
  CHECK(flow.sa_stats(0).pkt_notvalid_cnt == wrong);
  CHECK(flow.sc_stats().pkt_ok_cnt == wrong);
}

TEST_CASE("A frame whose PN, SCI or tag was changed is not delivered as good") {
  Port port;
  const Flow flow(port, rx, receiver());
  const Bytes clear = clear_frame(60);
  for (std::size_t at = 12; at < 28; ++at) {
    INFO(at);
    for (const Came& came : port.receive({flipped(seal(clear, sealed()), at, 0x04)}))
      CHECK_FALSE((came.secured() && !came.failed()));
  }
  CHECK(flow.sc_stats().pkt_ok_cnt == 0);
}

TEST_CASE("With NO_DISCARD a frame whose ICV is wrong is delivered flagged: clear text as it is, other text zero") {
  Port port;
  const Flow flow(port, rx, receiver(no_discard));
  const Bytes clear = clear_frame(60);
  // 1. In the open: IEEE 802.1AE-2018 10.6.5 delivers it.
  auto came = port.receive({flipped(seal(clear, sealed(1, false)), 70)});
  REQUIRE(came.size() == 1);
  CHECK(came[0].failed());
  CHECK(came[0].bytes.size() == clear.size());
  CHECK(flow.sc_stats().pkt_invalid_cnt == 1);
  // 2. Encrypted: nothing of it.
  const Bytes bad = flipped(seal(clear, sealed(2)), 70);
  came = port.receive({bad});
  REQUIRE(came.size() == 1);
  CHECK(came[0].failed());
  CHECK(came[0].bytes.size() == bad.size());
  CHECK_FALSE(shows(came[0].memory, clear));
  CHECK(Bytes(came[0].bytes.begin() + 28, came[0].bytes.end()) == Bytes(bad.size() - 28));
  CHECK(flow.sc_stats().pkt_notvalid_cnt == 1);
  CHECK(flow.sc_stats().pkt_ok_cnt == 0);
}

TEST_CASE(
    "With validation disabled a frame in the open is delivered unchecked, and an encrypted one must prove itself") {
  Port port;
  const Flow flow(port, rx, receiver(disabled));
  const Bytes clear = clear_frame(60);
  auto came = port.receive({flipped(seal(clear, sealed(1, false)), 95)});
  REQUIRE(came.size() == 1);
  CHECK(came[0].bytes == clear);
  CHECK_FALSE(came[0].secured());
  CHECK(flow.sc_stats().pkt_unchecked_cnt == 1);
  came = port.receive({flipped(seal(clear, sealed(2)), 95), seal(clear, sealed(3))});
  REQUIRE(came.size() == 2);
  CHECK(came[0].failed());
  CHECK_FALSE(shows(came[0].memory, clear));
  CHECK(came[1].bytes == clear);
  CHECK_FALSE(came[1].failed());
}

TEST_CASE("A frame is accepted once, whatever the window, and late ones come flagged without their text") {
  const std::uint32_t window = GENERATE(0U, 32U, 64U, 1000U);
  Port port;
  FlowOptions options = receiver();
  options.replay_protect = true;
  options.replay_window = window;
  const Flow flow(port, rx, options);
  const Bytes clear = clear_frame(60);
  INFO("window " << window);
  const auto good = [&](std::uint64_t pn) {
    const auto came = port.receive({seal(clear, sealed(pn))});
    REQUIRE(came.size() == 1);
    const bool accepted = came[0].secured() && !came[0].failed();
    CHECK((came[0].bytes == clear) == accepted);
    if (!accepted) {
      CHECK(came[0].failed());
      CHECK_FALSE(shows(came[0].memory, clear));
      CHECK(came[0].bytes.size() == clear.size() + 32);
      CHECK(Bytes(came[0].bytes.begin() + 28, came[0].bytes.end()) == Bytes(clear.size() + 32 - 28));
    }
    return accepted;
  };
  CHECK(good(5000));
  CHECK_FALSE(good(5000));
  if (window != 0) {
    CHECK(good(5000 - window + 1));
    CHECK_FALSE(good(5000 - window + 1));
  }
  CHECK_FALSE(good(5000 - window));
  CHECK(good(5001));
  CHECK_FALSE(good(5000));
  CHECK_FALSE(good(1));
  const auto sc = flow.sc_stats();
  CHECK(sc.pkt_late_cnt == (window != 0 ? 5 : 4));
  CHECK(sc.pkt_ok_cnt == (window != 0 ? 3 : 2));
}

TEST_CASE("Of four frames the window of 32 loses one and the window of 0 two: the others pass") {
  const std::uint32_t window = GENERATE(32U, 0U);
  Port port;
  FlowOptions options = receiver();
  options.replay_protect = true;
  options.replay_window = window;
  const Flow flow(port, rx, options);
  const Bytes clear = clear_frame(60);
  const auto came =
      port.receive({seal(clear, sealed(1)), seal(clear, sealed(48)), seal(clear, sealed(20)), seal(clear, sealed(2))});
  CHECK(came.size() == 4);
  CHECK(flow.sc_stats().pkt_late_cnt == (window == 32 ? 1 : 2));
}

TEST_CASE("A frame below next_pn of its SA is late, and without replay protection only counted") {
  Port port;
  FlowOptions options = receiver();
  options.sas[0].pn = 100;
  options.replay_protect = GENERATE(true, false);
  options.replay_window = 64;
  const Flow flow(port, rx, options);
  const Bytes clear = clear_frame(60);
  const auto came = port.receive({seal(clear, sealed(99)), seal(clear, sealed(100))});
  REQUIRE(came.size() == 2);
  CHECK(came[0].failed() == options.replay_protect);
  CHECK(flow.sc_stats().pkt_late_cnt == (options.replay_protect ? 1 : 0));
  CHECK(flow.sc_stats().pkt_delay_cnt == (options.replay_protect ? 0 : 1));
}

TEST_CASE("Extended numbers go on over 2^32, and an old one of the lap before is late") {
  Port port;
  FlowOptions options = receiver();
  options.alg = RTE_SECURITY_MACSEC_ALG_GCM_XPN_256;
  options.sas = {{.key = key_of(32), .pn = 0xfffffffe, .ssci = 7, .salt = key_of(12, 0x30)}};
  options.replay_protect = true;
  options.replay_window = 64;
  const Flow flow(port, rx, options);
  SealOptions seals = sealed();
  seals.key = key_of(32);
  seals.salt = key_of(12, 0x30);
  seals.ssci = 7;
  const Bytes clear = clear_frame(60);
  std::vector<Bytes> frames;
  for (std::uint64_t pn = 0xfffffffe; pn < 0x100000003; ++pn) {
    seals.pn = pn;
    frames.push_back(seal(clear, seals));
  }
  const auto came = port.receive(frames);
  REQUIRE(came.size() == frames.size());
  for (const Came& one : came) CHECK(one.bytes == clear);
  const auto again = port.receive({frames[0]});
  REQUIRE(again.size() == 1);
  CHECK(again[0].failed());
  CHECK(flow.sc_stats().pkt_ok_cnt == frames.size());
}

TEST_CASE("A frame without a SecTAG is dropped where validation is strict, else delivered as it is") {
  const std::uint8_t validate = GENERATE(strict, no_discard, disabled);
  Port port;
  const Flow flow(port, rx, receiver(validate));
  const auto came = port.receive({clear_frame()});
  if (validate == strict) {
    CHECK(came.empty());
    CHECK(flow.stats().pkt_notag_cnt == 1);
    CHECK(flow.stats().pkt_untaged_cnt == 0);
  } else {
    REQUIRE(came.size() == 1);
    CHECK(came[0].bytes == clear_frame());
    CHECK_FALSE(came[0].secured());
    CHECK(flow.stats().pkt_notag_cnt == 0);
    CHECK(flow.stats().pkt_untaged_cnt == 1);
  }
}

TEST_CASE("EAPOL, and a SecTAG for the KaY, go by where the control port is enabled") {
  Port port;
  FlowOptions options = receiver();
  options.control_port = GENERATE(true, false);
  const Flow flow(port, rx, options);
  Bytes eapol = clear_frame();
  eapol[12] = 0x88;
  eapol[13] = 0x8e;
  Bytes kay = seal(clear_frame(), sealed());
  kay[14] = static_cast<std::uint8_t>(kay[14] & ~0x04U);
  const auto came = port.receive({eapol, kay});
  if (options.control_port) {
    REQUIRE(came.size() == 2);
    CHECK(came[0].bytes == eapol);
    CHECK(came[1].bytes == kay);
    CHECK_FALSE(came[1].secured());
    CHECK(flow.stats().pkt_ctl_cnt == 1);
    CHECK(flow.stats().pkt_tagged_ctl_cnt == 1);
  } else {
    CHECK(came.empty());
    CHECK(flow.stats().pkt_notag_cnt == 1);
    CHECK(flow.stats().pkt_badtag_cnt == 1);
  }
}

TEST_CASE("A SecTAG that breaks a rule is dropped whatever the validation, counted, and told where DPDK has a name") {
  struct Broken {
    const char* what;
    std::size_t at;
    std::uint8_t value;
    rte_eth_event_macsec_subtype told;
  };
  const Broken broken = GENERATE(Broken{"V", 14, 0xac, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_V_EQ1},
                                 Broken{"C without E", 14, 0x24, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_E_EQ0_C_EQ1},
                                 Broken{"SL of 48", 15, 48, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_SL_GTE48},
                                 Broken{"SL of 255", 15, 255, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_SL_GTE48},
                                 Broken{"ES and SC", 14, 0x6c, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_ES_EQ1_SC_EQ1},
                                 Broken{"SCB and SC", 14, 0x3c, RTE_ETH_SUBEVENT_MACSEC_RX_SECTAG_SC_EQ1_SCB_EQ1},
                                 Broken{"SL that is not the frame's", 15, 20, RTE_ETH_SUBEVENT_MACSEC_UNKNOWN});
  const std::uint8_t validate = GENERATE(strict, no_discard);
  INFO(broken.what);
  Port port;
  FlowOptions options = receiver(validate);
  int mine = 0;
  options.userdata = &mine;
  const Flow flow(port, rx, options);
  Bytes frame = seal(clear_frame(), sealed());
  frame[broken.at] = broken.value;
  // A burst of one kind is told once.
  CHECK(port.receive({frame, frame, frame}).empty());
  CHECK(flow.stats().pkt_badtag_cnt == 3);
  CHECK(flow.sc_stats().hit_cnt == 0);
  const bool named = broken.told != RTE_ETH_SUBEVENT_MACSEC_UNKNOWN;
  const auto told = port.events(named ? 1 : 0);
  REQUIRE(told.size() == (named ? 1 : 0));
  if (!named) return;
  CHECK(told[0].type == RTE_ETH_EVENT_MACSEC_SECTAG_VAL_ERR);
  CHECK(told[0].subtype == broken.told);
  CHECK(told[0].metadata == reinterpret_cast<std::uint64_t>(&mine));
}

TEST_CASE("A frame that ends in its SecTAG or ICV, or has PN 0, is a bad tag") {
  Port port;
  const Flow flow(port, rx, receiver());
  const Bytes whole = seal(clear_frame(), sealed());
  std::uint64_t bad = 0;
  for (std::size_t length = 14; length < 14 + 14 + 16; ++length) {
    CHECK(port.receive({Bytes(whole.begin(), whole.begin() + static_cast<long>(length))}).empty());
    ++bad;
  }
  CHECK(port.receive({seal(clear_frame(), sealed(0))}).empty());
  CHECK(flow.stats().pkt_badtag_cnt == bad + 1);
}

TEST_CASE(
    "A frame for an SA that is not in use is dropped and told; unchanged text passes where validation is not strict") {
  const std::uint8_t validate = GENERATE(strict, no_discard);
  const bool encrypt = GENERATE(true, false);
  Port port;
  FlowOptions options = receiver(validate);
  options.in_use = {false, false, false, false};
  const Flow flow(port, rx, options);
  const auto came = port.receive({seal(clear_frame(), sealed(1, encrypt))});
  if (validate == no_discard && !encrypt) {
    REQUIRE(came.size() == 1);
    CHECK(came[0].bytes == clear_frame());
    CHECK_FALSE(came[0].secured());
    CHECK(flow.stats().pkt_nosa_cnt == 1);
  } else {
    CHECK(came.empty());
    CHECK(flow.stats().pkt_nosaerror_cnt == 1);
  }
  const auto told = port.events(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].type == RTE_ETH_EVENT_MACSEC_SA_NOT_VALID);
}

TEST_CASE("A frame of an unknown SCI is dropped; unchanged text passes where validation is not strict") {
  const std::uint8_t validate = GENERATE(strict, no_discard);
  const bool encrypt = GENERATE(true, false);
  Port port;
  const Flow flow(port, rx, receiver(validate));
  SealOptions other = sealed(1, encrypt);
  other.sci = 0x02000000aabb0001;
  const auto came = port.receive({seal(clear_frame(), other)});
  if (validate == no_discard && !encrypt) {
    REQUIRE(came.size() == 1);
    CHECK(came[0].bytes == clear_frame());
    CHECK(flow.stats().pkt_nosa_cnt == 1);
  } else {
    CHECK(came.empty());
    CHECK(flow.stats().pkt_nosaerror_cnt == 1);
  }
}

TEST_CASE("A frame without an SCI is the only session's, and nobody's where there are two") {
  Port port;
  FlowOptions options = receiver();
  SealOptions implicit = sealed();
  implicit.explicit_sci = false;
  const Flow one(port, rx, options);
  CHECK(port.receive({seal(clear_frame(), implicit)}).size() == 1);
  options.sci = 0x0200000000990001;
  const Flow two(port, rx, options);
  implicit.pn = 2;
  CHECK(port.receive({seal(clear_frame(), implicit)}).empty());
  CHECK(one.stats().pkt_nosaerror_cnt == 1);
  // ES: the source address and port 1, which is the first one's.
  implicit.end_station = true;
  CHECK(port.receive({seal(clear_frame(), implicit)}).size() == 1);
  CHECK(one.sc_stats().pkt_ok_cnt == 2);
}

TEST_CASE("Of an SC that is not active nothing comes in and nothing goes out") {
  Port port;
  FlowOptions options = receiver();
  options.active = false;
  {
    const Flow in(port, rx, options);
    CHECK(port.receive({seal(clear_frame(), sealed())}).empty());
    CHECK(in.stats().pkt_port_disabled_cnt == 1);
  }
  const Flow out(port, tx, options);
  CHECK(port.transmit({clear_frame()}).empty());
  CHECK(out.stats().pkt_noactivesa_cnt == 1);
}

TEST_CASE("Frames that no rule matches are not ours") {
  Port port;
  const Bytes frame = seal(clear_frame(), sealed());
  auto came = port.receive({frame, clear_frame()});
  REQUIRE(came.size() == 2);
  CHECK(came[0].bytes == frame);
  Flow flow(port, rx, receiver());
  rte_flow_item_eth spec{};
  spec.hdr.dst_addr.addr_bytes[5] = 9;
  rte_flow_item pattern[2]{};
  pattern[0] = {RTE_FLOW_ITEM_TYPE_ETH, &spec, nullptr, nullptr};
  pattern[1].type = RTE_FLOW_ITEM_TYPE_END;
  flow.replace_rule(pattern);
  came = port.receive({frame});
  REQUIRE(came.size() == 1);
  CHECK(came[0].bytes == frame);
  CHECK_FALSE(came[0].secured());
}

TEST_CASE("Frames are counted by who they are for, on either side") {
  Port port;
  const Flow flow(port, rx, receiver());
  Bytes multicast = clear_frame();
  multicast[0] = 0x01;
  Bytes broadcast = clear_frame();
  std::fill_n(broadcast.begin(), 6, std::uint8_t{0xff});
  const std::vector<Bytes> frames = {seal(clear_frame(), sealed(1)), seal(multicast, sealed(2)),
                                     seal(broadcast, sealed(3)), flipped(seal(broadcast, sealed(4)), 40),
                                     clear_frame()};
  CHECK(port.receive(frames).size() == 3);
  const auto secy = flow.stats();
  CHECK(secy.ctl_pkt_ucast_cnt == 1);
  CHECK(secy.ctl_pkt_mcast_cnt == 1);
  CHECK(secy.ctl_pkt_bcast_cnt == 1);
  CHECK(secy.ctl_octet_cnt == 3 * clear_frame().size());
  CHECK(secy.unctl_pkt_ucast_cnt == 2);
  CHECK(secy.unctl_pkt_mcast_cnt == 1);
  CHECK(secy.unctl_pkt_bcast_cnt == 2);
  CHECK(secy.unctl_octet_cnt == 4 * frames[0].size() + clear_frame().size());
}
