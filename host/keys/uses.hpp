// Uses: the number spaces that this process has claimed, and the locks that keep other processes out of them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "host/keys/claim_locks.hpp"
#include "host/keys/number_space.hpp"
#include "host/keys/registry.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::keys {

// One claimed space of this process.
struct Use {
  NumberSpace names;
  KeyLife life = KeyLife::ephemeral;
  std::string label;
  std::uint64_t next = 1;  // egress: never below what this process was ever lent, whatever the files say
  std::uint64_t sent = 0;
  bool sent_dirty = false;  // `sent` is ahead of the journal
};

[[nodiscard]] const char* text_of(Direction direction) noexcept;

// Shared by the registry and its claims, which may outlive it.
class Uses : public std::enable_shared_from_this<Uses> {
 public:
  // The directory exists. Under `lock`, which this takes over.
  static Result<std::shared_ptr<Uses>> open(const std::string& directory, std::unique_ptr<DirectoryLock> lock);

  Result<DirectoryLock::Hold> lock() { return lock_->acquire(); }

  // Refuses a space that meets one of this process, naming its user by label.
  [[nodiscard]] Result<void> check(const NumberSpace& names) const;
  // Under lock(), after check(): takes the locks of the space, under XPN of (key, SSCI), and of the key's protocol.
  // Refused, naming the process and its label, when another process is in the way.
  Result<std::unique_ptr<Claim>> take(Use use);
  // Who holds the space, in any process. Under lock().
  Result<std::optional<std::string>> holder(const NumberSpaceId& space);

  [[nodiscard]] std::map<NumberSpaceId, Use>& all() noexcept { return uses_; }
  [[nodiscard]] Use* find(const NumberSpaceId& space) noexcept {
    const auto at = uses_.find(space);
    return at == uses_.end() ? nullptr : &at->second;
  }
  // The last use of an ephemeral egress space that has no user now; none: it never had one.
  [[nodiscard]] const Use* ended(const NumberSpaceId& space) const;

 private:
  class HeldClaim;
  Uses(std::unique_ptr<DirectoryLock> lock, std::unique_ptr<ClaimLocks> locks)
      : lock_(std::move(lock)), locks_(std::move(locks)) {}
  void end(const NumberSpace& names);

  std::unique_ptr<DirectoryLock> lock_;
  std::unique_ptr<ClaimLocks> locks_;
  std::map<NumberSpaceId, Use> uses_;               // by space
  std::map<NumberSpaceId, NumberSpaceId> parties_;  // party -> space, of uses_
  std::map<NumberSpaceId, Use> ended_;
  std::deque<NumberSpaceId> ended_order_;
};

}  // namespace linecrypt::keys
