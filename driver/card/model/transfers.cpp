// Buffers of a session, and the DMA between host and card memory. Host and card see each other's writes only after a
// sync.
#include <sys/mman.h>
#include <xrt_mem.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "driver/card/model/card.hpp"

namespace linecrypt::card_model {
namespace {

// A transfer lets the clock and other requests in after this many bytes, so it can be torn by them, as on a card.
constexpr std::uint64_t piece_bytes = 64 * 1024;
constexpr std::uint32_t buffers_most = 1U << 20U;

bool inside(std::uint64_t whole, std::uint64_t offset, std::uint64_t size) {
  return offset <= whole && size <= whole - offset;
}

}  // namespace

int Card::make_buffer(Session& session, void* host, std::uint64_t size, std::uint32_t flags, std::uint32_t& handle) {
  Guard guard = enter();
  strike();
  constexpr std::uint32_t no_card_memory = XCL_BO_FLAGS_EXECBUF | XCL_BO_FLAGS_HOST_ONLY;
  constexpr std::uint32_t unsupported = XCL_BO_FLAGS_P2P | XCL_BO_FLAGS_SVM;
  if ((flags & unsupported) != 0 || ((flags & XCL_BO_FLAGS_HOST_ONLY) != 0 && (flags & XCL_BO_FLAGS_EXECBUF) == 0))
    return refuse(ENOTSUP,
                  "a buffer with flags {:#x}: host-only, peer-to-peer and shared virtual memory are not emulated",
                  flags & ~XRT_BO_FLAGS_MEMIDX_MASK);
  if (size == 0 || session.buffers.size() >= buffers_most)
    return refuse(EINVAL, "a buffer of {} bytes, after {} others", size, session.buffers.size());
  auto buffer = std::make_shared<Buffer>();
  buffer->size = size;
  buffer->flags = flags;
  if (host != nullptr) {
    if (reinterpret_cast<std::uintptr_t>(host) % page_bytes != 0)
      return refuse(EINVAL, "a buffer over the caller's memory that does not begin at a page");
    buffer->host = static_cast<unsigned char*>(host);
  } else if ((flags & XCL_BO_FLAGS_DEV_ONLY) == 0) {
    const std::uint64_t bytes = (size + page_bytes - 1) / page_bytes * page_bytes;
    void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return refuse(ENOMEM, "{} bytes of host memory: {}", bytes, std::strerror(errno));
    buffer->host = static_cast<unsigned char*>(pages);
    buffer->mapped = bytes;
  }
  if ((flags & no_card_memory) == 0) {
    auto address = memory_.allocate(static_cast<std::uint32_t>(flags & XRT_BO_FLAGS_MEMIDX_MASK), size);
    if (!address) return refuse(ENOMEM, "{}", address.error().message);
    buffer->address = *address;
  }
  while (session.buffers.contains(session.next_buffer) || session.next_buffer == 0) ++session.next_buffer;
  handle = session.next_buffer++;
  session.buffers.emplace(handle, std::move(buffer));
  return 0;
}

void Card::free_buffer(Session& session, std::uint32_t handle) {
  Guard guard = enter();
  const auto found = session.buffers.find(handle);
  if (found == session.buffers.end()) return;
  if (found->second->address) memory_.release(*found->second->address);
  session.buffers.erase(found);
}

std::shared_ptr<Buffer> Card::buffer(Session& session, std::uint32_t handle) {
  Guard guard = enter();
  const auto found = session.buffers.find(handle);
  return found == session.buffers.end() ? nullptr : found->second;
}

int Card::sync(Session& session, std::uint32_t handle, Way way, std::uint64_t size, std::uint64_t offset) {
  Guard guard = enter();
  ++counters_.syncs;
  tick();
  strike();
  // 1. Bytes of a buffer that has both sides.
  const auto found = session.buffers.find(handle);
  if (found == session.buffers.end()) return refuse(EINVAL, "sync: no such buffer");
  const std::shared_ptr<Buffer> buffer = found->second;
  if (!buffer->address || buffer->host == nullptr) return refuse(EINVAL, "sync: the buffer has only one side");
  if (!inside(buffer->size, offset, size))
    return refuse(EINVAL, "sync: {} bytes at {} of a buffer of {}", size, offset, buffer->size);
  unsigned char* host = buffer->host + offset;
  const std::uint64_t address = *buffer->address + offset;

  // 2. Faults that strike a transfer.
  if (link_ == Link::lost && lost_reads_ones_ && way == Way::from_card) {
    std::memset(host, 0xff, size);
    return 0;
  }
  if (gone()) return refuse(EIO, "sync: the card is {}", link_ == Link::lost ? "lost" : "blank");
  if (fail_ != 0) {
    --fail_;
    return refuse(EIO, "sync: fault `fail`");
  }
  if (partial_ && way == Way::from_card) {
    size = *partial_ == 0 ? size / 2 : std::min(size, *partial_);
    partial_.reset();
  }

  // 3. The bytes, then the bit that a fault flips, where they arrived.
  if (const int result = move_pieces(guard, address, host, size, way); result != 0) return result;
  if (flip_ && size != 0) {
    flip_bit(way == Way::from_card ? host : memory_.chips(address, size), size, *flip_);
    flip_.reset();
  }
  return 0;
}

int Card::move_pieces(Guard& guard, std::uint64_t address, unsigned char* host, std::uint64_t size, Way way) {
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t piece = std::min(size - done, piece_bytes);
    unsigned char* chips = memory_.chips(address + done, piece);
    if (chips == nullptr) return refuse(EFAULT, "transfer: no memory at {:#x}", address + done);
    if (way == Way::to_card) {
      std::memcpy(chips, host + done, piece);
      counters_.bytes_to += piece;
    } else {
      std::memcpy(host + done, chips, piece);
      counters_.bytes_from += piece;
    }
    done += piece;
    if (done == size) break;
    guard.unlock();
    guard = enter();
    strike();
    if (gone()) return refuse(EIO, "transfer: the card went after {} of {} bytes", done, size);
  }
  return 0;
}

void Card::flip_bit(unsigned char* data, std::uint64_t size, std::uint64_t argument) {
  const std::uint64_t bit = (argument == FaultPlan::never ? random_() : argument) % (size * 8);
  data[bit / 8] = static_cast<unsigned char>(data[bit / 8] ^ (1U << (bit % 8)));
}

int Card::copy(Session& session, std::uint32_t to, std::uint32_t from, std::uint64_t size, std::uint64_t to_offset,
               std::uint64_t from_offset) {
  Guard guard = enter();
  tick();
  strike();
  const auto target = session.buffers.find(to);
  const auto source = session.buffers.find(from);
  if (target == session.buffers.end() || source == session.buffers.end() || !target->second->address ||
      !source->second->address || !inside(target->second->size, to_offset, size) ||
      !inside(source->second->size, from_offset, size))
    return refuse(EINVAL, "copy: not two ranges of {} bytes in buffers of the card", size);
  if (gone()) return refuse(EIO, "copy: the card is gone");
  std::memmove(memory_.chips(*target->second->address + to_offset, size),
               memory_.chips(*source->second->address + from_offset, size), size);
  return 0;
}

int Card::move(std::uint64_t address, void* host, std::uint64_t size, Way way) {
  Guard guard = enter();
  tick();
  strike();
  if (gone()) return refuse(EIO, "transfer: the card is gone");
  if (memory_.chips(address, size) == nullptr) return refuse(EFAULT, "transfer: no memory at {:#x}", address);
  return move_pieces(guard, address, static_cast<unsigned char*>(host), size, way);
}

std::uint64_t Card::find(std::span<const unsigned char> bytes) {
  Guard guard = enter();
  return memory_.find(bytes);
}

int Card::read_chips(std::uint64_t address, void* to, std::uint64_t length) {
  Guard guard = enter();
  const unsigned char* chips = memory_.chips(address, length);
  if (chips == nullptr) return -EFAULT;
  std::memcpy(to, chips, length);
  return 0;
}

}  // namespace linecrypt::card_model
