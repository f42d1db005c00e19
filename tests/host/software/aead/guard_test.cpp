// Buffers that end where a page without access begins, and buffers that begin behind one: not a byte beside them is
// read or written, and a provider that did would die here.
#include <sys/mman.h>
#include <catch2/catch.hpp>
#include <cstring>

#include "tests/support/aead.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t room = 3 * page;

// Three pages between two without access.
class Guarded {
 public:
  Guarded() {
    all_ = static_cast<std::uint8_t*>(
        mmap(nullptr, room + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(all_ != MAP_FAILED);
    REQUIRE(mprotect(all_, page, PROT_NONE) == 0);
    REQUIRE(mprotect(all_ + page + room, page, PROT_NONE) == 0);
  }
  ~Guarded() { munmap(all_, room + 2 * page); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  // The first or the last `size` bytes.
  [[nodiscard]] std::uint8_t* place(std::size_t size, bool at_end) const {
    return all_ + page + (at_end ? room - size : 0);
  }

 private:
  std::uint8_t* all_;
};

}  // namespace

TEST_CASE("Nothing is read or written beside text, associated data, tag or key context") {
  auto& provider = *all_providers()[GENERATE(range(std::size_t{0}, all_providers().size()))];
  const bool at_end = GENERATE(true, false);
  INFO(provider.name());
  // The key context too, and its alignment.
  const Guarded context;
  const std::size_t key_size = GENERATE(16U, 24U, 32U);
  void* const key = context.place(provider.context_size(), at_end);
  REQUIRE(provider.expand(Bytes(key_size, 7), key).ok());
  const Guarded in;
  const Guarded out;
  const Guarded head;
  const Guarded tail;
  const Guarded tag;
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 290; ++size) sizes.push_back(size);
  for (const std::size_t size : {511U, 513U, 1419U, 1420U, 1421U, 4095U, 4097U, 9001U}) sizes.push_back(size);
  for (const std::size_t size : sizes) {
    software::AeadOp op;
    op.key = key;
    op.length = static_cast<std::uint32_t>(size);
    op.aad_head_length = static_cast<std::uint32_t>(size % 3 == 0 ? 0 : size % 34);
    op.aad_tail_length = static_cast<std::uint32_t>(size % 4 == 0 ? size % 29 : 0);
    op.aad_head = head.place(op.aad_head_length, at_end);
    op.aad_tail = tail.place(op.aad_tail_length, at_end);
    op.in = in.place(size, at_end);
    op.out = out.place(size, at_end);
    op.tag = tag.place(16, at_end);
    provider.seal({&op, 1});
    software::AeadOp opened = op;
    opened.in = op.out;
    provider.open({&opened, 1});
    if (!opened.good) FAIL("not opened at " << size << " bytes");
    if (size != 0 && std::memcmp(op.out, op.in, size) != 0) FAIL("other bytes came back at " << size);
  }
  provider.destroy(key);
}
