// Ingress numbers in order: accepted by a comparison, and the window has them in the end.
#include "host/values/ingress_numbers.hpp"

#include <array>
#include <catch2/catch.hpp>

using namespace linecrypt;

namespace {

struct Slot {
  explicit Slot(std::uint64_t top, std::uint32_t size = 64) {
    if (size != 0) slot.window.attach(words.data(), size);
    slot.window.reset_fully_marked(top);
  }
  SaSlot slot;
  std::array<std::uint64_t, 1> words{};
};

}  // namespace

TEST_CASE("Numbers behind the top are accepted in order, and the window has them at the end, or when asked for") {
  Slot of(9);
  {
    IngressNumbers numbers(of.slot, true);
    CHECK(numbers.accept_next(10));
    CHECK(numbers.accept_next(11));
    CHECK_FALSE(numbers.accept_next(11));
    CHECK_FALSE(numbers.accept_next(13));
    CHECK_FALSE(numbers.accept_next(0));
    numbers.pause();
    CHECK(of.slot.window.top() == 11);
    CHECK(of.slot.window.check(11) == ReplayCheck::duplicate);
    of.slot.window.accept(13);
    numbers.resume(true);
    CHECK_FALSE(numbers.accept_next(12));
    CHECK(numbers.accept_next(14));
  }
  CHECK(of.slot.window.top() == 14);
  CHECK(of.slot.window.check(12) == ReplayCheck::fresh);
  for (const std::uint64_t number : {9U, 10U, 11U, 13U, 14U})
    CHECK(of.slot.window.check(number) == ReplayCheck::duplicate);
}

TEST_CASE("No number is accepted unseen where each has to be looked at, nor behind the last one") {
  const auto refused = [](SaSlot& slot, bool quiet) {
    const std::uint64_t top = slot.window.top();
    {
      IngressNumbers numbers(slot, quiet);
      CHECK_FALSE(numbers.accept_next(top + 1));
    }
    CHECK(slot.window.top() == top);
  };
  Slot busy(9);
  refused(busy.slot, false);
  Slot stopped(9);
  stopped.slot.expired = true;
  refused(stopped.slot, true);
  Slot limited(9);
  limited.slot.limited = true;
  refused(limited.slot, true);
  Slot without(9, 0);
  refused(without.slot, true);
  // Numbers are never 0, so the one that would come behind the last is not asked for; here it must not wrap.
  Slot last(~std::uint64_t{0} - 1);
  {
    IngressNumbers numbers(last.slot, true);
    CHECK(numbers.accept_next(~std::uint64_t{0}));
    CHECK_FALSE(numbers.accept_next(1));
  }
  CHECK(last.slot.window.top() == ~std::uint64_t{0});
}
