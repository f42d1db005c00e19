// The xclbin container (AXLF, layout of the installed xclbin.h): our writer, and a reader that trusts nothing.
//
// The writer is ours, not AMD's xclbinutil, and makes files for the emulated card only: the BITSTREAM section is a
// shared object with the kernels. The reader takes those and files that v++ made for a real card.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitstreams/specification.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::bitstreams {

using Bytes = std::vector<std::uint8_t>;
using ByteSpan = std::span<const std::uint8_t>;

// The same specification and image give the same file: the uuid is made from the content, the time stamp is zero.
Result<Bytes> write_xclbin(const Specification& spec, ByteSpan image);

struct Xclbin {
  struct Section {
    std::uint32_t kind = 0;
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };
  struct Unit {
    std::string kernel;
    std::string name;
    std::optional<std::uint64_t> base;
    ControlProtocol protocol = ControlProtocol::ap_ctrl_hs;
  };
  struct Connection {
    std::uint32_t argument = 0;  // of the kernel, from 0
    std::uint32_t unit = 0;      // in `units`
    std::uint32_t bank = 0;      // in `memory`
  };

  std::string platform;
  std::array<std::uint8_t, 16> uuid{};
  bool emulation = false;              // mode hardware or software emulation
  std::uint32_t kernel_clock_mhz = 0;  // slowest clock of the kernels; 0: the file does not say
  std::vector<Section> sections;
  std::vector<MemoryBank> memory;
  std::vector<Unit> units;
  std::vector<Connection> connections;
  std::string metadata;  // EMBEDDED_METADATA, XML

  // Index (XRT's memory group) of the first bank that argument `argument` of unit `unit` reaches.
  [[nodiscard]] std::optional<std::uint32_t> bank_of(std::string_view unit, std::uint32_t argument) const;
};

// Checks magic, lengths, every offset, each section's inner counts and names, the sections a card needs and that none
// of them is there twice. `file` names it in errors.
Result<Xclbin> read_xclbin(ByteSpan bytes, const std::string& file);

// The section's bytes. Precondition: `section` is of the Xclbin that read_xclbin() made of `bytes`.
ByteSpan section_bytes(ByteSpan bytes, const Xclbin::Section& section);

std::string_view section_name(std::uint32_t kind);
std::string uuid_text(const std::array<std::uint8_t, 16>& uuid);

}  // namespace linecrypt::bitstreams
