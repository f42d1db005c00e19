// The emulated card of mode macsec.
#include "firmware_hls/model/card.hpp"

namespace linecrypt {
namespace firmware {

std::unique_ptr<ClockedCard> make_clocked_card(const MemoryHost& host) {
  return make_card<Chain<Pass, MacsecProtect<emulated_sas>>, Chain<MacsecValidate<emulated_sas>, Pass>>(
      host, abi::CardMode::macsec);
}

}  // namespace firmware
}  // namespace linecrypt
