// Finds Alveo cards on the PCI bus and says, for each, whether it can be used and why not. Reads only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt::card {

// A PCIe link: generation 1..6 and lanes.
struct PcieLink {
  std::uint32_t speed = 0;
  std::uint32_t width = 0;
  auto operator<=>(const PcieLink&) const = default;
};

enum class CardProblem : std::uint8_t {
  none,
  lost,           // configuration space reads 0xff: it fell off the bus
  no_shell,       // the image it left the factory with
  wrong_shell,    // a shell, but not an XDMA one of this card, or no user function
  no_driver,      // its user function is bound to no driver
  wrong_driver,   // or to another than XRT's
  no_permission,  // its device node may not be opened
};

struct FoundCard {
  std::string card;                    // "u50", as manifests name it
  std::string name;                    // "Alveo U50"
  std::string management;              // address of the management function, empty: not seen
  std::string user;                    // of the user function, empty: not seen
  std::string driver;                  // of the user function, empty: none
  std::string shell;                   // platform name, where the driver tells
  int numa_node = -1;                  // -1: not told
  std::optional<PcieLink> link;        // now; none: the capability cannot be read
  std::optional<PcieLink> capability;  // what card and shell can do
  CardProblem problem = CardProblem::none;
  std::string why;   // the problem in words, with what to do; empty: usable
  std::string note;  // not in the way, but worth saying: a slower link than it can have, a node others may open
};

// Where to look; tests give a dump and folders of their own.
struct PciSources {
  std::filesystem::path dump;  // text as `lspci -x` prints it; empty: this machine
  std::filesystem::path sysfs = "/sys";
  std::filesystem::path dev = "/dev";
};

// In the order of addresses. An empty list: there is no Alveo card here.
Result<std::vector<FoundCard>> find_cards(const PciSources& sources = {});

[[nodiscard]] const char* name(CardProblem problem) noexcept;

}  // namespace linecrypt::card
