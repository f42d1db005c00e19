// What the MACsec tests share: frames in memory with room around them, an engine to run them through, SAs.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/engines/delaying.hpp"
#include "host/software/engine.hpp"
#include "linecrypt/engine.hpp"
#include "linecrypt/wire/sectag.hpp"

namespace linecrypt::macsec_test {

using Bytes = std::vector<std::uint8_t>;

// LINECRYPT_LONG=1: the long form of tests that have one (all sizes, more steps).
inline bool long_form() {
  return std::getenv("LINECRYPT_LONG") != nullptr;
}

inline Bytes hex(const std::string& text) {
  Bytes out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  return out;
}
template <std::size_t N>
Secret<N> secret(const Bytes& bytes) {
  return Secret<N>(std::span<const std::uint8_t>(bytes));
}

// SAs are not copied by accident; the tests do it on purpose.
inline MacsecSa copy(const MacsecSa& sa) {
  MacsecSa out;
  out.secy = sa.secy;
  out.direction = sa.direction;
  out.sci = sa.sci;
  out.an = sa.an;
  out.key = sa.key.duplicate();
  out.salt = sa.salt.duplicate();
  out.ssci = sa.ssci;
  out.lowest_pn = sa.lowest_pn;
  return out;
}

// A frame with head- and tailroom of its own, and the job that carries it. Stays where it is made.
struct Frame {
  explicit Frame(const Bytes& bytes, std::uint32_t headroom = 32, std::uint32_t tailroom = 32)
      : memory(headroom + bytes.size() + tailroom, 0xa5) {
    std::copy(bytes.begin(), bytes.end(), memory.begin() + headroom);
    packet = {memory.data() + headroom, static_cast<std::uint32_t>(bytes.size()), headroom, tailroom, nullptr};
    job.source = &packet;
    job.destination = &packet;
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  [[nodiscard]] Bytes bytes() const { return {packet.data, packet.data + packet.length}; }
  // Every octet from `from` to the end is zero, and there is one.
  [[nodiscard]] bool zero_from(std::uint32_t from) const {
    if (from >= packet.length) return false;
    for (std::uint32_t i = from; i < packet.length; ++i)
      if (packet.data[i] != 0) return false;
    return true;
  }

  Bytes memory;
  Packet packet;
  Job job;
};

// Every way to run the software engine. `fast` is the provider that this CPU gets by itself.
enum class Kind { fast, openssl, delaying };
inline auto every_engine() {
  return GENERATE(values({Kind::fast, Kind::openssl, Kind::delaying}));
}
inline std::string name(Kind kind) {
  return kind == Kind::fast ? "fast" : kind == Kind::openssl ? "openssl" : "delaying";
}

class Rig {
 public:
  explicit Rig(Kind kind) : slots_(std::make_unique<SaSlot[]>(slot_count)) {
    software::SoftwareOptions options;
    options.provider = kind == Kind::openssl ? software::ProviderChoice::openssl : software::ProviderChoice::automatic;
    auto made = software::make_software_engine(options);
    REQUIRE(made.ok());
    engine_ = std::move(made).value();
    if (kind == Kind::delaying) engine_ = engines::make_delaying_engine(std::move(engine_));
    EngineSetup setup;
    setup.slots = slots();
    REQUIRE(engine_->open(setup).ok());
  }
  ~Rig() { engine_->close(); }

  // The next free slot. Egress starts at `first`, ingress with numbers up to `window_top` seen.
  SaId add(const MacsecSa& sa, std::uint64_t first = 1, std::uint64_t window_top = 0) {
    const bool egress = sa.direction == Direction::egress;
    const Lease lease = egress ? Lease{first, first + (std::uint64_t{1} << 20U)} : Lease{};
    const SaId id{next_++, generation_};
    const auto installed = engine_->install(id, Sa(copy(sa)), lease, window_top);
    INFO((installed.ok() ? std::string() : installed.error().message));
    REQUIRE(installed.ok());
    return id;
  }
  Verdict run(Operation operation, SaId sa, Frame& frame) {
    frame.job.stages[0] = {sa, operation};
    Job* job = &frame.job;
    run({&job, 1});
    return frame.job.verdict;
  }
  Verdict protect(SaId sa, Frame& frame) { return run(Operation::macsec_protect, sa, frame); }
  Verdict validate(SaId sa, Frame& frame) { return run(Operation::macsec_validate, sa, frame); }
  // Gives slots out from the start again, under a new generation. All SAs were removed.
  void reuse() {
    next_ = 0;
    ++generation_;
  }
  // Jobs that name their stages already, in one go; returns when all are done.
  void run(std::span<Job* const> jobs) {
    for (Job* job : jobs) job->verdict = Verdict::pending;
    std::size_t sent = 0;
    std::size_t left = jobs.size();
    std::vector<Job*> done(jobs.size());
    for (std::uint32_t round = 0; left != 0; ++round) {
      REQUIRE(round < 1000000);
      if (sent < jobs.size()) {
        const std::uint32_t taken = engine_->submit(QueueId{}, jobs.subspan(sent));
        for (std::uint32_t i = 0; i < taken; ++i)
          if (jobs[sent + i]->verdict != Verdict::pending) --left;
        sent += taken;
      }
      left -= engine_->poll(QueueId{}, done);
    }
  }
  [[nodiscard]] std::vector<Event> events() {
    std::vector<Event> out(16);
    out.resize(engine_->events(out));
    return out;
  }

  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] std::span<SaSlot> slots() { return {slots_.get(), slot_count}; }
  [[nodiscard]] const SaCounters& counters(SaId id) const { return slots_[id.index].counters; }

 private:
  static constexpr std::uint32_t slot_count = 64;
  std::unique_ptr<SaSlot[]> slots_;
  std::unique_ptr<Engine> engine_;
  std::uint32_t next_ = 0;
  std::uint32_t generation_ = 1;
};

inline constexpr MacAddress peer_mac{{0x02, 0, 0, 0, 0, 0x01}};
inline constexpr MacAddress own_mac{{0x02, 0, 0, 0, 0, 0x02}};

// The two ends of one SA: same key, same SCI, different directions.
struct Pair {
  explicit Pair(CipherSuite suite = CipherSuite::gcm_aes_256) {
    for (MacsecSa* sa : {&transmit, &receive}) {
      sa->secy.suite = suite;
      sa->sci = {peer_mac, 1};
      sa->an = 1;
      Bytes key(key_size(suite));
      for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(0x40 + 3 * i);
      sa->key = secret<32>(key);
      if (is_xpn(suite)) {
        sa->salt = secret<12>(hex("e630e81a48de86a21c66fa6d"));
        sa->ssci = 0x7a30c118;
      }
    }
    transmit.direction = Direction::egress;
    receive.direction = Direction::ingress;
  }
  // A setting of the SecY, at both ends.
  template <typename Change>
  Pair with(Change change) && {
    change(transmit.secy);
    change(receive.secy);
    if (transmit.secy.sci_encoding == SciEncoding::scb) transmit.sci.port = receive.sci.port = 0;
    return std::move(*this);
  }
  MacsecSa transmit;
  MacsecSa receive;
};

inline const CipherSuite every_suite[] = {CipherSuite::gcm_aes_128, CipherSuite::gcm_aes_256,
                                          CipherSuite::gcm_aes_xpn_128, CipherSuite::gcm_aes_xpn_256};

// A clear frame from the peer: addresses, VLAN tags, EtherType IPv4, `payload` octets that are never zero.
inline Bytes clear_frame(std::uint32_t payload, const std::vector<ClearVlanTag>& tags = {}, std::uint8_t pcp = 0) {
  Bytes out(own_mac.bytes.begin(), own_mac.bytes.end());
  out.insert(out.end(), peer_mac.bytes.begin(), peer_mac.bytes.end());
  for (const ClearVlanTag& tag : tags) {
    const auto tci = static_cast<std::uint16_t>(tag.vid | (pcp << 13U));
    for (const std::uint16_t word : {tag.tpid, tci}) {
      out.push_back(static_cast<std::uint8_t>(word >> 8U));
      out.push_back(static_cast<std::uint8_t>(word));
    }
  }
  out.push_back(0x08);
  out.push_back(0x00);
  for (std::uint32_t i = 0; i < payload; ++i) out.push_back(static_cast<std::uint8_t>(1 + (i * 7 + payload) % 255));
  return out;
}

// A protected frame of `payload` octets; the transmitter's next number.
inline Bytes protected_frame(Rig& rig, SaId transmit, const Bytes& clear) {
  Frame frame(clear);
  REQUIRE(rig.protect(transmit, frame) == Verdict::ok);
  return frame.bytes();
}

// Deterministic numbers for tests.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t operator()() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return state_;
  }
  std::uint64_t below(std::uint64_t bound) { return (*this)() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace linecrypt::macsec_test
