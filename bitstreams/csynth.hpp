// Reads from the reports of Vitis HLS what the forwarding of the tables depends on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt::bitstreams {

// csynth.xml: each of `modules` must be there once and take one item a cycle. (With the kernels' DEPENDENCE pragmas,
// which give the distance D that forwarding covers, HLS reaches an interval of 1 only if its schedule keeps D.)
Result<void> check_intervals(std::string_view report, const std::string& file, const std::vector<std::string>& modules);

// <process>.verbose.sched.rpt: cycles from the first read of the table `memory` to the first in which its last write is
// visible. nullopt: the report has no such table.
Result<std::optional<std::uint32_t>> forwarding_distance(std::string_view schedule, const std::string& file,
                                                         const std::string& memory);

}  // namespace linecrypt::bitstreams
