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
  live.label = label;
  return live;
}

}  // namespace

SaListing listing(const LiveSa& sa) {
  SaListing listing;
  listing.id = sa.id;
  listing.label = sa.label;
  listing.protocol = sa.sci ? "macsec" : "esp";
  listing.direction = sa.direction == Direction::egress ? "egress" : "ingress";
  listing.algorithm = sa.algorithm;
  listing.spi = sa.spi;
  if (sa.sci) listing.sci = fmt::format("{}/{}", sa.sci->address.text(), sa.sci->port);
  listing.an = sa.an;
  listing.replay_window = sa.replay_window;
  listing.static_key = sa.life == keys::KeyLife::persistent;
  return listing;
}

LiveSa describe(const EspSa& sa, const std::string& label) {
  LiveSa live = describe_common(sa, label, sa.esn);
  live.soft_seconds = sa.lifetime.soft.seconds;
  live.hard_seconds = sa.lifetime.hard.seconds;
  live.algorithm = text_of(sa.algorithm);
  live.spi = sa.spi;
  if (sa.direction == Direction::ingress) live.replay_window = sa.replay_disabled ? 0 : sa.replay_window;
  return live;
}

LiveSa describe(const MacsecSa& sa, const std::string& label) {
  LiveSa live = describe_common(sa, label, is_xpn(sa.secy.suite));
  live.algorithm = text_of(sa.secy.suite);
  live.sci = sa.sci;
  live.an = sa.an;
  if (sa.direction == Direction::ingress && sa.secy.replay_protect) live.replay_window = sa.secy.replay_window;
  return live;
}

}  // namespace linecrypt::control
