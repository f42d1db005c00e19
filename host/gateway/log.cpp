#include "host/gateway/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace linecrypt::gateway {

namespace {

spdlog::level::level_enum level_of(config::LogLevel level) {
  constexpr spdlog::level::level_enum levels[] = {spdlog::level::err, spdlog::level::warn, spdlog::level::info,
                                                  spdlog::level::debug};
  return levels[static_cast<std::size_t>(level)];
}

// systemd.exec(5): JOURNAL_STREAM holds "device:inode" of the stream that leads to the journal.
bool is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

// sd-daemon(3): "<3>" and so on before each line.
const char* priority_of(config::LogLevel level) {
  constexpr const char* priorities[] = {"<3>", "<4>", "<6>", "<7>"};
  return priorities[static_cast<std::size_t>(level)];
}

bool journal = false;

}  // namespace

void open_log(config::LogLevel level) {
  journal = is_journal();
  auto logger = std::make_shared<spdlog::logger>("linecryptd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(level_of(level));
  logger->set_pattern(journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

void log_message(config::LogLevel level, const std::string& text) {
  if (journal)
    spdlog::log(level_of(level), "{}{}", priority_of(level), text);
  else
    spdlog::log(level_of(level), "{}", text);
}

bool MessageLimit::allow(std::uint64_t& suppressed) {
  const auto now = std::chrono::steady_clock::now();
  if (now - start_ >= std::chrono::seconds(seconds_)) {
    start_ = now;
    written_ = 0;
  }
  suppressed = 0;
  if (written_ >= burst_) {
    ++held_;
    return false;
  }
  ++written_;
  suppressed = std::exchange(held_, 0);
  return true;
}

}  // namespace linecrypt::gateway
