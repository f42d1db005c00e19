// Reads from a Vitis HLS synthesis report what the forwarding of the tables depends on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt::bitstreams {

// Upper bound of the distance D, in packets, between the read of a table and the cycle in which its write is visible:
// the depth of the process's pipeline (its worst latency in cycles) when it takes one item a cycle. The report (XML,
// csynth.xml) is searched for each of `modules`; the largest is returned. A module that is missing, whose latency is
// unknown, or whose interval is not 1 is an error: then nothing may be said about D.
Result<std::uint32_t> forwarding_distance(std::string_view report, const std::string& file,
                                          const std::vector<std::string>& modules);

}  // namespace linecrypt::bitstreams
