// What the model takes from an xclbin: its banks, compute units and the shared object with the kernels.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "driver/card/model/memory.hpp"
#include "driver/card/model/plain_kernel.hpp"
#include "linecrypt/result.hpp"

struct axlf;

namespace linecrypt::card_model {

struct Unit {
  std::string kernel;
  std::string name;  // "kernel:unit"
  std::uint64_t base = 0;
  std::uint32_t range = 0;  // bytes of registers
  std::vector<PlainArgument> arguments;
};

struct Design {
  std::array<std::uint8_t, 16> uuid{};
  std::vector<Bank> banks;
  std::vector<Unit> units;                // those with registers, in XRT's order: by address
  std::vector<std::string> free_running;  // those without
  std::vector<std::uint8_t> image;
};

// Reads the whole file from the memory that XRT hands over; what that memory does not hold is refused, not touched.
// `bank_bytes`: largest bank, 0 for no limit.
Result<Design> read_design(const axlf* top, std::uint64_t bank_bytes);

}  // namespace linecrypt::card_model
