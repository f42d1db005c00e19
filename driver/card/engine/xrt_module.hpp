// The border between the card engine and the module that talks to XRT (driver/card/xrt): one C symbol. A program
// without a card never loads the module, and so never needs XRT.
#pragma once

#include "driver/card/engine/card_port.hpp"

namespace linecrypt::card {

inline constexpr const char* xrt_module_file = "liblinecrypt_card_xrt.so";
inline constexpr const char* xrt_module_symbol = "linecrypt_card_open_port";
// Module and program are built together; another number means that they were not.
inline constexpr std::uint32_t xrt_module_version = 1;

// `version` is the caller's; the module refuses another than its own.
using XrtModuleOpen = Result<std::shared_ptr<CardPort>> (*)(const CardOptions& options, std::uint32_t version);

// Loads the module once and opens a card with it.
Result<std::shared_ptr<CardPort>> open_xrt_port(const CardOptions& options);

}  // namespace linecrypt::card
