// What the kernel says of the mapping that holds an address: the VmFlags of /proc/self/smaps.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace linecrypt::test {

// " rd wr mr mw me dd ..."; "dd": not in core dumps, "dc": not copied on fork, "lo": locked. Empty: not mapped.
inline std::string memory_flags(const void* address) {
  std::ifstream smaps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    char dash = 0;
    std::istringstream range(line);
    if (range >> std::hex >> from >> dash >> to && dash == '-') {
      const auto place = reinterpret_cast<std::uintptr_t>(address);
      inside = place >= from && place < to;
    } else if (inside && line.rfind("VmFlags:", 0) == 0) {
      return line.substr(8) + " ";
    }
  }
  return "";
}

}  // namespace linecrypt::test
