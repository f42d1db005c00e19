// Puts frames through the software engine for scripts that compare it with other implementations of MACsec.
//
// Reads JSON on stdin: {"provider": "automatic|vaes|ipsec_mb|openssl", "cases": [...]}, each case one SA and its
// frames:
//   {"operation": "protect|validate", "suite": "gcm-aes-xpn-256", "tag": "explicit|es|implicit|scb", "encrypt": true,
//    "confidentiality_offset": 0, "vlan_tags": [{"tpid": 33024, "vid": 7}], "sci": "16 hex digits", "an": 0,
//    "key": "hex", "salt": "hex", "ssci": 1, "pn": 1, "replay_window": 0, "frames": ["hex"]}
// Writes JSON on stdout: for each case a list of {"verdict", "number", "frame"}. Exit 1, with the reason, on bad input.
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "host/software/engine.hpp"
#include "linecrypt/wire/endian.hpp"
#include "tests/support/hex.hpp"

namespace {

using namespace linecrypt;
using nlohmann::json;
using test::Bytes;
using test::from_hex;

constexpr std::uint32_t room = 64;

template <typename T>
T choose(const std::map<std::string, T>& from, const std::string& word) {
  const auto found = from.find(word);
  if (found == from.end()) throw std::runtime_error("unknown word: " + word);
  return found->second;
}

MacsecSa sa_of(const json& from) {
  MacsecSa sa;
  sa.direction = choose<Direction>({{"protect", Direction::egress}, {"validate", Direction::ingress}},
                                   from.at("operation").get<std::string>());
  sa.secy.suite = choose<CipherSuite>({{"gcm-aes-128", CipherSuite::gcm_aes_128},
                                       {"gcm-aes-256", CipherSuite::gcm_aes_256},
                                       {"gcm-aes-xpn-128", CipherSuite::gcm_aes_xpn_128},
                                       {"gcm-aes-xpn-256", CipherSuite::gcm_aes_xpn_256}},
                                      from.at("suite").get<std::string>());
  sa.secy.sci_encoding = choose<SciEncoding>({{"explicit", SciEncoding::explicit_sci},
                                              {"es", SciEncoding::end_station},
                                              {"implicit", SciEncoding::implicit},
                                              {"scb", SciEncoding::scb}},
                                             from.at("tag").get<std::string>());
  sa.secy.encrypt = from.at("encrypt").get<bool>();
  sa.secy.confidentiality_offset = from.at("confidentiality_offset").get<std::uint8_t>();
  sa.secy.replay_window = from.at("replay_window").get<std::uint32_t>();
  for (const json& tag : from.at("vlan_tags"))
    sa.secy.clear_tags.push_back({tag.at("tpid").get<std::uint16_t>(), tag.at("vid").get<std::uint16_t>()});
  const Bytes sci = from_hex(from.at("sci").get<std::string>());
  if (sci.size() != 8) throw std::runtime_error("sci: 8 bytes");
  std::copy_n(sci.begin(), 6, sa.sci.address.bytes.begin());
  sa.sci.port = wire::load16(sci.data() + 6);
  sa.an = from.at("an").get<std::uint8_t>();
  sa.key = Secret<32>(from_hex(from.at("key").get<std::string>()));
  if (is_xpn(sa.secy.suite)) {
    sa.salt = Secret<12>(from_hex(from.at("salt").get<std::string>()));
    sa.ssci = from.at("ssci").get<std::uint32_t>();
  }
  if (sa.direction == Direction::ingress) sa.lowest_pn = from.at("pn").get<std::uint64_t>();
  return sa;
}

// One frame, in place.
json run_one(Engine& engine, Stage stage, const std::string& text) {
  const Bytes bytes = from_hex(text);
  Bytes memory(bytes.size() + 2 * room);
  std::copy(bytes.begin(), bytes.end(), memory.begin() + room);
  Packet packet{memory.data() + room, static_cast<std::uint32_t>(bytes.size()), room, room, nullptr};
  Job job;
  job.source = job.destination = &packet;
  job.stages[0] = stage;
  Job* jobs[] = {&job};
  if (engine.submit(QueueId{0}, jobs) != 1) throw std::runtime_error("the engine did not take the frame");
  while (job.verdict == Verdict::pending) engine.poll(QueueId{0}, jobs);
  return {{"verdict", name(job.verdict)},
          {"number", job.number},
          {"frame", test::to_hex(Bytes(packet.data, packet.data + packet.length))}};
}

json run_case(Engine& engine, SaId id, const json& from) {
  const MacsecSa sa = sa_of(from);
  const bool egress = sa.direction == Direction::egress;
  const std::uint64_t first = from.at("pn").get<std::uint64_t>();
  const Lease lease = egress ? Lease{first, first + lease_largest} : Lease{};
  if (const auto installed = engine.install(id, Sa(sa_of(from)), lease, 0); !installed)
    throw std::runtime_error(installed.error().message);
  json out = json::array();
  for (const json& frame : from.at("frames"))
    out.push_back(run_one(engine, {id, egress ? Operation::macsec_protect : Operation::macsec_validate},
                          frame.get<std::string>()));
  if (const auto removed = engine.remove(id); !removed) throw std::runtime_error(removed.error().message);
  return out;
}

int run() {
  const json input = json::parse(std::cin);
  software::SoftwareOptions options;
  options.provider = choose<software::ProviderChoice>({{"automatic", software::ProviderChoice::automatic},
                                                       {"vaes", software::ProviderChoice::vaes},
                                                       {"ipsec_mb", software::ProviderChoice::ipsec_mb},
                                                       {"openssl", software::ProviderChoice::openssl}},
                                                      input.at("provider").get<std::string>());
  auto made = software::make_software_engine(options);
  if (!made) throw std::runtime_error(made.error().message);
  const std::unique_ptr<Engine> engine = std::move(made).value();
  SaSlot slots[1];
  EngineSetup setup;
  setup.slots = slots;
  if (const auto opened = engine->open(setup); !opened) throw std::runtime_error(opened.error().message);
  json output = json::array();
  std::uint32_t generation = 0;
  for (const json& one : input.at("cases")) output.push_back(run_case(*engine, {0, ++generation}, one));
  engine->close();
  std::cout << output << '\n';
  return 0;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& error) {
    std::cerr << "engine_frames: " << error.what() << '\n';
    return 1;
  }
}
