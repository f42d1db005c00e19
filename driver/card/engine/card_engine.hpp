// CardEngine: the Engine whose AES-GCM runs on an Alveo card, look-aside: host memory -> card -> host memory.
//
// Threads: as Engine. Inside, two transfer threads (one a direction) and a watchdog; workers touch only memory rings.
// A card that is gone never blocks anybody: see CardState::lost.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "linecrypt/abi/registers.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::card {

//   closed --open()--> opening --> ready --close()--> closed
//                         |          |
//                         +--> lost <+   reset() --> closed
enum class CardState : std::uint8_t {
  closed,
  opening,
  ready,
  lost,  // every job in flight came back once as engine_lost; so does each job submitted from then on, at once
};

[[nodiscard]] const char* name(CardState state) noexcept;

[[nodiscard]] inline const char* name(abi::CardMode mode) noexcept {
  switch (mode) {
    case abi::CardMode::none:
      return "none";
    case abi::CardMode::esp:
      return "esp";
    case abi::CardMode::macsec:
      return "macsec";
    case abi::CardMode::both:
      return "both";
  }
  return "unknown";
}

// 32 random bits that are not 0, new for each session.
struct EpochSource {
  void* self = nullptr;
  std::uint32_t (*next)(void* self) = nullptr;  // none: the kernel's random numbers
};

struct CardOptions {
  // Which card: its PCI address ("0000:65:00.1", the user function), or its number in XRT's order where that is empty.
  std::string bdf;
  std::uint32_t device = 0;
  std::filesystem::path xclbin;              // its manifest stands beside it
  abi::CardMode mode = abi::CardMode::none;  // what the bitstream must do; none: whatever it does
  std::filesystem::path trusted_keys;        // folder of *.pem, one of which must have signed; empty: none must
  bool allow_shared_node = false;            // device node that other users may open: go on, with a note

  EpochSource epoch{};
  Clock clock{};  // none: the system's monotonic clock

  // One batch: as many packets as fit a slab, at most abi::batch_jobs.
  std::uint32_t slab_bytes = 512U << 10U;  // 64 KiB .. 1 MiB, a multiple of 4 KiB
  std::uint32_t slabs = 8;                 // batches in flight a direction, 2..32
  std::uint32_t queue_jobs = 1024;         // jobs in flight a queue and direction, a power of two

  // Without progress for this long while work waits, the card is lost. 0: 200 ms on a card; 10 s on the emulated one,
  // whose clock is not ours.
  std::uint32_t progress_timeout_ms = 0;
};

// For status and metrics. Taken by the control thread; the counts may be a moment old.
struct CardSnapshot {
  CardState state = CardState::closed;
  std::string reason;  // why it was lost or could not be opened; empty otherwise

  std::string name;  // XRT's: "xilinx_u50_gen3x16_xdma_base_5"
  std::string bdf;
  std::string xclbin_uuid;
  std::uint32_t abi_version = 0;  // the card's, major << 16 | minor
  abi::CardMode mode = abi::CardMode::none;
  std::uint32_t features = 0;
  std::uint32_t sa_count = 0;
  bool emulated = false;
  std::string note;  // what a person should know: a shared device node, an unsigned bitstream

  std::uint32_t heartbeat = 0;
  std::uint64_t sessions = 0;  // opened since construction
  std::uint64_t losses = 0;

  std::uint64_t installs = 0;
  std::uint64_t commands = 0;
  std::uint64_t doorbells = 0;  // of the command ring
  std::uint64_t card_events = 0;
  std::uint32_t card_events_dropped = 0;  // the card's count since its reset: they found no room in the response ring
  struct Direction {
    std::uint64_t batches = 0;
    std::uint64_t jobs = 0;
    std::uint64_t bytes = 0;  // to the card
    std::uint32_t in_flight = 0;
  } direction[abi::directions];
  std::uint64_t lost_jobs = 0;          // returned engine_lost
  std::uint64_t quarantined_bytes = 0;  // slabs of lost sessions, until a reset is confirmed
};

// What XRT tells of the card's health. A field without a value was not offered by the card or its shell.
struct CardHealth {
  bool reachable = false;  // registers answer
  std::string thermal;     // XRT's JSON, as it came
  std::string electrical;
  std::string memory;     // ECC counts are in here
  std::string pcie_info;  // width and speed
  int numa_node = -1;     // that the card is attached to; -1: the kernel does not know
  std::string offline;    // XRT's word on a reset or a firewall trip; empty: none
};

// One register of the control kernel.
struct RegisterValue {
  std::string name;
  std::uint32_t offset = 0;
  std::uint32_t value = 0;
};

class CardEngine : public Engine {
 public:
  [[nodiscard]] virtual CardState state() const noexcept = 0;  // any thread
  [[nodiscard]] virtual CardSnapshot snapshot() const = 0;     // control thread
  [[nodiscard]] virtual CardHealth health() = 0;               // control thread; may take milliseconds
  // Control thread. Every register as it reads now; none without a card.
  [[nodiscard]] virtual std::vector<RegisterValue> registers() = 0;

  // After a loss (or at any time while no job is in flight): ends the old session, opens the card again, resets it and
  // sees the reset confirmed. Then state is closed and open() may be called again. An error leaves it lost.
  virtual Result<void> reset() = 0;
  // reset(), then open() with the setup of the last open(). All slots are free afterwards.
  virtual Result<void> reset_and_reopen() = 0;
  // reset_and_reopen() on a thread of its own; returns at once. State is opening until it is ready, or lost again.
  // Until then nobody calls the engine but state().
  virtual void start_recovery() = 0;

  // Control thread. One step of the known answers, beside traffic; none waits for a packet. Empty: it goes on, call
  // again. The call behind a result begins anew. On a closed engine the first call does all of it.
  virtual std::optional<Result<void>> self_test_step() = 0;

  // The card's own view of an SA, read back through the command ring. Equal to read() when nothing is in flight.
  [[nodiscard]] virtual Result<SaState> read_back(SaId id) = 0;
};

// Opens the card once to learn what it is (so capabilities() is true), resets it and leaves it closed. An error says in
// words what is in the way; the bitstream that runs is untouched where the new one is refused.
Result<std::unique_ptr<CardEngine>> make_card_engine(const CardOptions& options);

}  // namespace linecrypt::card
