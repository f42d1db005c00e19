// What leaves, in which form; and what comes in without a session.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/driver/dpdk/net/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

Esp fresh_esp() {
  static std::uint32_t spi = 0x5000;
  Esp esp;
  esp.key = fresh_key();
  esp.spi = ++spi;
  return esp;
}

Bytes clear_packet(std::size_t length = 100, std::uint32_t seed = 3) {
  const Ip ip{};
  return packet(ip, udp_segment(ip, 1000, 2000, noise(length, seed)));
}

rte_mbuf* clear_mbuf(const Bytes& frame) {
  return make_mbuf(frame_pool(), frame);
}

}  // namespace

TEST_CASE("Clear frames never leave unless the device was told to pass them") {
  Wire wire;
  const Bytes frame = frame_of(clear_packet());
  const Bytes arp = ethernet(0x0806, noise(46));
  SECTION("drop, without a word") {
    const Port port("lower=" + wire.name());
    port.send({clear_mbuf(frame), clear_mbuf(arp)});
    CHECK(wire.sent().empty());
    CHECK(port.stats().opackets == 0);
    CHECK(port.stats().oerrors == 2);
    CHECK(port.xstat("tx_policy_default") == 2);
    // Flagged for MACsec, and no rule is there.
    rte_mbuf* const flagged = clear_mbuf(frame);
    flagged->ol_flags |= RTE_MBUF_F_TX_MACSEC;
    port.send({flagged});
    CHECK(wire.sent().empty());
  }
  SECTION("pass") {
    const Port port("lower=" + wire.name() + ",unprotected=pass");
    port.send({clear_mbuf(frame), clear_mbuf(arp)});
    CHECK(wire.sent() == std::vector<Bytes>{frame, arp});
    CHECK(port.stats().opackets == 2);
    CHECK(port.stats().obytes == frame.size() + arp.size());
    CHECK(port.xstat("tx_bypassed") == 2);
  }
  CHECK(frames_out() == 0);
}

TEST_CASE("A frame of a session that is gone, or of none, is dropped whatever is passed otherwise") {
  Wire wire;
  const Port port("lower=" + wire.name() + ",unprotected=pass");
  const Esp esp = fresh_esp();
  Session out(port, esp, Way::out);
  rte_mbuf* const late = out.mbuf_of(clear_packet());
  REQUIRE(out.destroy() == 0);
  // The slot's next owner is another session.
  const Session next(port, fresh_esp(), Way::out);
  rte_mbuf* const nobodys = clear_mbuf(frame_of(clear_packet()));
  nobodys->ol_flags |= RTE_MBUF_F_TX_SEC_OFFLOAD;
  *rte_security_dynfield(nobodys) = 0xdead'beef'dead'beefU;
  const Session in(port, fresh_esp(), Way::in);
  rte_mbuf* const ingress = in.mbuf_of(clear_packet());
  port.send({late, nobodys, ingress});
  CHECK(wire.sent().empty());
  CHECK(port.xstat("tx_stale_sa") == 3);
  CHECK(next.stats().opackets == 0);
  CHECK(frames_out() == 0);
}

TEST_CASE("OpenSSL opens what leaves, in every layout, and the order is kept") {
  Wire wire;
  const Port port("lower=" + wire.name() + ",unprotected=pass");
  std::vector<Esp> esps(3);
  std::vector<std::unique_ptr<Session>> sessions;
  for (Esp& esp : esps) {
    esp = fresh_esp();
    sessions.push_back(std::make_unique<Session>(port, esp, Way::out));
    REQUIRE_FALSE(sessions.back()->none());
  }
  // Every fourth is clear.
  std::vector<rte_mbuf*> burst;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const Bytes clear = clear_packet(40 + i, i);
    const std::uint32_t segments = i % 5 == 0 ? 50 : 0;
    const std::uint16_t headroom = i % 7 == 0 ? 8 : 128;
    burst.push_back(i % 4 == 3 ? clear_mbuf(frame_of(clear)) : sessions[i % 4]->mbuf_of(clear, segments, headroom));
  }
  port.send(burst);
  std::vector<Bytes> sent;
  REQUIRE(wait_until([&] {
    for (Bytes& frame : wire.sent()) sent.push_back(std::move(frame));
    return sent.size() == 200;
  }));
  for (std::uint32_t i = 0; i < 200; ++i) {
    INFO("frame " << i);
    const Bytes clear = clear_packet(40 + i, i);
    if (i % 4 == 3) {
      CHECK(sent[i] == frame_of(clear));
      continue;
    }
    const auto opened = open(esps[i % 4], {sent[i].begin() + 14, sent[i].end()});
    REQUIRE(opened);
    CHECK(opened->inner == clear);
    CHECK(opened->sequence == i / 4 + 1);
  }
  CHECK(frames_out() == 0);
}

TEST_CASE("One packet and then silence: it leaves without another call") {
  Wire wire;
  const Port port("lower=" + wire.name());
  const Esp esp = fresh_esp();
  const Session out(port, esp, Way::out);
  rte_mbuf* mbuf = out.mbuf_of(clear_packet());
  REQUIRE(rte_eth_tx_burst(port.id(), 0, &mbuf, 1) == 1);
  std::vector<Bytes> sent;
  REQUIRE(wait_until([&] {
    sent = wire.sent();
    return !sent.empty();
  }));
  CHECK(open(esp, {sent[0].begin() + 14, sent[0].end()})->inner == clear_packet());
  CHECK(frames_out() == 0);
}

TEST_CASE("A lower device that takes nothing loses nothing: frames wait, then the queue is full, then all leave") {
  Wire wire;
  const Port port("lower=" + wire.name());
  const Esp esp = fresh_esp();
  const Session out(port, esp, Way::out);
  wire.hold(true);
  std::vector<rte_mbuf*> all;
  for (std::uint32_t i = 0; i < 1500; ++i) all.push_back(out.mbuf_of(clear_packet(60, i), i % 3 == 0 ? 40 : 0));
  std::size_t taken = 0;
  for (int tries = 0; tries < 300; ++tries) {
    taken += rte_eth_tx_burst(port.id(), 0, all.data() + taken, static_cast<std::uint16_t>(all.size() - taken));
    if (device_is_slow()) ::usleep(100);
  }
  CHECK(taken > 64);
  CHECK(taken < all.size());
  wire.hold(false);
  port.send({all.begin() + static_cast<std::ptrdiff_t>(taken), all.end()});
  std::vector<Bytes> sent;
  REQUIRE(wait_until([&] {
    for (Bytes& frame : wire.sent()) sent.push_back(std::move(frame));
    return sent.size() == all.size();
  }));
  for (std::uint32_t i = 0; i < sent.size(); ++i)
    REQUIRE(open(esp, {sent[i].begin() + 14, sent[i].end()})->inner == clear_packet(60, i));
  CHECK(frames_out() == 0);
}

TEST_CASE("An mbuf that others look at is not written into: dropped, and what they see is as it was") {
  Wire wire;
  const Port port("lower=" + wire.name());
  const Esp esp = fresh_esp();
  const Session out(port, esp, Way::out);
  rte_mbuf* const mbuf = out.mbuf_of(clear_packet());
  rte_mbuf_refcnt_update(mbuf, 1);
  port.send({mbuf});
  CHECK(wire.sent().empty());
  CHECK(port.xstat("tx_unsupported") == 1);
  CHECK(bytes_of(mbuf) == frame_of(clear_packet()));
  rte_pktmbuf_free(mbuf);
  CHECK(frames_out() == 0);
}

TEST_CASE("ESP comes as it is without a rule, or without a session of its SPI; then with both it is decrypted") {
  Wire wire;
  const Port port("lower=" + wire.name());
  Esp esp = fresh_esp();
  esp.udp = GENERATE(false, true);
  const Bytes clear = clear_packet();
  const Bytes sealed = frame_of(seal(esp, clear, 1));
  const auto in = [&] {
    wire.put({sealed});
    return port.receive(1).front();
  };
  const auto untouched = [&](const Received& one) { return one.frame == sealed && !one.secured(); };
  CHECK(untouched(in()));
  {
    const Session session(port, esp, Way::in);
    REQUIRE_FALSE(session.none());
    CHECK(untouched(in()));
    {
      const EspRule rule(port);
      const Received good = in();
      CHECK(good.good());
      CHECK(good.packet() == clear);
      // Again: a replay.
      CHECK(in().failed());
    }
    CHECK(untouched(in()));
  }
  const EspRule rule(port);
  CHECK(untouched(in()));
  if (!esp.udp) CHECK(port.xstat("rx_esp_unknown_spi") == 1);
}

TEST_CASE("A UDP packet is ESP only for a session in UDP and to its port") {
  Wire wire;
  const Port port("lower=" + wire.name());
  const EspRule rule(port);
  Esp esp = fresh_esp();
  const Esp plain = esp;
  esp.udp = true;
  const Bytes clear = clear_packet();
  SECTION("another port") {
    const Session session(port, esp, Way::in);
    Bytes other = seal(esp, clear, 1);
    put16(other, 22, 53);
    wire.put({frame_of(other)});
    CHECK_FALSE(port.receive(1).front().secured());
    // IKE's marker, and a keepalive (RFC 3948 2.2, 2.3).
    Bytes ike = seal(esp, clear, 1);
    std::fill_n(ike.begin() + 28, 4, std::uint8_t{0});
    wire.put({frame_of(ike)});
    CHECK_FALSE(port.receive(1).front().secured());
    wire.put({frame_of(seal(esp, clear, 1))});
    CHECK(port.receive(1).front().good());
  }
  SECTION("a session without UDP") {
    const Session session(port, plain, Way::in);
    wire.put({frame_of(seal(esp, clear, 1))});
    CHECK_FALSE(port.receive(1).front().secured());
    wire.put({frame_of(seal(plain, clear, 1))});
    CHECK(port.receive(1).front().good());
  }
}

TEST_CASE("VLAN tags stay before the packet, out and in") {
  Wire wire;
  const Port port("lower=" + wire.name());
  const EspRule rule(port);
  const Esp esp = fresh_esp();
  const Esp in_esp = fresh_esp();
  const Session out(port, esp, Way::out);
  const Session in(port, in_esp, Way::in);
  const Bytes clear = clear_packet();
  rte_mbuf* const mbuf = make_mbuf(frame_pool(), ethernet(0x0800, clear, true));
  mbuf->ol_flags |= RTE_MBUF_F_TX_SEC_OFFLOAD;  // l2_len: the driver's to find
  REQUIRE(rte_security_set_pkt_metadata(port.security(), out.get(), mbuf, nullptr) == 0);
  port.send({mbuf});
  std::vector<Bytes> sent;
  REQUIRE(wait_until([&] {
    sent = wire.sent();
    return !sent.empty();
  }));
  CHECK(get16(sent[0], 12) == 0x8100);
  CHECK(open(esp, {sent[0].begin() + 18, sent[0].end()})->inner == clear);
  wire.put({ethernet(0x0800, seal(in_esp, clear, 1), true)});
  const Received back = port.receive(1).front();
  CHECK(back.good());
  CHECK(back.frame == ethernet(0x0800, clear, true));
}
