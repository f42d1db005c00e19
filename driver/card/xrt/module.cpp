// The module's one symbol: opens a card through XRT's native C++ API.
#include <fmt/format.h>

#include "driver/card/engine/xrt_module.hpp"
#include "driver/card/xrt/xrt_port.hpp"

extern "C" __attribute__((visibility("default"))) linecrypt::Result<std::shared_ptr<linecrypt::card::CardPort>>
linecrypt_card_open_port(const linecrypt::card::CardOptions& options, std::uint32_t version) {
  if (version != linecrypt::card::xrt_module_version)
    return linecrypt::Error{
        fmt::format("card: the program has module interface {}, {} has {}; they are not of one build", version,
                    linecrypt::card::xrt_module_file, linecrypt::card::xrt_module_version)};
  return linecrypt::card::open_port(options);
}
