// The card ABI's version. Host, card model and kernels are compiled from these headers; a card that reports another
// major version is refused with both versions named.
//
// Everything in abi/ is C++14 without `std::` types (Vitis HLS takes no later standard): plain structs of fixed-width
// integers, little endian, with a static_assert on each offset.
#pragma once

#include <cstdint>

namespace linecrypt {
namespace abi {

constexpr std::uint32_t magic = 0x6c637970;  // register MAGIC: "pycl"
constexpr std::uint32_t version_major = 1;   // changes when host and card of different numbers cannot work together
constexpr std::uint32_t version_minor = 2;   // changes when something was added that the other side may ignore
constexpr std::uint32_t version = (version_major << 16U) | version_minor;

}  // namespace abi
}  // namespace linecrypt
