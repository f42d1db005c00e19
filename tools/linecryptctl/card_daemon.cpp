// A card that a daemon works with: the daemon is asked, over its socket.
#include <chrono>
#include <thread>

#include "tools/linecryptctl/card_documents.hpp"
#include "tools/linecryptctl/client.hpp"

namespace linecrypt::ctl {

namespace {

constexpr auto reset_longest = std::chrono::seconds(60);
constexpr auto reset_look = std::chrono::milliseconds(100);

// The daemon's document, or how it ends.
Exit ask_daemon(const Session& session, const Answer& answer, Exit (*show_it)(const Session&, const Json&)) {
  if (const auto* refusal = std::get_if<Refusal>(&answer)) return session.fail(refusal->exit, refusal->message);
  return show_it(session, std::get<Json>(answer));
}

Exit show_status(const Session& session, const Json& document) {
  show_card(session, document);
  const std::string use = field(part(document, "use"), "state");
  return use == "lost" ? Exit::failed : Exit::ok;
}

// The card proved itself behind a reset: it is watched for a while, or used already.
bool is_back(const Json& document) {
  const std::string use = field(part(document, "use"), "state");
  return use == "resting" || use == "used";
}

}  // namespace

bool daemon_owns_card(const Session& session, bool direct) {
  if (direct) return false;
  const Answer answer = get(session, "/v1/status");
  const Json* const status = std::get_if<Json>(&answer);
  if (status == nullptr) return false;
  const Json& failover = part(part(*status, "offload"), "failover");
  return failover.is_object() && !failover.empty();
}

Exit daemon_card_status(const Session& session) {
  return ask_daemon(session, get(session, "/v1/card"), show_status);
}

Exit daemon_card_selftest(const Session& session) {
  return ask_daemon(session, post(session, "/v1/card/selftest"), show_card_selftest);
}

Exit daemon_card_dump(const Session& session) {
  return ask_daemon(session, get(session, "/v1/card/registers"), show_card_registers);
}

Exit daemon_card_reset(const Session& session) {
  const Answer begun = post(session, "/v1/card/reset");
  if (const auto* refusal = std::get_if<Refusal>(&begun)) return session.fail(refusal->exit, refusal->message);
  const auto until = std::chrono::steady_clock::now() + reset_longest;
  for (;;) {
    const Answer now = get(session, "/v1/card");
    if (const auto* refusal = std::get_if<Refusal>(&now)) return session.fail(refusal->exit, refusal->message);
    const Json& document = std::get<Json>(now);
    if (is_back(document)) return show_status(session, document);
    if (std::chrono::steady_clock::now() > until)
      return session.fail(Exit::failed, "the card did not come back from its reset within 60 s: " +
                                            field(part(document, "use"), "reason"));
    std::this_thread::sleep_for(reset_look);
  }
}

}  // namespace linecrypt::ctl
