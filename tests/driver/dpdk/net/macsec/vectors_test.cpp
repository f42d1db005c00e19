// IEEE 802.1AE-2018 Annex C through a port: 16 frames with integrity protection and 16 with confidentiality, each
// suite; and frames of all lengths against OpenSSL.
#include <catch2/catch.hpp>

#include "tests/driver/dpdk/net/macsec/rig.hpp"

using namespace linecrypt::test;

namespace {

FlowOptions receiver_of(const AnnexC& vector) {
  FlowOptions options = vector.options;
  options.encrypt = true;
  return options;
}

}  // namespace

TEST_CASE("The engine does all of Annex C: 16 frames in the open and 16 encrypted") {
  REQUIRE(annex_c().size() == 32);
  const Port port;
  std::size_t encrypted = 0;
  for (const AnnexC& vector : annex_c()) {
    INFO(vector.name);
    CHECK(able(port, vector));
    encrypted += vector.encrypted ? 1 : 0;
  }
  CHECK(encrypted == 16);
}

TEST_CASE("Each frame of Annex C leaves the port byte for byte, and is counted") {
  Port port;
  for (const AnnexC& vector : annex_c()) {
    if (!able(port, vector)) continue;
    INFO(vector.name);
    const Flow flow(port, tx, vector.options);
    const auto out = port.transmit({vector.clear});
    REQUIRE(out.size() == 1);
    CHECK(out[0].bytes == vector.secured);
    const std::uint64_t octets = vector.clear.size() - 12;
    const auto secy = flow.stats();
    CHECK(secy.octet_encrypted_cnt == (vector.encrypted ? octets : 0));
    CHECK(secy.octet_protected_cnt == (vector.encrypted ? 0 : octets));
    const auto sc = flow.sc_stats();
    CHECK(sc.pkt_encrypt_cnt == (vector.encrypted ? 1 : 0));
    CHECK(sc.pkt_protected_cnt == (vector.encrypted ? 0 : 1));
    CHECK(sc.octet_encrypt_cnt == secy.octet_encrypted_cnt);
    CHECK(sc.octet_protected_cnt == secy.octet_protected_cnt);
    const auto sa = flow.sa_stats(0);
    CHECK(sa.pkt_encrypt_cnt == sc.pkt_encrypt_cnt);
    CHECK(sa.pkt_protected_cnt == sc.pkt_protected_cnt);
    CHECK(secy.ctl_pkt_ucast_cnt + secy.ctl_pkt_mcast_cnt + secy.ctl_pkt_bcast_cnt == 1);
    CHECK(secy.ctl_octet_cnt == vector.clear.size());
    CHECK(secy.unctl_octet_cnt == vector.secured.size());
  }
}

TEST_CASE("Each frame of Annex C comes in byte for byte, and is counted") {
  Port port;
  for (const AnnexC& vector : annex_c()) {
    if (!able(port, vector)) continue;
    INFO(vector.name);
    const Flow flow(port, rx, receiver_of(vector));
    const auto in = port.receive({vector.secured});
    REQUIRE(in.size() == 1);
    CHECK(in[0].bytes == vector.clear);
    CHECK(in[0].secured());
    CHECK_FALSE(in[0].failed());
    const std::uint64_t octets = vector.clear.size() - 12;
    const auto secy = flow.stats();
    CHECK(secy.octet_decrypted_cnt == (vector.encrypted ? octets : 0));
    CHECK(secy.octet_validated_cnt == (vector.encrypted ? 0 : octets));
    const auto sc = flow.sc_stats();
    CHECK(sc.hit_cnt == 1);
    CHECK(sc.pkt_ok_cnt == 1);
    CHECK(sc.octet_decrypt_cnt == secy.octet_decrypted_cnt);
    CHECK(sc.octet_validate_cnt == secy.octet_validated_cnt);
    CHECK(flow.sa_stats(0).pkt_ok_cnt == 1);
    CHECK(secy.unctl_octet_cnt == vector.secured.size());
    CHECK(secy.ctl_octet_cnt == vector.clear.size());
  }
}

TEST_CASE("Each frame of Annex C goes out of one port and into another") {
  Port sender;
  Port receiver("key_reuse=allow", 1, Port::Engine::software);
  for (const AnnexC& vector : annex_c()) {
    if (!able(sender, vector)) continue;
    INFO(vector.name);
    const Flow out(sender, tx, vector.options);
    const Flow in(receiver, rx, receiver_of(vector));
    const auto wire = sender.transmit({vector.clear});
    REQUIRE(wire.size() == 1);
    CHECK(wire[0].bytes == vector.secured);
    const auto came = receiver.receive({wire[0].bytes});
    REQUIRE(came.size() == 1);
    CHECK(came[0].bytes == vector.clear);
  }
}

TEST_CASE("A frame of any length is what OpenSSL makes of it, in every form of the SecTAG") {
  struct Form {
    bool sci, end_station, encrypt;
  };
  const Form form = GENERATE(Form{true, false, true}, Form{true, false, false}, Form{false, true, true},
                             Form{false, false, true}, Form{false, false, false});
  Port port;
  FlowOptions options;
  options.sas = {{.key = key_of(16), .an = 2, .pn = 77}};
  options.send_sci = form.sci;
  options.end_station = form.end_station;
  options.encrypt = form.encrypt;
  SealOptions sealed;
  sealed.key = key_of(16);
  sealed.an = 2;
  sealed.pn = 77;
  sealed.explicit_sci = form.sci;
  sealed.end_station = form.end_station;
  sealed.encrypt = form.encrypt;
  std::vector<Bytes> clear;
  std::vector<Bytes> secured;
  for (std::size_t payload = 1; payload < 130; payload += payload < 60 ? 1 : 13) {
    clear.push_back(clear_frame(payload));
    secured.push_back(seal(clear.back(), sealed));
    ++sealed.pn;
  }
  {
    const Flow out(port, tx, options);
    const auto wire = port.transmit(clear);
    REQUIRE(wire.size() == clear.size());
    for (std::size_t i = 0; i < clear.size(); ++i) CHECK(wire[i].bytes == secured[i]);
  }
  const Flow in(port, rx, options);
  const auto came = port.receive(secured);
  REQUIRE(came.size() == clear.size());
  for (std::size_t i = 0; i < clear.size(); ++i) CHECK(came[i].bytes == clear[i]);
}

TEST_CASE("Confidentiality offsets of 30 and 50 leave the front in clear, where the engine can") {
  const std::uint8_t offset = GENERATE(std::uint8_t{30}, std::uint8_t{50});
  Port port;
  FlowOptions options;
  options.sas = {{.key = key_of(32)}};
  options.alg = RTE_SECURITY_MACSEC_ALG_GCM_256;
  options.cipher_off = offset;
  const int sa = port.create_sa(sa_conf(tx, options.sas[0]));
  const int sc = port.create_sc(sc_conf(tx, options, {sa}));
  Session* session = nullptr;
  (void)said();
  const int made = port.create(session_conf(tx, options, sc), session);
  if (made != 0) {
    CHECK(said().find("confidentiality_offset") != std::string::npos);
    CHECK(port.destroy_sc(sc) == 0);
    return;
  }
  REQUIRE(port.destroy(session) == 0);
  REQUIRE(port.destroy_sc(sc) == 0);
  REQUIRE(port.destroy_sa(sa) == 0);
  SealOptions sealed;
  sealed.key = key_of(32);
  sealed.offset = offset;
  for (const std::size_t payload : {5U, 27U, 28U, 29U, 48U, 60U}) {
    sealed.pn = 1;
    INFO(payload);
    {
      const Flow out(port, tx, options);
      const auto wire = port.transmit({clear_frame(payload)});
      REQUIRE(wire.size() == 1);
      CHECK(wire[0].bytes == seal(clear_frame(payload), sealed));
    }
    const Flow in(port, rx, options);
    const auto came = port.receive({seal(clear_frame(payload), sealed)});
    REQUIRE(came.size() == 1);
    CHECK(came[0].bytes == clear_frame(payload));
  }
}
