// What a bitstream's mode leaves in its chains, and how many SAs its tables have room for. The link step says both
// (firmware_hls/link/build.py).
#pragma once

#include "firmware_hls/chain/chain.hpp"
#include "firmware_hls/control/facts.hpp"

#if !defined(LINECRYPT_SA_COUNT)
#define LINECRYPT_SA_COUNT 1024
#endif

namespace linecrypt {
namespace firmware {

constexpr u32 sa_count = LINECRYPT_SA_COUNT;

#if defined(LINECRYPT_MODE_ESP)
constexpr abi::CardMode card_mode = abi::CardMode::esp;
using EspOut = EspEncapsulate<sa_count>;
using MacsecOut = Pass;
using MacsecIn = Pass;
using EspIn = EspDecapsulate<sa_count>;
#elif defined(LINECRYPT_MODE_MACSEC)
constexpr abi::CardMode card_mode = abi::CardMode::macsec;
using EspOut = Pass;
using MacsecOut = MacsecProtect<sa_count>;
using MacsecIn = MacsecValidate<sa_count>;
using EspIn = Pass;
#else
constexpr abi::CardMode card_mode = abi::CardMode::both;
using EspOut = EspEncapsulate<sa_count>;
using MacsecOut = MacsecProtect<sa_count>;
using MacsecIn = MacsecValidate<sa_count>;
using EspIn = EspDecapsulate<sa_count>;
#endif

using EgressChain = Chain<EspOut, MacsecOut>;
using IngressChain = Chain<MacsecIn, EspIn>;

}  // namespace firmware
}  // namespace linecrypt
