// The emulated bump-in-the-wire card of mode both.
#include "firmware_hls/model/inline_card.hpp"

namespace linecrypt {
namespace firmware {

std::unique_ptr<ClockedCard> make_clocked_card(const MemoryHost& host) {
  return make_inline_card<EspEncapsulate<emulated_sas>, MacsecProtect<emulated_sas>, MacsecValidate<emulated_sas>,
                          EspDecapsulate<emulated_sas>>(host, abi::CardMode::both);
}

}  // namespace firmware
}  // namespace linecrypt
