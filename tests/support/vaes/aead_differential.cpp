#include "tests/support/aead_differential.hpp"

#include <fmt/format.h>

#include <cstring>
#include <random>

namespace linecrypt::test {
namespace {

constexpr std::uint8_t canary = 0xc5;
constexpr std::size_t margin = 64;
constexpr std::size_t noise_bytes = std::size_t{1} << 17;

// Text, room for it when it goes elsewhere, associated data, tag: of one message of one provider, from one allocation.
// The margins hold canaries.
struct Buffers {
  std::uint8_t* text = nullptr;
  std::uint8_t* out = nullptr;
  std::uint8_t* aad = nullptr;
  std::uint8_t* tag = nullptr;
};

constexpr std::size_t text_room = DifferentialRig::largest_text + 2 * margin + 64;
constexpr std::size_t aad_room = 64 + DifferentialRig::largest_aad_tail;
constexpr std::size_t message_room = 2 * text_room + aad_room + 2 * margin + 64;

std::size_t size_of_key(std::size_t index) {
  constexpr std::size_t sizes[] = {16, 32, 16, 24, 32, 16};
  return sizes[index % std::size(sizes)];
}

bool untouched(const std::uint8_t* begin, std::size_t size) {
  // Canaries are alike: the range equals itself, shifted by one.
  return begin[0] == canary && std::memcmp(begin, begin + 1, size - 1) == 0;
}

void flip(std::uint8_t* bytes, std::size_t size, std::uint32_t bit) {
  const std::size_t at = bit % (size * 8);
  bytes[at / 8] = static_cast<std::uint8_t>(bytes[at / 8] ^ 1U << at % 8);
}

}  // namespace

struct DifferentialRig::Side {
  explicit Side(std::shared_ptr<software::AeadProvider> chosen)
      : provider(std::move(chosen)),
        arena(provider->context_size(), provider->context_alignment(), keys),
        memory(largest_burst * message_room) {}

  std::shared_ptr<software::AeadProvider> provider;
  KeyArena arena;
  void* contexts[keys] = {};
  std::vector<std::uint8_t> memory;
  Buffers buffers[largest_burst];
  software::AeadOp ops[largest_burst];
};

DifferentialRig::DifferentialRig(std::vector<std::shared_ptr<software::AeadProvider>> providers, std::uint64_t seed)
    : noise_(noise_bytes + largest_text + aad_room) {
  std::mt19937_64 random(seed);
  for (auto& byte : noise_) byte = static_cast<std::uint8_t>(random());
  for (auto& provider : providers) sides_.push_back(std::make_unique<Side>(std::move(provider)));
  rekey(seed);
}

DifferentialRig::~DifferentialRig() {
  release_keys();
}

void DifferentialRig::release_keys() {
  for (auto& side : sides_) {
    for (void*& context : side->contexts) {
      if (context == nullptr) continue;
      side->provider->destroy(context);
      side->arena.release(context);
      context = nullptr;
    }
  }
}

void DifferentialRig::rekey(std::uint64_t seed) {
  release_keys();
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < keys; ++i) {
    std::uint8_t key[32];
    for (auto& byte : key) byte = static_cast<std::uint8_t>(random());
    for (auto& side : sides_) {
      side->contexts[i] = *side->arena.allocate();
      if (!side->provider->expand({key, size_of_key(i)}, side->contexts[i]).ok()) std::abort();
    }
  }
}

void DifferentialRig::prepare(Side& side, std::span<const DifferentialCase> burst) {
  std::uint8_t* free = side.memory.data();
  for (std::size_t i = 0; i < burst.size(); ++i) {
    const DifferentialCase& one = burst[i];
    const std::uint8_t* noise = noise_.data() + one.noise % noise_bytes;
    Buffers& at = side.buffers[i];
    software::AeadOp& op = side.ops[i];
    // Margins around text and out; the shift puts them at every alignment.
    const std::size_t room = one.size + 2 * margin;
    at.text = free + one.shift % 64 + margin;
    std::memset(at.text - margin, canary, room);
    std::memcpy(at.text, noise, one.size);
    free += room + 64;
    at.out = at.text;
    if (!one.in_place) {
      at.out = free + one.shift % 61 + margin;
      std::memset(at.out - margin, canary, room);
      free += room + 64;
    }
    at.aad = free + one.shift % 31;
    std::memcpy(at.aad, noise + 1, std::size_t{one.aad_head} + one.aad_tail);
    free += one.aad_head + one.aad_tail + std::size_t{32};
    at.tag = free + margin / 2;
    std::memset(free, canary, 2 * margin);
    free += 2 * margin;
    op = {};
    op.key = side.contexts[one.key % keys];
    std::memcpy(op.iv, noise + 5, sizeof op.iv);
    op.aad_head = at.aad;
    op.aad_head_length = one.aad_head;
    op.aad_tail = at.aad + one.aad_head;
    op.aad_tail_length = one.aad_tail;
    op.length = one.size;
    op.in = at.text;
    op.out = at.out;
    op.tag = at.tag;
  }
}

// 1. The same verdict as the oracle, 2. the same text and tag, 3. nothing written beside them.
std::string DifferentialRig::compare(std::span<const DifferentialCase> burst, bool opened) {
  const Side& oracle = *sides_.front();
  for (std::size_t i = 0; i < burst.size(); ++i) {
    const DifferentialCase& one = burst[i];
    for (const auto& side : sides_) {
      const Buffers& at = side->buffers[i];
      const char* what = nullptr;
      const bool good = !opened || one.spoil == DifferentialCase::Spoil::nothing;
      if (side->ops[i].good != good)
        what = "the verdict is wrong";
      else if (std::memcmp(at.out, oracle.buffers[i].out, one.size) != 0)
        what = "the text differs";
      else if (std::memcmp(at.tag, oracle.buffers[i].tag, 16) != 0)
        what = "the tag differs";
      else if (!untouched(at.out - margin, margin) || !untouched(at.out + one.size, margin) ||
               !untouched(at.tag - margin / 2, margin / 2) || !untouched(at.tag + 16, margin / 2))
        what = "bytes beside the output were written";
      if (what == nullptr) continue;
      return fmt::format(
          "{}: {}: {} of message {} of {}: {} bytes, associated data {} + {}, key {} bytes, shift {}, {}, noise {}",
          side->provider->name(), opened ? "open" : "seal", what, i, burst.size(), one.size, one.aad_head, one.aad_tail,
          size_of_key(one.key % keys), one.shift, one.in_place ? "in place" : "apart", one.noise);
    }
  }
  return "";
}

std::string DifferentialRig::check(std::span<const DifferentialCase> burst) {
  using Spoil = DifferentialCase::Spoil;
  // 1. Seal.
  for (auto& side : sides_) {
    prepare(*side, burst);
    side->provider->seal(std::span(side->ops).first(burst.size()));
  }
  if (auto different = compare(burst, false); !different.empty()) return different;
  // 2. What was sealed becomes the input, one bit of it another where the case says so.
  for (std::size_t i = 0; i < burst.size(); ++i) {
    const DifferentialCase& one = burst[i];
    for (auto& side : sides_) {
      Buffers& at = side->buffers[i];
      software::AeadOp& op = side->ops[i];
      op.good = one.spoil != Spoil::nothing;
      if (!one.in_place) {
        std::memcpy(at.text, at.out, one.size);
        std::memset(at.out, canary, one.size);
      }
      if (one.spoil == Spoil::tag) flip(at.tag, 16, one.spoiled_bit);
      if (one.spoil == Spoil::iv) flip(op.iv, sizeof op.iv, one.spoiled_bit);
      if (one.spoil == Spoil::text) flip(at.text, one.size, one.spoiled_bit);
      if (one.spoil == Spoil::aad) flip(at.aad, std::size_t{one.aad_head} + one.aad_tail, one.spoiled_bit);
    }
  }
  // 3. Open. The oracle's text must be what was sealed, or zeros.
  for (auto& side : sides_) side->provider->open(std::span(side->ops).first(burst.size()));
  if (auto different = compare(burst, true); !different.empty()) return different;
  for (std::size_t i = 0; i < burst.size(); ++i) {
    const std::uint8_t* out = sides_.front()->buffers[i].out;
    const std::size_t size = burst[i].size;
    const bool right = burst[i].spoil == Spoil::nothing
                           ? std::memcmp(out, noise_.data() + burst[i].noise % noise_bytes, size) == 0
                           : size == 0 || (out[0] == 0 && std::memcmp(out, out + 1, size - 1) == 0);
    if (!right) return fmt::format("open left other bytes than the clear text or zeros, message {}", i);
  }
  return "";
}

// SplitMix64: one seed names a run, whatever the library.
std::uint64_t DifferentialSource::random() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
  z = (z ^ z >> 27) * 0x94d049bb133111ebU;
  return z ^ z >> 31;
}

std::span<const DifferentialCase> DifferentialSource::next() {
  using Spoil = DifferentialCase::Spoil;
  const std::size_t count = 1 + random() % 40;
  // Bursts of one size and bursts of all.
  const std::uint64_t kind = random() % 64;
  const std::size_t most = kind < 40 ? 160 : kind < 56 ? 640 : kind < 63 ? 1600 : DifferentialRig::largest_text;
  for (std::size_t i = 0; i < count; ++i) {
    DifferentialCase& one = burst_[i];
    const std::uint64_t bits = random();
    const std::uint64_t more = random();
    one.key = static_cast<std::uint8_t>(bits);
    one.shift = static_cast<std::uint8_t>(bits >> 8);
    one.in_place = (bits >> 16 & 1U) != 0;
    one.noise = static_cast<std::uint32_t>(more >> 32);
    one.spoiled_bit = static_cast<std::uint32_t>(more);
    one.size = static_cast<std::uint16_t>((bits >> 17 & 0xffffU) % (most + 1));
    // Header sizes of ESP and MACsec most of the time.
    constexpr std::uint8_t heads[] = {8, 12, 20, 28, 8, 12};
    const std::uint64_t shape = bits >> 33 & 15U;
    one.aad_head = shape < 10 ? heads[shape % std::size(heads)] : static_cast<std::uint8_t>((bits >> 37 & 0xffU) % 65);
    one.aad_tail = shape < 11 ? std::uint16_t{0} : static_cast<std::uint16_t>((bits >> 45 & 0xffU) % 65);
    // With a payload, IPsec-MB takes 128 bytes in all; without one, any size.
    if (shape == 15 && most > 640) {
      one.size = 0;
      one.aad_tail = static_cast<std::uint16_t>((bits >> 45) % (DifferentialRig::largest_aad_tail + 1));
    }
    constexpr Spoil spoils[] = {Spoil::tag, Spoil::text, Spoil::aad, Spoil::iv};
    one.spoil = bits >> 61 == 0 ? spoils[bits >> 59 & 3U] : Spoil::nothing;
    if (one.spoil == Spoil::text && one.size == 0) one.spoil = Spoil::tag;
    if (one.spoil == Spoil::aad && one.aad_head + one.aad_tail == 0) one.spoil = Spoil::iv;
  }
  return {burst_, count};
}

}  // namespace linecrypt::test
