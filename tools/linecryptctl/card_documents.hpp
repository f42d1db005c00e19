// What a card tells, for people, and a card that a daemon works with. The documents are those of
// host/gateway/api/card_document.hpp, wherever they come from.
#pragma once

#include "tools/linecryptctl/command.hpp"

namespace linecrypt::ctl {

// Prints {"where", "card", "health"}, and "use" from a daemon.
void show_card(const Session& session, const Json& document);
// Prints {"where", "registers"}.
Exit show_card_registers(const Session& session, const Json& document);
// Prints {"where", "passed", "reason"}.
Exit show_card_selftest(const Session& session, const Json& document);

// Does a daemon answer at the socket that works with a card? Never with `direct`.
bool daemon_owns_card(const Session& session, bool direct);

// Each asks that daemon.
Exit daemon_card_status(const Session& session);
Exit daemon_card_selftest(const Session& session);
Exit daemon_card_dump(const Session& session);
// Waits until the card is back; SAs may return to it later.
Exit daemon_card_reset(const Session& session);

}  // namespace linecrypt::ctl
