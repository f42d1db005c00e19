// KeyArena: locked memory that no core dump contains, for key material.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt {

// Blocks of one size, handed out and taken back by the control thread. Memory comes by mmap with MADV_DONTDUMP and
// MADV_DONTFORK, and mlock where the limit allows (locked() tells). A freed block is cleansed.
class KeyArena {
 public:
  KeyArena(std::size_t block_size, std::size_t alignment, std::size_t blocks_per_chunk = 256);
  ~KeyArena();
  KeyArena(const KeyArena&) = delete;
  KeyArena& operator=(const KeyArena&) = delete;

  // A zeroed block, or an error when the system has no memory.
  [[nodiscard]] Result<void*> allocate();
  void release(void* block) noexcept;
  // Takes memory now, so that the next `blocks` calls of allocate() need none and touch no new page.
  Result<void> reserve(std::size_t blocks);
  [[nodiscard]] bool locked() const noexcept { return locked_; }

 private:
  struct Chunk {
    std::uint8_t* memory = nullptr;
    std::size_t size = 0;
  };
  Result<void> grow();

  std::size_t block_size_;
  std::size_t blocks_per_chunk_;
  bool locked_ = true;
  std::vector<Chunk> chunks_;
  std::vector<void*> free_;
};

}  // namespace linecrypt
