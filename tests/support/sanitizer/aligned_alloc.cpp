// libxrt_coreutil calls aligned_alloc() with sizes that are no multiple of the alignment, which glibc takes and for
// which AddressSanitizer ends the process. In sanitizer builds of programs that load it this one is found first: the
// memory is the sanitizer's all the same.
#include <algorithm>
#include <cstdlib>

extern "C" [[gnu::visibility("default")]] void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  void* memory = nullptr;
  return posix_memalign(&memory, std::max(alignment, sizeof(void*)), size) == 0 ? memory : nullptr;
}
