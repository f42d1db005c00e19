// What an xclbin of ours is made from: a JSON text that lists the card's memory banks and its kernels. Only the
// emulated card's xclbin is made this way; a real card's comes from v++, which knows all this from the link.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt::bitstreams {

enum class ControlProtocol : std::uint8_t { ap_ctrl_hs = 0, ap_ctrl_chain = 1, ap_ctrl_none = 2 };
std::string_view name_of(ControlProtocol protocol);

struct MemoryBank {
  std::string tag;  // "HBM[0]", "DDR[1]": at most 15 characters
  bool hbm = false;
  std::uint64_t base = 0;
  std::uint64_t size_kib = 0;
};

struct KernelArgument {
  std::string name;
  std::string type;  // as in the kernel's source: "uint", "ap_uint<512>*"
  std::uint32_t offset = 0;
  std::uint32_t size = 0;           // bytes in the register file
  std::string port;                 // m_axi port, empty for a register
  std::vector<std::string> memory;  // banks that the port reaches, empty for a register
};

struct ComputeUnit {
  std::string name;
  std::optional<std::uint64_t> base;  // none: the kernel has no AXI-Lite port
};

struct Kernel {
  std::string name;
  ControlProtocol protocol = ControlProtocol::ap_ctrl_hs;
  std::uint64_t range = 0;  // bytes of AXI-Lite space, 0 without
  std::vector<KernelArgument> arguments;
  std::vector<ComputeUnit> units;
};

struct Specification {
  std::string name;
  std::string platform;  // the shell's name, at most 63 characters
  std::string card;      // "emulated"
  std::string mode;      // esp, macsec, both
  std::string wiring;    // look-aside, bump-in-the-wire, port-to-host
  std::uint32_t kernel_clock_mhz = 0;
  std::vector<MemoryBank> memory;
  std::vector<Kernel> kernels;
};

// Reads and checks the whole text. `file` names it in errors. Offsets that are left out follow HLS: from 0x10 on, each
// argument at a multiple of 4, one reserved word after it.
Result<Specification> read_specification(std::string_view text, const std::string& file);

}  // namespace linecrypt::bitstreams
