// CardPort: all that the engine needs of a card: registers, memory, syncs. Two implementations: XRT (driver/card/xrt,
// in a module of its own) and a small fake in the tests.
//
// Calls that move memory may take long or, on a card that hangs, may never come back: only threads that the watchdog
// can do without make them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "driver/card/engine/card_engine.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::card {

// Memory that exists twice: host() here, and at address() on the card. Both are aligned to 4 KiB. The two know nothing
// of each other until a sync.
class CardMemory {
 public:
  virtual ~CardMemory() = default;
  [[nodiscard]] virtual std::uint8_t* host() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t address() const noexcept = 0;
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;
  // False: the transfer failed. `offset` and `bytes` are multiples of 64.
  virtual bool to_card(std::size_t offset, std::size_t bytes) noexcept = 0;
  virtual bool from_card(std::size_t offset, std::size_t bytes) noexcept = 0;
};

// What the port knows of the card without asking its registers.
struct PortIdentity {
  std::string name;
  std::string bdf;
  std::string xclbin_uuid;
  std::string note;
};

// Who of the card reads and writes it: it lies in a bank that this one reaches.
enum class MemoryUse : std::uint8_t { control, egress, ingress };

class CardPort {
 public:
  virtual ~CardPort() = default;
  [[nodiscard]] virtual const PortIdentity& identity() const noexcept = 0;
  // abi::lost_value where the card is gone. Any thread.
  virtual std::uint32_t read_register(std::uint32_t offset) noexcept = 0;
  virtual void write_register(std::uint32_t offset, std::uint32_t value) noexcept = 0;
  // Control thread. `bytes` is a multiple of 4 KiB.
  virtual Result<std::unique_ptr<CardMemory>> allocate(MemoryUse use, std::size_t bytes) = 0;
  virtual CardHealth health() = 0;
  // Control thread. Gives the control kernel up, so that another port can have it, while threads left behind still hold
  // this one and its memory. Registers read abi::lost_value from then on.
  virtual void release() noexcept {}
};

}  // namespace linecrypt::card
