// linecrypt-bench sweep: one engine over sizes, SAs and protocols.
#pragma once

#include <CLI/CLI.hpp>

namespace linecrypt::bench {

// Adds the command; it sets `status` to the program's exit status when it runs.
void add_sweep(CLI::App& app, int& status);

}  // namespace linecrypt::bench
