#include "host/values/huge_memory.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace linecrypt {

// 1. Small: as it comes.
// 2. Large: one huge page more, of which what lies outside the aligned part goes back.
// 3. Asked before the first touch, which decides the size of a page.
Result<HugeMemory> HugeMemory::map(std::size_t size) {
  const bool large = size >= huge_page;
  const std::size_t unit = large ? huge_page : static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t whole = (size == 0 ? unit : (size + unit - 1) / unit * unit);
  const std::size_t asked = large ? whole + huge_page : whole;
  // 1.
  void* const memory = ::mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error{fmt::format("no memory for {} bytes: {}", size, std::strerror(errno))};
  HugeMemory result;
  result.data_ = static_cast<std::byte*>(memory);
  result.size_ = whole;
  if (!large) return result;
  // 2.
  const std::size_t over = reinterpret_cast<std::uintptr_t>(memory) % huge_page;
  const std::size_t before = over == 0 ? 0 : huge_page - over;
  if (before != 0) ::munmap(result.data_, before);
  result.data_ += before;
  if (const std::size_t behind = huge_page - before; behind != 0) ::munmap(result.data_ + whole, behind);
  // 3.
  result.huge_ = ::madvise(result.data_, whole, MADV_HUGEPAGE) == 0;
  return result;
}

HugeMemory::~HugeMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace linecrypt
