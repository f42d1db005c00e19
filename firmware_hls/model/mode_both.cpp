// The emulated card of mode both.
#include "firmware_hls/model/card.hpp"

namespace linecrypt {
namespace firmware {

std::unique_ptr<ClockedCard> make_clocked_card(const MemoryHost& host) {
  return make_card<Chain<EspEncapsulate<emulated_sas>, MacsecProtect<emulated_sas>>,
                   Chain<MacsecValidate<emulated_sas>, EspDecapsulate<emulated_sas>>>(host, abi::CardMode::both);
}

}  // namespace firmware
}  // namespace linecrypt
