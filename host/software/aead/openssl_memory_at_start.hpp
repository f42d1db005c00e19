// For one file of a program, its main.cpp: calls protect_openssl_memory() before the constructors of shared libraries
// run. One of them (cpp-httplib's) starts OpenSSL, and once that has allocated its heap cannot be protected any more.
#pragma once

#include "host/software/aead/openssl_memory.hpp"

// The dynamic linker runs a program's own .preinit_array before anyone's constructors (System V ABI). Only programs may
// have one, so this cannot live in a library. main() may ask protect_openssl_memory() again: it tells whether it holds.
extern "C" [[gnu::used]] inline void linecrypt_protect_openssl_memory_at_start(int, char**, char**) {
  static_cast<void>(linecrypt::software::protect_openssl_memory());
}

// In assembler, because g++ gives a variable's section another type than this one must have.
asm(R"(
  .pushsection .preinit_array, "aw", @preinit_array
  .balign 8
  .quad linecrypt_protect_openssl_memory_at_start
  .popsection
)");
