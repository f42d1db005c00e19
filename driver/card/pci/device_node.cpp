#include "driver/card/pci/device_node.hpp"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

namespace linecrypt::card {

namespace fs = std::filesystem;

std::string shared_device_node(const std::string& bdf, const fs::path& sysfs, const fs::path& dev) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(sysfs / "bus/pci/devices" / bdf / "drm", failed)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("render", 0) != 0) continue;
    const fs::path node = dev / "dri" / name;
    std::error_code unreadable;
    const fs::perms perms = fs::status(node, unreadable).permissions();
    if (unreadable) continue;
    if ((perms & (fs::perms::others_read | fs::perms::others_write)) != fs::perms::none)
      return fmt::format("{} may be opened by every user (mode {:o})", node.string(),
                         static_cast<unsigned>(perms & fs::perms::mask));
  }
  return {};
}

int numa_node_of(const std::string& bdf, const fs::path& sysfs) {
  int node = -1;
  std::ifstream file(sysfs / "bus/pci/devices" / bdf / "numa_node");
  return file >> node ? node : -1;
}

}  // namespace linecrypt::card
