#include "host/control/live_sa.hpp"

#include <fmt/format.h>

namespace linecrypt::control {
namespace {

const char* text_of(EspAlgorithm algorithm) {
  constexpr const char* names[] = {"aes-gcm-128",  "aes-gcm-192",  "aes-gcm-256",
                                   "aes-gmac-128", "aes-gmac-192", "aes-gmac-256"};
  return names[static_cast<std::size_t>(algorithm)];
}

const char* text_of(CipherSuite suite) {
  constexpr const char* names[] = {"gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"};
  return names[static_cast<std::size_t>(suite)];
}

template <typename AnySa>
LiveSa describe_common(const AnySa& sa, const std::string& label, bool wide) {
  LiveSa live;
  live.direction = sa.direction;
  live.sizer = LeaseSizer(wide);
  live.listing.label = label;
  live.listing.direction = sa.direction == Direction::egress ? "egress" : "ingress";
  return live;
}

}  // namespace

LiveSa describe(const EspSa& sa, const std::string& label) {
  LiveSa live = describe_common(sa, label, sa.esn);
  live.soft_seconds = sa.lifetime.soft.seconds;
  live.hard_seconds = sa.lifetime.hard.seconds;
  live.listing.protocol = "esp";
  live.listing.algorithm = text_of(sa.algorithm);
  live.listing.spi = sa.spi;
  if (sa.direction == Direction::ingress) live.listing.replay_window = sa.replay_disabled ? 0 : sa.replay_window;
  return live;
}

LiveSa describe(const MacsecSa& sa, const std::string& label) {
  LiveSa live = describe_common(sa, label, is_xpn(sa.secy.suite));
  live.listing.protocol = "macsec";
  live.listing.algorithm = text_of(sa.secy.suite);
  live.listing.sci = fmt::format("{}/{}", sa.sci.address.text(), sa.sci.port);
  live.listing.an = sa.an;
  if (sa.direction == Direction::ingress && sa.secy.replay_protect) live.listing.replay_window = sa.secy.replay_window;
  return live;
}

}  // namespace linecrypt::control
