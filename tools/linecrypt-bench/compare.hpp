// linecrypt-bench compare: ours and what else one could use, in one process, in turns.
#pragma once

#include <CLI/CLI.hpp>

namespace linecrypt::bench {

// Adds the command; it sets `status` to the program's exit status when it runs.
void add_compare(CLI::App& app, int& status);

}  // namespace linecrypt::bench
