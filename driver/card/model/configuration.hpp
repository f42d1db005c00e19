// What cards this process has: the TOML file that LINECRYPT_MODEL names (README.md lists the keys).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "driver/card/model/faults.hpp"
#include "driver/card/model/log.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::card_model {

// Who the card is on the bus. XRT's glue does not carry it; tests of discovery read it.
struct PciIdentity {
  std::string address = "0000:3b:00.1";
  std::uint16_t vendor = 0x10ee;
  std::uint16_t device = 0x5021;
  std::uint16_t subsystem_vendor = 0x10ee;
  std::uint16_t subsystem_device = 0x000e;
  std::uint32_t class_code = 0x120000;
  std::string driver = "xocl";
  std::uint32_t link_width = 16;
  std::uint32_t link_speed = 3;
  std::int32_t numa_node = 0;
};

struct PortConfiguration {
  enum class Kind : std::uint8_t { tap, packet, pcap, socket };
  std::uint32_t index = 0;
  Kind kind = Kind::tap;
  std::string name;   // interface, or the file to read (empty: none), or the socket
  std::string write;  // file to write (empty: none)
  bool plugged = true;
};

struct CardConfiguration {
  std::string name = "xilinx_u50_gen3x16_xdma_base_5";
  std::uint64_t bank_bytes = 0;  // largest bank given out; 0: as the xclbin says
  std::uint64_t slow = 0;
  PciIdentity pci;
  std::vector<PortConfiguration> ports;
  std::vector<Fault> faults;
};

struct Configuration {
  std::uint64_t seed = 1;
  LogLevel log = LogLevel::error;
  std::vector<CardConfiguration> cards{CardConfiguration{}};
};

constexpr std::uint32_t ports_most = 2;
constexpr std::uint32_t cards_most = 16;

Result<Configuration> read_configuration(std::string_view text, const std::string& file);

// Of the file that LINECRYPT_MODEL names; the default where it is not set.
Result<Configuration> configuration_of_environment();

}  // namespace linecrypt::card_model
