#include "host/values/key_arena.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstring>

#include "linecrypt/secret.hpp"

namespace linecrypt {
namespace {

std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

}  // namespace

KeyArena::KeyArena(std::size_t block_size, std::size_t alignment, std::size_t blocks_per_chunk)
    : block_size_(round_up(block_size, alignment)), blocks_per_chunk_(blocks_per_chunk) {
  // mmap aligns to pages; a block's alignment must divide that.
  assert(alignment <= 4096);
}

KeyArena::~KeyArena() {
  for (const Chunk& chunk : chunks_) {
    cleanse(chunk.memory, chunk.size);
    ::munmap(chunk.memory, chunk.size);
  }
}

Result<void*> KeyArena::allocate() {
  if (free_.empty())
    if (auto grown = grow(); !grown) return grown.error();
  void* block = free_.back();
  free_.pop_back();
  return block;
}

void KeyArena::release(void* block) noexcept {
  if (block == nullptr) return;
  cleanse(block, block_size_);
  free_.push_back(block);  // grow() reserved the room
}

Result<void> KeyArena::reserve(std::size_t blocks) {
  while (free_.size() < blocks) {
    if (auto grown = grow(); !grown) return grown;
    // mlock brings the pages, but not where it was refused, nor under ASan, which answers for it and does nothing.
    std::memset(chunks_.back().memory, 0, chunks_.back().size);
  }
  return {};
}

Result<void> KeyArena::grow() {
  // 1. Whole pages, so that no other data shares a locked, undumped page.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t size = round_up(block_size_ * blocks_per_chunk_, page);
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return Error{fmt::format("key arena: no memory for {} bytes: {}", size, std::strerror(errno))};
  // 2. Without these two a core dump or a forked child holds keys: no arena then.
  if (::madvise(memory, size, MADV_DONTDUMP) != 0 || ::madvise(memory, size, MADV_DONTFORK) != 0) {
    const int reason = errno;
    ::munmap(memory, size);
    return Error{fmt::format("key arena: madvise: {}", std::strerror(reason))};
  }
  // 3. RLIMIT_MEMLOCK may be small; then swap could see keys, and locked() says so.
  if (::mlock(memory, size) != 0) locked_ = false;
  // 4. Lowest address last, so that it is handed out first.
  auto* bytes = static_cast<std::uint8_t*>(memory);
  const std::size_t blocks = size / block_size_;
  chunks_.push_back({bytes, size});
  if (free_.capacity() < blocks * chunks_.size()) free_.reserve(2 * blocks * chunks_.size());
  for (std::size_t i = blocks; i-- > 0;) free_.push_back(bytes + i * block_size_);
  return {};
}

}  // namespace linecrypt
