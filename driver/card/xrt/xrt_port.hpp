// XrtPort: a CardPort over XRT's native C++ API: xrt::device, xclbin, uuid, ip, bo, and nothing older.
#pragma once

#include <memory>

#include "driver/card/engine/card_port.hpp"

namespace linecrypt::card {

// Finds the card, checks bitstream and manifest, loads it where it is not there yet, opens the control kernel. An error
// leaves what runs on the card as it is.
Result<std::shared_ptr<CardPort>> open_port(const CardOptions& options);

}  // namespace linecrypt::card
