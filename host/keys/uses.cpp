#include "host/keys/uses.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>
#include <vector>

namespace linecrypt::keys {
namespace {

// Ephemeral spaces whose SA is gone stay known, so that a key put back goes on where it stopped. The oldest are
// forgotten at this many: 10 minutes of life and 1000 SAs leave ten hours.
constexpr std::size_t ended_largest = 65536;

std::string file_name(const char* kind, const NumberSpaceId& id) {
  std::string text = kind;
  for (const std::uint8_t byte : id.bytes) text += fmt::format("{:02x}", byte);
  return text;
}

// What the nonce of a form is made of, in the words of the refusals.
const char* constant_of(NonceForm form) {
  switch (form) {
    case NonceForm::esp:
      return "key and salt";
    case NonceForm::macsec:
      return "key and SCI";
    case NonceForm::macsec_xpn:
      return "key and SSCI";
  }
  return "key";
}

}  // namespace

const char* text_of(Direction direction) noexcept {
  return direction == Direction::egress ? "egress" : "ingress";
}

class Uses::HeldClaim : public Claim {
 public:
  HeldClaim(const NumberSpace& names, std::shared_ptr<Uses> uses) : names_(names), uses_(std::move(uses)) {}
  HeldClaim(const HeldClaim&) = delete;
  HeldClaim& operator=(const HeldClaim&) = delete;

  ~HeldClaim() override {
    if (!complete_) {
      release();
      return;
    }
    uses_->end(names_);
    // Without the directory's lock the files stay; nobody holds them and the next open removes them.
    if (const auto hold = uses_->lock()) release();
  }
  [[nodiscard]] const NumberSpaceId& space() const noexcept override { return names_.space; }

  // Under lock() until complete().
  void add(std::string name, FileDescriptor lock) { locks_.emplace_back(std::move(name), std::move(lock)); }
  void complete() { complete_ = true; }

 private:
  void release() {
    for (auto& [name, lock] : locks_) uses_->locks_->release(name, std::move(lock));
  }

  NumberSpace names_;
  std::shared_ptr<Uses> uses_;
  std::vector<std::pair<std::string, FileDescriptor>> locks_;
  bool complete_ = false;
};

Result<std::shared_ptr<Uses>> Uses::open(const std::string& directory, std::unique_ptr<DirectoryLock> lock) {
  auto locks = ClaimLocks::open(directory);
  if (!locks) return locks.error();
  return std::shared_ptr<Uses>(new Uses(std::move(lock), std::move(*locks)));
}

Result<void> Uses::check(const NumberSpace& names) const {
  auto use = uses_.find(names.space);
  if (use == uses_.end()) {
    const auto party = parties_.find(names.party);
    if (party == parties_.end()) return {};
    use = uses_.find(party->second);
  }
  const Direction theirs = use->second.names.direction;
  if (theirs != names.direction) {
    return Error{fmt::format("equal {} for egress and ingress: {} is the {} user; each direction needs its own",
                             constant_of(names.form), use->second.label, text_of(theirs))};
  }
  return Error{fmt::format("equal {} twice for {}: {} uses it already; a second user would {}", constant_of(names.form),
                           text_of(theirs), use->second.label,
                           theirs == Direction::egress ? "repeat nonces" : "accept replayed packets")};
}

// A refusal half way gives back what was taken: the claim's destructor does, still under the caller's lock().
Result<std::unique_ptr<Claim>> Uses::take(Use use) {
  const NumberSpace names = use.names;
  const std::string text = fmt::format("{} of \"{}\" in process {}", text_of(names.direction), use.label, ::getpid());
  auto claim = std::make_unique<HeldClaim>(names, shared_from_this());
  // 1. The space, and under XPN the SSCI of the key.
  std::vector<std::string> spaces{file_name("space-", names.space)};
  if (names.party != names.space) spaces.push_back(file_name("party-", names.party));
  for (std::string& name : spaces) {
    auto attempt = names.direction == Direction::egress ? locks_->exclusive(name, text) : locks_->shared(name, text);
    if (!attempt) return attempt.error();
    if (!attempt->lock.open()) {
      return Error{fmt::format("equal {} already in use: {}; {}", constant_of(names.form), attempt->holder,
                               names.direction == Direction::egress ? "a second user would repeat nonces"
                                                                    : "egress and ingress each need their own")};
    }
    claim->add(std::move(name), std::move(attempt->lock));
  }
  // 2. The key's protocol.
  std::string key_name = file_name("key-", names.key);
  auto form = locks_->agreeing(key_name, std::string(text_of(names.form)), text);
  if (!form) return form.error();
  if (!form->lock.open()) {
    return Error{
        fmt::format("its key is asked for {} and in use for {}; nonces of two protocols could meet, each needs a key "
                    "of its own",
                    text_of(names.form), form->holder)};
  }
  claim->add(std::move(key_name), std::move(form->lock));
  // 3. Ours.
  claim->complete();
  parties_.emplace(names.party, names.space);
  uses_.emplace(names.space, std::move(use));
  return std::unique_ptr<Claim>(std::move(claim));
}

Result<std::optional<std::string>> Uses::holder(const NumberSpaceId& space) {
  return locks_->holder(file_name("space-", space));
}

const Use* Uses::ended(const NumberSpaceId& space) const {
  const auto at = ended_.find(space);
  return at == ended_.end() ? nullptr : &at->second;
}

void Uses::end(const NumberSpace& names) {
  const auto use = uses_.find(names.space);
  if (use == uses_.end()) return;
  const bool remember = use->second.life == KeyLife::ephemeral && names.direction == Direction::egress;
  if (remember && ended_.insert_or_assign(names.space, use->second).second) ended_order_.push_back(names.space);
  while (ended_order_.size() > ended_largest) {
    ended_.erase(ended_order_.front());
    ended_order_.pop_front();
  }
  uses_.erase(use);
  parties_.erase(names.party);
}

}  // namespace linecrypt::keys
