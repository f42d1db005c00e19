// Which Alveo card a platform (shell) name means: "xilinx_u50_gen3x16_xdma_base_5" is a u50.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace linecrypt::card {

// As the manifests name cards. None: a card that no bitstream of ours is for.
[[nodiscard]] inline std::optional<std::string> card_of_platform(std::string_view platform) {
  constexpr std::string_view cards[] = {"u50", "u55c", "u200", "u250", "u280"};
  for (const std::string_view card : cards) {
    const std::string part = "_" + std::string(card) + "_";
    if (platform.find(part) != std::string_view::npos) return std::string(card);
  }
  return std::nullopt;
}

}  // namespace linecrypt::card
