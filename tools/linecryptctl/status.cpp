// linecryptctl status: the running gateway at a glance.
#include <fmt/format.h>

#include "tools/linecryptctl/client.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

std::string to_text(const Json& status) {
  const Json& offload = part(status, "offload");
  const Json& buffers = part(status, "buffers");
  const Json& keys = part(status, "key_memory");
  Table table({{"GATEWAY"}, {field(status, "name")}});
  table.add({"version", fmt::format("{}, pid {}, up {} s", field(status, "version"), field(status, "pid"),
                                    field(status, "uptime_seconds"))});
  table.add({"offload", fmt::format("{}: engine {}, {}", field(offload, "mode"), field(offload, "engine"),
                                    field(offload, "provider"))});
  // A card in the engine: where the SAs are, and what has happened. Or why there is none.
  if (const Json& failover = part(offload, "failover"); !failover.empty()) {
    const Json& sas = part(failover, "sas");
    table.add(
        {field(failover, "primary"),
         fmt::format("{}: {} SAs there, {} elsewhere, {} moving; {} failovers, {} returns, {} ms without it",
                     field(failover, "state"), field(sas, "primary"), field(sas, "secondary"), field(sas, "moving"),
                     field(failover, "failovers"), field(failover, "returns"), field(failover, "away_ms"))});
  } else if (field(offload, "fallbacks") == "1") {
    table.add({"no card", field(offload, "fallback_reason")});
  }
  table.add({"self-test", field(part(status, "self_test"), "passed") == "yes" ? "passed" : "failed"});
  table.add({"ports", field(status, "ports")});
  table.add({"SAs", fmt::format("{} of {}", field(status, "sas"), field(status, "max_sas"))});
  table.add({"static ESP keys", field(status, "static_keys")});
  table.add({"buffers", fmt::format("{} free of {}", field(buffers, "free"), field(buffers, "total"))});
  table.add({"key memory", fmt::format("locked: {}, OpenSSL's: {}, not dumpable: {}", field(keys, "locked"),
                                       field(keys, "openssl_protected"), field(keys, "not_dumpable"))});
  std::string text = table.text();
  // Clear traffic that a policy lets pass must not be overlooked.
  for (const Json& policy : part(status, "request_policies"))
    text += fmt::format("\nrequest policy {}: {}", field(policy, "name"),
                        field(policy, "sealed") == "yes" ? "sealed (an SA carried traffic: clear is dropped)"
                                                         : "lets clear traffic pass while it has no SA");
  for (const char* kind : {"notes", "warnings", "problems"}) {
    const std::string singular(kind, std::string_view(kind).size() - 1);
    for (const Json& line : part(status, kind))
      if (line.is_string()) text += fmt::format("\n{}: {}", singular, line.get<std::string>());
  }
  return text;
}

Exit run(Session& session) {
  Answer answer = get(session, "/v1/status");
  if (const auto* refusal = std::get_if<Refusal>(&answer)) return session.fail(refusal->exit, refusal->message);
  const Json& status = std::get<Json>(answer);
  if (session.json)
    session.print(status);
  else
    session.say(to_text(status));
  return part(status, "problems").empty() ? Exit::ok : Exit::failed;
}

}  // namespace

void add_status(CLI::App& app, Session& session) {
  CLI::App* command = add_command(app, session, "status", "the running gateway; exit 1 while it has problems",
                                  [&session] { return run(session); });
  add_socket(command, session);
}

}  // namespace linecrypt::ctl
