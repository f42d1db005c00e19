// CommandRing: commands to the card's tables, and the card's responses and events.
//
// Installs are batched: push() only fills the host's copy of the ring; what came together is moved to the card with one
// transfer and one doorbell, then the host's copy is cleansed, for key material is in it. Both rings are outside
// core dumps. The card zeroes an entry as it takes it.
//
// Threads: the control thread, and a transfer thread that must wait for an SA's commands. They share a lock; nobody
// takes it for a packet, and nobody waits for it longer than the card's patience, for its holder may hang in a call to
// the card.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "driver/card/engine/card_port.hpp"
#include "driver/card/engine/loss.hpp"
#include "driver/card/engine/patience.hpp"
#include "driver/card/engine/sa_plan.hpp"
#include "linecrypt/abi/rings.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::card {

class CommandRing {
 public:
  static constexpr std::uint32_t entries = 2048;           // 256 KiB
  static constexpr std::uint32_t response_entries = 1024;  // 64 KiB
  static constexpr std::uint32_t burst = 1024;             // commands that are flushed together at the latest

  // Allocates both rings and zeroes them on the card. The registers are the session's to write.
  // `keep_alive` holds the plans that commands name.
  static Result<std::shared_ptr<CommandRing>> make(std::shared_ptr<CardPort> port, std::uint32_t epoch,
                                                   Patience patience, std::shared_ptr<Loss> loss,
                                                   std::shared_ptr<void> keep_alive);
  ~CommandRing();

  [[nodiscard]] std::uint64_t command_address() const noexcept { return commands_->address(); }
  [[nodiscard]] std::uint64_t response_address() const noexcept { return responses_->address(); }

  // Puts the commands of one SA behind the others; epoch and cookie are filled in here. The last one is answered, and
  // `plan.unanswered` counts until then. Waits, within the card's patience, where the ring is full.
  Result<void> push(std::span<const abi::Command> commands, SaPlan& plan);
  // As push(), then waits for the answer of the last command.
  Result<abi::Response> call(std::span<const abi::Command> commands, SaPlan& plan);

  // What was pushed goes to the card, and the answers that are there are taken; cheap where there is nothing. Waits for
  // nobody: a thread that has the ring meanwhile does the same itself. What goes wrong is in the loss.
  void service();
  // The same until `plan` has no unanswered command. Any thread.
  Result<void> settle(SaPlan& plan);

  // Events that the card itself has raised, since the session began (look-aside: the host has raised the same).
  [[nodiscard]] std::uint64_t card_events() const noexcept { return card_events_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t commands() const noexcept { return commands_sent_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t doorbells() const noexcept { return doorbells_.load(std::memory_order_relaxed); }

 private:
  struct Asked {
    SaPlan* plan = nullptr;
    std::uint32_t cookie = 0;  // 0: nobody waits
    bool keep = false;         // somebody wants the response itself
  };

  CommandRing(std::shared_ptr<CardPort> port, std::uint32_t epoch, Patience patience, std::shared_ptr<Loss> loss,
              std::shared_ptr<void> keep_alive);
  Error lose(const std::string& reason);
  Result<void> push_locked(std::span<const abi::Command> commands, SaPlan& plan, bool keep);
  Result<void> flush_locked();
  Result<void> drain_locked();
  Result<void> take(const abi::Response& response);
  Result<void> make_room(std::uint32_t count);
  [[nodiscard]] std::unique_lock<std::timed_mutex> lock();
  template <typename Done>
  Result<void> wait(Done done, const char* what);

  std::shared_ptr<CardPort> port_;
  std::uint32_t epoch_;
  Patience patience_;
  std::shared_ptr<Loss> loss_;
  std::shared_ptr<void> keep_alive_;
  std::timed_mutex mutex_;
  std::unique_ptr<CardMemory> commands_;
  std::unique_ptr<CardMemory> responses_;
  std::uint32_t tail_ = 0;      // written to the host's copy
  std::uint32_t flushed_ = 0;   // moved to the card
  std::uint32_t consumed_ = 0;  // the card's head, as last read
  std::uint32_t response_ = 0;  // responses taken
  std::uint32_t cookie_ = 0;
  std::uint32_t open_answers_ = 0;
  std::vector<Asked> asked_;  // by cookie, modulo its size
  abi::Response kept_{};
  std::atomic<std::uint64_t> card_events_{0};
  std::atomic<std::uint64_t> commands_sent_{0};
  std::atomic<std::uint64_t> doorbells_{0};
};

// Memory that no core dump shows, where the system lets us say so.
void exclude_from_dumps(CardMemory& memory) noexcept;

}  // namespace linecrypt::card
