// Installs through the command ring of a whole card, clocked: how many cycles one takes, with the card at rest
// otherwise and while the smallest packets keep its direction busy.
//
// The host is not modelled: the ring always holds the next commands, and responses are read at once. So these are the
// card's own figures; what PCIe and the host's key expansion allow is theirs.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/linecrypt-bench/model/cycle_model.hpp"

namespace linecrypt::bench {

inline constexpr double installs_wanted = 200e3;  // a second: the command ring's design figure

struct InstallFigures {
  std::uint64_t installs = 0;  // measured, behind as many as fill the ring's way
  std::uint64_t cycles = 0;    // from the response before them to their last one
  std::uint64_t refused = 0;   // responses that were not `done`
  std::uint64_t packets = 0;   // that came out meanwhile
  [[nodiscard]] double cycles_an_install() const;
  [[nodiscard]] double per_second() const;  // at the assumed clock
  [[nodiscard]] double mpps() const;        // of the packets
};

struct InstallRow {
  Subject subject;
  std::uint32_t commands = 0;  // of one install, 128 bytes each
  InstallFigures alone;
  InstallFigures with_packets;  // 64-byte frames without a pause
};

// One of each protocol and direction.
[[nodiscard]] std::vector<Subject> install_subjects();

[[nodiscard]] InstallRow measure_installs(Subject subject);

}  // namespace linecrypt::bench
