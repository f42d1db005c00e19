// aead_timing [--body NAME] [--measurements N]: a statistical test of timing after dudect (Reparaz, Balasch,
// Verbauwhede 2017). Two classes of input are measured in random order; Welch's t over each pair says whether their
// times differ. By hand, on a quiet machine: not a test of CI, where times mean nothing.
//
// |t| below 5 in all rows: no difference was seen with this many measurements on this CPU. It is no proof that there is
// none, it says nothing of other CPUs, and it sees time only, not power or caches shared with others.
#include <fmt/format.h>
#include <x86intrin.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

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

// A burst of each class, prepared before it is timed.
struct Input {
  std::unique_ptr<ExpandedKey> key;
  Bytes text = Bytes(burst * largest);
  std::uint8_t tags[burst][16] = {};
};

std::uint64_t timed(software::AeadProvider& provider, Input& input, std::size_t size, bool opening) {
  software::AeadOp ops[burst];
  for (std::size_t i = 0; i < burst; ++i) {
    ops[i].key = input.key->get();
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
  const std::uint64_t end = __rdtscp(&core);
  _mm_lfence();
  return end - begin;
}

// Times above the 90th percentile of a warm-up are interrupts and are left out.
double measure(software::AeadProvider& provider, std::size_t size, std::uint64_t measurements, int kind) {
  std::mt19937_64 random(kind + 1);
  const auto fill = [&](auto& bytes) {
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  };
  Bytes fixed_key(32, 0);
  Input fixed;
  fixed.key = std::make_unique<ExpandedKey>(provider, fixed_key);
  std::vector<Input> randoms(kind == 0 ? 16 : 1);
  for (Input& input : randoms) {
    Bytes key = fixed_key;
    if (kind == 0) fill(key);
    input.key = std::make_unique<ExpandedKey>(provider, key);
  }
  const auto run = [&](int which) {
    Input& input = which == 0 ? fixed : randoms[random() % randoms.size()];
    // 0: key fixed or random. 1: text zeros or random. 2: a wrong tag, at its first or at its last byte.
    if (kind == 1 && which == 1)
      fill(input.text);
    else
      std::ranges::fill(input.text, std::uint8_t{0});
    if (kind == 2) {
      (void)timed(provider, input, size, false);
      for (auto& tag : input.tags) tag[which == 0 ? 0 : 15] ^= 1U;
    }
    return static_cast<double>(timed(provider, input, size, kind == 2));
  };
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
      const double t = measure(*provider, size, measurements, kind);
      fmt::print("{:<45} {:>5} B  t = {:+.2f}\n", kinds[kind], size, t);
      largest_t = std::max(largest_t, std::abs(t));
    }
  }
  fmt::print("{}: {} measurements a row, largest |t| {:.2f}: {}\n", provider->name(), measurements, largest_t,
             largest_t < 5 ? "no difference seen" : "a difference was seen");
  return largest_t < 5 ? 0 : 1;
}
