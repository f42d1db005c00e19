// What one opening of a card owns: its buffers and its hold on compute units. The card's lock guards all of it.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

namespace linecrypt::card_model {

class Card;

// A buffer object: host memory, and (unless it is for commands only) as much card memory. A command in flight keeps it.
struct Buffer {
  unsigned char* host = nullptr;
  std::size_t mapped = 0;  // bytes to unmap; 0: the caller's own memory
  std::uint64_t size = 0;
  std::uint32_t flags = 0;
  std::optional<std::uint64_t> address;

  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (mapped != 0) munmap(host, mapped);
  }
};

struct Session {
  struct Hold {
    bool exclusive = false;
    unsigned count = 0;
  };

  Card* card = nullptr;
  bool open = false;
  std::map<std::uint32_t, std::shared_ptr<Buffer>> buffers;
  std::uint32_t next_buffer = 1;
  std::map<std::uint32_t, Hold> holds;  // by compute unit
  std::uint64_t completed = 0;          // commands that ended
  std::uint64_t reported = 0;           // of those, told by wait
  std::shared_ptr<void> core;           // XRT's object for this opening
};

}  // namespace linecrypt::card_model
