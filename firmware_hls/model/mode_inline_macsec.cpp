// The emulated bump-in-the-wire card of mode macsec.
#include "firmware_hls/model/inline_card.hpp"

namespace linecrypt {
namespace firmware {

std::unique_ptr<ClockedCard> make_clocked_card(const MemoryHost& host) {
  return make_inline_card<Pass, MacsecProtect<emulated_sas>, MacsecValidate<emulated_sas>, Pass>(host,
                                                                                                 abi::CardMode::macsec);
}

}  // namespace firmware
}  // namespace linecrypt
