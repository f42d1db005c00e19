#include "linecrypt/replay_window.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <vector>

#include "tests/support/long_form.hpp"

using namespace linecrypt;

namespace {

// The window as a sentence: all numbers seen that are still within it.
class Oracle {
 public:
  Oracle(std::uint32_t size, std::uint64_t top) : size_(size), top_(top), start_(top) {}
  [[nodiscard]] ReplayCheck check(std::uint64_t number) const {
    if (number > top_) return ReplayCheck::fresh;
    if (top_ - number >= size_) return ReplayCheck::late;
    return number <= start_ || seen_.count(number) != 0 ? ReplayCheck::duplicate : ReplayCheck::fresh;
  }
  void accept(std::uint64_t number) {
    seen_.insert(number);
    if (number > top_) top_ = number;
    while (top_ - *seen_.begin() >= size_) seen_.erase(seen_.begin());
  }
  [[nodiscard]] std::uint64_t top() const { return top_; }

 private:
  std::uint32_t size_;
  std::uint64_t top_;
  std::uint64_t start_;  // up to here all counts as seen
  std::set<std::uint64_t> seen_;
};

struct Window {
  explicit Window(std::uint32_t size, std::uint64_t top = 0) : words(ReplayWindow::words_for(size) + 2, canary) {
    std::fill(words.begin() + 1, words.end() - 1, 0);
    window.attach(words.data() + 1, size);
    window.reset_fully_marked(top);
  }
  [[nodiscard]] bool intact() const { return words.front() == canary && words.back() == canary; }

  static constexpr std::uint64_t canary = 0x5a5a5a5a5a5a5a5aULL;
  std::vector<std::uint64_t> words;
  ReplayWindow window;
};

}  // namespace

TEST_CASE("A replay window answers as a set of numbers does, over random orders of every window size") {
  // Short form: a million steps for each window size, over its starts. Long form (LINECRYPT_LONG=1): ten million.
  const auto size = GENERATE(64U, 128U, 256U, 512U, 1024U, 2048U, 4096U);
  const auto start =
      GENERATE(std::uint64_t{0}, std::uint64_t{63}, (std::uint64_t{1} << 32U) - 40, (std::uint64_t{1} << 63U) - 5);
  const std::uint32_t steps = (test::long_form() ? 10'000'000 : 1'000'000) / 4;
  std::mt19937_64 random(size + start);
  Window tested(size, start);
  Oracle oracle(size, start);
  std::uint32_t fresh = 0;
  std::uint32_t duplicate = 0;
  std::uint32_t late = 0;
  bool agree = true;
  for (std::uint32_t step = 0; step < steps && agree; ++step) {
    // Mostly small steps and reordering within the window, sometimes a jump over it or over many laps.
    std::uint64_t number = oracle.top();
    const std::uint64_t kind = random() % 4096;
    if (kind == 0) {
      number += std::uint64_t{1} << (random() % 40);
    } else if (kind < 8) {
      number += random() % (std::uint64_t{4} * size);
    } else if (kind < 1024) {
      number += 1 + random() % 3;
    } else {
      number -= std::min<std::uint64_t>(number, random() % (size + size / 4));
    }
    const ReplayCheck said = tested.window.check(number);
    agree = said == oracle.check(number);
    fresh += said == ReplayCheck::fresh ? 1 : 0;
    duplicate += said == ReplayCheck::duplicate ? 1 : 0;
    late += said == ReplayCheck::late ? 1 : 0;
    // One in eight is a forgery: checked, never accepted.
    if (said == ReplayCheck::fresh && random() % 8 != 0) {
      tested.window.accept(number);
      oracle.accept(number);
    }
    agree = agree && tested.window.top() == oracle.top();
    if (!agree) UNSCOPED_INFO("step " << step << ", number " << number << ", top " << oracle.top());
  }
  CHECK(agree);
  CHECK(tested.intact());
  // The random orders did reach all three answers.
  CHECK(fresh > steps / 20);
  CHECK(duplicate > steps / 50);
  CHECK(late > steps / 50);
}

TEST_CASE("A window of W accepts exactly the W highest numbers") {
  const auto size = GENERATE(64U, 128U, 256U, 512U, 1024U, 2048U, 4096U);
  const std::uint64_t top = 1'000'003;
  for (std::uint64_t below = 0; below < size + 2; ++below) {
    Window tested(size);
    tested.window.accept(top);
    const ReplayCheck expected = below == 0     ? ReplayCheck::duplicate
                                 : below < size ? ReplayCheck::fresh
                                                : ReplayCheck::late;
    if (tested.window.check(top - below) != expected) FAIL("number " << top - below << " of top " << top);
  }
  SUCCEED();
}

TEST_CASE("A window that starts fully marked refuses every number up to its top and takes the next") {
  const auto size = GENERATE(64U, 1024U, 4096U);
  for (std::uint64_t top = 0; top < 300; ++top) {
    Window tested(size, top);
    for (std::uint64_t number = 0; number <= top; ++number)
      if (tested.window.check(number) == ReplayCheck::fresh) FAIL("number " << number << " of top " << top);
    for (std::uint64_t number = top + 1; number < top + 200; ++number) {
      if (tested.window.check(number) != ReplayCheck::fresh) FAIL("number " << number << " of top " << top);
      tested.window.accept(number);
      if (tested.window.check(number) != ReplayCheck::duplicate) FAIL("twice " << number << " of top " << top);
    }
  }
  SUCCEED();
}

TEST_CASE("A run of numbers in order leaves the window that they leave one by one, from every place in it") {
  const auto size = GENERATE(64U, 128U, 1024U, 4096U);
  std::mt19937_64 random(size);
  for (int round = 0; round < 20'000; ++round) {
    const std::uint64_t start = random() % (std::uint64_t{2} * size);
    Window one(size, start);
    Window run(size, start);
    // Something of a lap behind and some holes, so that a bit too many or too few is seen.
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t number = start + 1 + random() % (size + size / 2);
      if (one.window.check(number) != ReplayCheck::fresh) continue;
      one.window.accept(number);
      run.window.accept(number);
    }
    const std::uint64_t last = one.window.top() + 1 + random() % 64;
    run.window.accept_run(last);
    for (std::uint64_t number = one.window.top() + 1; number <= last; ++number) one.window.accept(number);
    if (run.window.top() != last || run.words != one.words) FAIL("up to " << last << ", size " << size);
  }
  SUCCEED();
}

TEST_CASE("Checking a number never moves the window") {
  Window tested(64);
  tested.window.accept(10);
  CHECK(tested.window.check(~std::uint64_t{0}) == ReplayCheck::fresh);
  CHECK(tested.window.top() == 10);
  CHECK(tested.window.check(9) == ReplayCheck::fresh);
}

TEST_CASE("A window of size 0 checks nothing but follows the top") {
  ReplayWindow window;
  window.attach(nullptr, 0);
  window.reset_fully_marked(7);
  CHECK(window.check(3) == ReplayCheck::fresh);
  window.accept(9);
  window.accept(4);
  CHECK(window.top() == 9);
  CHECK(window.check(9) == ReplayCheck::fresh);
}
