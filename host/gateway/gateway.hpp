// Gateway: the daemon's life, from a valid configuration to a clean stop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "host/config/config.hpp"
#include "host/gateway/process.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway {

// linecryptd's exit codes.
enum class ExitCode : int { clean = 0, bad_configuration = 2, start_refused = 3, runtime_failure = 4 };

class Gateway {
 public:
  // Brings everything up or nothing: an error names what was refused, and what had come up is down again. Call with
  // SIGTERM and SIGINT blocked, so that every thread inherits that.
  static Result<std::unique_ptr<Gateway>> start(config::Config config, const ProcessProtection& protection);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Works until SIGTERM or SIGINT, then stops cleanly.
  ExitCode run();

 private:
  Gateway();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linecrypt::gateway
