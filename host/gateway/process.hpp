// What the process does for its keys before anything else.
#pragma once

namespace linecrypt::gateway {

struct ProcessProtection {
  bool openssl_memory = false;  // OpenSSL's heap is locked memory without core dumps
  bool not_dumpable = false;    // PR_SET_DUMPABLE 0 and RLIMIT_CORE 0
  bool locked = false;          // mlockall
};

// Keys stay out of core dumps, out of reach of ptrace, and out of swap as far as the limits allow. First thing in
// main(); what could not be had is told by `status`.
ProcessProtection protect_process();

}  // namespace linecrypt::gateway
