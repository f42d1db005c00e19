// Which refusals are counted at the SA too (SaCounters), the same for every engine. What is not listed is counted by
// its verdict only.
#pragma once

#include "linecrypt/counters.hpp"

namespace linecrypt {

inline void count_refusal(SaCounters& counters, Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::lease_exhausted:
    case Verdict::number_exhausted:
    case Verdict::hard_expired:
      counters.exhausted.add();
      break;
    case Verdict::esp_bad_icv:
    case Verdict::macsec_not_valid:
      counters.bad_icv.add();
      break;
    case Verdict::replay_late:
      counters.late.add();
      break;
    case Verdict::replay_duplicate:
      counters.duplicate.add();
      break;
    case Verdict::esp_outer_mismatch:
    case Verdict::selector_mismatch:
      counters.mismatch.add();
      break;
    case Verdict::esp_bad_padding:
    case Verdict::esp_bad_next_header:
    case Verdict::esp_bad_inner:
    case Verdict::esp_bad_ecn:
      counters.malformed.add();
      break;
    default:
      break;
  }
}

}  // namespace linecrypt
