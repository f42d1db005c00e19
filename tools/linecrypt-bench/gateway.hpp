// linecrypt-bench gateway: frames from port to port in memory.
#pragma once

#include <CLI/CLI.hpp>

namespace linecrypt::bench {

// Adds the command; it sets `status` to the program's exit status when it runs.
void add_gateway(CLI::App& app, int& status);

}  // namespace linecrypt::bench
