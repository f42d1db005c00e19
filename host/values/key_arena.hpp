// KeyArena: locked memory that no core dump contains, for key material.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "host/values/huge_memory.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt {

// What an arena's blocks are for. Memory without keys need not be locked: RLIMIT_MEMLOCK is for those that hold some.
enum class ArenaHolds : std::uint8_t { keys, no_keys };

// Blocks of one size, handed out and taken back by the control thread. Memory comes by mmap with MADV_DONTDUMP and
// MADV_DONTFORK, and mlock where the limit allows (locked() tells). A freed block is cleansed.
//
// A block costs its size and nothing beside it: free ones are linked through their own first bytes.
class KeyArena {
 public:
  KeyArena(std::size_t block_size, std::size_t alignment, std::size_t blocks_per_chunk = 256,
           ArenaHolds holds = ArenaHolds::keys);
  ~KeyArena();
  KeyArena(const KeyArena&) = delete;
  KeyArena& operator=(const KeyArena&) = delete;

  // A zeroed block, or an error when the system has no memory.
  [[nodiscard]] Result<void*> allocate();
  void release(void* block) noexcept;
  // Takes memory now, so that the next `blocks` calls of allocate() need none and touch no new page.
  Result<void> reserve(std::size_t blocks);
  [[nodiscard]] bool locked() const noexcept { return locked_; }

  // Bytes from one block to the next.
  [[nodiscard]] std::size_t block_size() const noexcept { return block_size_; }
  // Memory taken from the system, and how much of it asked for huge pages.
  [[nodiscard]] std::size_t bytes() const noexcept;
  [[nodiscard]] std::size_t huge_bytes() const noexcept;

 private:
  struct Chunk {
    HugeMemory memory;
    std::size_t handed_out = 0;  // blocks that were in use at least once; those behind them were never touched
  };
  [[nodiscard]] std::size_t blocks_of(const Chunk& chunk) const noexcept { return chunk.memory.size() / block_size_; }
  Result<void> grow(std::size_t blocks);

  std::size_t block_size_;
  std::size_t blocks_per_chunk_;
  ArenaHolds holds_;
  bool locked_ = true;
  std::vector<Chunk> chunks_;
  std::size_t filling_ = 0;    // chunk that hands out its next block; those before it have none left
  std::size_t untouched_ = 0;  // blocks left in that one and behind it
  std::size_t freed_ = 0;      // blocks in the list
  void* first_free_ = nullptr;
};

}  // namespace linecrypt
