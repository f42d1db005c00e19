// Frames flagged for both: ESP inside, MACsec outside, each as it should be, in the order of the wire.
#include <rte_byteorder.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "tests/driver/dpdk/net/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

constexpr std::uint64_t sci = 0x0200'0000'000a'0001U;
constexpr std::size_t sectag = 16;
constexpr std::size_t icv = 16;

// One direction of MACsec, with its rule for all frames.
class Macsec {
 public:
  Macsec(const Port& port, rte_security_macsec_direction direction, const Bytes& key) : port_(port) {
    rte_security_macsec_sa sa{};
    sa.dir = direction;
    sa.key.data = key.data();
    sa.key.length = static_cast<std::uint16_t>(key.size());
    sa.next_pn = rte_cpu_to_be_32(1);
    sa_ = rte_security_macsec_sa_create(port.security(), &sa);
    REQUIRE(sa_ > 0);
    rte_security_macsec_sc sc{};
    sc.dir = direction;
    if (direction == RTE_SECURITY_MACSEC_DIR_TX) {
      sc.sc_tx.sa_id = static_cast<std::uint16_t>(sa_);
      sc.sc_tx.sa_id_rekey = 0xffff;
      sc.sc_tx.sci = sci;
      sc.sc_tx.active = 1;
    } else {
      sc.sc_rx.sa_id[0] = static_cast<std::uint16_t>(sa_);
      sc.sc_rx.sa_in_use[0] = 1;
      sc.sc_rx.active = 1;
    }
    sc_ = rte_security_macsec_sc_create(port.security(), &sc);
    REQUIRE(sc_ > 0);
    rte_security_session_conf conf{};
    conf.action_type = RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL;
    conf.protocol = RTE_SECURITY_PROTOCOL_MACSEC;
    conf.macsec.dir = direction;
    conf.macsec.alg = RTE_SECURITY_MACSEC_ALG_GCM_128;
    conf.macsec.sci = sci;
    conf.macsec.sc_id = static_cast<std::uint16_t>(sc_);
    if (direction == RTE_SECURITY_MACSEC_DIR_TX) {
      auto& secy = conf.macsec.tx_secy;
      secy.mtu = 1500;
      secy.sectag_off = 12;
      secy.sectag_insert_mode = 1;
      secy.icv_include_da_sa = 1;
      secy.send_sci = 1;
      secy.encrypt = 1;
      secy.protect_frames = 1;
    } else {
      auto& secy = conf.macsec.rx_secy;
      secy.replay_win_sz = 0;
      secy.replay_protect = 1;
      secy.icv_include_da_sa = 1;
      secy.validate_frames = RTE_SECURITY_MACSEC_VALIDATE_STRICT & 3U;
    }
    session_ = rte_security_session_create(port.security(), &conf, session_pool(port));
    REQUIRE(session_ != nullptr);
    rte_flow_attr attr{};
    attr.ingress = direction == RTE_SECURITY_MACSEC_DIR_RX;
    attr.egress = direction == RTE_SECURITY_MACSEC_DIR_TX;
    rte_flow_item pattern[2]{};
    pattern[0].type = RTE_FLOW_ITEM_TYPE_ETH;
    rte_flow_action actions[2]{};
    actions[0].type = RTE_FLOW_ACTION_TYPE_SECURITY;
    actions[0].conf = session_;
    rte_flow_error error{};
    REQUIRE(rte_flow_validate(port.id(), &attr, pattern, actions, &error) == 0);
    flow_ = rte_flow_create(port.id(), &attr, pattern, actions, &error);
    REQUIRE(flow_ != nullptr);
  }
  ~Macsec() {
    rte_flow_destroy(port_.id(), flow_, nullptr);
    rte_security_session_destroy(port_.security(), session_);
    rte_security_macsec_sc_destroy(port_.security(), static_cast<std::uint16_t>(sc_));
    rte_security_macsec_sa_destroy(port_.security(), static_cast<std::uint16_t>(sa_));
  }
  Macsec(const Macsec&) = delete;
  Macsec& operator=(const Macsec&) = delete;

 private:
  const Port& port_;
  int sa_ = 0;
  int sc_ = 0;
  void* session_ = nullptr;
  rte_flow* flow_ = nullptr;
};

bool has_macsec(const Port& port) {
  rte_eth_dev_info info{};
  rte_eth_dev_info_get(port.id(), &info);
  return (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MACSEC_INSERT) != 0;
}

}  // namespace

TEST_CASE("Frames flagged for both get ESP first and MACsec outside, and come back through both, in order") {
  {
    Wire wire;
    const Port port("lower=" + wire.name() + ",key_reuse=allow");
    if (!has_macsec(port)) return;
    const Bytes macsec_key = fresh_key();
    Esp esp;
    esp.key = fresh_key();
    const Session out(port, esp, Way::out);
    const Session in(port, esp, Way::in);
    const Macsec transmits(port, RTE_SECURITY_MACSEC_DIR_TX, macsec_key);
    const EspRule rule(port);
    std::vector<rte_mbuf*> burst;
    std::vector<Bytes> clear;
    for (std::uint32_t i = 0; i < 60; ++i) {
      clear.push_back(packet({}, noise(60 + i, i)));
      burst.push_back(out.mbuf_of(clear.back(), i % 5 == 0 ? 40 : 0));
      burst.back()->ol_flags |= RTE_MBUF_F_TX_MACSEC;
    }
    port.send(burst);
    std::vector<Bytes> sent;
    REQUIRE(wait_until([&] {
      for (Bytes& frame : wire.sent()) sent.push_back(std::move(frame));
      return sent.size() == 60;
    }));
    for (std::uint32_t i = 0; i < 60; ++i) {
      INFO("frame " << i);
      // SecTAG with the SCI, encrypted, its number that of the place on the wire; inside, by OpenSSL, the ESP packet.
      REQUIRE(get16(sent[i], 12) == 0x88e5);
      CHECK(sent[i][14] == 0x2c);
      CHECK((get16(sent[i], 16) == 0 && get16(sent[i], 18) == i + 1));
      const Bytes nonce(sent[i].begin() + 20, sent[i].begin() + 28);
      const Bytes pn(sent[i].begin() + 16, sent[i].begin() + 20);
      const Bytes data(sent[i].begin(), sent[i].begin() + 12 + sectag);
      Bytes text(sent[i].begin() + 12 + sectag, sent[i].end() - icv);
      Bytes tag(sent[i].end() - icv, sent[i].end());
      REQUIRE(gcm(false, macsec_key, nonce + pn, data, text, tag));
      CHECK(get16(text, 0) == 0x0800);
      const auto opened = open(esp, {text.begin() + 2, text.end()});
      REQUIRE(opened);
      CHECK(opened->inner == clear[i]);
      CHECK(opened->sequence == i + 1);
    }
    // Back: a good one, one whose MACsec is wrong (dropped), one whose ESP is wrong (flagged).
    const Macsec receives(port, RTE_SECURITY_MACSEC_DIR_RX, macsec_key);
    Bytes wrong = sent[1];
    wrong.back() ^= 1U;
    wire.put({sent[0], wrong, sent[2], sent[3]}, 0);
    auto came = port.receive(3);
    CHECK(came[0].good());
    CHECK(came[0].packet() == clear[0]);
    CHECK(came[0].userdata == in.userdata());
    CHECK(came[1].packet() == clear[2]);
    CHECK(came[2].packet() == clear[3]);
    CHECK(port.xstat("rx_macsec_not_valid") == 1);
    wire.put({sent.begin() + 4, sent.end()}, 0, 50);
    came = port.receive(56);
    for (std::uint32_t i = 0; i < 56; ++i) REQUIRE(came[i].packet() == clear[i + 4]);
  }
  CHECK(frames_out() == 0);
}
