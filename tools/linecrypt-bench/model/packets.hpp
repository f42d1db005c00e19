// Clear frames and SAs for the cycle model.
#pragma once

#include <cstdint>
#include <vector>

#include "driver/card/records/commands.hpp"
#include "firmware_hls/model/cycle_rig.hpp"
#include "tools/linecrypt-bench/model/cycle_model.hpp"

namespace linecrypt::bench {

inline constexpr std::uint32_t fcs = 4;
inline constexpr std::uint16_t ethernet_size = 14;

// An Ethernet frame of `size` bytes, FCS not counted: an IP packet of the variant's family, or noise.
[[nodiscard]] std::vector<std::uint8_t> clear_frame(Variant variant, std::size_t size);

// The commands that install SA `index` in a block. `accepts_again`: without replay protection, for frames that are sent
// more than once.
[[nodiscard]] card::CommandList install_commands(Subject subject, std::uint32_t index, bool accepts_again = false);

// The words that install SA `index` in a block, and those that remove it.
[[nodiscard]] std::vector<firmware::ConfigWord> install_words(Subject subject, std::uint32_t index);
[[nodiscard]] firmware::ConfigWord remove_word(Subject subject, std::uint32_t index);

[[nodiscard]] firmware::Frame to_frame(const std::vector<std::uint8_t>& bytes, Subject subject, std::uint32_t index);

}  // namespace linecrypt::bench
