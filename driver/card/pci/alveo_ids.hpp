// PCI ids of the cards that bitstreams of ours are for, as pci.ids and XRT's drivers have them.
#pragma once

#include <cstdint>
#include <string_view>

namespace linecrypt::card {

inline constexpr std::uint16_t xilinx_vendor = 0x10ee;

struct AlveoIds {
  std::string_view card;     // as the manifests name it
  std::string_view name;     // for people
  std::uint16_t management;  // function 0, driver xclmgmt
  std::uint16_t user;        // function 1, driver xocl: what XRT opens
  std::uint16_t golden;      // the factory image: no shell was flashed yet; 0: not known
};

inline constexpr AlveoIds alveo_ids[] = {
    {"u50", "Alveo U50", 0x5020, 0x5021, 0xd020},   {"u55c", "Alveo U55C", 0x505c, 0x505d, 0},
    {"u200", "Alveo U200", 0x5000, 0x5001, 0xd000}, {"u250", "Alveo U250", 0x5004, 0x5005, 0xd004},
    {"u280", "Alveo U280", 0x500c, 0x500d, 0xd00c},
};

}  // namespace linecrypt::card
