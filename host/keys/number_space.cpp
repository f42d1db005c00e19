#include "host/keys/number_space.hpp"

#include <array>
#include <cstring>

#include "host/keys/hmac.hpp"
#include "linecrypt/wire/endian.hpp"

namespace linecrypt::keys {
namespace {

NumberSpaceId named(const Hmac& naming, std::string_view purpose, std::span<const std::uint8_t> key,
                    std::span<const std::uint8_t> constant) {
  return {naming(purpose, {key, constant})};
}

}  // namespace

std::string_view text_of(NonceForm form) noexcept {
  switch (form) {
    case NonceForm::esp:
      return "ESP";
    case NonceForm::macsec:
      return "MACsec";
    case NonceForm::macsec_xpn:
      return "MACsec XPN";
  }
  return "an unknown protocol";
}

NumberSpace number_space(const Hmac& naming, const EspSa& sa) {
  NumberSpace result;
  result.form = NonceForm::esp;
  result.direction = sa.direction;
  result.wide = sa.esn;
  result.space = named(naming, "aes-gcm esp", sa.key.bytes(), sa.salt.bytes());
  result.party = result.space;
  result.key = named(naming, "aes-gcm key", sa.key.bytes(), {});
  return result;
}

NumberSpace number_space(const Hmac& naming, const MacsecSa& sa) {
  NumberSpace result;
  result.direction = sa.direction;
  result.wide = is_xpn(sa.secy.suite);
  result.key = named(naming, "aes-gcm key", sa.key.bytes(), {});
  if (!result.wide) {
    std::array<std::uint8_t, 8> sci{};
    wire::store64(sci.data(), sa.sci.value());
    result.form = NonceForm::macsec;
    result.space = named(naming, "aes-gcm macsec", sa.key.bytes(), sci);
    result.party = result.space;
    return result;
  }
  std::array<std::uint8_t, 4> ssci{};
  wire::store32(ssci.data(), sa.ssci);
  std::array<std::uint8_t, 4> head = ssci;
  for (std::size_t i = 0; i < head.size() && i < sa.salt.size(); ++i) {
    head[i] = static_cast<std::uint8_t>(head[i] ^ sa.salt.bytes()[i]);
  }
  result.form = NonceForm::macsec_xpn;
  result.space = named(naming, "aes-gcm macsec xpn", sa.key.bytes(), head);
  result.party = named(naming, "aes-gcm macsec ssci", sa.key.bytes(), ssci);
  cleanse(head.data(), head.size());
  return result;
}

}  // namespace linecrypt::keys
