// Devargs of net_linecrypt: those of both drivers, and what the ethdev stands on.
#pragma once

#include <string>
#include <string_view>

#include "driver/dpdk/common/devargs.hpp"

namespace linecrypt::dpdk {

// What carries the frames.
struct LowerChoice {
  enum class Kind : std::uint8_t {
    none,      // not said
    loopback,  // frames sent come back
    existing,  // an ethdev that is there: `name`
    made,      // one that we make and that goes with us: `name`, with `devargs`
  };
  Kind kind = Kind::none;
  std::string name;
  std::string devargs;  // with the name: "net_tap0,iface=dtap0"
};

// Egress frames that no SA protects.
enum class Unprotected : std::uint8_t { drop, pass };

struct NetOptions {
  DriverOptions driver;
  LowerChoice lower;
  Unprotected unprotected = Unprotected::drop;
};

Result<NetOptions> parse_net_options(std::string_view text);

}  // namespace linecrypt::dpdk
