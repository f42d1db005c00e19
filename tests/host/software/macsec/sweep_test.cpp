// Every size, suite, SecTAG variant, protection and number of VLAN tags in clear: out and back, on two providers, or on
// the emulated card and one of them.
//
// The short form samples the sizes; LINECRYPT_LONG=1 tries all of them.
#include "tests/host/software/macsec/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::macsec_test;

namespace {

struct Protection {
  bool encrypt;
  std::uint8_t offset;
};
constexpr Protection every_protection[] = {{true, 0}, {false, 0}, {true, 30}, {true, 50}};
const std::vector<ClearVlanTag> every_tags[] = {{}, {{0x8100, 7}}, {{0x88a8, 100}, {0x8100, 7}}};

std::vector<std::uint32_t> sizes() {
  if (test::sampled_form()) return {1, 15, 47, 48, 49, 130, 1500, 9216};
  std::vector<std::uint32_t> out;
  if (long_form()) {
    for (std::uint32_t size = 1; size <= 9216; ++size) out.push_back(size);
    return out;
  }
  for (std::uint32_t size = 1; size <= 66; ++size) out.push_back(size);
  for (const std::uint32_t near : {128U, 256U, 1500U, 2048U, 4096U, 9000U})
    for (std::uint32_t size = near - 1; size <= near + 1; ++size) out.push_back(size);
  out.push_back(9216);
  return out;
}

// What the protected frame must look like, whatever the cipher made of it; empty if it does.
std::string wrong_shape(const Bytes& clear, const Bytes& tagged, const MacsecSecY& secy) {
  const std::uint32_t offset = 12 + 4 * static_cast<std::uint32_t>(secy.clear_tags.size());
  const std::uint32_t tag_size = wire::sectag_size_of(secy.sci_encoding);
  const auto data = static_cast<std::uint32_t>(clear.size()) - offset;
  if (tagged.size() != clear.size() + tag_size + 16) return "length";
  if (!std::equal(clear.begin(), clear.begin() + offset, tagged.begin())) return "addresses or VLAN tags";
  if (tagged[offset] != 0x88 || tagged[offset + 1] != 0xe5) return "EtherType";
  if (tagged[offset + 3] != (data < 48 ? data : 0)) return "short length";
  const auto user = clear.begin() + offset;
  const auto secure = tagged.begin() + offset + tag_size;
  const std::uint32_t plain = secy.encrypt ? std::min<std::uint32_t>(secy.confidentiality_offset, data) : data;
  if (!std::equal(user, user + plain, secure)) return "text in clear";
  // Sixteen equal octets of ciphertext and clear text: once in 2^128.
  if (data - plain >= 16 && std::equal(user + plain, user + data, secure + plain)) return "not encrypted";
  return {};
}

}  // namespace

TEST_CASE("every size goes out and comes back in every variant, from one engine to another", "[sweep]") {
  const CipherSuite suite = GENERATE(from_range(std::begin(every_suite), std::end(every_suite)));
  const SciEncoding encoding =
      GENERATE(SciEncoding::explicit_sci, SciEncoding::end_station, SciEncoding::implicit, SciEncoding::scb);
  const bool swapped = GENERATE(false, true);
  const EngineKind one = test::only_card() ? test::engine_kinds().front() : fast;
  Rig sender(swapped ? openssl : one);
  Rig receiver(swapped ? one : openssl);
  for (const Protection protection : every_protection) {
    if (is_xpn(suite) && protection.offset != 0) continue;
    for (const auto& tags : every_tags) {
      const Pair pair = Pair(suite).with([&](MacsecSecY& secy) {
        secy.sci_encoding = encoding;
        secy.encrypt = protection.encrypt;
        secy.confidentiality_offset = protection.offset;
        secy.clear_tags = tags;
      });
      if (!check(sender.engine().capabilities(), pair.transmit) ||
          !check(receiver.engine().capabilities(), pair.receive)) {
        CHECK(protection.offset != 0);  // the card's only refusal here
        continue;
      }
      const SaId transmit = sender.add(pair.transmit);
      const SaId receive = receiver.add(pair.receive);
      for (const std::uint32_t size : sizes()) {
        const Bytes clear = clear_frame(size, tags, 5);
        Frame frame(clear);
        const Verdict out = sender.protect(transmit, frame);
        const std::string wrong = out == Verdict::ok ? wrong_shape(clear, frame.bytes(), pair.transmit.secy) : "";
        // A short frame gets Ethernet padding on its way.
        Bytes wire_bytes = frame.bytes();
        if (wire_bytes.size() < 60) wire_bytes.resize(60, 0x55);
        Frame arrived(wire_bytes);
        const Verdict in = receiver.validate(receive, arrived);
        if (out != Verdict::ok || in != Verdict::ok || !wrong.empty() || arrived.bytes() != clear) {
          INFO("payload " << size << ", " << tags.size() << " tags, offset " << int{protection.offset} << ", encrypt "
                          << protection.encrypt << ": out " << name(out) << ", in " << name(in)
                          << ", wrong: " << wrong);
          FAIL();
        }
      }
      REQUIRE(sender.engine().remove(transmit).ok());
      REQUIRE(receiver.engine().remove(receive).ok());
      CHECK(receiver.counters(receive).packets.get() == sizes().size());
    }
  }
}

TEST_CASE("a burst out of place leaves its sources alone and comes back in order, also late and in parts") {
  const EngineKind kind = every_engine();
  Rig rig(kind);
  const Pair pair = Pair(CipherSuite::gcm_aes_xpn_256).with([](MacsecSecY& secy) { secy.replay_window = 0; });
  const SaId transmit = rig.add(pair.transmit);
  const SaId receive = rig.add(pair.receive);
  std::deque<Frame> sources;
  std::deque<Frame> tagged;
  std::deque<Frame> back;
  std::vector<Job*> protects;
  std::vector<Job*> validates;
  for (std::uint32_t i = 0; i < 300; ++i) {
    sources.emplace_back(clear_frame(1 + i * 5));
    tagged.emplace_back(Bytes(2000), 64, 64);
    back.emplace_back(Bytes(2000), 64, 64);
    tagged[i].job.source = &sources[i].packet;
    tagged[i].job.stages[0] = {transmit, Operation::macsec_protect};
    protects.push_back(&tagged[i].job);
    back[i].job.source = &tagged[i].packet;
    back[i].job.stages[0] = {receive, Operation::macsec_validate};
    validates.push_back(&back[i].job);
  }
  rig.run(protects);
  rig.run(validates);
  for (std::uint32_t i = 0; i < 300; ++i) {
    INFO(kind.name << " " << i);
    REQUIRE(protects[i]->verdict == Verdict::ok);
    // A window of 0 takes numbers in order only: so they came in order.
    REQUIRE(validates[i]->verdict == Verdict::ok);
    REQUIRE(validates[i]->number == i + 1);
    REQUIRE(sources[i].bytes() == clear_frame(1 + i * 5));
    REQUIRE(back[i].bytes() == clear_frame(1 + i * 5));
  }
}
