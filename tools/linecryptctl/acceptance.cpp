#include "tools/linecryptctl/acceptance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <variant>

#include "host/software/engine.hpp"
#include "linecrypt/wire/checksum.hpp"
#include "linecrypt/wire/endian.hpp"
#include "tools/linecryptctl/engine_pair.hpp"

namespace linecrypt::ctl {

namespace {

constexpr std::uint32_t slots = 64;
constexpr std::size_t frame_smallest = 64;
constexpr std::size_t frame_largest = 9216;

// Keys of this run alone: random, so that a report can be sent to anybody.
template <std::size_t N>
Secret<N> random_secret(std::size_t bytes, std::random_device& source) {
  std::vector<std::uint8_t> key(bytes);
  for (std::uint8_t& byte : key) byte = static_cast<std::uint8_t>(source());
  Secret<N> secret(key);
  cleanse(key.data(), key.size());
  return secret;
}

EspSa esp_sa(EspAlgorithm algorithm, EspMode mode, bool esn, Family outer) {
  std::random_device source;
  EspSa sa;
  sa.spi = 0x4c430001;
  sa.algorithm = algorithm;
  sa.mode = mode;
  sa.esn = esn;
  sa.key = random_secret<32>(key_size(algorithm), source);
  sa.salt = random_secret<4>(4, source);
  const bool ipv4 = outer == Family::ipv4;
  sa.source = IpAddress::parse(ipv4 ? "192.0.2.1" : "2001:db8::1").value();
  sa.destination = IpAddress::parse(ipv4 ? "192.0.2.2" : "2001:db8::2").value();
  return sa;
}

MacsecSa macsec_sa(CipherSuite suite, bool encrypt) {
  std::random_device source;
  MacsecSa sa;
  sa.secy.suite = suite;
  sa.secy.encrypt = encrypt;
  sa.sci.address.bytes = {2, 0, 0, 0, 0, 1};
  sa.key = random_secret<32>(key_size(suite), source);
  if (is_xpn(suite)) {
    sa.salt = random_secret<12>(12, source);
    sa.ssci = 1;
  }
  return sa;
}

// Ethernet, IPv4, UDP, from 192.0.2.1 to 192.0.2.2 (what a transport SA expects), and a payload drawn with the length.
Frame clear_frame(std::size_t length) {
  Frame frame(length);
  std::minstd_rand random(static_cast<std::uint32_t>(length));
  for (std::uint8_t& byte : frame) byte = static_cast<std::uint8_t>(random() >> 8U);
  constexpr std::uint8_t ethernet[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00};
  std::copy(std::begin(ethernet), std::end(ethernet), frame.begin());
  std::uint8_t* ip = frame.data() + 14;
  std::fill(ip, ip + 20, std::uint8_t{0});
  ip[0] = 0x45;
  wire::store16(ip + 2, static_cast<std::uint16_t>(length - 14));
  ip[8] = 64;
  ip[9] = 17;
  constexpr std::uint8_t addresses[] = {192, 0, 2, 1, 192, 0, 2, 2};
  std::copy(std::begin(addresses), std::end(addresses), ip + 12);
  wire::store16(ip + 10, wire::checksum(ip, 20));
  wire::store16(ip + 24, static_cast<std::uint16_t>(length - 34));
  wire::store16(ip + 26, 0);
  return frame;
}

std::vector<Frame> frames_of(const AcceptanceOptions& options) {
  std::vector<Frame> frames;
  for (std::size_t length = frame_smallest; length <= frame_largest;) {
    frames.push_back(clear_frame(length));
    // Every length about the borders of a beat, then some of all the others.
    length += options.whole || length < 320 ? 1 : 61;
  }
  return frames;
}

std::vector<Frame> delivered(const std::vector<Outcome>& outcomes) {
  std::vector<Frame> frames;
  for (const Outcome& outcome : outcomes)
    if (!outcome.frame.empty()) frames.push_back(outcome.frame);
  return frames;
}

// One form of SA, there and back.
struct Form {
  std::string name;
  Operation there;
  Operation back;
  std::function<Sa(Direction)> make;
};

template <typename AnySa>
Form form(std::string name, Operation there, Operation back, AnySa sa) {
  auto shared = std::make_shared<AnySa>(std::move(sa));
  return {std::move(name), there, back, [shared](Direction direction) {
            AnySa copy = shared->duplicate();
            copy.direction = direction;
            return Sa(std::move(copy));
          }};
}

std::vector<Form> forms() {
  std::vector<Form> list;
  struct Algorithm {
    EspAlgorithm algorithm;
    const char* name;
  };
  constexpr Algorithm algorithms[] = {{EspAlgorithm::aes_gcm_128, "AES-GCM-128"},
                                      {EspAlgorithm::aes_gcm_192, "AES-GCM-192"},
                                      {EspAlgorithm::aes_gcm_256, "AES-GCM-256"},
                                      {EspAlgorithm::aes_gmac_256, "AES-GMAC-256"}};
  for (const Algorithm& algorithm : algorithms)
    for (const EspMode mode : {EspMode::tunnel, EspMode::transport})
      for (const bool esn : {true, false})
        for (const Family outer : {Family::ipv4, Family::ipv6}) {
          if (mode == EspMode::transport && outer == Family::ipv6) continue;  // the frames are IPv4
          list.push_back(form(
              fmt::format("ESP {}, {}, outer {}{}", algorithm.name, mode == EspMode::tunnel ? "tunnel" : "transport",
                          outer == Family::ipv4 ? "IPv4" : "IPv6", esn ? ", ESN" : ""),
              Operation::esp_encapsulate, Operation::esp_decapsulate, esp_sa(algorithm.algorithm, mode, esn, outer)));
        }
  struct Suite {
    CipherSuite suite;
    const char* name;
  };
  constexpr Suite suites[] = {{CipherSuite::gcm_aes_128, "GCM-AES-128"},
                              {CipherSuite::gcm_aes_256, "GCM-AES-256"},
                              {CipherSuite::gcm_aes_xpn_128, "GCM-AES-XPN-128"},
                              {CipherSuite::gcm_aes_xpn_256, "GCM-AES-XPN-256"}};
  for (const Suite& suite : suites)
    for (const bool encrypt : {true, false})
      list.push_back(form(fmt::format("MACsec {}{}", suite.name, encrypt ? "" : ", integrity only"),
                          Operation::macsec_protect, Operation::macsec_validate, macsec_sa(suite.suite, encrypt)));
  return list;
}

Result<void> may_install(const Capabilities& capabilities, const Form& form) {
  for (const Direction direction : {Direction::egress, Direction::ingress}) {
    const Sa sa = form.make(direction);
    const Result<void> allowed = std::visit([&capabilities](const auto& any) { return check(capabilities, any); }, sa);
    if (!allowed) return allowed;
  }
  return {};
}

// Every form: out on both engines, the same bytes; in on both, the same bytes; a flipped bit and a repeated frame, the
// same refusal.
AcceptanceCheck compare(OpenEngine& card, OpenEngine& software, const Form& form, const std::vector<Frame>& clear) {
  AcceptanceCheck check{form.name, AcceptanceResult::failed, ""};
  const auto fail = [&check](const std::string& detail) {
    check.detail = detail;
    return check;
  };
  SaId ids[2][2];
  OpenEngine* const engines[2] = {&card, &software};
  for (std::size_t e = 0; e < 2; ++e)
    for (const Direction direction : {Direction::egress, Direction::ingress}) {
      Result<SaId> id = engines[e]->install(form.make(direction));
      if (!id) return fail(fmt::format("install on {}: {}", e == 0 ? "the card" : "software", id.error().message));
      ids[e][direction == Direction::ingress ? 1 : 0] = *id;
    }
  Result<std::vector<Outcome>> sealed[2] = {card.run(clear, ids[0][0], form.there),
                                            software.run(clear, ids[1][0], form.there)};
  for (const auto& result : sealed)
    if (!result) return fail(result.error().message);
  if (const std::string text = difference(*sealed[0], *sealed[1]); !text.empty()) return fail("out: " + text);

  // A repeated frame stands behind the first of it, a damaged one before it.
  std::vector<Frame> black;
  for (const Frame& frame : delivered(*sealed[1])) {
    Frame damaged = frame;
    damaged.back() = static_cast<std::uint8_t>(damaged.back() ^ 1U);
    black.push_back(std::move(damaged));
    black.push_back(frame);
    black.push_back(frame);
  }
  Result<std::vector<Outcome>> opened[2] = {card.run(black, ids[0][1], form.back),
                                            software.run(black, ids[1][1], form.back)};
  for (const auto& result : opened)
    if (!result) return fail(result.error().message);
  if (const std::string text = difference(*opened[0], *opened[1]); !text.empty()) return fail("in: " + text);
  for (std::size_t e = 0; e < 2; ++e)
    for (const SaId id : ids[e])
      if (Result<void> done = engines[e]->remove(id); !done) return fail("remove: " + done.error().message);
  // A removed SA takes nothing more.
  Result<std::vector<Outcome>> stale = card.run({clear.front()}, ids[0][0], form.there);
  if (!stale) return fail(stale.error().message);
  if (stale->front().verdict != Verdict::stale_sa)
    return fail(fmt::format("after removal: verdict {}, allowed: stale_sa", name(stale->front().verdict)));
  check.result = AcceptanceResult::passed;
  check.detail = fmt::format("{} frames out and {} in, as the software engine", clear.size(), black.size());
  return check;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// How fast: not a judgement, only a figure for the report. Passed when every frame came back well.
AcceptanceCheck throughput(OpenEngine& card, const Form& form, std::size_t length, std::uint32_t packets) {
  AcceptanceCheck check{fmt::format("{}: frames of {} B", form.name, length), AcceptanceResult::failed, ""};
  Result<SaId> id = card.install(form.make(Direction::egress));
  if (!id) {
    check.detail = id.error().message;
    return check;
  }
  const std::vector<Frame> burst(1000, clear_frame(length));
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t sent = 0;
  for (; sent < packets; sent += burst.size()) {
    Result<std::vector<Outcome>> out = card.run(burst, *id, form.there);
    if (!out) {
      check.detail = out.error().message;
      return check;
    }
    for (const Outcome& outcome : *out)
      if (outcome.verdict != Verdict::ok) {
        check.detail = fmt::format("verdict {}", name(outcome.verdict));
        return check;
      }
  }
  const double seconds = seconds_since(start);
  if (Result<void> removed = card.remove(*id); !removed) {
    check.detail = removed.error().message;
    return check;
  }
  check.result = AcceptanceResult::passed;
  check.detail = fmt::format("{} frames in {:.2f} s: {:.1f} Mb/s with this program's copies", sent, seconds,
                             static_cast<double>(sent * length * 8) / seconds / 1e6);
  return check;
}

AcceptanceCheck install_rate(OpenEngine& card, const Form& form, std::uint32_t installs) {
  AcceptanceCheck check{"installing and removing SAs", AcceptanceResult::failed, ""};
  const auto start = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < installs; ++i) {
    Result<SaId> id = card.install(form.make(Direction::egress));
    Result<void> removed = id ? card.remove(*id) : Result<void>(id.error());
    if (!removed) {
      check.detail = removed.error().message;
      return check;
    }
  }
  check.result = AcceptanceResult::passed;
  check.detail = fmt::format("{} in {:.2f} s, one after the other", installs, seconds_since(start));
  return check;
}

}  // namespace

std::vector<AcceptanceCheck> accept_card(card::CardEngine& card, const AcceptanceOptions& options,
                                         const std::function<void(const AcceptanceCheck&)>& progress) {
  std::vector<AcceptanceCheck> checks;
  const auto add = [&](AcceptanceCheck check) {
    progress(check);
    checks.push_back(std::move(check));
  };
  const auto judged = [](std::string name, const Result<void>& result, std::string well) {
    return AcceptanceCheck{std::move(name), result ? AcceptanceResult::passed : AcceptanceResult::failed,
                           result ? std::move(well) : result.error().message};
  };
  // 1. Known answers.
  add(judged("known answers", card.self_test(), "all of them"));
  // 2. Against the software engine.
  Result<std::unique_ptr<Engine>> software = software::make_software_engine({});
  if (!software) {
    add({"software engine", AcceptanceResult::failed, software.error().message});
    return checks;
  }
  const std::vector<Frame> clear = frames_of(options);
  {
    Result<std::unique_ptr<OpenEngine>> tested = OpenEngine::open(card, slots);
    Result<std::unique_ptr<OpenEngine>> oracle = OpenEngine::open(**software, slots);
    if (!tested || !oracle) {
      add({"open", AcceptanceResult::failed, tested ? oracle.error().message : tested.error().message});
      return checks;
    }
    const Form* fastest = nullptr;
    const std::vector<Form> all = forms();
    for (const Form& form : all) {
      if (const Result<void> allowed = may_install(card.capabilities(), form); !allowed) {
        add({form.name, AcceptanceResult::not_run, "the card does not claim it: " + allowed.error().message});
        continue;
      }
      if (fastest == nullptr) fastest = &form;
      add(compare(**tested, **oracle, form, clear));
    }
    // 3. How fast it is.
    if (fastest != nullptr) {
      for (const std::size_t length : {std::size_t{64}, std::size_t{1420}, std::size_t{9000}})
        add(throughput(**tested, *fastest, length, options.packets));
      add(install_rate(**tested, *fastest, options.installs));
    }
  }
  // 4. It can be taken back, and works afterwards.
  add(judged("reset", card.reset(), "confirmed by the card"));
  add(judged("known answers after the reset", card.self_test(), "all of them"));
  return checks;
}

}  // namespace linecrypt::ctl
