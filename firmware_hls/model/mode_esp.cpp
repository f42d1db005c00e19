// The emulated card of mode esp.
#include "firmware_hls/model/card.hpp"

namespace linecrypt {
namespace firmware {

std::unique_ptr<ClockedCard> make_clocked_card(const MemoryHost& host) {
  return make_card<Chain<EspEncapsulate<emulated_sas>, Pass>, Chain<Pass, EspDecapsulate<emulated_sas>>>(
      host, abi::CardMode::esp);
}

}  // namespace firmware
}  // namespace linecrypt
