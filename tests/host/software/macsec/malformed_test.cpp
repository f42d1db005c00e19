// One test for every rule that a received frame can break (IEEE 802.1AE-2018 9.5 - 9.9, 9.12, 10.6.1). Each changes one
// thing of a good frame, so that a missing rule would show as another verdict.
#include "tests/host/software/macsec/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::macsec_test;

namespace {

constexpr std::uint32_t tci_at = 14;
constexpr std::uint32_t sl_at = 15;
constexpr std::uint32_t pn_at = 16;
constexpr std::uint32_t sci_at = 20;

// A good frame of 100 octets, changed by `change`, through validate.
template <typename Change>
Verdict changed(Pair pair, Change change, std::uint32_t payload = 100) {
  Rig rig(every_engine());
  Bytes bytes = protected_frame(rig, rig.add(pair.transmit), clear_frame(payload, pair.transmit.secy.clear_tags));
  const SaId receive = rig.add(pair.receive);
  {
    Frame good(bytes);
    REQUIRE(rig.validate(receive, good) == Verdict::ok);
  }
  REQUIRE(rig.engine().remove(receive).ok());
  const SaId fresh = rig.add(pair.receive);
  change(bytes);
  Frame frame(bytes);
  const Verdict verdict = rig.validate(fresh, frame);
  // None of these rules needs a key: nothing was decrypted and nothing moved.
  CHECK(rig.slots()[fresh.index].window.top() == 0);
  CHECK(rig.counters(fresh).packets.get() == 0);
  CHECK(frame.packet.length == bytes.size());
  return verdict;
}

Pair with_encoding(SciEncoding encoding) {
  return Pair().with([&](MacsecSecY& secy) { secy.sci_encoding = encoding; });
}
Pair with_tags(std::vector<ClearVlanTag> tags) {
  return Pair().with([&](MacsecSecY& secy) { secy.clear_tags = tags; });
}

}  // namespace

TEST_CASE("a frame shorter than an Ethernet header is malformed") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame.resize(13); }) == Verdict::malformed_ethernet);
}

TEST_CASE("a frame without a SecTAG is untagged") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame[12] = 0x08, frame[13] = 0; }) == Verdict::macsec_untagged);
}

TEST_CASE("a frame that ends within its SecTAG is short") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame.resize(12 + 7); }) == Verdict::macsec_short);
  CHECK(changed(Pair(), [](Bytes& frame) { frame.resize(12 + 15); }) == Verdict::macsec_short);
}

TEST_CASE("a frame without room for an ICV is short") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame.resize(12 + 16 + 15); }) == Verdict::macsec_short);
  CHECK(changed(with_encoding(SciEncoding::implicit), [](Bytes& frame) { frame.resize(12 + 8 + 15); }) ==
        Verdict::macsec_short);
}

TEST_CASE("the version bit set is refused") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame[tci_at] |= wire::tci_version; }) == Verdict::macsec_bad_version);
}

TEST_CASE("ES with SC is refused") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame[tci_at] |= wire::tci_end_station; }) == Verdict::macsec_es_with_sc);
}

TEST_CASE("SCB with SC is refused") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame[tci_at] |= wire::tci_scb; }) == Verdict::macsec_scb_with_sc);
}

TEST_CASE("E without C is refused by the engine: it is the KaY's") {
  CHECK(changed(Pair(), [](Bytes& frame) {
          frame[tci_at] = static_cast<std::uint8_t>(frame[tci_at] & ~std::uint32_t{wire::tci_changed});
        }) == Verdict::macsec_e_without_c);
}

TEST_CASE("either reserved bit above the short length is refused, also where the octet would be the frame's length") {
  const std::uint8_t octet =
      GENERATE(std::uint8_t{0x40}, std::uint8_t{0x80}, std::uint8_t{0x54}, std::uint8_t{0x94}, std::uint8_t{0xef});
  CHECK(changed(
            Pair(), [&](Bytes& frame) { frame[sl_at] = octet; }, octet - 2) == Verdict::macsec_bad_short_length);
  CHECK(changed(
            Pair(), [&](Bytes& frame) { frame[sl_at] |= octet & 0xc0; }, 20) == Verdict::macsec_bad_short_length);
}

TEST_CASE("a short length of 48 or more is refused, also where it is the frame's") {
  for (std::uint8_t sl = 48; sl < 64; ++sl)
    CHECK(changed(
              Pair(), [&](Bytes& frame) { frame[sl_at] = sl; }, sl - 2) == Verdict::macsec_bad_short_length);
}

TEST_CASE("a short length in a frame that is longer than padding can make it is refused") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame[sl_at] = 47; }) == Verdict::macsec_bad_short_length);
  // 61 octets: one more than the shortest Ethernet frame.
  CHECK(changed(
            Pair(), [](Bytes& frame) { frame.resize(61); }, 12) == Verdict::macsec_bad_short_length);
  CHECK(changed(
            with_tags({{0x8100, 7}}), [](Bytes& frame) { frame.resize(65); }, 12) == Verdict::macsec_bad_short_length);
}

TEST_CASE("a short frame may be padded as far as the shortest frame with its VLAN tags") {
  Rig rig(every_engine());
  const bool tagged = GENERATE(false, true);
  const std::vector<ClearVlanTag> tags(tagged ? 1 : 0, ClearVlanTag{0x8100, 7});
  const Pair pair = with_tags(tags);
  const Bytes clear = clear_frame(12, tags);
  const SaId transmit = rig.add(pair.transmit);
  const SaId receive = rig.add(pair.receive);
  for (std::size_t size = clear.size() + 32; size <= 60 + 4 * tags.size(); ++size) {
    Bytes bytes = protected_frame(rig, transmit, clear);
    bytes.resize(size, 0x77);
    Frame frame(bytes);
    CHECK(rig.validate(receive, frame) == Verdict::ok);
    CHECK(frame.bytes() == clear);
  }
}

TEST_CASE("a short length beyond the end of the frame is refused") {
  CHECK(changed(
            Pair(), [](Bytes& frame) { frame[sl_at] = 23; }, 20) == Verdict::macsec_bad_short_length);
  CHECK(changed(
            Pair(), [](Bytes& frame) { frame.pop_back(); }, 20) == Verdict::macsec_bad_short_length);
}

TEST_CASE("short length zero with less than 48 octets of secure data is refused") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame.resize(12 + 16 + 47 + 16); }) == Verdict::macsec_bad_short_length);
  CHECK(changed(
            Pair(), [](Bytes& frame) { frame[sl_at] = 0; }, 20) == Verdict::macsec_bad_short_length);
}

TEST_CASE("the reserved SCI is refused") {
  CHECK(changed(Pair(), [](Bytes& frame) { std::fill_n(frame.begin() + sci_at, 8, std::uint8_t{0xff}); }) ==
        Verdict::macsec_bad_sci);
}

TEST_CASE("another SCI than the SA's is unknown") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame[sci_at + 7] ^= 2; }) == Verdict::macsec_unknown_sci);
}

TEST_CASE("ES with another source address is an unknown SCI") {
  CHECK(changed(with_encoding(SciEncoding::end_station), [](Bytes& frame) { frame[11] ^= 1; }) ==
        Verdict::macsec_unknown_sci);
}

TEST_CASE("SCB with another source address is an unknown SCI") {
  CHECK(changed(with_encoding(SciEncoding::scb), [](Bytes& frame) { frame[11] ^= 1; }) == Verdict::macsec_unknown_sci);
}

TEST_CASE("SCB names port 0, ES port 1: one is not taken for the other") {
  CHECK(changed(with_encoding(SciEncoding::end_station), [](Bytes& frame) { frame[tci_at] |= wire::tci_scb; }) ==
        Verdict::macsec_unknown_sci);
}

TEST_CASE("another AN than the SA's is refused") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame[tci_at] ^= 1; }) == Verdict::macsec_unused_sa);
}

TEST_CASE("packet number zero is refused without XPN") {
  CHECK(changed(Pair(), [](Bytes& frame) { std::fill_n(frame.begin() + pn_at, 4, std::uint8_t{0}); }) ==
        Verdict::number_zero);
}

TEST_CASE("packet number zero is refused with XPN where no lap has passed") {
  CHECK(changed(Pair(CipherSuite::gcm_aes_xpn_128),
                [](Bytes& frame) { std::fill_n(frame.begin() + pn_at, 4, std::uint8_t{0}); }) == Verdict::number_zero);
}

TEST_CASE("a frame longer than 9728 octets is refused") {
  CHECK(changed(Pair(), [](Bytes& frame) { frame.resize(9729); }) == Verdict::oversize);
}

TEST_CASE("a missing VLAN tag is refused on ingress") {
  CHECK(changed(with_tags({{0x8100, 7}}), [](Bytes& frame) { frame.erase(frame.begin() + 12, frame.begin() + 16); }) ==
        Verdict::macsec_vlan_missing);
  CHECK(changed(with_tags({{0x88a8, 100}, {0x8100, 7}}), [](Bytes& frame) {
          frame.erase(frame.begin() + 16, frame.begin() + 20);
        }) == Verdict::macsec_vlan_missing);
}

TEST_CASE("a VLAN tag too many is refused on ingress") {
  const auto insert = [](Bytes& frame) {
    const Bytes tag = from_hex("81000007");
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  };
  CHECK(changed(Pair(), insert) == Verdict::macsec_vlan_mismatch);
  CHECK(changed(with_tags({{0x8100, 7}}), insert) == Verdict::macsec_vlan_mismatch);
}

TEST_CASE("another VID is refused on ingress") {
  CHECK(changed(with_tags({{0x8100, 7}}), [](Bytes& frame) { frame[15] = 8; }) == Verdict::macsec_vlan_mismatch);
  CHECK(changed(with_tags({{0x88a8, 100}, {0x8100, 7}}), [](Bytes& frame) { frame[19] = 8; }) ==
        Verdict::macsec_vlan_mismatch);
}

TEST_CASE("another TPID is refused on ingress") {
  CHECK(changed(with_tags({{0x8100, 7}}), [](Bytes& frame) { frame[12] = 0x88, frame[13] = 0xa8; }) ==
        Verdict::macsec_vlan_mismatch);
}

TEST_CASE("a frame cut anywhere, or with any one bit changed, is never delivered in strict mode") {
  const CipherSuite suite = GENERATE(from_range(std::begin(every_suite), std::end(every_suite)));
  const bool encrypt = GENERATE(true, false);
  const std::uint32_t payload = GENERATE(20U, 60U);
  Rig rig(every_engine());
  const Pair pair = Pair(suite).with([&](MacsecSecY& secy) {
    secy.encrypt = encrypt;
    secy.replay_window = 100;
  });
  const Bytes clear = clear_frame(payload);
  const Bytes good = protected_frame(rig, rig.add(pair.transmit), clear);
  const SaId receive = rig.add(pair.receive);
  std::uint32_t delivered = 0;
  std::uint32_t not_zero = 0;
  for (std::uint32_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bytes = good;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    Frame frame(bytes);
    const Verdict verdict = rig.validate(receive, frame);
    delivered += is_drop(verdict) ? 0 : 1;
    if (verdict == Verdict::macsec_not_valid) not_zero += frame.zero_from(12 + 16) ? 0 : 1;
  }
  for (std::uint32_t size = 0; size < good.size(); ++size) {
    Frame frame(Bytes(good.begin(), good.begin() + size));
    delivered += is_drop(rig.validate(receive, frame)) ? 0 : 1;
  }
  CHECK(delivered == 0);
  CHECK(not_zero == 0);
  Frame frame(good);
  CHECK(rig.validate(receive, frame) == Verdict::ok);
  CHECK(frame.bytes() == clear);
}

TEST_CASE("a hundred thousand random frames are all refused and move nothing") {
  Rig rig(every_engine());
  const bool xpn = GENERATE(false, true);
  const ValidateFrames validate = GENERATE(ValidateFrames::strict, ValidateFrames::check);
  const Pair pair = Pair(xpn ? CipherSuite::gcm_aes_xpn_256 : CipherSuite::gcm_aes_128).with([&](MacsecSecY& secy) {
    secy.validate = validate;
    secy.sci_encoding = SciEncoding::implicit;
  });
  const SaId receive = rig.add(pair.receive);
  Random random(11);
  const int frames = long_form() ? 1000000 : 100000;
  int wrong = 0;
  for (int i = 0; i < frames; ++i) {
    Bytes bytes(random.below(120));
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    // Half of them get as far as the cipher.
    if (bytes.size() > 24 && random.below(2) == 0) {
      bytes[12] = 0x88, bytes[13] = 0xe5;
      bytes[14] = static_cast<std::uint8_t>((random.below(2) != 0 ? 0x0cU : 0U) | 1U);
      bytes[15] = static_cast<std::uint8_t>(bytes.size() - 12 - 8 < 48 + 16 ? (bytes.size() - 36) % 48 : 0);
    }
    Frame frame(bytes);
    const Verdict verdict = rig.validate(receive, frame);
    // Not strict, unchanged text is delivered without its tag: that is what the operator asked for.
    const bool allowed = validate == ValidateFrames::check && verdict == Verdict::unchecked;
    if (!is_drop(verdict) && !allowed) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(rig.slots()[receive.index].window.top() == 0);
  CHECK(rig.counters(receive).packets.get() == 0);
  CHECK(rig.counters(receive).bad_icv.get() + rig.counters(receive).invalid.get() > 0);
}
