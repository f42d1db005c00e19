#include "tools/linecryptctl/configuration.hpp"

#include <fmt/format.h>

#include "host/config/load.hpp"

namespace linecrypt::ctl {

std::optional<config::Config> load_configuration(Session& session, const std::string& path) {
  config::Loaded loaded = config::load(path);
  if (loaded.errors.empty()) return std::move(loaded.config);
  std::string all;
  for (const config::Diagnostic& one : loaded.errors) all += "\n  " + one.text();
  session.exit = session.fail(Exit::usage, fmt::format("{}: {} error{}{}", path, loaded.errors.size(),
                                                       loaded.errors.size() == 1 ? "" : "s", all));
  return std::nullopt;
}

}  // namespace linecrypt::ctl
