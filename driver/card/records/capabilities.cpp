#include "driver/card/records/capabilities.hpp"

#include "linecrypt/abi/rings.hpp"
#include "linecrypt/abi/sa_record.hpp"

namespace linecrypt::card {

// Not on the card, and so software's: AES-192, confidentiality offsets, UDP over IPv6 and UDP in transport mode (a
// checksum over the payload would have to be in front of it).
Capabilities card_capabilities(abi::CardMode mode, std::uint32_t sa_count) {
  Capabilities can;
  can.engine = "card";
  can.provider = "linecrypt kernels";
  can.max_sas = sa_count;
  can.max_packet = abi::frame_largest;
  can.max_stages = mode == abi::CardMode::both ? 2 : 1;
  can.aes_128 = can.aes_256 = true;
  if (mode == abi::CardMode::esp || mode == abi::CardMode::both) {
    can.esp = can.esp_tunnel = can.esp_transport = can.esp_inter_family = can.esp_udp = can.esp_esn = can.esp_tfc =
        true;
    can.gmac = true;
    can.replay_window_max = replay_window_largest;
    can.max_selectors = abi::selectors_per_sa;
  }
  if (mode == abi::CardMode::macsec || mode == abi::CardMode::both) {
    can.macsec = can.macsec_xpn = can.macsec_integrity_only = true;
    can.macsec_clear_tags = 2;
    can.duplicate_bitmap_max = replay_window_largest;
  }
  return can;
}

}  // namespace linecrypt::card
