// Memory of the emulated card: banks as the xclbin lays them out, and the buffers that are alive in them.
//
// A compute unit reaches only bytes inside one live buffer. What a freed buffer held stays in the chips, as on a card,
// until somebody writes there. Not thread-safe: the card's lock guards it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt::card_model {

constexpr std::uint64_t page_bytes = 4096;

struct Bank {
  std::string tag;
  std::uint64_t base = 0;
  std::uint64_t size = 0;
  bool operator==(const Bank&) const = default;
};

class CardMemory {
 public:
  CardMemory() = default;
  CardMemory(const CardMemory&) = delete;
  CardMemory& operator=(const CardMemory&) = delete;
  ~CardMemory();

  // Takes these banks. The same banks again keep what they hold; others start empty. Precondition: no buffer is alive
  // unless the banks are the same.
  void arrange(const std::vector<Bank>& banks);
  [[nodiscard]] bool holds(const std::vector<Bank>& banks) const { return banks == banks_; }
  [[nodiscard]] std::size_t buffers() const { return live_.size(); }

  // Address of a new buffer of `size` bytes, rounded up to whole pages.
  Result<std::uint64_t> allocate(std::uint32_t bank, std::uint64_t size);
  void release(std::uint64_t address);

  // The bytes, when all of them are inside one live buffer; else null.
  unsigned char* live(std::uint64_t address, std::uint64_t length);
  // The bytes as the chips hold them, alive or not; null outside what was ever handed out.
  unsigned char* chips(std::uint64_t address, std::uint64_t length);

  // Copies of `bytes` anywhere in the chips.
  [[nodiscard]] std::uint64_t find(std::span<const unsigned char> bytes) const;
  // All zero.
  void forget();

 private:
  // Banks may overlap (XRT's memory groups do); a store is a range of addresses that overlapping banks share.
  struct Store {
    std::uint64_t base = 0;
    std::uint64_t size = 0;
    unsigned char* data = nullptr;  // mapped at its first use
    std::uint64_t used = 0;         // bytes from the base that were ever handed out
  };
  Store* store_of(std::uint64_t address);
  void unmap();

  std::vector<Bank> banks_;
  std::vector<Store> stores_;
  std::map<std::uint64_t, std::uint64_t> live_;  // address, bytes in whole pages
  // The buffer that `live` found last: compute units ask for the same one again and again.
  std::uint64_t last_begin_ = 0;
  std::uint64_t last_end_ = 0;
  unsigned char* last_data_ = nullptr;
};

// The stack of the thread that clocks a card holds what a card has between its registers: keys of packets on their way.
// From this call on the calling thread's stack is in no core file.
void keep_stack_out_of_cores();

}  // namespace linecrypt::card_model
