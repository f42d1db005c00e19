// linecrypt-bench latency: how long a burst is in the engine.
#pragma once

#include <CLI/CLI.hpp>

namespace linecrypt::bench {

// Adds the command; it sets `status` to the program's exit status when it runs.
void add_latency(CLI::App& app, int& status);

}  // namespace linecrypt::bench
