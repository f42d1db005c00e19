// FakeCard: a card in this process behind CardPort, from the ABI alone: registers, rings, tables, batches. The
// cryptography is the software engine's, from what the commands say; so the driver's rings, slabs, accounting and state
// machine are tested against something that is not the kernels, and with faults that a card must not have.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "driver/card/engine/engine.hpp"
#include "host/software/engine.hpp"
#include "linecrypt/abi/sa_record.hpp"

namespace linecrypt::card_test {

class FakeCard {
 public:
  static constexpr std::uint32_t sa_count = 64;

  FakeCard();
  ~FakeCard();
  FakeCard(const FakeCard&) = delete;
  FakeCard& operator=(const FakeCard&) = delete;

  // What make_look_aside_engine() takes. The card lives on when a port goes.
  card::OpenPort opener();

  // ---- faults; each may be set at any time ----
  struct Faults {
    std::atomic<bool> lost{false};          // registers read 0xffffffff, writes vanish, transfers fail
    std::atomic<bool> stalled{false};       // nothing is worked on
    std::atomic<bool> hang_to_card{false};  // a transfer does not return until this goes
    std::atomic<bool> hang_from_card{false};
    std::atomic<int> fail_transfers{0};    // so many fail
    std::atomic<int> cut_transfers{0};     // so many from the card leave bytes out: [cut_from, cut_to)
    std::atomic<std::size_t> cut_from{0};  // beyond the transfer: at its half
    std::atomic<std::size_t> cut_to{~std::size_t{0}};
    std::atomic<int> wrong_cookies{0};    // so many completions carry another cookie
    std::atomic<int> wrong_epochs{0};     // completions
    std::atomic<int> repeat_numbers{0};   // egress completions tell the number before
    std::atomic<int> spoiled{0};          // so many egress results have a wrong bit in their last byte
    std::atomic<int> unflagged{0};        // completions say ok without a flag
    std::atomic<int> far_numbers{0};      // ingress completions tell a number far ahead
    std::atomic<int> refuse_commands{0};  // commits answered with `refused`
    std::atomic<bool> head_jumps{false};  // more batches finished than there were
    std::atomic<bool> no_port{false};     // cannot be opened
  } faults;

  // Registers as the host reads them.
  std::atomic<std::uint32_t> magic{abi::magic};
  std::atomic<std::uint32_t> version{abi::version};
  std::atomic<std::uint32_t> mode{static_cast<std::uint32_t>(abi::CardMode::both)};
  std::atomic<std::uint32_t> features{abi::feature::look_aside};

  // What the host did.
  std::atomic<std::uint64_t> command_doorbells{0};
  std::atomic<std::uint64_t> transfers{0};
  std::atomic<std::uint64_t> resets{0};
  std::atomic<std::uint64_t> batches{0};
  std::atomic<std::uint64_t> skipped_commands{0};  // of another epoch
  std::atomic<std::uint64_t> ports_open{0};
  [[nodiscard]] std::uint32_t epoch() const { return register_value(abi::reg::epoch); }
  [[nodiscard]] std::uint32_t register_value(std::uint32_t offset) const;
  void set_register(std::uint32_t offset, std::uint32_t value);
  [[nodiscard]] std::size_t installed() const;
  // The host's copy of any memory holds these bytes.
  [[nodiscard]] bool host_memory_holds(const std::vector<std::uint8_t>& bytes) const;

 private:
  friend class FakePort;
  friend class FakeMemory;
  struct Memory {
    std::uint64_t address = 0;
    std::vector<std::uint8_t> host_room, card;
    std::uint8_t* host = nullptr;  // aligned to 4 KiB
  };
  struct Entry {
    abi::KeyEntry key{};
    std::array<std::array<std::uint8_t, abi::word_bytes>, abi::record_words> record{};
    abi::NumberEntry number{};
    abi::LifetimeEntry lifetime{};
    std::uint32_t generation = 0;
  };

  void run();
  void command(abi::CardCommand command);
  void reset();
  bool take_commands();
  bool take_batches(std::uint32_t direction);
  void act(const abi::Command& command);
  bool commit(const abi::Command& command, Entry& entry);
  void respond(const abi::Command& command, abi::ResponseKind kind);
  void finish(const abi::Batch& batch, std::uint8_t* input, std::uint8_t* output, std::uint32_t job);
  std::uint8_t* at(std::uint64_t address, std::uint64_t length);
  std::uint32_t& reg(std::uint32_t offset) { return registers_[offset / 4]; }
  [[nodiscard]] std::uint64_t reg64(std::uint32_t offset) {
    return reg(offset) | std::uint64_t{reg(offset + 4)} << 32U;
  }
  [[nodiscard]] static SaId slot_of(abi::Block block, std::uint32_t index, std::uint32_t generation) {
    return {static_cast<std::uint32_t>(block) * sa_count + index, generation};
  }

  mutable std::recursive_mutex mutex_;
  std::array<std::uint32_t, 0x400> registers_{};
  std::map<std::uint64_t, std::shared_ptr<Memory>> memories_;
  std::uint64_t next_address_ = 0x1000;
  std::vector<Entry> entries_;
  std::vector<SaSlot> slots_;
  std::unique_ptr<Engine> engine_;
  std::atomic<bool> end_{false};
  std::thread thread_;
};

}  // namespace linecrypt::card_test
