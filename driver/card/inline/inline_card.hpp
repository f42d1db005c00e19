// InlineCard: a bump-in-the-wire card as its host runs it. The traffic passes between the card's own ports and never
// comes here; the host installs SAs, publishes the policy, grants leases and accept ceilings before they end, and
// serves the frames that the card does not decide upon.
//
// Nothing passes until publish(), and nothing once a lease, or a ceiling, has ended: a host that is gone cannot be
// missed for long (DESIGN 4). Threads: one, the control thread.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "driver/card/engine/session.hpp"
#include "driver/card/records/classify.hpp"
#include "driver/card/records/hash_placement.hpp"
#include "linecrypt/abi/classify.hpp"
#include "linecrypt/capabilities.hpp"
#include "linecrypt/engine.hpp"
#include "linecrypt/verdict.hpp"

namespace linecrypt::card {

// A frame for the host, and why it is here (abi/classify.hpp).
struct ExceptionFrame {
  abi::HostFrame header;
  std::vector<std::uint8_t> bytes;
};

class InlineCard {
 public:
  static constexpr std::uint32_t ring_entries = 32;  // of frames, each way

  // Loads the bitstream where it is not there yet, resets the card and opens it with a fresh epoch: nothing of an
  // earlier session is left, and nothing passes. A look-aside bitstream is refused by name.
  static Result<std::unique_ptr<InlineCard>> open(const CardOptions& options);
  static Result<std::unique_ptr<InlineCard>> open(std::shared_ptr<CardPort> port, const CardOptions& options);
  // Halts and resets the card: its ports are closed, and no key is left.
  ~InlineCard();
  InlineCard(const InlineCard&) = delete;
  InlineCard& operator=(const InlineCard&) = delete;

  [[nodiscard]] const CardFacts& facts() const noexcept { return facts_; }
  [[nodiscard]] const Capabilities& capabilities() const noexcept { return capabilities_; }

  // Egress: `numbers` is the lease. Ingress: numbers below `numbers.begin` count as seen, and none from `numbers.end`
  // on is accepted. The card finds an ingress SA by its SPI, or SCI and AN, itself. An index names one SA of the
  // card's, and the generations of an index rise while the card is open: replay window words of an SA that was removed
  // stay, and are told apart by them.
  Result<void> install(SaId id, const Sa& sa, Lease numbers);
  // More of them: the next lease, or a higher end.
  Result<void> grant(SaId id, Lease numbers);
  Result<void> remove(SaId id);

  // Both directions; each becomes effective between two frames.
  Result<void> publish(const InlineGateway& gateway);
  // Nothing passes any more, either way.
  Result<void> close_policy();

  // The ports close; what is inside leaves. resume() opens them again, with all that was installed.
  Result<void> halt();
  Result<void> resume();
  // Does the card still work for this session? An error says what has become of it.
  Result<void> check() const;
  // abi::link_state
  [[nodiscard]] std::uint32_t link() const { return port_->read_register(abi::reg::link); }

  // Frames for the host since the last call.
  Result<std::vector<ExceptionFrame>> exceptions();
  // A frame of the host's own, to leave by this port; the card's policy decides on it. An error: the ring is full.
  Result<void> inject(std::uint32_t port, std::span<const std::uint8_t> frame);

  // `direction`: abi::egress_port (clear to black) or abi::ingress_port.
  Result<std::uint64_t> verdicts(abi::Block direction, Verdict verdict);
  Result<abi::PortCounts> counts(abi::Block direction, abi::PortCounter which);

 private:
  struct Installed {
    abi::Block block;
    std::uint32_t generation;
    bool hashed;
    HashName name;
  };

  InlineCard(std::shared_ptr<CardPort> port, CardFacts facts, std::uint32_t epoch, Patience patience);
  Result<void> begin();
  Result<abi::Response> call(std::span<const abi::Command> commands, const char* what);
  Result<void> run(std::span<const abi::Command> commands, const char* what);
  Result<const Installed*> find(SaId id) const;
  Result<std::uint64_t> word_of(abi::Block block, abi::Table table, std::uint32_t index, std::uint32_t word);
  HashPlacement& placement(abi::Block block) { return block == abi::Block::esp_decapsulate ? spis_ : scis_; }

  std::shared_ptr<CardPort> port_;
  CardFacts facts_;
  Capabilities capabilities_;
  std::uint32_t classify_count_ = 0;
  std::uint32_t epoch_;
  Patience patience_;
  std::shared_ptr<Loss> loss_ = std::make_shared<Loss>();
  std::shared_ptr<SaPlan> plan_ = std::make_shared<SaPlan>();  // whose answers we wait for
  std::shared_ptr<CommandRing> commands_;
  std::unique_ptr<CardMemory> exceptions_;
  std::unique_ptr<CardMemory> injected_;
  std::uint32_t exceptions_head_ = 0;
  std::uint32_t injected_tail_ = 0;
  std::uint32_t policy_generation_ = 0;
  HashPlacement spis_;
  HashPlacement scis_;
  std::map<std::uint32_t, Installed> installed_;            // by index
  std::map<std::uint32_t, std::uint32_t> last_generation_;  // of each index that has had an SA
};

}  // namespace linecrypt::card
