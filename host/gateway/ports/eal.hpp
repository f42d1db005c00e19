// Eal: DPDK's environment, started for the ports of one configuration. Once per process.
#pragma once

#include <memory>

#include "host/config/config.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway {

class Eal {
 public:
  // Without hugepages and without PCI unless the configuration asks for them; no telemetry socket, no shared files; the
  // calling thread keeps its CPU affinity; what DPDK says goes to our log.
  static Result<std::unique_ptr<Eal>> start(const config::Config& config);
  ~Eal();
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;

 private:
  Eal() = default;
};

}  // namespace linecrypt::gateway
