// linecrypt-bench scale: what many SAs cost.
#pragma once

#include <CLI/CLI.hpp>

namespace linecrypt::bench {

// Adds the command; it sets `status` to the program's exit status when it runs.
void add_scale(CLI::App& app, int& status);

}  // namespace linecrypt::bench
