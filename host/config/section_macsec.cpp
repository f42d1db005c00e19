// [[macsec]], [[macsec.transmit_sa]], [[macsec.receive_sc]], [[macsec.receive_sc.sa]] (IEEE 802.1AE-2018 10.7)
#include <fmt/format.h>

#include <limits>

#include "host/config/draft.hpp"
#include "host/config/key_reference.hpp"
#include "host/config/sa_rules.hpp"
#include "host/config/words.hpp"

namespace linecrypt::config {
namespace {

constexpr Word<CipherSuite> suite_words[] = {{"gcm-aes-128", CipherSuite::gcm_aes_128},
                                             {"gcm-aes-256", CipherSuite::gcm_aes_256},
                                             {"gcm-aes-xpn-128", CipherSuite::gcm_aes_xpn_128},
                                             {"gcm-aes-xpn-256", CipherSuite::gcm_aes_xpn_256}};
constexpr Word<SciEncoding> encoding_words[] = {{"explicit", SciEncoding::explicit_sci},
                                                {"end-station", SciEncoding::end_station},
                                                {"implicit", SciEncoding::implicit},
                                                {"scb", SciEncoding::scb}};
constexpr Word<ValidateFrames> validate_words[] = {
    {"strict", ValidateFrames::strict}, {"check", ValidateFrames::check}, {"disabled", ValidateFrames::disabled}};

constexpr std::int64_t number_largest = std::numeric_limits<std::int64_t>::max();  // of a TOML integer

void read_secy(Section& section, MacsecSecY& secy, KeyPolicy& keys) {
  bool suite_known = !section.has("cipher_suite");
  if (section.word("cipher_suite", suite_words, secy.suite)) suite_known = true;
  const bool xpn = is_xpn(secy.suite);
  if (suite_known) {
    keys.key_bytes = key_size(secy.suite);
    keys.salt_bytes = xpn ? 12 : 0;
  } else {
    keys.salt_bytes = 12;  // so that a salt is not a second error
  }
  section.word("sci_encoding", encoding_words, secy.sci_encoding);
  section.boolean("encrypt", secy.encrypt);
  if (section.integer("confidentiality_offset", 0, 255, secy.confidentiality_offset)) {
    const unsigned offset = secy.confidentiality_offset;
    if (offset != 0 && offset != 30 && offset != 50)
      section.error("confidentiality_offset", fmt::format("confidentiality_offset = {}, allowed: 0, 30, 50", offset));
    else if (offset != 0 && xpn && suite_known)
      section.error(
          "confidentiality_offset",
          fmt::format("confidentiality_offset = {}, allowed with the XPN cipher suites: 0 (802.1AE 14.7)", offset));
    else if (offset != 0 && !secy.encrypt)
      section.error("confidentiality_offset",
                    fmt::format("confidentiality_offset = {} with encrypt = false, allowed there: 0", offset));
  }
  section.word("validate", validate_words, secy.validate);
  section.boolean("replay_protect", secy.replay_protect);
  if (section.integer("replay_window", 0, 0xffffffff, secy.replay_window)) {
    if (xpn && suite_known && secy.replay_window > macsec_xpn_window_largest)
      section.error("replay_window", fmt::format("replay_window = {}, allowed with the XPN cipher suites: 0 to {} "
                                                 "(802.1AE 14.7)",
                                                 secy.replay_window, macsec_xpn_window_largest));
    if (!secy.replay_protect && secy.replay_window != 0)
      section.error("replay_window", "replay_window does nothing with replay_protect = false");
  }
  if (section.integer("duplicate_bitmap", 0, 4096, secy.duplicate_bitmap) && secy.duplicate_bitmap != 0) {
    const std::uint32_t bits = secy.duplicate_bitmap;
    if (bits < 64 || (bits & (bits - 1)) != 0)
      section.error("duplicate_bitmap",
                    fmt::format("duplicate_bitmap = {}, allowed: 0, or a power of two from 64 to 4096", bits));
    else if (!secy.replay_protect)
      section.error("duplicate_bitmap", "duplicate_bitmap does nothing with replay_protect = false");
    else if (bits < secy.replay_window)
      section.error("duplicate_bitmap",
                    fmt::format("duplicate_bitmap = {} is smaller than replay_window = {}", bits, secy.replay_window));
  }
  secy.clear_tags = read_vlan_tags(section, "clear_tags");
  section.integer("pn_soft_limit", 0, xpn ? number_largest : std::int64_t{0xffffffff}, secy.pn_soft_limit);
}

// One SA; `receive` has a lowest_pn.
void read_sa(Section section, const KeyPolicy& keys, bool xpn, bool receive, std::vector<MacsecSaConfig>& out) {
  MacsecSaConfig sa;
  sa.place = section.place();
  const bool an = section.integer("an", 0, 3, sa.an, Need::required);
  KeyAndSaltReference references = read_key_and_salt(section, keys);
  if (xpn) {
    section.integer("ssci", 1, 0xffffffff, sa.ssci, Need::required);
  } else if (keys.key_bytes != 0 && section.find("ssci") != nullptr) {
    section.error("ssci", "ssci belongs to the XPN cipher suites only");
  } else {
    section.integer("ssci", 1, 0xffffffff, sa.ssci);
  }
  if (receive) section.integer("lowest_pn", 1, xpn ? number_largest : std::int64_t{0xffffffff}, sa.lowest_pn);
  section.finish();
  for (const MacsecSaConfig& other : out)
    if (an && other.an == sa.an)
      section.error(
          "an", fmt::format("an = {} is used already at {}", sa.an, line_of({other.place.line, other.place.column})));
  if (references.key) sa.key = std::move(*references.key);
  sa.salt = std::move(references.salt);
  out.push_back(std::move(sa));
}

void read_transmit_an(Section& section, Macsec& macsec) {
  if (!section.integer("transmit_an", 0, 3, macsec.transmit_an)) {
    if (section.has("transmit_an")) return;
    if (macsec.transmit_sas.size() == 1)
      macsec.transmit_an = macsec.transmit_sas.front().an;
    else if (!macsec.transmit_sas.empty())
      section.error("transmit_an", fmt::format("[[macsec]] has {} transmit SAs and no \"transmit_an\", which is needed",
                                               macsec.transmit_sas.size()));
    return;
  }
  std::vector<std::string> ans;
  for (const MacsecSaConfig& sa : macsec.transmit_sas) {
    if (sa.an == macsec.transmit_an) return;
    ans.push_back(std::to_string(sa.an));
  }
  if (!ans.empty())
    section.error("transmit_an", fmt::format("transmit_an = {} has no [[macsec.transmit_sa]], allowed: {}",
                                             macsec.transmit_an, joined(ans)));
}

}  // namespace

void read_macsec(Section section, Draft& draft) {
  Macsec macsec;
  macsec.place = section.place();
  section.text("port", macsec.port, Need::required);
  KeyPolicy keys{.allow_inline = draft.config.gateway.allow_inline_keys};
  read_secy(section, macsec.secy, keys);
  const bool xpn = is_xpn(macsec.secy.suite) && keys.key_bytes != 0;
  Sci sci;
  if (section.parsed("sci", parse_sci, sci)) macsec.sci = sci;

  for (Section& sa : section.tables("transmit_sa", "[[macsec.transmit_sa]]", 1, 4))
    read_sa(std::move(sa), keys, xpn, false, macsec.transmit_sas);
  read_transmit_an(section, macsec);

  for (Section& sc : section.tables("receive_sc", "[[macsec.receive_sc]]", 1, 64)) {
    ReceiveScConfig receive;
    receive.place = sc.place();
    const bool known = sc.parsed("sci", parse_sci, receive.sci, Need::required);
    for (Section& sa : sc.tables("sa", "[[macsec.receive_sc.sa]]", 1, 4))
      read_sa(std::move(sa), keys, xpn, true, receive.sas);
    sc.finish();
    for (const ReceiveScConfig& other : macsec.receive_scs)
      if (known && other.sci == receive.sci)
        sc.error("sci", fmt::format("sci {}/{} is received already at {}", receive.sci.address.text(), receive.sci.port,
                                    line_of({other.place.line, other.place.column})));
    if (known && macsec.sci && *macsec.sci == receive.sci)
      sc.error("sci", fmt::format("sci {}/{} is the one this port transmits with, the peer's is needed",
                                  receive.sci.address.text(), receive.sci.port));
    macsec.receive_scs.push_back(std::move(receive));
  }
  if (macsec.receive_scs.size() > 1 && macsec.secy.sci_encoding == SciEncoding::implicit)
    section.error("sci_encoding", fmt::format("sci_encoding = \"implicit\" with {} receive SCs, allowed there: 1",
                                              macsec.receive_scs.size()));
  section.finish();
  if (section.sound()) check_rules(macsec, section.report());
  draft.macsecs.push_back(&section.table());
  draft.config.macsecs.push_back(std::move(macsec));
}

}  // namespace linecrypt::config
