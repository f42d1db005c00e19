#include "host/values/key_arena.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "linecrypt/secret.hpp"

namespace linecrypt {
namespace {

// Chunks grow with the arena up to this, so that many SAs come on huge pages and few take little.
constexpr std::size_t chunk_largest = 16 * HugeMemory::huge_page;

std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

}  // namespace

KeyArena::KeyArena(std::size_t block_size, std::size_t alignment, std::size_t blocks_per_chunk, ArenaHolds holds)
    : block_size_(round_up(std::max(block_size, sizeof(void*)), alignment)),
      blocks_per_chunk_(blocks_per_chunk),
      holds_(holds) {
  // mmap aligns to pages; a block's alignment must divide that, and allow a link in a free one.
  assert(alignment <= 4096 && block_size_ % alignof(void*) == 0);
}

KeyArena::~KeyArena() {
  for (const Chunk& chunk : chunks_) cleanse(chunk.memory.data(), chunk.handed_out * block_size_);
}

// 1. One that came back: nothing of it is left but the link. 2. Else the next that nobody has had.
Result<void*> KeyArena::allocate() {
  // 1.
  if (first_free_ != nullptr) {
    void* const block = first_free_;
    std::memcpy(&first_free_, block, sizeof first_free_);
    std::memset(block, 0, sizeof first_free_);
    --freed_;
    return block;
  }
  // 2.
  if (untouched_ == 0) {
    const std::size_t most = std::max(chunk_largest / block_size_, blocks_per_chunk_);
    if (auto grown = grow(std::clamp(bytes() / block_size_, blocks_per_chunk_, most)); !grown) return grown.error();
  }
  while (chunks_[filling_].handed_out == blocks_of(chunks_[filling_])) ++filling_;
  Chunk& chunk = chunks_[filling_];
  --untouched_;
  return static_cast<void*>(chunk.memory.data() + chunk.handed_out++ * block_size_);
}

void KeyArena::release(void* block) noexcept {
  if (block == nullptr) return;
  cleanse(block, block_size_);
  std::memcpy(block, &first_free_, sizeof first_free_);
  first_free_ = block;
  ++freed_;
}

Result<void> KeyArena::reserve(std::size_t blocks) {
  if (freed_ + untouched_ >= blocks) return {};
  if (auto grown = grow(blocks - freed_ - untouched_); !grown) return grown;
  // mlock brings the pages, but not where it was refused, nor under ASan, which answers for it and does nothing.
  std::memset(chunks_.back().memory.data(), 0, chunks_.back().memory.size());
  return {};
}

Result<void> KeyArena::grow(std::size_t blocks) {
  // 1. Whole pages, so that no other data shares a locked, undumped page.
  auto mapped = HugeMemory::map(block_size_ * blocks);
  if (!mapped) return Error{"key arena: " + mapped.error().message};
  std::byte* const memory = mapped->data();
  const std::size_t size = mapped->size();
  // 2. Without these two a core dump or a forked child holds keys: no arena then.
  if (::madvise(memory, size, MADV_DONTDUMP) != 0 || ::madvise(memory, size, MADV_DONTFORK) != 0)
    return Error{fmt::format("key arena: madvise: {}", std::strerror(errno))};
  // 3. RLIMIT_MEMLOCK may be small; then swap could see keys, and locked() says so.
  if (holds_ == ArenaHolds::keys && ::mlock(memory, size) != 0) locked_ = false;
  chunks_.push_back({std::move(mapped).value(), 0});
  untouched_ += blocks_of(chunks_.back());
  return {};
}

std::size_t KeyArena::bytes() const noexcept {
  std::size_t sum = 0;
  for (const Chunk& chunk : chunks_) sum += chunk.memory.size();
  return sum;
}

std::size_t KeyArena::huge_bytes() const noexcept {
  std::size_t sum = 0;
  for (const Chunk& chunk : chunks_)
    if (chunk.memory.huge()) sum += chunk.memory.size();
  return sum;
}

}  // namespace linecrypt
