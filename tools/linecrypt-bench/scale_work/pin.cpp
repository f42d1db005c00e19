#include <sched.h>

#include "tools/linecrypt-bench/scale_work/measurements.hpp"

namespace linecrypt::bench::scale {

// Where the core is gone the thread stays where it may be: figures say by their spread what came of it.
void pin_to(int core) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  static_cast<void>(sched_setaffinity(0, sizeof set, &set));
}

}  // namespace linecrypt::bench::scale
