// The pipeline depths that processes declare, and the FIFO depths that follow from them.
#pragma once

#include "firmware_hls/tables/wire.hpp"

namespace linecrypt {
namespace firmware {

// Cycles from reading a table to a write of it being visible, forwarding and pragmas go by it. The link step compares
// it with the tool's report.
constexpr u32 memory_distance = 3;

// Cycles from a process's inputs to its outputs, as declared.
namespace latency {
constexpr u32 gather = 2;
constexpr u32 lookup = 6;  // hash, then record
constexpr u32 plan = 4;
constexpr u32 table = 4;
constexpr u32 build = 6;
constexpr u32 tap = 2;
constexpr u32 judge = 6;
}  // namespace latency

namespace depth {
// Beats wait here while their description goes from gather to build.
constexpr u32 body = 64;
// Descriptions of packets inside the cipher: at most one a cycle enters, and the tag comes out a fixed time later.
constexpr u32 packets = 192;
// Text that waits for the tag of the packet before it.
constexpr u32 sealed = 192;
// Store and forward on ingress: two of the largest packets, and what comes in while a tag is computed.
constexpr u32 hold = 512;
constexpr u32 events = 64;
}  // namespace depth

}  // namespace firmware
}  // namespace linecrypt
