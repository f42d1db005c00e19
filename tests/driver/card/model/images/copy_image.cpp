// A clocked image with nothing of linecrypt in it, so that the model is tested alone: an engine that copies one 64-byte
// beat a cycle, and a loop from each in-line port to the other that takes one frame a cycle.
#include <array>
#include <cstring>
#include <deque>
#include <vector>

#include "firmware_hls/model/image.h"

namespace {

// Registers of copier:copier_0.
enum : uint32_t {
  source = 0x10,       // 64 bits
  destination = 0x18,  // 64 bits
  beats = 0x20,        // writing starts the copy
  done = 0x24,         // ro
  bad = 0x28,          // ro: beats that met no memory
  scratch = 0x2c,
  wrong_tags = 0x30,  // ro: argument of the last injected "wrong_tag"
  seed_low = 0x34,    // ro
};

constexpr std::size_t fifo_depth = 4;

struct Copier {
  const linecrypt_card_host* host = nullptr;
  uint64_t seed = 0;
  uint64_t cycle = 0;
  std::array<uint32_t, 16> words{};  // 0x00..0x3f
  std::array<std::deque<std::vector<unsigned char>>, 2> in, out;

  uint32_t& word(uint32_t offset) { return words.at(offset / 4); }
  uint64_t wide(uint32_t offset) { return word(offset) | uint64_t{word(offset + 4)} << 32U; }

  // One cycle; false: nothing moved.
  bool tick() {
    bool moved = false;
    if (word(done) < word(beats)) {
      const uint64_t at = uint64_t{word(done)} * 64;
      unsigned char* from = host->memory(host->self, wide(source) + at, 64);
      unsigned char* to = host->memory(host->self, wide(destination) + at, 64);
      if (from != nullptr && to != nullptr)
        std::memmove(to, from, 64);
      else
        ++word(bad);
      ++word(done);
      moved = true;
    }
    for (unsigned port = 0; port < 2; ++port) {
      if (in.at(port).empty()) continue;
      out.at(1 - port).push_back(std::move(in.at(port).front()));
      in.at(port).pop_front();
      moved = true;
    }
    return moved;
  }
};

Copier& of(void* card) {
  return *static_cast<Copier*>(card);
}

void* create(const linecrypt_card_host* host, uint64_t seed) {
  auto* copier = new Copier;
  copier->host = host;
  copier->seed = seed;
  return copier;
}
void destroy(void* card) {
  delete &of(card);
}

uint32_t read_register(void* card, uint32_t kernel, uint32_t offset) {
  if (kernel != 0 || offset >= 0x40) return 0;
  return offset == seed_low ? static_cast<uint32_t>(of(card).seed) : of(card).word(offset);
}
void write_register(void* card, uint32_t kernel, uint32_t offset, uint32_t value) {
  if (kernel != 0 || offset < source || offset > scratch || offset == done || offset == bad) return;
  of(card).word(offset) = value;
  if (offset == beats) of(card).word(done) = of(card).word(bad) = 0;
}

uint64_t run(void* card, uint64_t cycles, int* idle) {
  *idle = 0;
  for (uint64_t i = 0; i < cycles; ++i) {
    if (!of(card).tick()) {
      *idle = 1;
      return i;
    }
    ++of(card).cycle;
  }
  return cycles;
}
uint64_t now(void* card) {
  return of(card).cycle;
}

int inject(void* card, const char* fault, uint64_t argument) {
  if (std::strcmp(fault, "wrong_tag") != 0) return -1;
  of(card).word(wrong_tags) = static_cast<uint32_t>(argument);
  return 0;
}

int port_receive(void* card, uint32_t port, const unsigned char* frame, uint32_t length) {
  if (port > 1 || of(card).in.at(port).size() >= fifo_depth) return 0;
  of(card).in.at(port).emplace_back(frame, frame + length);
  return 1;
}
uint32_t port_transmit(void* card, uint32_t port, unsigned char* frame, uint32_t room) {
  if (port > 1 || of(card).out.at(port).empty() || of(card).out.at(port).front().size() > room) return 0;
  const auto& first = of(card).out.at(port).front();
  const auto length = static_cast<uint32_t>(first.size());
  std::memcpy(frame, first.data(), first.size());
  of(card).out.at(port).pop_front();
  return length;
}

const char* const names[] = {"copier:copier_0", "loop:loop_0"};

}  // namespace

extern "C" const struct linecrypt_card_image linecrypt_card_image = {
    LINECRYPT_CARD_IMAGE_API, 2,   names, create, destroy,      read_register,
    write_register,           run, now,   inject, port_receive, port_transmit};
