// nearly_always: a branch for the compiler to lay out, and to give registers to, as if the other side was never taken.
// [[likely]] means nine times of ten, and in a loop over packets that is far too few.
#pragma once

namespace linecrypt {

[[gnu::always_inline]] inline bool nearly_always(bool condition) noexcept {
  return __builtin_expect_with_probability(static_cast<long>(condition), 1L, 0.9999) != 0;
}

}  // namespace linecrypt
