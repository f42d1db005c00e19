// Known answers of the card's self-test: SPI 0x00010203, salt a0a1a2a3 and number 1 for ESP; SCI 020000000001/1, AN 1,
// salt b0..bb, SSCI 0x01020304 and PN 1 for MACsec; the key is 20..3f, its first 16 bytes for AES-128. Computed from
// RFC 4303, 4106, 4543 and IEEE 802.1AE-2018 with Python's "cryptography", which shares no code with us.
#pragma once

#include <string_view>

#include "linecrypt/esp_sa.hpp"
#include "linecrypt/macsec.hpp"

namespace linecrypt::card {

inline constexpr std::string_view answer_key = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
inline constexpr std::string_view answer_esp_clear =
    "4500002d00010000401166bb0a0100010a020001c0000009001900006c696e6563727970742073656c66746573";
inline constexpr std::string_view answer_macsec_clear =
    "0200000000020200000000010800000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829"
    "2a2b2c2d";

struct EspAnswer {
  std::string_view name;
  EspAlgorithm algorithm;
  EspMode mode;
  bool esn;
  std::string_view sealed;  // behind the IP header
};
inline constexpr EspAnswer esp_answers[] = {
    {"ESP tunnel, AES-256-GCM, ESN", EspAlgorithm::aes_gcm_256, EspMode::tunnel, true,
     "000102030000000100000000000000015c0c882109460458b479e3480e97d8b2e3525f9f7252d71f42b28dba807f867e9c2e86cbfbd89cba"
     "c5546456aeeb2cb43680feca3cda6746c9fe9fce716e9d02"},
    {"ESP tunnel, AES-128-GCM", EspAlgorithm::aes_gcm_128, EspMode::tunnel, false,
     "000102030000000100000000000000011c1ed1a0f91b50d97f1872f0efcc1e1f8e0cf2e30a4e206f14f0a0d9dbb771b1c68a8869b8a903f4"
     "4b1c4293098915b717757cb0219d612b914559f8d8e6fe8d"},
    {"ESP tunnel, AES-256-GMAC, ESN", EspAlgorithm::aes_gmac_256, EspMode::tunnel, true,
     "000102030000000100000000000000014500002d00010000401166bb0a0100010a020001c0000009001900006c696e656372797074207365"
     "6c667465730101049645397cfe88de15aef85f5baadb40c8"},
    {"ESP transport, AES-128-GCM, ESN", EspAlgorithm::aes_gcm_128, EspMode::transport, true,
     "00010203000000010000000000000001991ed184f90350d953607a2e86bf676ef02e8187a628540367e8a1c8d499c133c43891c12e595392"
     "571ce0e9"},
};

struct MacsecAnswer {
  std::string_view name;
  CipherSuite suite;
  bool encrypt;
  std::string_view sealed;
};
inline constexpr MacsecAnswer macsec_answers[] = {
    {"MACsec, GCM-AES-128", CipherSuite::gcm_aes_128, true,
     "02000000000202000000000188e52d000000000102000000000100014cff7b4722a98791a2d291e14c6285ed40be42cc801c963932ea5862"
     "e462e50eb89ef7bc8bcf50a16a22d6842018806bf6aa30c8af173d54e5a728794c795a6e"},
    {"MACsec, GCM-AES-XPN-256", CipherSuite::gcm_aes_xpn_256, true,
     "02000000000202000000000188e52d00000000010200000000010001bd18d95c1c61bd6b6e968135ff67005e3cb363695a9b90e496a36fd2"
     "0217e3ed8b82af972f73f89482871334c05462284dd723a76242d8665c3ce5ac7762a27e"},
    {"MACsec, GCM-AES-XPN-128", CipherSuite::gcm_aes_xpn_128, true,
     "02000000000202000000000188e52d00000000010200000000010001913534aec927725e66363571a258fcff635bb74bdc4e15ac5437348e"
     "10471e56b4db97fdeefff67074945455a391f15e91b429e46ab7f20ca0b4fa7e47a823ba"},
    {"MACsec, GCM-AES-256, integrity only", CipherSuite::gcm_aes_256, false,
     "02000000000202000000000188e521000000000102000000000100010800000102030405060708090a0b0c0d0e0f10111213141516171819"
     "1a1b1c1d1e1f202122232425262728292a2b2c2daa5ceb78ffb244f5e2ee6c513bf32618"},
};

}  // namespace linecrypt::card
