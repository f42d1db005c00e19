// Register map of the control kernel (AXI4-Lite, 32-bit words). The control kernel is `ap_ctrl_hs`, opened as xrt::ip
// and started once with auto-restart; offsets 0x00-0x0f are the protocol's own.
//
// The words behind `window` are one array port of the kernel: HLS gives an array a range aligned to its size, and no
// handshake words between its elements. A register of 64 bits is two words, low first. "ro": written by the card; all
// others by the host.
#pragma once

#include <cstdint>

namespace linecrypt {
namespace abi {

enum class Direction : std::uint8_t { egress = 0, ingress = 1 };
constexpr std::uint32_t directions = 2;

namespace reg {
constexpr std::uint32_t control = 0x00;                  // bit 0 start, bit 7 auto-restart
constexpr std::uint32_t window = 0x100;                  // words from here to `last` are the registers below
constexpr std::uint32_t magic = window + 0x10;           // ro
constexpr std::uint32_t version = window + 0x14;         // ro
constexpr std::uint32_t mode = window + 0x18;            // ro, CardMode
constexpr std::uint32_t features = window + 0x1c;        // ro, Feature bits
constexpr std::uint32_t sa_count = window + 0x20;        // ro, SAs per block; slot indexes are below it
constexpr std::uint32_t classify_count = window + 0x24;  // ro, entries of the in-line policy table per direction
constexpr std::uint32_t command = window + 0x28;         // Command word below
constexpr std::uint32_t status = window + 0x2c;          // ro, Status bits
constexpr std::uint32_t epoch = window + 0x30;           // 32 random bits of the session; 0: closed
constexpr std::uint32_t heartbeat =
    window + 0x34;  // ro, counts calls of the control kernel: a watchdog sees it stand still
constexpr std::uint32_t bad_commands = window + 0x38;   // ro: ring entries refused so far
constexpr std::uint32_t command_ring = window + 0x40;   // 64 bits: address in card memory, 4 KiB aligned
constexpr std::uint32_t command_size = window + 0x48;   // entries, a power of two
constexpr std::uint32_t command_tail = window + 0x4c;   // doorbell: entries written so far (free running)
constexpr std::uint32_t command_head = window + 0x50;   // ro: entries consumed, zeroed
constexpr std::uint32_t response_ring = window + 0x58;  // 64 bits
constexpr std::uint32_t response_size = window + 0x60;  // entries
constexpr std::uint32_t response_tail = window + 0x64;  // ro: entries written (after their data's write response)
constexpr std::uint32_t response_head = window + 0x68;  // entries the host has read
constexpr std::uint32_t events_dropped =
    window + 0x6c;  // ro: events that found no room in the response ring since the reset; from minor version 1
// One block of these per direction, work_stride apart.
constexpr std::uint32_t work_ring = window + 0x80;  // 64 bits
constexpr std::uint32_t work_size = window + 0x88;  // entries
constexpr std::uint32_t work_tail = window + 0x8c;  // doorbell
constexpr std::uint32_t work_head = window + 0x90;  // ro: batches finished, in order
constexpr std::uint32_t bad_work = window + 0x94;   // ro: batches, descriptors and memory accesses refused so far
constexpr std::uint32_t work_stride = 0x40;
// Bump-in-the-wire: rings of abi/classify.hpp in card memory, entries of host_frame_slot bytes.
constexpr std::uint32_t exceptions_ring = window + 0x98;  // 64 bits: frames for the host
constexpr std::uint32_t exceptions_size = window + 0xa0;  // entries, a power of two; 0: none, such frames find no room
constexpr std::uint32_t exceptions_tail = window + 0xa4;  // ro: frames written (free running)
constexpr std::uint32_t exceptions_head = window + 0xa8;  // frames the host has read
constexpr std::uint32_t link = window + 0xac;             // ro, LinkState bits
constexpr std::uint32_t injected_ring = window + 0xd8;    // 64 bits: frames of the host's
constexpr std::uint32_t injected_size = window + 0xe0;    // entries, a power of two
constexpr std::uint32_t injected_tail = window + 0xe4;    // doorbell
constexpr std::uint32_t injected_head = window + 0xe8;    // ro: frames read
constexpr std::uint32_t bad_injected = window + 0xec;     // ro: of them, refused
constexpr std::uint32_t last = window + 0x100;
}  // namespace reg

constexpr std::uint32_t lost_value = 0xffffffffU;  // what every register of a card that is gone reads as

// Values of reg::command. The card acts once, then clears it to `none`.
enum class CardCommand : std::uint32_t {
  none = 0,
  reset = 1,   // halt, then sweep every table and ring pointer to zero; status.swept when done
  enable = 2,  // take work under the epoch in reg::epoch
  halt = 3,    // finish the packets inside, take no more
};

namespace status {
constexpr std::uint32_t enabled = 1U << 0U;
constexpr std::uint32_t swept = 1U << 1U;  // since the last reset nothing was installed
constexpr std::uint32_t bad_command =
    1U << 2U;  // a ring entry of another epoch, or malformed, was met: it was skipped and counted
constexpr std::uint32_t bad_work = 1U << 3U;  // the same of a batch
}  // namespace status

namespace link_state {
constexpr std::uint32_t clear_up = 1U << 0U;  // 0: the clear side's link is held down, for nothing would be carried
constexpr std::uint32_t egress_exhausted = 1U << 1U;   // a frame found its SA out of lease since the last grant
constexpr std::uint32_t ingress_exhausted = 1U << 2U;  // the same of an accept ceiling
}  // namespace link_state

enum class CardMode : std::uint32_t { none = 0, esp = 1, macsec = 2, both = 3 };

namespace feature {
constexpr std::uint32_t look_aside = 1U << 0U;
constexpr std::uint32_t inline_ports = 1U << 1U;  // bump-in-the-wire
constexpr std::uint32_t host_memory = 1U << 2U;   // zero copy
constexpr std::uint32_t modelled = 1U << 31U;     // the emulated card says so
}  // namespace feature

}  // namespace abi
}  // namespace linecrypt
