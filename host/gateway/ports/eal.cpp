#include "host/gateway/ports/eal.hpp"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>

#include <cstdio>
#include <mutex>
#include <string>
#include <vector>

#include "host/gateway/log.hpp"

namespace linecrypt::gateway {

namespace {

std::FILE* log_stream = nullptr;

// DPDK writes whole lines, from any thread. Its errors are warnings to us: what matters to a person is reported by the
// call that failed.
ssize_t write_log(void*, const char* text, std::size_t size) {
  static std::mutex mutex;
  static MessageLimit limit(50, 10);
  std::string line(text, size);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  const auto dpdk_level = rte_log_cur_msg_loglevel();
  const bool serious = dpdk_level > 0 && dpdk_level <= static_cast<int>(RTE_LOG_ERR);
  const std::scoped_lock lock(mutex);
  std::uint64_t suppressed = 0;
  if (line.empty() || !limit.allow(suppressed)) return static_cast<ssize_t>(size);
  if (suppressed != 0) log(config::LogLevel::warning, "dpdk: {} messages held back", suppressed);
  log(serious ? config::LogLevel::warning : config::LogLevel::debug, "dpdk: {}", line);
  return static_cast<ssize_t>(size);
}

void route_log() {
  cookie_io_functions_t functions{};
  functions.write = write_log;
  log_stream = ::fopencookie(nullptr, "w", functions);
  if (log_stream == nullptr) return;
  static_cast<void>(std::setvbuf(log_stream, nullptr, _IOLBF, 1024));
  rte_openlog_stream(log_stream);
  rte_log_set_global_level(RTE_LOG_NOTICE);
}

// "0@(0,1,5)": one lcore that may run wherever this process may, so that EAL pins nothing.
std::string lcores(const cpu_set_t& allowed) {
  std::string list;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed)) list += fmt::format("{}{}", list.empty() ? "" : ",", cpu);
  return fmt::format("0@({})", list);
}

}  // namespace

Result<std::unique_ptr<Eal>> Eal::start(const config::Config& config) {
  // 1. Arguments.
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) CPU_SET(0, &allowed);
  // --no-shconf: nothing is shared, so several daemons may run under one prefix (an empty runtime directory stays).
  std::vector<std::string> arguments{"linecryptd", "--lcores",       lcores(allowed), "--file-prefix",
                                     "linecrypt",  "--no-telemetry", "--log-level",   "notice"};
  std::vector<std::string> pci;
  for (const config::Port& port : config.ports)
    if (const auto* device = std::get_if<config::PciDevice>(&port.device)) pci.push_back(device->address);
  // Nothing shared with other processes: --in-memory says so, but DPDK refuses it together with --no-huge.
  if (config.gateway.hugepages) {
    arguments.emplace_back("--in-memory");
  } else {
    arguments.emplace_back("--no-shconf");
    arguments.emplace_back("--no-huge");
    arguments.emplace_back("-m");
    arguments.push_back(std::to_string(config.gateway.memory_mb));
  }
  if (pci.empty()) {
    arguments.emplace_back("--no-pci");
    arguments.emplace_back("--iova-mode=va");
  }
  for (const std::string& address : pci) {
    arguments.emplace_back("-a");
    arguments.push_back(address);
  }

  // 2. Start. EAL pins the calling thread to its lcore; with the whole set above that changes nothing.
  route_log();
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (rte_eal_init(static_cast<int>(arguments.size()), argv.data()) < 0) {
    std::string hint;
    if (config.gateway.hugepages) hint = "; are hugepages reserved and mounted? 'hugepages = false' does without";
    return Error{fmt::format("DPDK's environment did not start: {}{}", rte_strerror(rte_errno), hint)};
  }
  return std::unique_ptr<Eal>(new Eal);
}

Eal::~Eal() {
  rte_eal_cleanup();
  rte_openlog_stream(nullptr);
  if (log_stream != nullptr) static_cast<void>(std::fclose(log_stream));
  log_stream = nullptr;
}

}  // namespace linecrypt::gateway
