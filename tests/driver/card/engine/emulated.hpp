// The emulated card through the real libxrt_coreutil: only where the environment says so (emulated_card/run, or CTest).
#pragma once

#include <cstdlib>
#include <string>

#include "driver/card/engine/card_engine.hpp"

namespace linecrypt::card_test {

// XRT finds the emulated card in this process.
inline bool emulated_card_here() {
  const char* const mode = std::getenv("XCL_EMULATION_MODE");
  const char* const folder = std::getenv("LINECRYPT_BITSTREAMS");
  return mode != nullptr && *mode != '\0' && folder != nullptr;
}

inline card::CardOptions emulated_options(const std::string& mode = "both") {
  card::CardOptions options;
  options.xclbin = std::string(std::getenv("LINECRYPT_BITSTREAMS")) + "/linecrypt-emulated-" + mode + ".xclbin";
  options.slab_bytes = 256U << 10U;
  options.slabs = 4;
  return options;
}

}  // namespace linecrypt::card_test
