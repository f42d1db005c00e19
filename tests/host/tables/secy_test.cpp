// The Secy's tables and what it decides of a frame before a key is used (IEEE 802.1AE-2018 10.6, 10.7).
#include "host/tables/secy.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <thread>

#include "linecrypt/wire/sectag.hpp"

using namespace linecrypt;
using tables::ReceiveDecision;
using tables::Secy;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr Sci own{{{0x02, 0, 0, 0, 0, 0x02}}, 1};
constexpr Sci peer{{{0x02, 0, 0, 0, 0, 0x01}}, 1};
constexpr Sci other{{{0x02, 0, 0, 0, 0, 0x03}}, 1};
constexpr SaId some_sa{7, 3};

struct Shape {
  std::uint8_t tci = wire::tci_sc | wire::tci_encrypted | wire::tci_changed;
  std::uint8_t an = 0;
  std::uint8_t short_length = 0;
  std::uint32_t pn = 1;
  Sci sci = peer;
  std::vector<ClearVlanTag> tags{};
  std::uint16_t ethertype = wire::ethertype_macsec;
  std::uint32_t data = 60;
};

// A frame from the peer's address. With another EtherType it has no SecTAG.
Bytes make(const Shape& shape) {
  Bytes out(own.address.bytes.begin(), own.address.bytes.end());
  out.insert(out.end(), peer.address.bytes.begin(), peer.address.bytes.end());
  const auto put16 = [&](std::uint16_t word) {
    out.push_back(static_cast<std::uint8_t>(word >> 8U));
    out.push_back(static_cast<std::uint8_t>(word));
  };
  for (const ClearVlanTag& tag : shape.tags) {
    put16(tag.tpid);
    put16(tag.vid);
  }
  put16(shape.ethertype);
  if (shape.ethertype == wire::ethertype_macsec) {
    out.push_back(static_cast<std::uint8_t>(shape.tci | shape.an));
    out.push_back(shape.short_length);
    put16(static_cast<std::uint16_t>(shape.pn >> 16U));
    put16(static_cast<std::uint16_t>(shape.pn));
    if ((shape.tci & wire::tci_sc) != 0) {
      out.insert(out.end(), shape.sci.address.bytes.begin(), shape.sci.address.bytes.end());
      put16(shape.sci.port);
    }
  }
  out.insert(out.end(), shape.data, 0x5a);
  if (shape.ethertype == wire::ethertype_macsec) out.insert(out.end(), macsec_icv_size, 0xcc);
  return out;
}

MacsecSecY settings(ValidateFrames validate = ValidateFrames::strict,
                    CipherSuite suite = CipherSuite::gcm_aes_xpn_256) {
  MacsecSecY out;
  out.validate = validate;
  out.suite = suite;
  return out;
}

// A SecY with one receive SC that has an SA under AN 0.
struct One {
  explicit One(const MacsecSecY& with = settings()) : secy(with, own) {
    REQUIRE(secy.add_receive_sc(peer).ok());
    REQUIRE(secy.set_receive_sa(peer, 0, some_sa).ok());
  }
  ReceiveDecision classify(const Shape& shape) {
    const Bytes frame = make(shape);
    return secy.classify(frame.data(), static_cast<std::uint32_t>(frame.size()));
  }
  Verdict verdict(const Shape& shape) { return classify(shape).verdict; }
  std::uint64_t count(const std::string& name, const std::string& scope = "secy") {
    for (const auto& counter : secy.counters({}))
      if (counter.name == name && counter.scope == scope) return counter.value;
    FAIL("no counter " << name << " of " << scope);
    return 0;
  }
  Secy secy;
};

constexpr std::uint8_t integrity_only = wire::tci_sc;

}  // namespace

TEST_CASE("a good frame of a known SC and SA goes to that SA") {
  One one;
  const ReceiveDecision decision = one.classify({});
  CHECK(decision.verdict == Verdict::pending);
  CHECK(decision.sa == some_sa);
  CHECK_FALSE(decision.strip);
}

TEST_CASE("each of the four ANs has its own SA") {
  One one;
  for (std::uint8_t an = 0; an < 4; ++an) REQUIRE(one.secy.set_receive_sa(peer, an, {100U + an, 1}).ok());
  for (std::uint8_t an = 0; an < 4; ++an) {
    Shape shape;
    shape.an = an;
    CHECK(one.classify(shape).sa == SaId{100U + an, 1});
  }
}

TEST_CASE("a frame without SecTAG is dropped when strict and delivered as it stands when not") {
  const ValidateFrames validate = GENERATE(ValidateFrames::strict, ValidateFrames::check, ValidateFrames::disabled);
  One one(settings(validate));
  Shape shape;
  shape.ethertype = wire::ethertype_ipv4;
  const ReceiveDecision decision = one.classify(shape);
  CHECK_FALSE(decision.sa.valid());
  CHECK_FALSE(decision.strip);
  if (validate == ValidateFrames::strict) {
    CHECK(decision.verdict == Verdict::macsec_untagged);
    CHECK(one.count("InPktsNoTag") == 1);
    CHECK(one.count("InPktsUntagged") == 0);
  } else {
    CHECK(decision.verdict == Verdict::unchecked);
    CHECK(one.count("InPktsUntagged") == 1);
    CHECK(one.count("InPktsNoTag") == 0);
  }
}

TEST_CASE("a tag that breaks a rule is dropped in every mode and counted as bad") {
  const ValidateFrames validate = GENERATE(ValidateFrames::strict, ValidateFrames::check, ValidateFrames::disabled);
  const std::map<Verdict, Shape> bad = {
      {Verdict::macsec_bad_version, {.tci = wire::tci_version}},
      {Verdict::macsec_es_with_sc, {.tci = wire::tci_sc | wire::tci_end_station}},
      {Verdict::macsec_scb_with_sc, {.tci = wire::tci_sc | wire::tci_scb}},
      {Verdict::macsec_bad_short_length, {.tci = integrity_only, .short_length = 48}},
      {Verdict::macsec_short, {.tci = integrity_only, .short_length = 1, .data = 0}},
      {Verdict::macsec_bad_sci, {.tci = integrity_only, .sci = {{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, 0xffff}}},
  };
  for (const auto& [expected, shape] : bad) {
    INFO(name(expected));
    One one(settings(validate));
    Bytes frame = make(shape);
    if (expected == Verdict::macsec_short) frame.pop_back();
    const ReceiveDecision decision = one.secy.classify(frame.data(), static_cast<std::uint32_t>(frame.size()));
    CHECK(decision.verdict == expected);
    CHECK_FALSE(decision.sa.valid());
    CHECK(one.count("InPktsBadTag") == 1);
  }
}

TEST_CASE("packet number 0 is a bad tag without XPN; with XPN it may be right and the engine decides") {
  Shape shape;
  shape.pn = 0;
  One plain(settings(ValidateFrames::strict, CipherSuite::gcm_aes_256));
  CHECK(plain.verdict(shape) == Verdict::number_zero);
  plain.secy.count_received(Verdict::number_zero, 100);  // counted by classify() already
  CHECK(plain.count("InPktsBadTag") == 1);
  One xpn;
  CHECK(xpn.verdict(shape) == Verdict::pending);
  xpn.secy.count_received(Verdict::number_zero, 100);
  CHECK(xpn.count("InPktsBadTag") == 1);
}

TEST_CASE("E without C is for the KaY in every mode, and no bad tag") {
  const ValidateFrames validate = GENERATE(ValidateFrames::strict, ValidateFrames::check, ValidateFrames::disabled);
  One one(settings(validate));
  CHECK(one.verdict({.tci = wire::tci_sc | wire::tci_encrypted}) == Verdict::macsec_kay_frame);
  CHECK(one.count("InPktsBadTag") == 0);
}

TEST_CASE("an unknown SCI is dropped when strict or changed, else delivered without its tag") {
  const ValidateFrames validate = GENERATE(ValidateFrames::strict, ValidateFrames::check, ValidateFrames::disabled);
  const bool changed = GENERATE(false, true);
  One one(settings(validate));
  Shape shape;
  shape.sci = other;
  if (!changed) shape.tci = integrity_only;
  const ReceiveDecision decision = one.classify(shape);
  CHECK_FALSE(decision.sa.valid());
  if (validate == ValidateFrames::strict) {
    CHECK(decision.verdict == Verdict::macsec_unknown_sci);
    CHECK(one.count("InPktsNoSCI") == 1);
  } else if (changed) {
    CHECK(decision.verdict == Verdict::macsec_c_without_key);
    CHECK(one.count("InPktsNoSCI") == 1);
  } else {
    CHECK(decision.verdict == Verdict::unchecked);
    CHECK(decision.strip);
    CHECK(one.count("InPktsUnknownSCI") == 1);
    CHECK(one.count("InPktsNoSCI") == 0);
  }
}

TEST_CASE("an AN without SA is dropped when strict or changed, else delivered without its tag") {
  const ValidateFrames validate = GENERATE(ValidateFrames::strict, ValidateFrames::check, ValidateFrames::disabled);
  const bool changed = GENERATE(false, true);
  One one(settings(validate));
  Shape shape;
  shape.an = 2;
  if (!changed) shape.tci = integrity_only;
  const ReceiveDecision decision = one.classify(shape);
  const std::string scope = "rx 02:00:00:00:00:01/1";
  if (validate == ValidateFrames::strict || changed) {
    CHECK(decision.verdict ==
          (validate == ValidateFrames::strict ? Verdict::macsec_unused_sa : Verdict::macsec_c_without_key));
    CHECK(one.count("InPktsNotUsingSA", scope) == 1);
    CHECK(one.count("InPktsNotUsingSA", scope + " an 2") == 1);
    CHECK(one.count("InPktsUnusedSA", scope) == 0);
  } else {
    CHECK(decision.verdict == Verdict::unchecked);
    CHECK(decision.strip);
    CHECK(one.count("InPktsUnusedSA", scope) == 1);
    CHECK(one.count("InPktsNotUsingSA", scope) == 0);
  }
}

TEST_CASE("stripping takes SecTAG, ICV and padding off and nothing else") {
  One one(settings(ValidateFrames::check));
  for (const std::uint8_t tci : {integrity_only, std::uint8_t{0}}) {
    for (const std::uint32_t data : {10U, 47U, 48U, 300U}) {
      Shape shape;
      shape.tci = tci;
      shape.data = data;
      shape.short_length = data < 48 ? static_cast<std::uint8_t>(data) : std::uint8_t{0};
      Bytes bytes = make(shape);
      if (bytes.size() < 60) bytes.resize(60, 0xee);
      Packet packet{bytes.data(), static_cast<std::uint32_t>(bytes.size()), 0, 0, nullptr};
      one.secy.strip(packet);
      Bytes expected = make({.ethertype = 0x5a5a, .data = data - 2});  // user data begins with its own EtherType
      CHECK(Bytes(packet.data, packet.data + packet.length) == expected);
    }
  }
}

TEST_CASE("a tag without SCI belongs to the only SC; with none or several it does not") {
  const std::uint8_t implicit = wire::tci_encrypted | wire::tci_changed;
  One one;
  CHECK(one.classify({.tci = implicit}).sa == some_sa);
  REQUIRE(one.secy.add_receive_sc(other).ok());
  CHECK(one.verdict({.tci = implicit}) == Verdict::macsec_no_sci);
  REQUIRE(one.secy.remove_receive_sc(other).ok());
  CHECK(one.classify({.tci = implicit}).sa == some_sa);
  Secy empty(settings(), own);
  const Bytes frame = make({.tci = implicit});
  CHECK(empty.classify(frame.data(), static_cast<std::uint32_t>(frame.size())).verdict == Verdict::macsec_unknown_sci);
}

TEST_CASE("ES takes port 1 and SCB port 0 of the source address, also beside other SCs") {
  One one;
  REQUIRE(one.secy.add_receive_sc(other).ok());
  const std::uint8_t encrypted = wire::tci_encrypted | wire::tci_changed;
  CHECK(one.classify({.tci = static_cast<std::uint8_t>(wire::tci_end_station | encrypted)}).sa == some_sa);
  CHECK(one.verdict({.tci = static_cast<std::uint8_t>(wire::tci_scb | encrypted)}) == Verdict::macsec_unknown_sci);
  const Sci scb{peer.address, 0};
  REQUIRE(one.secy.add_receive_sc(scb).ok());
  REQUIRE(one.secy.set_receive_sa(scb, 0, {9, 9}).ok());
  CHECK(one.classify({.tci = static_cast<std::uint8_t>(wire::tci_scb | encrypted)}).sa == SaId{9, 9});
}

TEST_CASE("an SCI of zeros is not found where an SC was removed") {
  One one;
  REQUIRE(one.secy.add_receive_sc(other).ok());
  REQUIRE(one.secy.remove_receive_sc(other).ok());
  CHECK(one.verdict({.sci = {{{0, 0, 0, 0, 0, 0}}, 0}}) == Verdict::macsec_unknown_sci);
}

TEST_CASE("VLAN tags in clear must be the configured ones, in every mode") {
  const ValidateFrames validate = GENERATE(ValidateFrames::strict, ValidateFrames::check, ValidateFrames::disabled);
  MacsecSecY with = settings(validate);
  with.clear_tags = {{0x8100, 7}};
  One one(with);
  CHECK(one.classify({.tags = {{0x8100, 7}}}).sa == some_sa);
  CHECK(one.verdict({}) == Verdict::macsec_vlan_missing);
  CHECK(one.verdict({.tags = {{0x8100, 8}}}) == Verdict::macsec_vlan_mismatch);
  CHECK(one.verdict({.tags = {{0x88a8, 7}}}) == Verdict::macsec_vlan_mismatch);
  CHECK(one.verdict({.tags = {{0x8100, 7}, {0x8100, 8}}}) == Verdict::macsec_vlan_mismatch);
  // A frame without SecTAG must be of the VLAN as well.
  CHECK(one.verdict({.ethertype = wire::ethertype_ipv4}) == Verdict::macsec_vlan_missing);
  One plain{settings(validate)};
  CHECK(plain.verdict({.tags = {{0x8100, 7}}}) == Verdict::macsec_vlan_mismatch);
}

TEST_CASE("a cut frame is malformed and a giant one oversize") {
  One one;
  const Bytes frame = make({});
  for (std::uint32_t size = 0; size < 14; ++size)
    CHECK(one.secy.classify(frame.data(), size).verdict == Verdict::malformed_ethernet);
  CHECK(one.verdict({.data = 9728}) == Verdict::oversize);
}

TEST_CASE("SCs are refused by name: reserved, our own, twice, too many, unknown, in use") {
  Secy secy(settings(), own);
  const auto message = [](const Result<void>& result) { return result.ok() ? "" : result.error().message; };
  CHECK(message(secy.add_receive_sc({{{0, 0, 0, 0, 0, 0}}, 0})).find("reserved") != std::string::npos);
  CHECK(message(secy.add_receive_sc({{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, 0xffff})).find("reserved") !=
        std::string::npos);
  CHECK(message(secy.add_receive_sc(own)).find("transmit SC's") != std::string::npos);
  CHECK(message(secy.add_receive_sc(peer)).empty());
  CHECK(message(secy.add_receive_sc(peer)).find("02:00:00:00:00:01/1: exists") != std::string::npos);
  for (std::uint32_t i = 1; i < tables::receive_scs_largest; ++i)
    CHECK(message(secy.add_receive_sc({peer.address, static_cast<std::uint16_t>(100 + i)})).empty());
  CHECK(message(secy.add_receive_sc(other)).find("at most 64") != std::string::npos);
  CHECK(message(secy.remove_receive_sc(other)).find("unknown") != std::string::npos);
  REQUIRE(secy.set_receive_sa(peer, 1, some_sa).ok());
  CHECK(message(secy.remove_receive_sc(peer)).find("AN 1") != std::string::npos);
  CHECK_FALSE(secy.set_receive_sa(other, 0, some_sa).ok());
  CHECK_FALSE(secy.set_receive_sa(peer, 4, some_sa).ok());
  CHECK_FALSE(secy.set_transmit_sa(4, some_sa).ok());
}

TEST_CASE("the transmit SA is the encoding AN's, switched at once, and only to an AN that has one") {
  Secy secy(settings(), own);
  CHECK_FALSE(secy.transmit_sa().valid());
  CHECK_FALSE(secy.transmit_with(0).ok());
  REQUIRE(secy.set_transmit_sa(0, {1, 1}).ok());
  REQUIRE(secy.transmit_with(0).ok());
  CHECK(secy.transmit_sa() == SaId{1, 1});
  REQUIRE(secy.set_transmit_sa(1, {2, 1}).ok());
  CHECK(secy.transmit_sa() == SaId{1, 1});
  REQUIRE(secy.transmit_with(1).ok());
  CHECK(secy.transmit_sa() == SaId{2, 1});
  CHECK_FALSE(secy.transmit_with(2).ok());
  CHECK_FALSE(secy.transmit_with(4).ok());
  const auto old = secy.set_transmit_sa(1, {3, 1});
  REQUIRE(old.ok());
  CHECK(old.value() == SaId{2, 1});
  CHECK(secy.transmit_sa() == SaId{3, 1});
  REQUIRE(secy.set_transmit_sa(1, {}).ok());
  CHECK_FALSE(secy.transmit_sa().valid());  // nothing goes out rather than under another AN
}

TEST_CASE("frames that an engine could not take are overruns, and what the SA counts is not counted twice") {
  One one;
  one.secy.count_received(Verdict::engine_busy, 100);
  one.secy.count_received(Verdict::no_buffer, 100);
  for (const Verdict verdict : {Verdict::ok, Verdict::macsec_not_valid, Verdict::replay_late, Verdict::unchecked,
                                Verdict::macsec_untagged, Verdict::macsec_unknown_sci, Verdict::macsec_bad_version})
    one.secy.count_received(verdict, 100);
  one.secy.count_transmitted(Verdict::ok, 100);
  one.secy.count_transmitted(Verdict::exempt, 100);
  one.secy.count_transmitted(Verdict::oversize, 100);
  one.secy.count_transmitted(Verdict::no_sa, 100);
  CHECK(one.count("InPktsOverrun") == 2);
  CHECK(one.count("OutPktsUntagged") == 1);
  CHECK(one.count("OutPktsTooLong") == 1);
  CHECK(one.count("OutPktsNoSA") == 1);
  for (const auto& counter : one.secy.counters({}))
    if (counter.name.substr(0, 2) == "In" && counter.name != "InPktsOverrun") {
      INFO(counter.name);
      CHECK(counter.value == 0);
    }
}

TEST_CASE("an SA's counters appear under the standard's names and stay in the totals when it goes") {
  const auto slots = std::make_unique<SaSlot[]>(16);
  const std::span<const SaSlot> view(slots.get(), 16);
  One one;
  SaCounters& live = slots[some_sa.index].counters;
  live.packets.add(10);
  live.delayed.add(3);
  live.unchecked.add(4);
  live.late.add(5);
  live.duplicate.add(6);
  live.invalid.add(7);
  live.bad_icv.add(8);
  live.validated_bytes.add(90);
  live.decrypted_bytes.add(100);
  const auto check = [&] {
    const std::string scope = "rx 02:00:00:00:00:01/1";
    std::map<std::string, std::uint64_t> found;
    for (const auto& counter : one.secy.counters(view))
      if (counter.scope == scope || counter.scope == "secy") found[counter.name] = counter.value;
    CHECK(found["InPktsOK"] == 7);
    CHECK(found["InPktsDelayed"] == 3);
    CHECK(found["InPktsUnchecked"] == 4);
    CHECK(found["InPktsLate"] == 5);
    CHECK(found["InPktsDuplicate"] == 6);
    CHECK(found["InPktsInvalid"] == 7);
    CHECK(found["InPktsNotValid"] == 8);
    CHECK(found["InOctetsValidated"] == 90);
    CHECK(found["InOctetsDecrypted"] == 100);
  };
  check();
  // Replaced, but not absorbed yet: still counted once.
  const auto old = one.secy.set_receive_sa(peer, 0, {8, 1});
  REQUIRE(old.ok());
  REQUIRE(old.value() == some_sa);
  check();
  // Absorbed, and its slot used again.
  one.secy.absorb(peer, live);
  std::destroy_at(&live);
  std::construct_at(&live);
  check();
  // The SC goes: its octets stay the SecY's.
  REQUIRE(one.secy.set_receive_sa(peer, 0, {}).ok());
  CHECK_FALSE(one.secy.remove_receive_sc(peer).ok());
  one.secy.absorb(peer, slots[8].counters);
  REQUIRE(one.secy.remove_receive_sc(peer).ok());
  CHECK(one.count("InOctetsDecrypted") == 100);
}

TEST_CASE("a worker classifies and sends while control rekeys and a reader counts") {
  const auto slots = std::make_unique<SaSlot[]>(64);
  const std::span<const SaSlot> view(slots.get(), 64);
  Secy secy(settings(), own);
  REQUIRE(secy.add_receive_sc(peer).ok());
  for (std::uint8_t an = 0; an < 4; ++an) {
    REQUIRE(secy.set_transmit_sa(an, {an, 1}).ok());
    REQUIRE(secy.set_receive_sa(peer, an, {8U + an, 1}).ok());
  }
  REQUIRE(secy.transmit_with(0).ok());
  std::atomic<bool> started{false};
  std::atomic<bool> stop{false};
  std::uint64_t frames = 0;
  std::uint64_t without = 0;
  std::thread worker([&] {
    Shape shape;
    while (!stop.load(std::memory_order_relaxed)) {
      shape.an = static_cast<std::uint8_t>(frames % 4);
      const Bytes frame = make(shape);
      const ReceiveDecision decision = secy.classify(frame.data(), static_cast<std::uint32_t>(frame.size()));
      if (!decision.sa.valid() || !secy.transmit_sa().valid()) ++without;
      if (decision.sa.valid()) slots[decision.sa.index].counters.packets.add();
      secy.count_received(Verdict::engine_busy, 60);
      ++frames;
      started.store(true, std::memory_order_relaxed);
    }
  });
  std::uint64_t last = 0;
  std::uint64_t back = 0;
  std::thread reader([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      for (const auto& counter : secy.counters(view)) {
        if (counter.name != "InPktsOverrun") continue;
        if (counter.value < last) ++back;
        last = counter.value;
      }
    }
  });
  while (!started.load(std::memory_order_relaxed)) std::this_thread::yield();
  for (std::uint32_t round = 0; round < 2000; ++round) {
    const auto an = static_cast<std::uint8_t>(round % 4);
    const std::uint32_t slot = 8 + (round % 14) * 4 + an;
    const auto old = secy.set_receive_sa(peer, an, {slot, round + 2});
    REQUIRE(old.ok());
    secy.absorb(peer, slots[old.value().index].counters);
    REQUIRE(secy.set_transmit_sa(an, {an, round + 2}).ok());
    secy.absorb(own, slots[an].counters);
    REQUIRE(secy.transmit_with(an).ok());
    REQUIRE(secy.add_receive_sc(other).ok());
    REQUIRE(secy.remove_receive_sc(other).ok());
  }
  stop.store(true);
  worker.join();
  reader.join();
  CHECK(without == 0);
  CHECK(back == 0);
  CHECK(frames > 0);
}
