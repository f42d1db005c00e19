// Configurations and frames, whatever the port is.
#include <openssl/evp.h>
#include <rte_byteorder.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>

#include "linecrypt/wire/sectag.hpp"
#include "tests/driver/dpdk/net/macsec/rig.hpp"

namespace linecrypt::test {
namespace {

using Texts = std::map<std::string, std::string>;

std::vector<Texts> read_texts(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file.good());
  std::vector<Texts> out(1);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') {
      if (!out.back().empty()) out.emplace_back();
      continue;
    }
    const std::size_t equals = line.find(" = ");
    REQUIRE(equals != std::string::npos);
    out.back()[line.substr(0, equals)] = line.substr(equals + 3);
  }
  if (out.back().empty()) out.pop_back();
  return out;
}

AnnexC vector_of(Texts texts) {
  static const std::map<std::string, rte_security_macsec_alg> suites = {
      {"gcm-aes-128", RTE_SECURITY_MACSEC_ALG_GCM_128},
      {"gcm-aes-256", RTE_SECURITY_MACSEC_ALG_GCM_256},
      {"gcm-aes-xpn-128", RTE_SECURITY_MACSEC_ALG_GCM_XPN_128},
      {"gcm-aes-xpn-256", RTE_SECURITY_MACSEC_ALG_GCM_XPN_256}};
  AnnexC out;
  out.name = texts["name"];
  out.alg = suites.at(texts["suite"]);
  out.clear = from_hex(texts["clear"]);
  out.secured = from_hex(texts["protected"]);
  out.pn = std::stoull(texts["pn"], nullptr, 16);
  const std::uint8_t tci = out.secured[14];
  out.encrypted = (tci & wire::tci_encrypted) != 0;
  out.options.alg = out.alg;
  out.options.sci = std::stoull(texts["sci"], nullptr, 16);
  out.options.encrypt = out.encrypted;
  out.options.send_sci = (tci & wire::tci_sc) != 0;
  out.options.end_station = (tci & wire::tci_end_station) != 0;
  SaOptions sa;
  sa.key = from_hex(texts["key"]);
  sa.an = tci & wire::an_mask;
  sa.pn = out.pn;
  if (texts.count("salt") != 0) {
    sa.salt = from_hex(texts["salt"]);
    sa.ssci = static_cast<std::uint32_t>(std::stoul(texts["ssci"], nullptr, 16));
  }
  out.options.sas = {sa};
  return out;
}

}  // namespace

const std::vector<AnnexC>& annex_c() {
  static const std::vector<AnnexC> all = [] {
    std::vector<AnnexC> vectors;
    for (const Texts& texts : read_texts(LINECRYPT_TEST_DATA "/vectors/macsec_802_1ae_annex_c.txt"))
      vectors.push_back(vector_of(texts));
    return vectors;
  }();
  return all;
}

bool able(const Port& port, const AnnexC& vector) {
  const auto all = port.capabilities();
  return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.macsec.alg == vector.alg; });
}

rte_security_macsec_sa sa_conf(rte_security_macsec_direction direction, const SaOptions& options) {
  rte_security_macsec_sa conf{};
  conf.dir = direction;
  conf.key.data = options.key.data();
  conf.key.length = static_cast<std::uint16_t>(options.key.size());
  std::copy(options.salt.begin(), options.salt.end(), conf.salt);
  conf.an = options.an & 3U;
  conf.ssci = options.ssci;
  conf.xpn = static_cast<std::uint32_t>(options.pn >> 32U);
  conf.next_pn = rte_cpu_to_be_32(static_cast<std::uint32_t>(options.pn));
  return conf;
}

rte_security_macsec_sc sc_conf(rte_security_macsec_direction direction, const FlowOptions& options,
                               const std::vector<int>& sas) {
  rte_security_macsec_sc conf{};
  conf.dir = direction;
  if (direction == tx) {
    conf.sc_tx.sa_id = static_cast<std::uint16_t>(sas[0]);
    conf.sc_tx.sa_id_rekey = sas.size() > 1 ? static_cast<std::uint16_t>(sas[1]) : std::uint16_t{0xffff};
    conf.sc_tx.re_key_en = sas.size() > 1 ? 1 : 0;
    conf.sc_tx.sci = options.sci;
    conf.sc_tx.active = options.active ? 1 : 0;
    return conf;
  }
  for (std::size_t i = 0; i < sas.size(); ++i) {
    const std::uint8_t an = options.sas[i].an;
    conf.sc_rx.sa_id[an] = static_cast<std::uint16_t>(sas[i]);
    conf.sc_rx.sa_in_use[an] = options.in_use.empty() || options.in_use[an] ? 1 : 0;
  }
  conf.sc_rx.active = options.active ? 1 : 0;
  return conf;
}

rte_security_session_conf session_conf(rte_security_macsec_direction direction, const FlowOptions& options, int sc) {
  rte_security_session_conf conf{};
  conf.action_type = RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL;
  conf.protocol = RTE_SECURITY_PROTOCOL_MACSEC;
  conf.userdata = options.userdata;
  conf.macsec.dir = direction;
  conf.macsec.alg = options.alg;
  conf.macsec.cipher_off = options.cipher_off;
  conf.macsec.sci = options.sci;
  conf.macsec.sc_id = static_cast<std::uint16_t>(sc);
  if (direction == tx) {
    auto& secy = conf.macsec.tx_secy;
    secy.mtu = options.mtu;
    secy.sectag_off = options.sectag_off;
    secy.sectag_insert_mode = options.fixed ? 1 : 0;
    secy.icv_include_da_sa = 1;
    secy.ctrl_port_enable = options.control_port ? 1 : 0;
    secy.end_station = options.end_station ? 1 : 0;
    secy.send_sci = options.send_sci ? 1 : 0;
    secy.scb = options.scb ? 1 : 0;
    secy.encrypt = options.encrypt ? 1 : 0;
    secy.protect_frames = options.protect ? 1 : 0;
  } else {
    auto& secy = conf.macsec.rx_secy;
    secy.replay_win_sz = options.replay_window;
    secy.replay_protect = options.replay_protect ? 1 : 0;
    secy.icv_include_da_sa = 1;
    secy.ctrl_port_enable = options.control_port ? 1 : 0;
    secy.validate_frames = options.validate & 3U;
  }
  return conf;
}

// ---- Flow ----

Flow::Flow(Port& port, rte_security_macsec_direction direction, const FlowOptions& options)
    : port_(port), direction_(direction) {
  for (const SaOptions& one : options.sas) {
    const int id = port.create_sa(sa_conf(direction, one));
    INFO(said());
    REQUIRE(id > 0);
    sas_.push_back(id);
  }
  sc_ = port.create_sc(sc_conf(direction, options, sas_));
  INFO(said());
  REQUIRE(sc_ > 0);
  const int made = port.create(session_conf(direction, options, sc_), session_);
  INFO(said());
  REQUIRE(made == 0);
  replace_rule(nullptr);
}

void Flow::replace_rule(const rte_flow_item* pattern, std::uint32_t priority) {
  if (rule_ != nullptr) port_.remove_rule(rule_);
  rte_flow_item every[2]{};
  every[0].type = RTE_FLOW_ITEM_TYPE_ETH;
  every[1].type = RTE_FLOW_ITEM_TYPE_END;
  rte_flow_attr attr{};
  attr.priority = priority;
  (direction_ == tx ? attr.egress : attr.ingress) = 1;
  rte_flow_error error{};
  rule_ = port_.add_rule(attr, pattern != nullptr ? pattern : every, session_, &error);
  INFO((error.message != nullptr ? error.message : ""));
  REQUIRE(rule_ != nullptr);
}

Flow::~Flow() {
  if (rule_ != nullptr) port_.remove_rule(rule_);
  if (session_ != nullptr) CHECK(port_.destroy(session_) == 0);
  if (sc_ > 0) CHECK(port_.destroy_sc(sc_) == 0);
  for (const int id : sas_)
    if (id > 0) CHECK(port_.destroy_sa(id) == 0);
}

rte_security_macsec_secy_stats Flow::stats() const {
  rte_security_macsec_secy_stats out{};
  REQUIRE(port_.stats(session_, out) == 0);
  return out;
}
rte_security_macsec_sc_stats Flow::sc_stats() const {
  rte_security_macsec_sc_stats out{};
  REQUIRE(port_.sc_stats(sc_, out) == 0);
  return out;
}
rte_security_macsec_sa_stats Flow::sa_stats(std::size_t index) const {
  rte_security_macsec_sa_stats out{};
  REQUIRE(port_.sa_stats(sas_[index], out) == 0);
  return out;
}

// ---- frames ----

Bytes key_of(std::size_t size, std::uint8_t first) {
  Bytes key(size);
  for (std::size_t i = 0; i < size; ++i) key[i] = static_cast<std::uint8_t>(first + i);
  return key;
}

Bytes clear_frame(std::size_t payload) {
  Bytes frame = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
  for (std::size_t i = 0; i < payload; ++i) frame.push_back(static_cast<std::uint8_t>(1 + i % 251));
  return frame;
}

Bytes with_vlan(const Bytes& frame, std::uint16_t tpid, std::uint16_t vid) {
  Bytes out = frame;
  Bytes tag(4);
  wire::store16(tag.data(), tpid);
  wire::store16(tag.data() + 2, vid);
  out.insert(out.begin() + 12, tag.begin(), tag.end());
  return out;
}

bool shows(const Bytes& memory, const Bytes& clear) {
  for (std::size_t i = 14; i + 8 <= clear.size(); ++i) {
    const auto from = clear.begin() + static_cast<long>(i);
    if (std::search(memory.begin(), memory.end(), from, from + 8) != memory.end()) return true;
  }
  return false;
}

// IEEE 802.1AE-2018 clauses 9 and 14, written down once more.
Bytes seal(const Bytes& clear, const SealOptions& options) {
  const std::size_t at = 12 + 4 * std::size_t{options.tags};
  const Bytes data(clear.begin() + static_cast<long>(at), clear.end());
  Bytes tag = {0x88, 0xe5, 0, 0};
  tag[2] =
      static_cast<std::uint8_t>(options.an | (options.end_station ? 0x40U : 0U) | (options.explicit_sci ? 0x20U : 0U) |
                                (options.scb ? 0x10U : 0U) | (options.encrypt ? 0x0cU : 0U));
  if (data.size() < 48) tag[3] = static_cast<std::uint8_t>(data.size());
  for (int shift = 24; shift >= 0; shift -= 8) tag.push_back(static_cast<std::uint8_t>(options.pn >> shift));
  if (options.explicit_sci)
    for (int shift = 56; shift >= 0; shift -= 8) tag.push_back(static_cast<std::uint8_t>(options.sci >> shift));
  Bytes iv(12);
  if (options.salt.empty()) {
    wire::store64(iv.data(), options.sci);
    wire::store32(iv.data() + 8, static_cast<std::uint32_t>(options.pn));
  } else {
    wire::store32(iv.data(), options.ssci);
    wire::store64(iv.data() + 4, options.pn);
    for (std::size_t i = 0; i < iv.size(); ++i) iv[i] = static_cast<std::uint8_t>(iv[i] ^ options.salt[i]);
  }
  const std::size_t open = options.encrypt ? std::min<std::size_t>(options.offset, data.size()) : data.size();
  Bytes aad(clear.begin(), clear.begin() + 12);
  aad.insert(aad.end(), tag.begin(), tag.end());
  aad.insert(aad.end(), data.begin(), data.begin() + static_cast<long>(open));

  EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
  REQUIRE(EVP_EncryptInit_ex(context, options.key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), nullptr,
                             options.key.data(), iv.data()) == 1);
  int length = 0;
  REQUIRE(EVP_EncryptUpdate(context, nullptr, &length, aad.data(), static_cast<int>(aad.size())) == 1);
  Bytes text(data.begin() + static_cast<long>(open), data.end());
  Bytes sealed(text.size() + 16);
  REQUIRE(EVP_EncryptUpdate(context, sealed.data(), &length, text.data(), static_cast<int>(text.size())) == 1);
  sealed.resize(text.size());
  int rest = 0;
  Bytes scratch(16);
  REQUIRE(EVP_EncryptFinal_ex(context, scratch.data(), &rest) == 1);
  Bytes icv(16);
  REQUIRE(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, icv.data()) == 1);
  EVP_CIPHER_CTX_free(context);

  Bytes out(clear.begin(), clear.begin() + static_cast<long>(at));
  out.insert(out.end(), tag.begin(), tag.end());
  out.insert(out.end(), data.begin(), data.begin() + static_cast<long>(open));
  out.insert(out.end(), sealed.begin(), sealed.end());
  out.insert(out.end(), icv.begin(), icv.end());
  return out;
}

}  // namespace linecrypt::test
