// linecryptctl counters: where every frame went, by name.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "linecrypt/verdict.hpp"
#include "tools/linecryptctl/client.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

std::optional<Verdict> verdict_named(const std::string& wanted) {
  for (std::size_t v = 0; v < verdict_count; ++v)
    if (name(static_cast<Verdict>(v)) == wanted) return static_cast<Verdict>(v);
  return std::nullopt;
}

// A daemon newer than this tool may know verdicts that we do not.
std::string what_it_says(const std::string& verdict) {
  const std::optional<Verdict> known = verdict_named(verdict);
  if (!known) return "not known to this version";
  return fmt::format("{}{}", is_drop(*known) ? "dropped: " : "", describe(*known));
}

bool counts(const Json& value, bool all) {
  return value.is_number_unsigned() && (all || value.get<std::uint64_t>() != 0);
}

// Names and values of an object, those that count.
void add_rows(Table& table, const std::string& where, const Json& values, bool all) {
  if (!values.is_object()) return;
  for (const auto& [key, value] : values.items())
    if (counts(value, all)) table.add({where, key, value.dump()});
}

void print(const Session& session, const Json& document, bool all) {
  Table verdicts({{"PORT"}, {"FRAMES", Align::right}, {"VERDICT"}, {"WHAT IT SAYS"}});
  Table others({{"WHERE"}, {"COUNTER"}, {"VALUE", Align::right}});
  for (const Json& port : part(document, "ports")) {
    const std::string port_name = field(port, "name");
    for (const auto& [verdict, value] : part(port, "verdicts").items())
      if (counts(value, all)) verdicts.add({port_name, value.dump(), verdict, what_it_says(verdict)});
    for (const char* group : {"counters", "before_pipeline", "device_counters"})
      add_rows(others, fmt::format("port {} {}", port_name, group), part(port, group), all);
  }
  for (const Json& policy : part(document, "policies"))
    add_rows(others, "policy " + field(policy, "name"), part(policy, "counters"), all);
  for (const Json& secy : part(document, "macsec"))
    for (const auto& [scope, values] : part(secy, "counters").items())
      add_rows(others, fmt::format("macsec {} {}", field(secy, "port"), scope), values, all);
  for (const Json& sa : part(document, "sas")) add_rows(others, "sa " + field(sa, "label"), part(sa, "counters"), all);

  session.say(verdicts.empty() ? "no frame yet" : verdicts.text());
  if (!others.empty()) session.say("\n" + others.text());
  if (!all) session.say("\nCounters at zero are not shown; --all shows them.");
}

}  // namespace

void add_counters(CLI::App& app, Session& session) {
  auto all = std::make_shared<bool>(false);
  CLI::App* command =
      add_command(app, session, "counters", "frames by verdict, with what each means; non-zero ones", [&session, all] {
        return show(session, "/v1/counters", [&session, all](const Json& document) { print(session, document, *all); });
      });
  command->add_flag("--all", *all, "counters at zero too");
  add_socket(command, session);
}

}  // namespace linecrypt::ctl
