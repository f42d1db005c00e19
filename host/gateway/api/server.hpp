// ApiServer: HTTP over the control socket. It knows no gateway: each request is handed to one function.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/gateway/api/control_socket.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway::api {

struct Answer {
  int status = 200;
  std::string body;  // JSON
};

// Called on a thread of the server. `resource` is the path behind /v1/: "status".
using Handler = std::function<Answer(const std::string& method, const std::string& resource)>;

class ApiServer {
 public:
  // Listens at `socket` (mode 0600) and answers until destruction.
  static Result<std::unique_ptr<ApiServer>> start(ControlSocket socket, Handler handler);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

 private:
  ApiServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linecrypt::gateway::api
