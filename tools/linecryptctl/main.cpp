// linecryptctl: looks at a configuration, at a running linecryptd, and does the data path's work on files.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>

#include "host/software/aead/openssl_memory_at_start.hpp"
#include "tools/linecryptctl/command.hpp"

using namespace linecrypt;

namespace {

// `key` and `pcap` hold keys: none of them may end in a core dump, in a debugger of another user's, or in freed memory
// of OpenSSL's.
void protect_process() {
  const rlimit no_core{0, 0};
  const bool shut = ::prctl(PR_SET_DUMPABLE, 0) == 0 && ::setrlimit(RLIMIT_CORE, &no_core) == 0;
  if (!shut || !software::protect_openssl_memory())
    static_cast<void>(std::fputs("linecryptctl: warning: memory with keys in it could not be protected\n", stderr));
}

}  // namespace

int main(int argc, char** argv) {
  protect_process();

  ctl::Session session;
  CLI::App app{"linecryptctl: control, checks and file work of linecrypt", "linecryptctl"};
  app.require_subcommand(1);
  app.footer(ctl::exit_codes_text);
  app.set_version_flag("--version", std::string("linecryptctl ") + LINECRYPT_VERSION_TEXT);
  ctl::add_check(app, session);
  ctl::add_status(app, session);
  ctl::add_sa(app, session);
  ctl::add_policy(app, session);
  ctl::add_port(app, session);
  ctl::add_counters(app, session);
  ctl::add_selftest(app, session);
  ctl::add_mtu(app, session);
  ctl::add_key(app, session);
  ctl::add_pcap(app, session);
  ctl::add_card(app, session);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& wrong) {
    return static_cast<int>(session.fail(ctl::Exit::usage, std::string(wrong.what()) + " (try --help)"));
  } catch (const std::exception& e) {
    return static_cast<int>(session.fail(ctl::Exit::failed, e.what()));
  }
  if (std::fflush(stdout) != 0) return static_cast<int>(ctl::Exit::failed);
  return static_cast<int>(session.exit);
}
