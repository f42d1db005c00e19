#include "driver/dpdk/net/net_options.hpp"

#include <array>

namespace linecrypt::dpdk {
namespace {

constexpr std::string_view made_prefix = "dev(";

NetOptions& of(void* options) {
  return *static_cast<NetOptions*>(options);
}

bool set_lower(void* options, std::string_view value) {
  LowerChoice& lower = of(options).lower;
  if (value == "loopback") {
    lower.kind = LowerChoice::Kind::loopback;
    return true;
  }
  if (value.starts_with(made_prefix) && value.ends_with(')')) {
    value.remove_prefix(made_prefix.size());
    value.remove_suffix(1);
    lower.kind = LowerChoice::Kind::made;
    lower.devargs = value;
    lower.name = value.substr(0, value.find(','));
    return !lower.name.empty();
  }
  if (value.empty() || value.find_first_of("()") != std::string_view::npos) return false;
  lower.kind = LowerChoice::Kind::existing;
  lower.name = value;
  return true;
}

bool set_unprotected(void* options, std::string_view value) {
  if (value != "drop" && value != "pass") return false;
  of(options).unprotected = value == "pass" ? Unprotected::pass : Unprotected::drop;
  return true;
}

constexpr DevargKey keys[] = {
    {"lower",
     "loopback, the name of an ethdev that is there (net_tap0, 0000:65:00.0), or dev(<devargs>) of one to be made "
     "(dev(net_tap0,iface=dtap0))",
     set_lower},
    {"unprotected", "drop, pass", set_unprotected},
};

}  // namespace

Result<NetOptions> parse_net_options(std::string_view text) {
  NetOptions options;
  const std::array tables = {DevargTable{common_devargs(), &options.driver}, DevargTable{keys, &options}};
  if (auto parsed = parse_devargs(text, tables); !parsed) return parsed.error();
  if (options.lower.kind == LowerChoice::Kind::none)
    return Error{std::string("devargs: lower is missing; allowed: ") + std::string(keys[0].allowed)};
  if (options.driver.queues < 2)
    return Error{"devargs: queues=1; allowed: 2 to 64, receive and transmit queues together"};
  return options;
}

}  // namespace linecrypt::dpdk
