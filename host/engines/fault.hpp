// FaultEngine: wraps another engine so that it behaves like a card that fails: on demand and by a seeded plan. For
// tests.
//
// Like a card it keeps what is installed to itself: the inner engine has slots of its own, and the caller's slots
// follow only from jobs that came back. A job lost in flight may have been done, its number spent, without anybody
// having seen it. Unlike a card it does all on the caller's threads.
#pragma once

#include <cstdint>
#include <memory>

#include "host/engines/engine_health.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::engines {

// Chances in a million, drawn from the seed.
struct FaultPlan {
  // Per call of submit or poll.
  std::uint32_t lose = 0;
  std::uint32_t hang = 0;            // for `hang_calls` calls of submit or poll nothing is taken and nothing comes
  std::uint32_t hang_then_lose = 0;  // of those: how many end with a loss
  std::uint32_t refuse_submit = 0;   // takes nothing
  // Per job.
  std::uint32_t wrong_verdict = 0;  // done, but reported as `wrong`; payload of ingress zeroed
  std::uint32_t punt = 0;           // not done: `unsupported`
  // Per event.
  std::uint32_t drop_event = 0;
  // Per install, update or remove: done inside, then lost, and an error to the caller.
  std::uint32_t lose_in_control = 0;

  std::uint32_t hang_calls = 50;
  Verdict wrong = Verdict::esp_bad_icv;
};

struct FaultOptions {
  std::uint64_t seed = 1;
  FaultPlan plan{};
  std::uint32_t most_accepted = 64;    // per submit: at random up to this; 0: all
  std::uint32_t most_polls_late = 0;   // a job comes out of poll() after 1 to this many; 0: submit() finishes it
  std::uint32_t capacity = 512;        // jobs held per queue
  std::uint32_t recovering_looks = 3;  // so many looks at state() until it is ready again
  // Every egress number that the inner engine used, also for jobs that were lost. On the worker's thread.
  struct Spent {
    void* self = nullptr;
    void (*number)(void* self, SaId sa, std::uint64_t number) = nullptr;
  } spent{};
  bool keeps_window = false;  // takes RestoreWindow, unlike a card
  // Takes away what a card of that kind does not do.
  void (*limit)(Capabilities& capabilities) = nullptr;
};

struct FaultCounts {
  std::uint64_t losses = 0;
  std::uint64_t recoveries = 0;
  std::uint64_t lost_jobs = 0;    // came back as engine_lost
  std::uint64_t done_unseen = 0;  // of those: done inside all the same
  std::uint64_t answered = 0;     // not done, or reported wrongly
  std::uint64_t dropped_events = 0;
};

class FaultEngine : public Engine, public EngineHealth {
 public:
  // ---- on demand, from any thread ----
  // From now on: jobs in flight come back as engine_lost, new ones too or are not taken, control calls fail.
  virtual void lose(const char* reason) noexcept = 0;  // `reason` is a literal
  virtual void hang(std::uint32_t calls, bool then_lost) noexcept = 0;
  virtual void refuse_submits(std::uint32_t calls) noexcept = 0;
  virtual void refuse_installs(std::uint32_t calls) noexcept = 0;
  virtual void refuse_recoveries(std::uint32_t attempts) noexcept = 0;
  virtual void drop_events(std::uint32_t events) noexcept = 0;
  // The next jobs are not done; they get this verdict.
  virtual void answer(std::uint32_t jobs, Verdict verdict) noexcept = 0;
  virtual void stop_plan() noexcept = 0;  // only what is asked for from now on

  [[nodiscard]] virtual FaultCounts counts() const noexcept = 0;
};

// `inner` must finish jobs in submit() (Capabilities::immediate).
std::unique_ptr<FaultEngine> make_fault_engine(std::unique_ptr<Engine> inner, const FaultOptions& options = {});

}  // namespace linecrypt::engines
