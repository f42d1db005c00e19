// Offloads of a netdev under an af_packet port, by the ethtool ioctl. With any of them on, AF_PACKET hands out frames
// that are not what the wire carries: checksums not yet computed, merged segments, tags taken off. Control thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt::gateway::kernel {

// Whether a feature of the kernel's own list ("tx-checksum-ip-generic", as `ethtool -k` shows them) must be off.
[[nodiscard]] bool alters_frames(std::string_view feature) noexcept;

// Those that are on.
Result<std::vector<std::string>> offloads_on(const std::string& netdev);
// Turns all off; returns those that were on. An error names what stays on.
Result<std::vector<std::string>> turn_offloads_off(const std::string& netdev);
// For the way back; errors are ignored, the netdev may be gone.
void turn_offloads_on(const std::string& netdev, std::span<const std::string> names) noexcept;

}  // namespace linecrypt::gateway::kernel
