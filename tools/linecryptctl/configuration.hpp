// Loading a configuration that a command works with (not the one it checks).
#pragma once

#include <optional>
#include <string>

#include "host/config/config.hpp"
#include "tools/linecryptctl/command.hpp"

namespace linecrypt::ctl {

// None when the file has errors; they are said, each with its place, and session.exit is Exit::usage.
std::optional<config::Config> load_configuration(Session& session, const std::string& path);

}  // namespace linecrypt::ctl
