// FailoverEngine: one engine over two: a primary that can be lost (a card) and a secondary that cannot (software).
// README.md says how an SA moves, what holds while it does, and how long it takes.
//
// Threads: as Engine. events() is also where it does its work on the control thread: call it every 10 ms or so.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/engines/engine_health.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::engines {

struct FailoverOptions {
  // A job waits no longer than this for an SA that is on its way; then it comes back as engine_lost if the primary was
  // lost with it, else as engine_busy. Egress SAs that got no lease by then stop waiting for it: lease_exhausted.
  std::uint64_t hold_limit_ns = 250'000'000;
  // Between attempts to get the primary back; doubles with each that fails, up to the longest.
  std::uint64_t recover_every_ns = 1'000'000'000;
  std::uint64_t recover_longest_ns = 60'000'000'000;
  // How long a primary that is back must stay so before SAs return to it; doubles with each loss, up to the longest,
  // until it has not been lost for `forget_ns`.
  std::uint64_t rest_ns = 5'000'000'000;
  std::uint64_t rest_longest_ns = 300'000'000'000;
  std::uint64_t forget_ns = 600'000'000'000;

  // A primary that is back first proves that it computes right (DESIGN 3.8), on a thread of its own.
  bool test_after_recovery = true;

  std::uint32_t jobs_per_queue = 4096;  // accepted and not given back
  std::uint32_t splits_per_queue = 1024;
  std::uint32_t moves_per_turn = 256;  // SAs that start to move in one call of events()
};

enum class PrimaryUse : std::uint8_t {
  used,
  lost,        // SAs leave it, then it is asked to recover
  recovering,  //
  resting,     // back, and watched for a while
};
[[nodiscard]] const char* name(PrimaryUse use) noexcept;

struct FailoverStatus {
  std::string primary, secondary;  // names of the engines; secondary may be empty
  PrimaryUse use = PrimaryUse::used;
  std::string reason;  // why it is not used; empty: it is
  std::uint32_t sas_primary = 0, sas_secondary = 0, sas_moving = 0, sas_nowhere = 0;
  std::uint32_t sas_pinned = 0;  // of those in the secondary: they stay there, see placement()
  std::uint64_t failovers = 0;   // losses of the primary
  std::uint64_t renewals = 0;    // times it was reset because somebody asked
  std::uint64_t returns = 0;     // times it was taken into use again
  std::uint64_t moves = 0;       // of single SAs, either way
  std::uint64_t jobs_redone = 0, jobs_lost = 0, jobs_busy = 0, jobs_punted = 0, jobs_refused = 0, jobs_split = 0;
  std::uint64_t numbers_skipped = 0;   // leased and left behind
  std::uint64_t away_ns = 0;           // time without the primary
  std::uint64_t last_failover_ns = 0;  // how long the last loss took until every SA was in the secondary
  std::uint64_t longest_failover_ns = 0;
};

struct SaPlacement {
  std::string engine;  // where it is; "none" while it is nowhere
  bool moving = false;
  std::string reason;  // why it is not in the primary; empty: it is
};

class FailoverEngine : public Engine {
 public:
  // Control thread.
  [[nodiscard]] virtual FailoverStatus status() const = 0;
  [[nodiscard]] virtual Result<SaPlacement> placement(SaId id) const = 0;
  // Sentences for the log, moved out: losses, returns, SAs that stay in the secondary.
  [[nodiscard]] virtual std::vector<std::string> take_messages() = 0;
  // Somebody asks for a reset of the primary. Its SAs leave it as after a loss (what is inside comes out first), it is
  // brought back to where open() left it, tested, and used again. Returns at once; status() tells how it goes. An error
  // where it is under way already.
  virtual Result<void> renew_primary() = 0;
  // Begins the primary's known answers, beside traffic: each call of events() takes a step. An error where a test goes
  // on already, or the primary is being recovered, which tests it.
  virtual Result<void> begin_primary_test() = 0;
  // One goes on.
  [[nodiscard]] virtual bool testing_primary() const = 0;
  // What came of it, told once; empty while it goes on, and where none was begun. A primary that fails is not used any
  // more (DESIGN 3.8).
  virtual std::optional<Result<void>> primary_test() = 0;
  // The secondary's known answers, at once: software takes milliseconds. No secondary: nothing fails.
  virtual Result<void> test_secondary() = 0;
  // SAs are on their way, and jobs wait for them: call events() soon.
  [[nodiscard]] virtual bool moving() const = 0;
};

// `health` is the primary's; it is the primary itself or outlives the engine. Without a secondary nothing falls back:
// what is lost comes back as engine_lost until the primary has recovered.
std::unique_ptr<FailoverEngine> make_failover_engine(std::unique_ptr<Engine> primary, EngineHealth& health,
                                                     std::unique_ptr<Engine> secondary,
                                                     const FailoverOptions& options = {});

}  // namespace linecrypt::engines
