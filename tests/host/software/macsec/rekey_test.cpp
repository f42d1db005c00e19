// A SecY with its tables and an engine together: four ANs, the hitless switch, totals that survive rekey.
#include "host/tables/secy.hpp"
#include "tests/host/software/macsec/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::macsec_test;

namespace {

// SAs of one key generation, at both ends. Equal keys never come back.
Pair generation(std::uint32_t number) {
  Pair pair = Pair(CipherSuite::gcm_aes_xpn_256);
  Bytes key(32, static_cast<std::uint8_t>(number + 1));
  for (MacsecSa* sa : {&pair.transmit, &pair.receive}) {
    sa->an = static_cast<std::uint8_t>(number % 4);
    sa->key = secret<32>(key);
  }
  return pair;
}

std::uint64_t value_of(const std::vector<tables::Secy::Named>& counters, const std::string& scope,
                       const std::string& name) {
  for (const auto& counter : counters)
    if (counter.scope == scope && counter.name == name) return counter.value;
  FAIL("no counter " << name << " of " << scope);
  return 0;
}

}  // namespace

TEST_CASE("rekeying through all four ANs again and again loses no frame, and totals survive") {
  const EngineKind kind = every_engine();
  Rig rig(kind);
  const Sci sci{peer_mac, 1};
  tables::Secy sender(generation(0).transmit.secy, sci);
  tables::Secy receiver(generation(0).receive.secy, Sci{own_mac, 1});
  REQUIRE(receiver.add_receive_sc(sci).ok());
  std::uint32_t sent = 0;
  std::uint32_t lost = 0;
  std::uint64_t octets = 0;
  std::uint32_t slot = 0;
  std::vector<Bytes> in_flight;  // of the SA before: they arrive behind the switch

  const auto install = [&](tables::Secy& secy, const MacsecSa& sa,
                           Result<SaId> (*set)(tables::Secy&, std::uint8_t, SaId)) {
    const SaId id{slot % 32, slot / 32 + 1};
    ++slot;
    REQUIRE(rig.engine().install(id, Sa(copy(sa)), Lease{1, 1000}, 0).ok());
    const auto old = set(secy, sa.an, id);
    REQUIRE(old.ok());
    // What stood under this AN, four generations ago, goes: removed, absorbed, its slot free.
    if (const SaId gone = old.value(); gone.valid()) {
      REQUIRE(rig.engine().remove(gone).ok());
      secy.absorb(sci, rig.slots()[gone.index].counters);
    }
  };
  const auto deliver = [&](const Bytes& bytes) {
    const tables::ReceiveDecision decision = receiver.classify(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
    Frame frame(bytes);
    if (decision.verdict != Verdict::pending || rig.validate(decision.sa, frame) != Verdict::ok) ++lost;
  };
  const auto send = [&] {
    Frame frame(clear_frame(40 + sent % 50));
    octets += 42 + sent % 50;
    ++sent;
    REQUIRE(rig.protect(sender.transmit_sa(), frame) == Verdict::ok);
    in_flight.push_back(frame.bytes());
    if (in_flight.size() > 5) {
      deliver(in_flight.front());
      in_flight.erase(in_flight.begin());
    }
  };

  for (std::uint32_t number = 0; number < 40; ++number) {
    const Pair pair = generation(number);
    // The order of 802.1X: every receiver first, then the transmitter, then the switch.
    install(receiver, pair.receive, [](tables::Secy& secy, std::uint8_t an, SaId id) {
      return secy.set_receive_sa({peer_mac, 1}, an, id);
    });
    install(sender, pair.transmit,
            [](tables::Secy& secy, std::uint8_t an, SaId id) { return secy.set_transmit_sa(an, id); });
    REQUIRE(sender.transmit_with(pair.transmit.an).ok());
    for (int i = 0; i < 25; ++i) send();
  }
  for (const Bytes& bytes : in_flight) deliver(bytes);

  INFO(kind.name);
  CHECK(lost == 0);
  CHECK(sent == 1000);
  const auto out = sender.counters(rig.slots());
  const auto in = receiver.counters(rig.slots());
  CHECK(value_of(out, "tx 02:00:00:00:00:01/1", "OutPktsEncrypted") == sent);
  CHECK(value_of(out, "tx 02:00:00:00:00:01/1", "OutPktsProtected") == 0);
  CHECK(value_of(out, "secy", "OutOctetsEncrypted") == octets);
  CHECK(value_of(in, "rx 02:00:00:00:00:01/1", "InPktsOK") == sent);
  CHECK(value_of(in, "secy", "InOctetsDecrypted") == octets);
  CHECK(value_of(in, "secy", "InOctetsValidated") == 0);
  CHECK(value_of(in, "rx 02:00:00:00:00:01/1 an 0", "InPktsOK") == 25);  // of the SA that is live there
}

TEST_CASE("frames of an SA that was removed are stale, not accepted under its successor") {
  Rig rig(every_engine());
  const Pair old = generation(0);
  const Pair fresh = generation(4);  // the same AN, another key
  const Bytes bytes = protected_frame(rig, rig.add(old.transmit), clear_frame(60));
  const SaId first{10, 1};
  REQUIRE(rig.engine().install(first, Sa(copy(old.receive)), {}, 0).ok());
  REQUIRE(rig.engine().remove(first).ok());
  REQUIRE(rig.engine().install({10, 2}, Sa(copy(fresh.receive)), {}, 0).ok());
  Frame stale(bytes);
  CHECK(rig.validate(first, stale) == Verdict::stale_sa);
  Frame other(bytes);
  CHECK(rig.validate({10, 2}, other) == Verdict::macsec_not_valid);
}
