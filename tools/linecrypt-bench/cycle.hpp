// linecrypt-bench cycle: the kernels' text, clocked.
#pragma once

#include <CLI/CLI.hpp>

namespace linecrypt::bench {

// Adds the command; it sets `status` to the program's exit status when it runs.
void add_cycle(CLI::App& app, int& status);

}  // namespace linecrypt::bench
