// Numbering: what the numbers of a train's packets are told by before they are opened. Nothing of it moves until then.
#pragma once

#include <cstdint>

#include "host/software/esp/sa_context.hpp"
#include "host/software/esp/sequence.hpp"
#include "host/values/likely.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::software::esp {

inline Verdict verdict_of(ReplayCheck check) noexcept {
  switch (check) {
    case ReplayCheck::fresh:
      return Verdict::pending;
    case ReplayCheck::late:
      return Verdict::replay_late;
    case ReplayCheck::duplicate:
      break;
  }
  return Verdict::replay_duplicate;
}

template <Shape shape>
class Numbering {
 public:
  Numbering(SaSlot& slot, IngressContext& context) noexcept
      : slot_(slot), context_(context), inference_(slot.window.top(), slot.window.size()) {
    renew();
  }

  // The job's full number, which is `number` too, and a first look at the window, before any cryptography (RFC 4303
  // 3.4.3). The window does not move. Mostly packets come in order, and then the number lies above the top.
  [[gnu::always_inline]] Verdict find(std::uint32_t low, Job& job, std::uint64_t& number) noexcept {
    number = Of<shape>::esn(context_) ? inference_.first_from_bottom(low) : low;
    job.number = number;
    if (nearly_always(number - behind_top_ < fresh_)) return Verdict::pending;
    const Verdict verdict = find_any(low, job.number);
    number = job.number;
    return verdict;
  }

  // After packets that another one of these has found numbers for.
  void renew() noexcept {
    const bool esn = Of<shape>::esn(context_);
    behind_top_ = slot_.window.top() + 1;
    fresh_ = (esn && inference_.below_zero() ? inference_.bottom() : 0) - behind_top_;
    if (slot_.expired.load(std::memory_order_relaxed) || (esn && context_.due())) fresh_ = 0;
  }

 private:
  // 1. An SA past its hard lifetime opens nothing.
  // 2. Without ESN the number is what the packet says; with it the high half is inferred (A2.2), or ahead of that while
  //    resynchronising (A3, resync.hpp).
  // 3. Number 0 is never sent (RFC 4303 3.3.3), and never above the top.
  [[gnu::noinline]] Verdict find_any(std::uint32_t low, std::uint64_t& number) noexcept {
    // 1.
    number = 0;
    if (slot_.expired.load(std::memory_order_relaxed)) return Verdict::hard_expired;
    // 2.
    number = low;
    if (Of<shape>::esn(context_)) {
      const auto inferred = inference_.infer(low);
      if (!inferred) return Verdict::replay_late;
      number = *inferred;
      if (context_.due()) {
        go_ahead(number);
        renew();
      }
    }
    // 3.
    if (number == 0) return Verdict::number_zero;
    return verdict_of(slot_.window.check(number));
  }
  void go_ahead(std::uint64_t& number) noexcept {
    const std::uint64_t ahead = std::uint64_t{context_.try_ahead(context_.resync_tally)} << 32U;
    if (number <= ~std::uint64_t{0} - ahead) number += ahead;
  }

  SaSlot& slot_;
  IngressContext& context_;
  NumberInference inference_;
  // Numbers above the top, without those that there are not: the first and how many. None while each has to be looked
  // at.
  std::uint64_t behind_top_ = 0;
  std::uint64_t fresh_ = 0;
};

}  // namespace linecrypt::software::esp
