// The VAES bodies as they are shipped, on a machine without an operating system, so that an emulator of a whole machine
// (Bochs) can run what this CPU and QEMU lack. Each message is sealed and opened by the 128-bit body, whose answers the
// unit tests hold to OpenSSL's and NIST's, and by the wider ones.
#include <cstddef>
#include <cstdint>

#include "host/software/aead/vaes/body.hpp"

using linecrypt::software::AeadOp;
using namespace linecrypt::software::vaes;

extern "C" {

void* __gxx_personality_v0 = nullptr;

void* memcpy(void* to, const void* from, std::size_t size) {
  void* const begun = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return begun;
}

void* memset(void* to, int value, std::size_t size) {
  void* const begun = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return begun;
}
}

namespace {

void out(std::uint16_t port, std::uint8_t value) {
  asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

std::uint8_t in(std::uint16_t port) {
  std::uint8_t value = 0;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

// The first serial port, which the emulator writes to a file.
void say(const char* text) {
  for (; *text != 0; ++text) {
    while ((in(0x3fd) & 0x20) == 0) {
    }
    out(0x3f8, static_cast<std::uint8_t>(*text));
  }
}

void say(std::uint64_t number) {
  char digits[21] = {};
  int at = 20;
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  say(digits + at);
}

bool equal(const std::uint8_t* a, const std::uint8_t* b, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    if (a[i] != b[i]) return false;
  return true;
}

constexpr std::size_t largest = 9216;
constexpr std::size_t burst = 11;
constexpr std::size_t margin = 64;
constexpr std::uint8_t canary = 0xc5;

struct Side {
  alignas(64) KeyContext contexts[3];
  std::uint8_t text[burst][largest + 2 * margin];
  std::uint8_t tags[burst][16];
  AeadOp ops[burst];
};

Side sides[2];
std::uint8_t noise[largest + 4096];
std::uint64_t state = 1;

std::uint8_t random_byte() {
  state = state * 6364136223846793005U + 1442695040888963407U;
  return static_cast<std::uint8_t>(state >> 56);
}

void prepare(Side& side, std::size_t first, std::size_t variant) {
  for (std::size_t i = 0; i < burst; ++i) {
    const std::size_t size = first + i > largest ? largest : first + i;
    memset(side.text[i], canary, size + 2 * margin);
    std::uint8_t* text = side.text[i] + margin + (variant + i) % 33;
    memcpy(text, noise + i, size);
    AeadOp& op = side.ops[i] = {};
    op.key = &side.contexts[(i + variant) % 3];
    memcpy(op.iv, noise + size % 512, sizeof op.iv);
    op.aad_head = noise + 100;
    op.aad_head_length = static_cast<std::uint32_t>((size * 5 + variant * 12) % 61);
    op.aad_tail = noise + 300;
    op.aad_tail_length = static_cast<std::uint32_t>(size == 0 ? 1000 + variant : i % 4 == 3 ? size % 40 : 0);
    op.in = op.out = text;
    op.length = static_cast<std::uint32_t>(size);
    op.tag = side.tags[i];
  }
}

// What differs, or nullptr.
const char* compare(const Body& body, std::size_t first, std::size_t variant) {
  const Body* bodies[2] = {&body_128, &body};
  for (int s = 0; s < 2; ++s) {
    prepare(sides[s], first, variant);
    bodies[s]->seal(sides[s].ops, burst);
  }
  for (std::size_t i = 0; i < burst; ++i) {
    if (!equal(sides[0].text[i], sides[1].text[i], sides[0].ops[i].length + 2 * margin))
      return "seal: the text differs";
    if (!equal(sides[0].tags[i], sides[1].tags[i], 16)) return "seal: the tag differs";
  }
  for (std::size_t i = variant % 3; i < burst; i += 3) sides[1].tags[i][(i + first) % 16] ^= 1;
  body.open(sides[1].ops, burst);
  for (std::size_t i = 0; i < burst; ++i) {
    const AeadOp& op = sides[1].ops[i];
    if (op.good == (i % 3 == variant % 3)) return "open: the verdict is wrong";
    if (!equal(op.out, noise + i, op.length)) return "open: the text differs";
    for (std::size_t b = 1; b <= margin / 2; ++b)
      if (op.out[op.length + b - 1] != canary || *(op.out - b) != canary)
        return "open: bytes beside the text were written";
  }
  return nullptr;
}

bool test(const Body& body) {
  say("body ");
  say(body.name.data());
  say(": ");
  std::uint8_t key[32];
  for (std::size_t k = 0; k < 3; ++k) {
    for (auto& byte : key) byte = random_byte();
    body_128.expand(key, 16 + 8 * k, sides[0].contexts[k]);
    body.expand(key, 16 + 8 * k, sides[1].contexts[k]);
  }
  std::uint64_t messages = 0;
  for (std::size_t first = 0; first < largest; first += first < 640 ? 4 : first < 2200 ? 29 : 997) {
    for (std::size_t variant = 0; variant < 3; ++variant) {
      if (const char* wrong = compare(body, first, variant)) {
        say(wrong);
        say(", sizes from ");
        say(first);
        say("\n");
        return false;
      }
      messages += burst;
    }
  }
  say(messages);
  say(" messages, no difference\n");
  return true;
}

}  // namespace

extern "C" void bare_metal_main() {
  out(0x3fb, 3);  // the serial port: eight bits
  for (auto& byte : noise) byte = random_byte();
  const bool narrow = test(body_256);
  const bool wide = test(body_512);
  say(narrow && wide ? "all passed\n" : "FAILED\n");
  // The last byte has left the port's shift register too.
  while ((in(0x3fd) & 0x40) == 0) {
  }
  for (const char* word = "Shutdown"; *word != 0; ++word) out(0x8900, static_cast<std::uint8_t>(*word));
}
