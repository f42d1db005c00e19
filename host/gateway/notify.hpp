// systemd's readiness protocol (sd_notify(3)), without its library.
#pragma once

#include <string>

namespace linecrypt::gateway {

// Sends `state` ("READY=1", "STOPPING=1") to NOTIFY_SOCKET; nothing when that is not set.
void notify_service_manager(const std::string& state);

}  // namespace linecrypt::gateway
