// The list of verdicts, as a macro that C++14 (the kernels) and C++20 (linecrypt/verdict.hpp) read alike. A verdict's
// code is its place in the list: it is the number in abi::Completion.
#pragma once

#include <cstdint>

// X(name, is_drop, what it says to a person)
#define LINECRYPT_VERDICTS(X)                                                                                        \
  X(pending, false, "accepted by an engine, not finished yet")                                                       \
  X(ok, false, "processed and forwarded")                                                                            \
  X(bypassed, false, "forwarded in clear by a bypass policy")                                                        \
  X(request_clear, false, "forwarded in clear by a policy of request without an SA")                                 \
  X(exempt, false, "passed by a built-in exemption (IKE, EAPOL, neighbour discovery, ARP)")                          \
  X(punted, false, "handed to the kernel through the port's companion TAP")                                          \
  X(answered, false, "answered by the gateway itself (ICMP too big, keepalive)")                                     \
  X(dummy, false, "ESP dummy packet (next header 59), authenticated and discarded")                                  \
  X(keepalive, false, "NAT-T keepalive, discarded")                                                                  \
  X(unchecked, false, "MACsec frame delivered unvalidated (validate check or disabled, C bit clear)")                \
  /* any frame */                                                                                                    \
  X(malformed_ethernet, true, "shorter than its Ethernet or VLAN header")                                            \
  X(malformed_ip, true, "IP version, header length, total length or header checksum wrong")                          \
  X(oversize, true, "longer than the port's MTU allows")                                                             \
  X(wrong_destination_mac, true, "not addressed to this port")                                                       \
  X(unknown_ethertype, true, "EtherType that nothing here handles")                                                  \
  X(ttl_exceeded, true, "TTL or hop limit used up")                                                                  \
  X(too_big, true, "does not fit the path MTU after encapsulation")                                                  \
  X(no_route, true, "no route to the destination")                                                                   \
  X(no_neighbour, true, "next hop's link address not resolved")                                                      \
  X(no_buffer, true, "no packet buffer, or headroom or tailroom too small")                                          \
  X(transmit_full, true, "the port's transmit ring was full")                                                        \
  X(tap_full, true, "the companion TAP did not take the frame")                                                      \
  X(unsupported, true, "a form of packet that this engine does not process")                                         \
  X(engine_lost, true, "the engine was lost while it held the frame")                                                \
  X(engine_busy, true, "the engine did not take the frame in time")                                                  \
  /* policy */                                                                                                       \
  X(policy_discard, true, "a discard policy matched")                                                                \
  X(policy_default, true, "no policy matched: discarded by default")                                                 \
  X(policy_clear_inbound, true, "clear traffic that an inbound policy protects")                                     \
  X(selector_mismatch, true, "inner packet outside its SA's selectors (RFC 4301 5.2)")                               \
  X(exemption_refused, true, "looked like an exemption but missed one of its conditions")                            \
  X(foreign_source, true, "frame from a companion TAP whose source is not the port's own")                           \
  /* SA */                                                                                                           \
  X(no_sa, true, "the policy protects and there is no SA")                                                           \
  X(stale_sa, true, "SA id of an earlier generation")                                                                \
  X(wrong_operation, true, "operation does not fit the SA's protocol or direction")                                  \
  X(lease_exhausted, true, "egress SA out of leased numbers")                                                        \
  X(number_exhausted, true, "egress SA at the end of its number space")                                              \
  X(hard_expired, true, "SA past its hard lifetime")                                                                 \
  /* ESP ingress, RFC 4303 3.4 */                                                                                    \
  X(esp_short, true, "shorter than an ESP header, IV and ICV")                                                       \
  X(esp_fragment, true, "ESP packet is an IP fragment")                                                              \
  X(esp_unknown_spi, true, "no SA for this SPI")                                                                     \
  X(esp_outer_mismatch, true, "outer addresses or UDP ports differ from the SA's")                                   \
  X(esp_bad_udp, true, "UDP encapsulation malformed (RFC 3948)")                                                     \
  X(esp_bad_icv, true, "ESP integrity check failed")                                                                 \
  X(esp_bad_padding, true, "ESP padding is not 1, 2, 3 ... or longer than the payload")                              \
  X(esp_bad_next_header, true, "ESP next header does not fit the mode")                                              \
  X(esp_bad_inner, true, "inner packet malformed after decapsulation")                                               \
  X(esp_bad_ecn, true, "ECN codepoints that RFC 6040 4.2 says to drop")                                              \
  X(replay_late, true, "number left of the replay window")                                                           \
  X(replay_duplicate, true, "number seen before")                                                                    \
  X(number_zero, true, "sequence or packet number 0")                                                                \
  /* MACsec ingress, IEEE 802.1AE-2018 10.6 */                                                                       \
  X(macsec_untagged, true, "frame without a SecTAG on a port that validates strictly")                               \
  X(macsec_vlan_missing, true, "fewer VLAN tags than configured in clear")                                           \
  X(macsec_vlan_mismatch, true, "VLAN tag in clear differs from the configuration")                                  \
  X(macsec_short, true, "shorter than a SecTAG and ICV")                                                             \
  X(macsec_bad_version, true, "SecTAG V bit set (9.5)")                                                              \
  X(macsec_es_with_sc, true, "SecTAG ES and SC both set (9.5)")                                                      \
  X(macsec_scb_with_sc, true, "SecTAG SCB and SC both set (9.5)")                                                    \
  X(macsec_e_without_c, true, "SecTAG E set and C clear (9.5)")                                                      \
  X(macsec_bad_short_length, true, "SecTAG short length 48 or more, or reserved bits set, or not the frame's (9.7)") \
  X(macsec_bad_sci, true, "SCI in the tag is reserved")                                                              \
  X(macsec_kay_frame, true, "SecTAG E set, C clear: for the KaY, not for the controlled port")                       \
  X(macsec_no_sci, true, "no SCI in the tag and more than one candidate")                                            \
  X(macsec_unknown_sci, true, "SCI of no receive SC")                                                                \
  X(macsec_unused_sa, true, "AN of no receive SA in use")                                                            \
  X(macsec_not_valid, true, "MACsec ICV check failed")                                                               \
  X(macsec_c_without_key, true, "confidential frame that cannot be validated")

namespace linecrypt {
namespace abi {

// The codes, by the names of linecrypt::Verdict.
enum class VerdictCode : std::uint8_t {
#define LINECRYPT_VERDICT_CODE(name, drop, text) name,
  LINECRYPT_VERDICTS(LINECRYPT_VERDICT_CODE)
#undef LINECRYPT_VERDICT_CODE
};

constexpr std::uint32_t verdict_codes = 0
// NOLINTNEXTLINE(bugprone-macro-parentheses): a term of a sum
#define LINECRYPT_VERDICT_ONE(name, drop, text) +1
    LINECRYPT_VERDICTS(LINECRYPT_VERDICT_ONE)
#undef LINECRYPT_VERDICT_ONE
    ;

}  // namespace abi
}  // namespace linecrypt
