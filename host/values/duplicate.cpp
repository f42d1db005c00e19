// Copies of SAs, secrets included. One place, so that a new field cannot be forgotten in one of many: the structured
// bindings name every member and stop compiling when there is another.
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/macsec.hpp"

namespace linecrypt {

EspSa EspSa::duplicate() const {
  const auto& [spi_, reserved_spi_, direction_, mode_, algorithm_, key_, salt_, esn_, window_, replay_disabled_,
               source_, destination_, verify_inner_checksum_, verify_outer_, udp_, df_, dscp_copy_out_, dscp_copy_in_,
               dscp_, ecn_, hop_limit_, decrement_ttl_, flow_label_copy_, tfc_pad_to_, lifetime_, selectors_] = *this;
  return EspSa{spi_,
               reserved_spi_,
               direction_,
               mode_,
               algorithm_,
               key_.duplicate(),
               salt_.duplicate(),
               esn_,
               window_,
               replay_disabled_,
               source_,
               destination_,
               verify_inner_checksum_,
               verify_outer_,
               udp_,
               df_,
               dscp_copy_out_,
               dscp_copy_in_,
               dscp_,
               ecn_,
               hop_limit_,
               decrement_ttl_,
               flow_label_copy_,
               tfc_pad_to_,
               lifetime_,
               selectors_};
}

MacsecSa MacsecSa::duplicate() const {
  const auto& [secy_, direction_, sci_, an_, key_, salt_, ssci_, lowest_pn_] = *this;
  return MacsecSa{secy_, direction_, sci_, an_, key_.duplicate(), salt_.duplicate(), ssci_, lowest_pn_};
}

}  // namespace linecrypt
