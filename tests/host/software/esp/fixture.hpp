// EspBench: an engine of each kind with slots of its own, and one call that runs one packet through it.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "host/software/aead/provider.hpp"
#include "linecrypt/engine.hpp"
#include "tests/host/software/esp/reference.hpp"
#include "tests/support/emulated_card.hpp"
#include "tests/support/ip_packets.hpp"
#include "tests/support/long_form.hpp"

namespace Catch {
template <>
struct StringMaker<linecrypt::Verdict> {
  static std::string convert(linecrypt::Verdict verdict) { return std::string(linecrypt::name(verdict)); }
};
}  // namespace Catch

namespace linecrypt::test {

struct EngineChoice {
  const char* name;
  software::ProviderChoice provider;
  bool delaying;
  bool card = false;
};
// Every engine that can run here: both providers, the delaying engine over each, and the emulated card. `quick`:
// without the delaying ones.
std::vector<EngineChoice> engines(bool quick = false);

struct Outcome {
  Verdict verdict = Verdict::pending;
  Bytes packet;  // what the packet view covers afterwards
  Bytes memory;  // from the start of the packet as it came to its end as it came, afterwards
  std::uint64_t number = 0;
};

struct Room {
  std::uint32_t head = 128;
  std::uint32_t tail = 64;
};

inline constexpr std::uint64_t endless = std::uint64_t{1} << 62U;

// Each test runs twice, as Catch's GENERATE has it: what is given as a bare IP packet (l2_length 0) is one, and then it
// is behind an Ethernet header, where packets of the common kind are looked at by code of their own. The outcome is the
// packet's in both. Not on the emulated card, which looks at both alike.
class EspBench {
 public:
  explicit EspBench(const EngineChoice& choice, std::uint32_t slots = 8);
  ~EspBench();

  // Installs; the test fails if that is refused. Egress numbers begin at `first`; ingress numbers to `window_top` are
  // seen.
  SaId install(const EspSa& sa, std::uint64_t first = 1, std::uint64_t window_top = 0, std::uint64_t end = endless);
  void remove(SaId id);
  Outcome run(Operation operation, SaId id, const Bytes& bytes, std::uint16_t l2_length = 0, Room room = {});
  Outcome encapsulate(SaId id, const Bytes& bytes, std::uint16_t l2_length = 0, Room room = {}) {
    return run(Operation::esp_encapsulate, id, bytes, l2_length, room);
  }
  Outcome decapsulate(SaId id, const Bytes& bytes, std::uint16_t l2_length = 0, Room room = {}) {
    return run(Operation::esp_decapsulate, id, bytes, l2_length, room);
  }
  // One burst in one submit where the engine takes it.
  std::vector<Outcome> burst(Operation operation, SaId id, const std::vector<Bytes>& packets,
                             std::uint16_t l2_length = 0, Room room = {});
  [[nodiscard]] const SaSlot& slot(SaId id) const { return slots_[id.index]; }
  [[nodiscard]] SaSlot& slot(SaId id) { return slots_[id.index]; }
  Engine& engine() { return *engine_; }

 private:
  std::vector<Outcome> burst_of_frames(Operation operation, SaId id, const std::vector<Bytes>& packets,
                                       std::uint16_t l2_length, Room room);

  std::uint32_t count_;
  std::uint32_t next_ = 0;
  std::unique_ptr<SaSlot[]> slots_;
  bool framed_;
  std::unique_ptr<Engine> engine_;
};

// The two halves of one SA, with test keys. Algorithm, mode and families as asked.
struct Shape {
  EspMode mode = EspMode::tunnel;
  Family outer = Family::ipv4;
  Family inner = Family::ipv4;
  EspAlgorithm algorithm = EspAlgorithm::aes_gcm_256;
  bool esn = true;
  bool udp = false;
};
EspSa make_sa(const Shape& shape, Direction direction);
std::string describe(const Shape& shape);
// Every combination.
std::vector<Shape> shapes();

// True if every byte of memory from `offset` on is zero, and there is at least one.
bool zero_from(const Bytes& memory, std::size_t offset);
// Where the text (behind the IV) begins in an ESP packet in the SA's outer headers without options.
std::size_t text_offset(const EspSa& sa, std::size_t l2_length = 0);

}  // namespace linecrypt::test
