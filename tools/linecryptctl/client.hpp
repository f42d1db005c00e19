// Asks the daemon over its Unix socket: HTTP and JSON.
#pragma once

#include <string>
#include <variant>

#include "tools/linecryptctl/command.hpp"

namespace linecrypt::ctl {

// The daemon's document, or what to exit with and say.
struct Refusal {
  Exit exit = Exit::unreachable;
  std::string message;
};
using Answer = std::variant<Json, Refusal>;

Answer get(const Session& session, const std::string& path);
Answer post(const Session& session, const std::string& path);

// Gets `path` and hands the document to `show`; with --json prints it as it came. The usual body of a command.
Exit show(Session& session, const std::string& path, const std::function<void(const Json&)>& text);

// A member that is an object or a list; an empty object where it is absent. Lives as long as `document`.
const Json& part(const Json& document, const char* name);

[[nodiscard]] bool is_true(const Json& document, const char* name);

// Fields of a document for a table: text of a string, number or boolean; "-" for null and what is absent.
std::string field(const Json& object, const char* name);

}  // namespace linecrypt::ctl
