// What sysfs says of the card at a PCI address: who besides us may open its device node, and so read the card's memory;
// where it stands.
#pragma once

#include <filesystem>
#include <string>

namespace linecrypt::card {

// A sentence about the node of the card at `bdf` where others than owner and group may open it; empty: nobody else may,
// or there is no node. `sysfs` and `dev` are for tests.
[[nodiscard]] std::string shared_device_node(const std::string& bdf, const std::filesystem::path& sysfs = "/sys",
                                             const std::filesystem::path& dev = "/dev");

// The NUMA node that the card at `bdf` is attached to. -1: the kernel does not know, or there is no such device.
[[nodiscard]] int numa_node_of(const std::string& bdf, const std::filesystem::path& sysfs = "/sys");

}  // namespace linecrypt::card
