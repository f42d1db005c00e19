// ECN in tunnels (RFC 6040), for packets that enter and leave one.
#pragma once

#include <array>
#include <cstdint>

namespace linecrypt::wire {

// The two low bits of the TOS or traffic class byte (RFC 3168 5).
enum class Ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

inline constexpr std::uint8_t ecn_mask = 0x03;
inline constexpr std::uint8_t dscp_mask = 0xfc;

// RFC 6040 4.1, figure 3: normal mode copies, compatibility mode (`normal` false) sends Not-ECT.
[[nodiscard]] constexpr Ecn ecn_of_outer(Ecn inner, bool normal) noexcept {
  return normal ? inner : Ecn::not_ect;
}

struct EcnOfInner {
  Ecn ecn = Ecn::not_ect;
  bool drop = false;
};

namespace detail {
inline constexpr EcnOfInner ecn_none{Ecn::not_ect, false};
inline constexpr EcnOfInner ecn_drop{Ecn::not_ect, true};
inline constexpr EcnOfInner ecn_ect0{Ecn::ect0, false};
inline constexpr EcnOfInner ecn_ect1{Ecn::ect1, false};
inline constexpr EcnOfInner ecn_ce{Ecn::ce, false};
// Columns by outer code point: Not-ECT (0), ECT(1) (1), ECT(0) (2), CE (3).
inline constexpr std::array<std::array<EcnOfInner, 4>, 4> ecn_table{{
    {ecn_none, ecn_none, ecn_none, ecn_drop},  // inner Not-ECT
    {ecn_ect1, ecn_ect1, ecn_ect1, ecn_ce},    // inner ECT(1)
    {ecn_ect0, ecn_ect1, ecn_ect0, ecn_ce},    // inner ECT(0)
    {ecn_ce, ecn_ce, ecn_ce, ecn_ce},          // inner CE
}};
}  // namespace detail

// RFC 6040 4.2, figure 4: what leaves the tunnel. An inner packet that cannot carry a mark (Not-ECT) under an outer CE
// is dropped, for the congestion would go unseen.
[[nodiscard]] constexpr EcnOfInner ecn_of_inner(Ecn inner, Ecn outer) noexcept {
  return detail::ecn_table[static_cast<std::size_t>(inner)][static_cast<std::size_t>(outer)];
}

}  // namespace linecrypt::wire
