// Statistics, and which CPUs the measurements run on.
#include <sched.h>

#include <algorithm>

#include "tools/linecrypt-bench/scale_work/measurements.hpp"

namespace linecrypt::bench::scale {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double spread(std::vector<double> values) {
  if (values.size() < 2) return 0;
  std::sort(values.begin(), values.end());
  const double low = values[values.size() / 4];
  const double high = values[values.size() - 1 - values.size() / 4];
  return (high - low) / median(values);
}

namespace {

// Where this process may run at its start: pinning a thread changes what it is told later.
const cpu_set_t& cpus_at_start() {
  static const cpu_set_t allowed = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) CPU_SET(0, &set);
    return set;
  }();
  return allowed;
}

}  // namespace

Cpus choose_cpus() {
  Cpus cpus;
  bool first = true;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &cpus_at_start())) continue;
    if (first) cpus.control = cpu;
    cpus.worker = cpu;  // the last one
    first = false;
  }
  return cpus;
}

void pin_to(int cpu) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  static_cast<void>(sched_setaffinity(0, sizeof set, &set));
}

}  // namespace linecrypt::bench::scale
