// Egress (10.5): VLAN tags in clear, the source address with ES and SCB, room, numbers to their end, events.
#include "tests/host/software/macsec/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::macsec_test;

namespace {

Pair with_tags(std::vector<ClearVlanTag> tags) {
  return Pair().with([&](MacsecSecY& secy) { secy.clear_tags = tags; });
}

// Refused frames cost no number and are left as they are.
Verdict refused(const Pair& pair, const Bytes& bytes, std::uint32_t headroom = 32, std::uint32_t tailroom = 32) {
  Rig rig(every_engine());
  const SaId id = rig.add(pair.transmit);
  Frame frame(bytes, headroom, tailroom);
  const Verdict verdict = rig.protect(id, frame);
  CHECK(is_drop(verdict));
  CHECK(frame.bytes() == bytes);
  CHECK(rig.slots()[id.index].next_number.load() == 1);
  CHECK(rig.counters(id).packets.get() == 0);
  return verdict;
}

// How often events() tells `kind` since the last call.
std::uint32_t events_of(Rig& rig, const std::string& kind) {
  std::uint32_t found = 0;
  for (const std::string& event : rig.events()) found += event.rfind(kind + " of ", 0) == 0 ? 1 : 0;
  return found;
}

}  // namespace

TEST_CASE("a frame with fewer VLAN tags than configured is never protected") {
  CHECK(refused(with_tags({{0x8100, 7}}), clear_frame(60)) == Verdict::macsec_vlan_missing);
  CHECK(refused(with_tags({{0x88a8, 100}, {0x8100, 7}}), clear_frame(60, {{0x88a8, 100}})) ==
        Verdict::macsec_vlan_missing);
}

TEST_CASE("a frame with another VID or TPID is never protected") {
  CHECK(refused(with_tags({{0x8100, 7}}), clear_frame(60, {{0x8100, 8}})) == Verdict::macsec_vlan_mismatch);
  CHECK(refused(with_tags({{0x8100, 7}}), clear_frame(60, {{0x88a8, 7}})) == Verdict::macsec_vlan_mismatch);
  CHECK(refused(with_tags({{0x88a8, 100}, {0x8100, 7}}), clear_frame(60, {{0x88a8, 100}, {0x8100, 8}})) ==
        Verdict::macsec_vlan_mismatch);
}

TEST_CASE("VLAN tags beyond the configured ones are user data, and encrypted") {
  Rig rig(every_engine());
  const Pair pair = with_tags({{0x88a8, 100}});
  const Bytes clear = clear_frame(100, {{0x88a8, 100}, {0x8100, 7}});
  const Bytes tagged = protected_frame(rig, rig.add(pair.transmit), clear);
  CHECK(wire::load16(tagged.data() + 16) == wire::ethertype_macsec);
  Frame frame(tagged);
  CHECK(rig.validate(rig.add(pair.receive), frame) == Verdict::ok);
  CHECK(frame.bytes() == clear);
}

TEST_CASE("the priority of a VLAN tag in clear may change on the way; nothing else may") {
  Rig rig(every_engine());
  const Pair pair = with_tags({{0x8100, 7}});
  Bytes tagged = protected_frame(rig, rig.add(pair.transmit), clear_frame(100, {{0x8100, 7}}, 1));
  tagged[14] = static_cast<std::uint8_t>((tagged[14] & 0x0fU) | 0xe0U);
  Frame frame(tagged);
  CHECK(rig.validate(rig.add(pair.receive), frame) == Verdict::ok);
  CHECK(frame.bytes() == clear_frame(100, {{0x8100, 7}}, 7));
}

TEST_CASE("with ES and SCB only frames from the SCI's own address are protected") {
  const SciEncoding encoding = GENERATE(SciEncoding::end_station, SciEncoding::scb);
  Bytes other = clear_frame(60);
  other[11] ^= 1;
  CHECK(refused(Pair().with([&](MacsecSecY& secy) { secy.sci_encoding = encoding; }), other) == Verdict::unsupported);
}

TEST_CASE("SCB needs port 0 and says so; ES needs port 1") {
  Rig rig(fast);
  Pair pair = Pair().with([](MacsecSecY& secy) { secy.sci_encoding = SciEncoding::scb; });
  pair.transmit.sci.port = 1;
  const auto scb = rig.engine().install({0, 1}, Sa(copy(pair.transmit)), Lease{1, 2}, 0);
  REQUIRE_FALSE(scb.ok());
  CHECK(scb.error().message.find("port 0 with scb") != std::string::npos);
  pair.transmit.secy.sci_encoding = SciEncoding::end_station;
  pair.transmit.sci.port = 2;
  const auto es = rig.engine().install({0, 1}, Sa(copy(pair.transmit)), Lease{1, 2}, 0);
  REQUIRE_FALSE(es.ok());
  CHECK(es.error().message.find("port 1") != std::string::npos);
}

TEST_CASE("a frame too short, too long, or without room is refused") {
  CHECK(refused(Pair(), Bytes(13, 1)) == Verdict::malformed_ethernet);
  CHECK(refused(Pair(), clear_frame(9728 - 32 - 14 + 1), 64, 64) == Verdict::oversize);
  CHECK(refused(Pair(), clear_frame(60), 15, 16) == Verdict::no_buffer);
  CHECK(refused(Pair(), clear_frame(60), 16, 15) == Verdict::no_buffer);
}

TEST_CASE("the longest frame that fits goes out and back with exactly the room it needs") {
  Rig rig(every_engine());
  const Pair pair;
  const Bytes clear = clear_frame(9728 - 32 - 14);
  Frame frame(clear, 16, 16);
  REQUIRE(rig.protect(rig.add(pair.transmit), frame) == Verdict::ok);
  CHECK(frame.packet.length == 9728);
  CHECK(frame.packet.headroom == 0);
  CHECK(frame.packet.tailroom == 0);
  CHECK(rig.validate(rig.add(pair.receive), frame) == Verdict::ok);
  CHECK(frame.bytes() == clear);
}

TEST_CASE("32-bit packet numbers end at 2^32 - 1 and never wrap, whatever lease there is") {
  Rig rig(every_engine());
  const CipherSuite suite = GENERATE(CipherSuite::gcm_aes_128, CipherSuite::gcm_aes_256);
  const Pair pair(suite);
  const SaId id = rig.add(pair.transmit, 0xfffffffeU);  // the lease goes far beyond
  for (const std::uint32_t pn : {0xfffffffeU, 0xffffffffU}) {
    Frame frame(clear_frame(60));
    REQUIRE(rig.protect(id, frame) == Verdict::ok);
    CHECK(wire::load32(frame.packet.data + 16) == pn);
  }
  for (int i = 0; i < 3; ++i) {
    Frame frame(clear_frame(60));
    CHECK(rig.protect(id, frame) == Verdict::number_exhausted);
    CHECK(frame.bytes() == clear_frame(60));
  }
  CHECK(events_of(rig, "number_exhausted") == 1);
}

TEST_CASE("64-bit packet numbers go on beyond 2^32 and stop at the end of their space") {
  Rig rig(every_engine());
  const Pair pair(CipherSuite::gcm_aes_xpn_256);
  const SaId id{63, 9};
  const std::uint64_t last = ~std::uint64_t{0} - 1;  // an exclusive lease end cannot lend the very last one
  REQUIRE(rig.engine().install(id, Sa(copy(pair.transmit)), Lease{last, ~std::uint64_t{0}}, 0).ok());
  Frame frame(clear_frame(60));
  REQUIRE(rig.protect(id, frame) == Verdict::ok);
  CHECK(frame.job.number == last);
  Frame next(clear_frame(60));
  CHECK(rig.protect(id, next) == Verdict::number_exhausted);
}

TEST_CASE("an SA out of lease stops and goes on where the next lease begins") {
  Rig rig(every_engine());
  const Pair pair(CipherSuite::gcm_aes_xpn_128);
  const SaId id{5, 2};
  REQUIRE(rig.engine().install(id, Sa(copy(pair.transmit)), Lease{10, 12}, 0).ok());
  const auto send = [&] {
    Frame frame(clear_frame(60));
    const Verdict verdict = rig.protect(id, frame);
    return std::make_pair(verdict, frame.job.number);
  };
  CHECK(send() == std::make_pair(Verdict::ok, std::uint64_t{10}));
  CHECK(send() == std::make_pair(Verdict::ok, std::uint64_t{11}));
  CHECK(send().first == Verdict::lease_exhausted);
  REQUIRE(rig.engine().update(id, GrantLease{{100, 101}}).ok());
  CHECK(send() == std::make_pair(Verdict::ok, std::uint64_t{100}));
  CHECK(send().first == Verdict::lease_exhausted);
}

TEST_CASE("the packet number threshold is told once, when the next number reaches it") {
  const bool xpn = GENERATE(false, true);
  const bool by_default = GENERATE(false, true);
  const std::uint64_t limit = !by_default ? 0x1000 : xpn ? 0xc000000000000000U : 0xc0000000U;
  Rig rig(every_engine());
  const Pair pair = Pair(xpn ? CipherSuite::gcm_aes_xpn_256 : CipherSuite::gcm_aes_256).with([&](MacsecSecY& secy) {
    secy.pn_soft_limit = by_default ? 0 : limit;
  });
  const SaId id = rig.add(pair.transmit, limit - 2);
  const auto send = [&] {
    Frame frame(clear_frame(60));
    REQUIRE(rig.protect(id, frame) == Verdict::ok);
    return events_of(rig, "pn_threshold");
  };
  CHECK(send() == 0);  // next: limit - 1
  CHECK(send() == 1);  // next: limit
  CHECK(send() == 0);
  CHECK(send() == 0);
}

TEST_CASE("no two frames of an SA ever carry the same number, and counters follow") {
  Rig rig(every_engine());
  const Pair pair;
  const SaId id = rig.add(pair.transmit, 1000);
  std::deque<Frame> frames;
  std::vector<Job*> jobs;
  for (std::uint32_t i = 0; i < 500; ++i) {
    frames.emplace_back(clear_frame(i % 90 + 1));
    frames.back().job.stages[0] = {id, Operation::macsec_protect};
    jobs.push_back(&frames.back().job);
  }
  rig.run(jobs);
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < 500; ++i) {
    REQUIRE(jobs[i]->verdict == Verdict::ok);
    REQUIRE(jobs[i]->number == 1000 + i);
    REQUIRE(wire::load32(frames[i].packet.data + 16) == 1000 + i);
    bytes += i % 90 + 1 + 2;
  }
  CHECK(rig.counters(id).packets.get() == 500);
  CHECK(rig.counters(id).bytes.get() == bytes);
}

TEST_CASE("an SA of the wrong direction is refused by its operation") {
  Rig rig(every_engine());
  const Pair pair;
  const SaId transmit = rig.add(pair.transmit);
  const SaId receive = rig.add(pair.receive);
  Frame frame(clear_frame(60));
  CHECK(rig.protect(receive, frame) == Verdict::wrong_operation);
  CHECK(rig.validate(transmit, frame) == Verdict::wrong_operation);
  CHECK(frame.bytes() == clear_frame(60));
}
