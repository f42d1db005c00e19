// For one file of a program, its main.cpp: calls protect_openssl_memory() before the constructors of shared libraries
// run. One of them (cpp-httplib's) starts OpenSSL, and once that has allocated its heap cannot be protected any more.
#pragma once

#include "host/software/aead/openssl_memory.hpp"

namespace linecrypt::software {

// The dynamic linker runs a program's own .preinit_array before anyone's constructors (System V ABI). Only programs may
// have one, so this cannot live in a library. main() may ask protect_openssl_memory() again: it tells whether it holds.
using StartFunction = void (*)(int, char**, char**);
[[gnu::section(".preinit_array"), gnu::used]] inline const StartFunction protect_openssl_memory_at_start =
    [](int, char**, char**) { static_cast<void>(protect_openssl_memory()); };

}  // namespace linecrypt::software
