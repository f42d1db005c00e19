// Who besides us may open the card's device node, and so read the card's memory.
#pragma once

#include <filesystem>
#include <string>

namespace linecrypt::card {

// A sentence about the node of the card at `bdf` where others than owner and group may open it; empty: nobody else may,
// or there is no node. `sysfs` and `dev` are for tests.
[[nodiscard]] std::string shared_device_node(const std::string& bdf, const std::filesystem::path& sysfs = "/sys",
                                             const std::filesystem::path& dev = "/dev");

}  // namespace linecrypt::card
