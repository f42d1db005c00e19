#include "host/gateway/process.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "host/software/aead/openssl_memory.hpp"

namespace linecrypt::gateway {

ProcessProtection protect_process() {
  ProcessProtection protection;
  protection.openssl_memory = software::protect_openssl_memory();
  const rlimit none{0, 0};
  protection.not_dumpable = ::prctl(PR_SET_DUMPABLE, 0) == 0 && ::setrlimit(RLIMIT_CORE, &none) == 0;
  // On fault: DPDK reserves far more address space than it uses.
  protection.locked = ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
  return protection;
}

}  // namespace linecrypt::gateway
