#include "tools/linecrypt-bench/measure/machine.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>

#include "linecrypt_commit.hpp"
#include "tools/linecrypt-bench/measure/stopwatch.hpp"

namespace linecrypt::bench {
namespace {

// The first line of a file, or "not readable".
std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? line : "not readable";
}

// The value of `field` in /proc/cpuinfo's first processor.
std::string cpuinfo(const std::string& field) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind(field, 0) == 0 && line.find(':') != std::string::npos) return line.substr(line.find(':') + 2);
  return "not readable";
}

bool has_flag(const std::string& flag) {
  return (" " + cpuinfo("flags") + " ").find(" " + flag + " ") != std::string::npos;
}

// Of the CPU's flags, those that AES-GCM is made of.
std::string aes_flags() {
  std::string found;
  for (const char* flag : {"aes", "pclmulqdq", "avx2", "vaes", "vpclmulqdq", "avx512f", "avx512vl", "hypervisor"})
    if (has_flag(flag)) found += fmt::format("{}{}", found.empty() ? "" : " ", flag);
  return found.empty() ? "none" : found;
}

std::string kernel_word(const std::string& path) {
  const std::string line = line_of(path);
  const std::size_t open = line.find('[');
  return open == std::string::npos ? line : line.substr(open + 1, line.find(']') - open - 1);
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  return std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts) != 0 ? text : "unknown";
}

}  // namespace

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

std::string commit() {
  return LINECRYPT_COMMIT;
}

Machine::Moment Machine::now() {
  Moment moment;
  std::istringstream load(line_of("/proc/loadavg"));
  std::string parts[3];
  load >> parts[0] >> parts[1] >> parts[2];
  moment.load = fmt::format("{} {} {}", parts[0], parts[1], parts[2]);
  // user nice system idle iowait irq softirq steal
  std::istringstream stat(line_of("/proc/stat"));
  std::string name;
  stat >> name;
  std::uint64_t ticks = 0;
  for (int i = 0; i < 8 && (stat >> ticks); ++i) {
    moment.total += ticks;
    if (i == 7) moment.steal = ticks;
  }
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) moment.pushed_aside = usage.ru_nivcsw;
  return moment;
}

Result<Machine> Machine::pin(int core) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return Error{"the cores of this process are not known"};
  std::string names;
  std::vector<int> cores;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(i, &allowed)) continue;
    cores.push_back(i);
    names += fmt::format("{}{}", names.empty() ? "" : ", ", i);
  }
  if (core < 0) core = cores.back();
  if (core >= CPU_SETSIZE || !CPU_ISSET(core, &allowed))
    return Error{fmt::format("--core {}, allowed: {}", core, names)};
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0)
    return Error{fmt::format("--core {}: {}", core, std::strerror(errno))};
  Stopwatch::calibrate();
  Machine machine;
  machine.core_ = core;
  machine.allowed_ = std::move(cores);
  machine.before_ = now();
  return machine;
}

// Whoever manages the machine may move a pinned process; a report that says otherwise would be wrong.
std::string Machine::still_pinned() const {
  cpu_set_t now;
  CPU_ZERO(&now);
  const bool known = sched_getaffinity(0, sizeof now, &now) == 0;
  if (known && CPU_COUNT(&now) == 1 && CPU_ISSET(core_, &now)) return fmt::format("{}, pinned", core_);
  return fmt::format("{}, pinned at the start and NOT at the end: something outside changed it", core_);
}

Facts Machine::facts() const {
  const Moment after = now();
  const std::uint64_t ticks = after.total - before_.total;
  const double stolen =
      ticks == 0 ? 0 : 100.0 * static_cast<double>(after.steal - before_.steal) / static_cast<double>(ticks);
  const std::string governor = line_of(fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor", core_));
  return {
      {"commit", commit()},
      {"date", today()},
      {"CPU", fmt::format("{} (family {}, model {}, stepping {})", cpuinfo("model name"), cpuinfo("cpu family"),
                          cpuinfo("model\t"), cpuinfo("stepping"))},
      {"flags", aes_flags()},
      {"VAES", has_flag("vaes") && has_flag("vpclmulqdq")
                   ? "yes"
                   : "no: this CPU has no VAES and VPCLMULQDQ, so nothing here says how fast our provider for them is"},
      {"clock", fmt::format("TSC at {:.3f} GHz, measured against the monotonic clock; the kernel's source is {}",
                            Stopwatch::ticks_per_ns(),
                            line_of("/sys/devices/system/clocksource/clocksource0/current_clocksource"))},
      {"governor", governor},
      {"core", still_pinned()},
      {"transparent huge pages", kernel_word("/sys/kernel/mm/transparent_hugepage/enabled")},
      {"load before, after", fmt::format("{}; {}", before_.load, after.load)},
      {"steal meanwhile", fmt::format("{:.1f} % of all cores' time", stolen)},
      {"pushed aside", fmt::format("{} times by other processes", after.pushed_aside - before_.pushed_aside)},
  };
}

}  // namespace linecrypt::bench
