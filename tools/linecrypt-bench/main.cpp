// linecrypt-bench: figures about linecrypt, one command a subject.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "tools/linecrypt-bench/compare.hpp"
#include "tools/linecrypt-bench/cycle.hpp"
#include "tools/linecrypt-bench/gateway.hpp"
#include "tools/linecrypt-bench/latency.hpp"
#include "tools/linecrypt-bench/scale.hpp"
#include "tools/linecrypt-bench/sweep.hpp"

int main(int argc, char** argv) {
  CLI::App app{"linecrypt-bench: figures about linecrypt"};
  app.require_subcommand(1);
  int status = 0;
  linecrypt::bench::add_compare(app, status);
  linecrypt::bench::add_sweep(app, status);
  linecrypt::bench::add_latency(app, status);
  linecrypt::bench::add_gateway(app, status);
  linecrypt::bench::add_cycle(app, status);
  linecrypt::bench::add_scale(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "linecrypt-bench: {}\n", error.what());
    return 1;
  }
  return status;
}
