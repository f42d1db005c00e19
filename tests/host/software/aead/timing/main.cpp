// aead_timing [--body NAME] [--measurements N] [--plant]: a statistical test of timing after dudect (Reparaz, Balasch,
// Verbauwhede 2017). Two classes of input are measured in random order; Welch's t over each pair says whether their
// times differ. By hand, on a quiet machine: not a test of CI, where times mean nothing.
//
// |t| below 5 in all rows: no difference was seen with this many measurements on this CPU. It is no proof that there is
// none, it says nothing of other CPUs, and it sees time only, not power or caches shared with others.
#include <fmt/format.h>
#include <x86intrin.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <span>

#include "tests/support/aead.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

constexpr std::size_t burst = 8;
constexpr std::size_t largest = 1420;

struct Welch {
  double count[2] = {};
  double mean[2] = {};
  double squares[2] = {};

  void add(int which, double value) {
    count[which] += 1;
    const double step = value - mean[which];
    mean[which] += step / count[which];
    squares[which] += step * (value - mean[which]);
  }
  [[nodiscard]] double t() const {
    const double variance = squares[0] / (count[0] - 1) / count[0] + squares[1] / (count[1] - 1) / count[1];
    return variance > 0 ? (mean[0] - mean[1]) / std::sqrt(variance) : 0;
  }
};

// What is timed, always at the same addresses.
struct Input {
  explicit Input(const software::AeadProvider& provider)
      : arena(provider.context_size(), provider.context_alignment(), 1), key(*arena.allocate()) {}

  KeyArena arena;
  void* key;  // a context copied from a sample
  Bytes text = Bytes(burst * largest);
  std::uint8_t tags[burst][16] = {};
};

// What differs between two bursts.
struct Sample {
  Bytes key_context;
  Bytes text = Bytes(burst * largest);
  std::array<std::uint8_t, 16> tag_error{};
};

// A compare that stops at the first byte that differs: what --plant adds, and must be seen.
[[gnu::noinline]] std::size_t leaky_compare(const std::uint8_t* tag, const std::array<std::uint8_t, 16>& error) {
  std::size_t i = 0;
  while (i < error.size() && static_cast<std::uint8_t>(tag[i] ^ error[i]) == tag[i]) {
    ++i;
    asm volatile("" : "+r"(i));
  }
  return i;
}

std::uint64_t timed(software::AeadProvider& provider, Input& input, std::size_t size, bool opening,
                    const std::array<std::uint8_t, 16>* planted = nullptr) {
  software::AeadOp ops[burst];
  for (std::size_t i = 0; i < burst; ++i) {
    ops[i].key = input.key;
    ops[i].aad_head = input.tags[0];
    ops[i].aad_head_length = 12;
    ops[i].in = ops[i].out = input.text.data() + i * size;
    ops[i].length = static_cast<std::uint32_t>(size);
    ops[i].tag = input.tags[i];
  }
  unsigned core = 0;
  _mm_lfence();
  const std::uint64_t begin = __rdtsc();
  if (opening)
    provider.open(ops);
  else
    provider.seal(ops);
  if (planted != nullptr) (void)leaky_compare(input.tags[0], *planted);
  const std::uint64_t end = __rdtscp(&core);
  _mm_lfence();
  return end - begin;
}

// Samples of one class; as many, and as much memory, for both classes.
std::vector<Sample> samples_of(software::AeadProvider& provider, int kind, int which, std::mt19937_64& random) {
  constexpr std::size_t samples = 16;
  const auto fill = [&](auto& bytes) {
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  };
  std::vector<Sample> made(samples);
  for (Sample& sample : made) {
    Bytes key(32, 0);
    // 0: key fixed or random. 1: text zeros or random. 2: a wrong tag, at its first or at its last byte.
    if (kind == 0 && which == 1) fill(key);
    if (kind == 1 && which == 1) fill(sample.text);
    if (kind == 2) sample.tag_error[which == 0 ? 0 : 15] = 1;
    const ExpandedKey expanded(provider, key);
    const auto* const context = static_cast<const std::uint8_t*>(expanded.get());
    sample.key_context.assign(context, context + provider.context_size());
  }
  return made;
}

// to = which == 0 ? a : b, by reading both: what the caches hold afterwards is the same.
void choose(std::uint8_t* to, std::span<const std::uint8_t> a, std::span<const std::uint8_t> b, int which) {
  const auto mask = static_cast<std::uint8_t>(-which);
  for (std::size_t i = 0; i < a.size(); ++i) to[i] = static_cast<std::uint8_t>(a[i] ^ ((a[i] ^ b[i]) & mask));
}

// 1. Both classes do the same before they are timed, but for the values: any other difference, of addresses, of caches
// or of what was computed last, would be seen as one of time. 2. Times above the 90th percentile of a warm-up are
// interrupts and are left out.
double measure(software::AeadProvider& provider, std::size_t size, std::uint64_t measurements, int kind, bool plant) {
  std::mt19937_64 random(kind + 1);
  const std::vector<Sample> samples[2] = {samples_of(provider, kind, 0, random), samples_of(provider, kind, 1, random)};
  Input input(provider);
  // 1.
  const auto run = [&](int which) {
    const std::size_t k = random() % samples[0].size();
    const Sample& a = samples[0][k];
    const Sample& b = samples[1][k];
    choose(static_cast<std::uint8_t*>(input.key), a.key_context, b.key_context, which);
    choose(input.text.data(), a.text, b.text, which);
    std::array<std::uint8_t, 16> error{};
    if (kind == 2) {
      (void)timed(provider, input, size, false);
      choose(error.data(), a.tag_error, b.tag_error, which);
      for (auto& tag : input.tags)
        for (std::size_t i = 0; i < sizeof tag; ++i) tag[i] ^= error[i];
    }
    return static_cast<double>(timed(provider, input, size, kind == 2, plant && kind == 2 ? &error : nullptr));
  };
  // 2.
  std::vector<double> warm;
  for (int i = 0; i < 2000; ++i) warm.push_back(run(i % 2));
  std::sort(warm.begin(), warm.end());
  const double most = warm[warm.size() * 9 / 10];
  Welch welch;
  for (std::uint64_t i = 0; i < measurements; ++i) {
    const int which = static_cast<int>(random() & 1U);
    const double time = run(which);
    if (time <= most) welch.add(which, time);
  }
  return welch.t();
}

}  // namespace

int main(int argc, char** argv) {
  std::string body = software::make_vaes_provider(software::VaesLevel::vaes_256).ok() ? "vaes 256" : "aesni 128";
  std::uint64_t measurements = 200'000;
  CLI::App app("whether time depends on keys, text or where a tag is wrong");
  app.add_option("--body", body, "as in the provider's name");
  app.add_option("--measurements", measurements, "a row");
  bool plant = false;
  app.add_flag("--plant", plant, "also compare tags byte by byte until they differ: the last rows must show it");
  CLI11_PARSE(app, argc, argv)
  software::AeadProvider* provider = nullptr;
  for (const auto& one : all_providers())
    if (one->name() == "vaes (" + body + ")") provider = one.get();
  if (provider == nullptr) return fmt::print(stderr, "--body {}: does not run here\n", body), 2;
  constexpr const char* kinds[] = {"seal, key fixed or random", "seal, text zeros or random",
                                   "open, tag wrong at its first or last byte"};
  double largest_t = 0;
  for (int kind = 0; kind < 3; ++kind) {
    for (const std::size_t size : {std::size_t{64}, std::size_t{140}, largest}) {
      const double t = measure(*provider, size, measurements, kind, plant);
      fmt::print("{:<45} {:>5} B  t = {:+.2f}\n", kinds[kind], size, t);
      largest_t = std::max(largest_t, std::abs(t));
    }
  }
  fmt::print("{}: {} measurements a row, largest |t| {:.2f}: {}\n", provider->name(), measurements, largest_t,
             largest_t < 5 ? "no difference seen" : "a difference was seen");
  return largest_t < 5 ? 0 : 1;
}
