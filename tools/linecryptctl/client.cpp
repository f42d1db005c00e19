#include "tools/linecryptctl/client.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace linecrypt::ctl {

namespace {

// A connection of our own first: the HTTP library does not say why a socket cannot be reached.
std::string unreachable_reason(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) return "path longer than a socket's may be";
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::strerror(errno);
  const int connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  std::string reason = connected == 0 ? "" : std::strerror(errno);
  ::close(fd);
  return reason;
}

Answer ask(const Session& session, const std::string& path, bool change) {
  const std::string socket = std::filesystem::absolute(session.socket).string();
  if (const std::string reason = unreachable_reason(socket); !reason.empty())
    return Refusal{Exit::unreachable,
                   fmt::format("no linecryptd at {}: {} (another socket: --socket)", session.socket, reason)};
  httplib::Client client(socket);
  client.set_address_family(AF_UNIX);
  client.set_connection_timeout(5);
  client.set_read_timeout(120);  // a self-test of a busy card takes its time; the daemon ends it at 100 s
  const httplib::Result result = change ? client.Post(path) : client.Get(path);
  if (!result)
    return Refusal{Exit::unreachable, fmt::format("linecryptd at {} gave no answer: {}", session.socket,
                                                  httplib::to_string(result.error()))};
  Json document = Json::parse(result->body, nullptr, false);
  if (!document.is_object())
    return Refusal{
        Exit::unreachable,
        fmt::format("what answers at {} is no linecryptd: its answer to {} is no JSON object", session.socket, path)};
  if (result->status != 200) {
    const bool says = document.is_object() && document.contains("error") && document["error"].is_string();
    return Refusal{Exit::refused,
                   fmt::format("linecryptd refused {}: {}", path,
                               says ? document["error"].get<std::string>() : fmt::format("status {}", result->status))};
  }
  return document;
}

}  // namespace

Answer get(const Session& session, const std::string& path) {
  return ask(session, path, false);
}
Answer post(const Session& session, const std::string& path) {
  return ask(session, path, true);
}

Exit show(Session& session, const std::string& path, const std::function<void(const Json&)>& text) {
  const Answer answer = get(session, path);
  if (const auto* refusal = std::get_if<Refusal>(&answer)) return session.fail(refusal->exit, refusal->message);
  const Json& document = std::get<Json>(answer);
  if (session.json)
    session.print(document);
  else
    text(document);
  return Exit::ok;
}

const Json& part(const Json& document, const char* name) {
  static const Json nothing = Json::object();
  const auto found = document.find(name);
  return found != document.end() && found->is_structured() ? *found : nothing;
}

bool is_true(const Json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_boolean() && found->get<bool>();
}

std::string field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "-";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_boolean()) return found->get<bool>() ? "yes" : "no";
  return found->dump();
}

}  // namespace linecrypt::ctl
