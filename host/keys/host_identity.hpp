// HostIdentity: host.key, and the proof that it was made on this host.
#pragma once

#include <string>
#include <vector>

#include "host/keys/state_files.hpp"
#include "linecrypt/result.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::keys {

struct HostIdentity {
  Secret<32> naming_key;   // names number spaces
  Secret<32> journal_key;  // authenticates journal and witness
};

inline constexpr const char* machine_id_file = "/etc/machine-id";

// Reads host.key, or makes it when neither it nor a journal exists. It is bound to the machine-id; where the host has
// none, to a random host.id beside it, which is said in `messages` (a copied directory then looks like this host's).
// Refuses a key of another host, and a journal without its key. Under the directory's lock.
Result<HostIdentity> open_identity(StateFiles& files, const std::string& machine_id_path,
                                   std::vector<std::string>& messages);

}  // namespace linecrypt::keys
