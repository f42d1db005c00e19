// NumberSpace: the name of the GCM nonce space that an SA's key opens, and what must not meet in it.
#pragma once

#include <cstdint>
#include <string_view>

#include "host/keys/hmac.hpp"
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/lease.hpp"
#include "linecrypt/macsec.hpp"

namespace linecrypt::keys {

// How a protocol makes a nonce. Nonces of two forms under one key could meet: one key has one form.
enum class NonceForm : std::uint8_t { esp = 1, macsec = 2, macsec_xpn = 3 };
[[nodiscard]] std::string_view text_of(NonceForm form) noexcept;

struct NumberSpace {
  // (algorithm family AES-GCM, key, and what of the nonce is constant). GCM and GMAC of one key share it.
  //   ESP          salt (RFC 4106 4)
  //   MACsec       SCI (IEEE 802.1AE-2018 14.5)
  //   MACsec XPN   first 4 bytes of salt xor SSCI (14.7): the other 8 are xored with the PN, so they separate nothing
  NumberSpaceId space;
  // XPN: (key, SSCI), which two users of a key must not share whatever their salts. Else equal to `space`.
  NumberSpaceId party;
  NumberSpaceId key;  // the key alone
  NonceForm form = NonceForm::esp;
  Direction direction = Direction::egress;
  bool wide = true;  // 64-bit numbers (ESN, XPN); else 32-bit

  // First number that may never be lent. The last of 64 bits is not lent, so that ends stay exclusive.
  [[nodiscard]] std::uint64_t end() const noexcept { return wide ? ~std::uint64_t{0} : std::uint64_t{1} << 32U; }
};

// `naming` is under the host's naming key.
[[nodiscard]] NumberSpace number_space(const Hmac& naming, const EspSa& sa);
[[nodiscard]] NumberSpace number_space(const Hmac& naming, const MacsecSa& sa);

}  // namespace linecrypt::keys
