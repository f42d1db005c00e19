// Checksums of the clear packet, where a session or an mbuf asks for them (rte_security's ip_csum_enable and
// l4_csum_enable).
#pragma once

#include <cstdint>

namespace linecrypt::dpdk {

// Egress, before encapsulation. A packet too short for its headers stays as it is: the engine refuses it.
void write_ip_checksum(std::uint8_t* ip, std::uint32_t length) noexcept;
// TCP or UDP of an unfragmented packet. The IPv4 header's checksum must be right already.
void write_l4_checksum(std::uint8_t* ip, std::uint32_t length) noexcept;

// Ingress, after decapsulation: RTE_MBUF_F_RX_IP_CKSUM_* and RTE_MBUF_F_RX_L4_CKSUM_*.
[[nodiscard]] std::uint64_t checksum_flags(const std::uint8_t* ip, std::uint32_t length, bool want_ip,
                                           bool want_l4) noexcept;

}  // namespace linecrypt::dpdk
