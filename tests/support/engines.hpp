// Every engine that runs here, with slots of its own, and frames to put through it.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "host/engines/delaying.hpp"
#include "host/software/engine.hpp"
#include "linecrypt/engine.hpp"
#include "linecrypt/wire/endian.hpp"
#include "tests/support/emulated_card.hpp"
#include "tests/support/hex.hpp"
#include "tests/support/waiting.hpp"

namespace linecrypt::test {

struct EngineKind {
  const char* name;
  software::ProviderChoice provider;
  bool delaying;
  bool card = false;
};

// Both providers, alone and under the delaying engine; IPsec-MB only where this CPU runs it. The emulated card where it
// is at hand.
inline const std::vector<EngineKind>& engine_kinds() {
  static const auto kinds = [] {
    std::vector<EngineKind> list;
    if (emulated_card_here()) list.push_back({"card (emulated)", software::ProviderChoice::automatic, false, true});
    if (emulated_card_here() && only_card()) return list;
    list.push_back({"openssl", software::ProviderChoice::openssl, false});
    list.push_back({"openssl, delaying", software::ProviderChoice::openssl, true});
    if (software::make_provider(software::ProviderChoice::ipsec_mb).ok()) {
      list.push_back({"ipsec-mb", software::ProviderChoice::ipsec_mb, false});
      list.push_back({"ipsec-mb, delaying", software::ProviderChoice::ipsec_mb, true});
    }
    if (software::make_provider(software::ProviderChoice::vaes).ok())
      list.push_back({"vaes", software::ProviderChoice::vaes, false});
    return list;
  }();
  return kinds;
}

// Closed.
inline std::unique_ptr<Engine> make_engine(const EngineKind& kind, std::uint64_t seed = 42) {
  if (kind.card) return make_emulated_card();
  auto made = software::make_software_engine({kind.provider});
  REQUIRE(made.ok());
  if (kind.delaying) return engines::make_delaying_engine(std::move(made).value(), {.seed = seed});
  return std::move(made).value();
}

// A frame with room around it, and the job that carries it.
struct Frame {
  static constexpr std::uint32_t room = 128;

  explicit Frame(const Bytes& bytes) : memory(bytes.size() + std::size_t{2} * room) {
    std::ranges::copy(bytes, memory.begin() + room);
    packet = {memory.data() + room, static_cast<std::uint32_t>(bytes.size()), room, room, nullptr};
    job.source = job.destination = &packet;
    job.l2_length = 14;
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  [[nodiscard]] Bytes bytes() const { return {packet.data, packet.data + packet.length}; }
  // Back to the caller's hands, for another operation.
  Job* with(SaId sa, Operation operation) {
    job.stages = {Stage{sa, operation}, Stage{}};
    job.verdict = Verdict::pending;
    return &job;
  }

  Bytes memory;
  Packet packet;
  Job job;
};

class Rig {
 public:
  explicit Rig(const EngineKind& kind, std::uint32_t count = 8, Reclamation reclamation = {})
      : slots_(std::make_unique<SaSlot[]>(count)), count_(count) {
    engine_ = make_engine(kind);
    EngineSetup setup;
    setup.slots = {slots_.get(), count};
    setup.reclamation = reclamation;
    REQUIRE(engine_->open(setup).ok());
  }
  ~Rig() { engine_->close(); }

  Engine& engine() { return *engine_; }
  SaSlot& slot(SaId id) { return slots_[id.index]; }

  SaId install(const Sa& sa, Lease lease = {1, 1'000'000}, std::uint64_t window_top = 0) {
    skip_unless_able(*engine_, sa);
    const SaId id{next_++ % count_, next_};
    const auto installed = engine_->install(id, sa, lease, window_top);
    INFO((installed.ok() ? "" : installed.error().message));
    REQUIRE(installed.ok());
    return id;
  }

  // All jobs to their end, whether the engine is synchronous or not.
  void run(const std::vector<Job*>& jobs) {
    std::size_t accepted = 0;
    std::size_t pending = 0;
    std::vector<Job*> done(jobs.size());
    Waiting waiting;
    while (accepted < jobs.size() || pending != 0) {
      const std::uint32_t n = engine_->submit(QueueId{0}, std::span(jobs).subspan(accepted));
      for (std::size_t i = accepted; i < accepted + n; ++i) pending += jobs[i]->verdict == Verdict::pending ? 1 : 0;
      accepted += n;
      const std::uint32_t finished = engine_->poll(QueueId{0}, done);
      pending -= finished;
      if (waiting.turn(n != 0 || finished != 0)) continue;
      // The jobs go away with the test, so nobody may work on them any more.
      engine_->close();
      FAIL("the engine finishes no more jobs");
    }
  }
  Verdict run(Job* job) {
    run(std::vector<Job*>{job});
    return job->verdict;
  }

  // Events since the last call, as "kind of index", sorted.
  std::vector<std::string> events() {
    static constexpr const char* names[] = {"lease_low",     "lease_exhausted", "soft_lifetime",
                                            "hard_lifetime", "pn_threshold",    "number_exhausted"};
    std::vector<std::string> texts;
    Event some[3];
    while (const std::uint32_t n = engine_->events(some))
      for (std::uint32_t i = 0; i < n; ++i)
        texts.push_back(std::string(names[static_cast<std::size_t>(some[i].kind)]) + " of " +
                        std::to_string(some[i].sa.index));
    std::ranges::sort(texts);
    return texts;
  }

 private:
  std::unique_ptr<SaSlot[]> slots_;
  std::uint32_t count_;
  std::uint32_t next_ = 0;
  std::unique_ptr<Engine> engine_;
};

inline Bytes test_key(std::size_t size, std::uint8_t first = 0x60) {
  Bytes key(size);
  for (std::size_t i = 0; i < size; ++i) key[i] = static_cast<std::uint8_t>(first + i);
  return key;
}

inline EspSa esp_sa(Direction direction) {
  EspSa sa;
  sa.spi = 0x1234;
  sa.direction = direction;
  sa.key = Secret<32>(test_key(32));
  sa.salt = Secret<4>(test_key(4, 0x10));
  sa.source.bytes = {192, 0, 2, 1};
  sa.destination.bytes = {192, 0, 2, 2};
  return sa;
}

inline MacsecSa macsec_sa(Direction direction, CipherSuite suite = CipherSuite::gcm_aes_xpn_256) {
  MacsecSa sa;
  sa.secy.suite = suite;
  sa.direction = direction;
  sa.sci.address.bytes = {2, 0, 0, 0, 0, 1};
  sa.key = Secret<32>(test_key(key_size(suite)));
  if (is_xpn(suite)) {
    sa.salt = Secret<12>(test_key(12, 0x20));
    sa.ssci = 1;
  }
  return sa;
}

// An Ethernet frame with an IPv4 UDP packet of `payload` bytes that are not zero.
inline Bytes clear_frame(std::size_t payload = 100) {
  Bytes frame = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00};
  Bytes ip(20);
  ip[0] = 0x45;
  wire::store16(ip.data() + 2, static_cast<std::uint16_t>(28 + payload));
  ip[8] = 64;
  ip[9] = 17;
  ip[12] = 10;
  ip[15] = 1;
  ip[16] = 10;
  ip[17] = 2;
  ip[19] = 1;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 20; i += 2) sum += wire::load16(ip.data() + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
  wire::store16(ip.data() + 10, static_cast<std::uint16_t>(~sum));
  frame.insert(frame.end(), ip.begin(), ip.end());
  const Bytes udp = {
      0xc0, 0, 0, 9, static_cast<std::uint8_t>((8 + payload) >> 8U), static_cast<std::uint8_t>(8 + payload), 0, 0};
  frame.insert(frame.end(), udp.begin(), udp.end());
  for (std::size_t i = 0; i < payload; ++i) frame.push_back(static_cast<std::uint8_t>(1 + i % 251));
  return frame;
}

// True if 8 bytes of the clear frame's payload in a row are anywhere in `memory`.
inline bool shows_payload(const Bytes& memory) {
  const Bytes clear = clear_frame();
  for (std::size_t i = clear.size() - 100; i + 8 <= clear.size(); ++i) {
    const auto from = clear.begin() + static_cast<long>(i);
    if (std::search(memory.begin(), memory.end(), from, from + 8) != memory.end()) return true;
  }
  return false;
}

}  // namespace linecrypt::test

namespace Catch {
template <>
struct StringMaker<linecrypt::Verdict> {
  static std::string convert(linecrypt::Verdict verdict) { return std::string(linecrypt::name(verdict)); }
};
}  // namespace Catch
