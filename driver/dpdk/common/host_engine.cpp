#include "driver/dpdk/common/host_engine.hpp"

#include "host/software/engine.hpp"

namespace linecrypt::dpdk {

Result<std::unique_ptr<Engine>> make_host_engine(software::ProviderChoice provider) {
  return software::make_software_engine({provider});
}

}  // namespace linecrypt::dpdk
