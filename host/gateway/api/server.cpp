#include "host/gateway/api/server.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

namespace linecrypt::gateway::api {

namespace {

constexpr std::size_t threads = 2;
constexpr std::size_t longest_body = 64 << 10;

}  // namespace

struct ApiServer::Impl {
  explicit Impl(ControlSocket claimed) : socket(std::move(claimed)) {}

  ControlSocket socket;  // last to go
  httplib::Server server;
  std::thread thread;
};

ApiServer::ApiServer() = default;

Result<std::unique_ptr<ApiServer>> ApiServer::start(ControlSocket socket, Handler handler) {
  std::unique_ptr<ApiServer> made(new ApiServer);
  made->impl_ = std::make_unique<Impl>(std::move(socket));
  httplib::Server& server = made->impl_->server;
  const auto answer = [handler = std::move(handler)](const httplib::Request& request, httplib::Response& response) {
    const Answer given = handler(request.method, request.matches[1].str());
    response.status = given.status;
    response.set_content(given.body, "application/json");
  };
  server.new_task_queue = [] { return new httplib::ThreadPool(threads); };
  server.set_payload_max_length(longest_body);
  constexpr const char* pattern = "/v1/([a-z]+(?:/[a-z]+)?)";
  server.Get(pattern, answer);
  server.Post(pattern, answer);
  server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (response.body.empty())
      response.set_content(R"({"error":"no such resource; see host/gateway/api/README.md"})", "application/json");
  });
  server.set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
    response.status = 500;
    response.set_content(R"({"error":"internal error"})", "application/json");
  });

  // Only the owner may connect, from the first moment on.
  server.set_address_family(AF_UNIX);
  const std::string& path = made->impl_->socket.path();
  const mode_t before = ::umask(0177);
  const bool bound = server.bind_to_port(path, 80);
  ::umask(before);
  if (!bound) return Error{fmt::format("control socket: {}: {}", path, std::strerror(errno))};
  made->impl_->thread = std::thread([&server] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return made;
}

ApiServer::~ApiServer() {
  if (!impl_) return;
  impl_->server.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace linecrypt::gateway::api
