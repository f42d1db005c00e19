// The pure functions of numbers and windows against the host's, number for number.
#include "firmware_hls/tables/numbers.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "firmware_hls/tables/inspection.hpp"
#include "firmware_hls/tables/replay.hpp"
#include "host/software/esp/sequence.hpp"
#include "host/values/packet_number.hpp"
#include "linecrypt/engine.hpp"
#include "linecrypt/replay_window.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware;

static_assert(event::lease_low == 1U << static_cast<unsigned>(EventKind::lease_low));
static_assert(event::lease_exhausted == 1U << static_cast<unsigned>(EventKind::lease_exhausted));
static_assert(event::soft_lifetime == 1U << static_cast<unsigned>(EventKind::soft_lifetime));
static_assert(event::hard_lifetime == 1U << static_cast<unsigned>(EventKind::hard_lifetime));
static_assert(event::pn_threshold == 1U << static_cast<unsigned>(EventKind::pn_threshold));
static_assert(event::number_exhausted == 1U << static_cast<unsigned>(EventKind::number_exhausted));

TEST_CASE("The high half of a number is inferred as the host infers it") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 300'000; ++i) {
    const std::uint32_t window = 64U << (random() % 7);
    const std::uint64_t edges[] = {
        0, 1, 63, 4095, 0xffffffff, 0x100000000, ~std::uint64_t{0}, ~std::uint64_t{0} - 4096};
    const std::uint64_t top = random() % 3 == 0 ? random() : edges[random() % 8] + random() % 5000 - 2500;
    const auto low = static_cast<std::uint32_t>(random() % 2 == 0 ? random() : top + random() % 9000 - 4500);
    const auto expected = software::esp::infer_number(low, top, window);
    const Inferred got = infer_number(low, top, window);
    REQUIRE(got.exists == expected.has_value());
    if (expected) REQUIRE(got.number == *expected);
    const ReceiveNumbers numbers{top, random() % 2 == 0 ? 1 : top - random() % 100, window};
    REQUIRE(lowest_acceptable(top, numbers.floor, window) == numbers.lowest_acceptable());
    REQUIRE(firmware::recover_pn(numbers.lowest_acceptable(), low) ==
            linecrypt::recover_pn(numbers.lowest_acceptable(), low));
    IngressNumbers ingress = {};
    ingress.top = top;
    ingress.lowest = numbers.floor;
    const std::uint64_t pn = top + random() % 9000 - 4500;
    REQUIRE(below_lowest(ingress, window, pn) == numbers.below_lowest(pn));
  }
}

TEST_CASE("The window of words with their block numbers is ReplayWindow") {
  const std::uint32_t size = GENERATE(0U, 64U, 128U, 1024U, 4096U);
  std::mt19937_64 random(size);
  for (const std::uint64_t start : {std::uint64_t{0}, std::uint64_t{777}, ~std::uint64_t{0} - 100'000}) {
    std::vector<std::uint64_t> words(ReplayWindow::words_for(size));
    ReplayWindow oracle;
    oracle.attach(words.data(), size);
    oracle.reset_fully_marked(start);
    IngressNumbers numbers = {};
    numbers.top = numbers.start = start;
    // Words that an earlier SA of the slot left behind.
    std::vector<WindowWord> slots(window_words);
    for (WindowWord& word : slots) word = {~std::uint64_t{0}, (start + random() % 5000) >> 6U, 6};
    for (int i = 0; i < 40'000; ++i) {
      const std::uint64_t span = random() % 50 == 0 ? 20'000 : 3 * std::uint64_t{size} / 2 + 40;
      std::uint64_t number = oracle.top() + 30 - random() % span;
      if (random() % 400 == 0) number = oracle.top() + random() % 300;
      if (number == 0 || number > ~std::uint64_t{0} - 50'000) continue;
      WindowWord& word = slots[window_slot(number)];
      const ReplayCheck expected = oracle.check(number);
      REQUIRE(static_cast<int>(check_window(numbers, word, 7, size, number)) == static_cast<int>(expected));
      if (expected != ReplayCheck::fresh || random() % 4 == 0) continue;
      oracle.accept(number);
      accept(numbers, word, 7, number);
      REQUIRE(numbers.top == oracle.top());
    }
  }
}

TEST_CASE("ESP padding is told right from wrong as it flows by") {
  std::mt19937 engine(4);
  const auto random = [&] { return static_cast<u32>(engine()); };
  for (int i = 0; i < 60'000; ++i) {
    const u32 length = random() % 300;
    std::vector<u8> text(length + 2);
    for (u8& byte : text) byte = static_cast<u8>(random() % 4 == 0 ? random() % 4 : random());
    const u32 pad = random() % 3 == 0 ? random() % 256 : random() % 6;
    for (u32 j = 0; j < pad && j < length; ++j) text[length - 1 - j] = static_cast<u8>(pad - j);
    if (random() % 4 == 0 && length > 0) text[length - 1 - random() % std::min<u32>(length, pad + 1)] ^= 1;
    text[length] = static_cast<u8>(pad);
    Inspection inspection = {};
    inspection.pad_length = text[length];
    for (u32 at = 0; at < length; ++at)
      if (length - at <= pad_longest) pad_run(inspection, text[at], length - at);
    bool good = pad <= length;
    for (u32 j = 0; good && j < pad; ++j) good = text[length - pad + j] == j + 1;
    REQUIRE((pad <= length && padding_good(inspection)) == good);
  }
}
