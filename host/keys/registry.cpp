#include "host/keys/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "host/keys/journal.hpp"
#include "host/keys/number_space.hpp"
#include "host/keys/registry_files.hpp"
#include "host/keys/uses.hpp"

namespace linecrypt::keys {
namespace {

class Registry : public KeyRegistry {
 public:
  Registry(std::unique_ptr<StateFiles> files, std::shared_ptr<Uses> uses, HostIdentity identity,
           std::unique_ptr<Journal> journal, std::vector<std::string> messages)
      : files_(std::move(files)),
        naming_(identity.naming_key),
        uses_(std::move(uses)),
        journal_(std::move(journal)),
        messages_(std::move(messages)) {}

  [[nodiscard]] NumberSpaceId egress_space(const EspSa& sa) const override { return number_space(naming_, sa).space; }
  [[nodiscard]] NumberSpaceId egress_space(const MacsecSa& sa) const override {
    return number_space(naming_, sa).space;
  }
  Result<std::unique_ptr<Claim>> claim(const EspSa& sa, KeyLife life, const std::string& label) override {
    return claim_space(number_space(naming_, sa), life, label);
  }
  Result<std::unique_ptr<Claim>> claim(const MacsecSa& sa, KeyLife life, const std::string& label) override {
    return claim_space(number_space(naming_, sa), life, label);
  }
  Result<void> enroll(const EspSa& sa, const std::string& label, std::uint64_t egress_next) override {
    return enroll_space(number_space(naming_, sa), label, egress_next);
  }
  Result<void> enroll(const MacsecSa& sa, const std::string& label, std::uint64_t egress_next) override {
    return enroll_space(number_space(naming_, sa), label, egress_next);
  }
  Result<void> forget(const NumberSpaceId& space) override;
  void note_sent(const NumberSpaceId& space, std::uint64_t last_sent) override;
  std::vector<Result<Lease>> acquire(std::span<const LeaseRequest> requests) override;
  Result<void> record_ingress(std::span<const IngressMark> marks) override;
  [[nodiscard]] Result<SpaceState> state(const NumberSpaceId& space) const override;
  [[nodiscard]] std::vector<SpaceState> spaces() const override;
  [[nodiscard]] std::vector<std::string> take_messages() override {
    std::vector<std::string> out = std::exchange(messages_, {});
    for (std::string& message : journal_->take_messages()) out.push_back(std::move(message));
    return out;
  }

 private:
  Result<std::unique_ptr<Claim>> claim_space(const NumberSpace& names, KeyLife life, const std::string& label);
  Result<void> enroll_space(const NumberSpace& names, const std::string& label, std::uint64_t egress_next);
  [[nodiscard]] Result<Use> start_of(const NumberSpace& names, KeyLife life, const std::string& label) const;
  // One request against `use`, which moves only when the lease goes out.
  [[nodiscard]] Result<Lease> lend(const Use& use, std::uint64_t size) const;
  Result<DirectoryLock::Hold> lock_and_refresh();
  [[nodiscard]] const SpaceRecord* record_of(const NumberSpaceId& space) const {
    const auto at = journal_->spaces().find(space);
    return at == journal_->spaces().end() ? nullptr : &at->second;
  }

  std::unique_ptr<StateFiles> files_;
  Hmac naming_;
  std::shared_ptr<Uses> uses_;
  std::unique_ptr<Journal> journal_;
  std::vector<std::string> messages_;
};

Result<DirectoryLock::Hold> Registry::lock_and_refresh() {
  auto hold = uses_->lock();
  if (!hold) return hold;
  if (auto fresh = journal_->refresh(); !fresh) return fresh.error();
  return hold;
}

// Where the space begins, or why it must not.
Result<Use> Registry::start_of(const NumberSpace& names, KeyLife life, const std::string& label) const {
  Use use{names, life, label, 1, 0, false};
  const SpaceRecord* const record = record_of(names.space);
  if (life == KeyLife::ephemeral) {
    if (record != nullptr) {
      return Error{
          fmt::format("its key is recorded on this host as static key \"{}\" and cannot be ephemeral: its "
                      "numbers would begin again",
                      record->label)};
    }
    if (const Use* const before = uses_->ended(names.space)) {
      use.next = before->next;
      use.sent = before->sent;
    }
    return use;
  }
  if (record == nullptr || !record->enrolled) {
    return Error{fmt::format("its static key is {} on this host ({}); enroll it once by name: linecryptctl key enroll",
                             record == nullptr ? "not enrolled" : "forgotten", files_->directory())};
  }
  if (record->direction != names.direction) {
    return Error{
        fmt::format("its static key is enrolled for {} as \"{}\" and cannot serve {}: each direction needs a "
                    "key of its own",
                    text_of(record->direction), record->label, text_of(names.direction))};
  }
  use.next = record->egress_next;
  use.sent = record->egress_sent;
  const std::uint64_t used = names.direction == Direction::egress ? record->egress_next : record->ingress_mark + 1;
  if (used >= names.end()) {
    return Error{fmt::format("all {} numbers of its static key are used up; give it a new key{}",
                             names.wide ? "64-bit" : "32-bit", names.wide ? "" : ", with ESN or XPN")};
  }
  return use;
}

// 1. Users here. 2. What the journal says. 3. Users elsewhere.
Result<std::unique_ptr<Claim>> Registry::claim_space(const NumberSpace& names, KeyLife life, const std::string& label) {
  auto hold = lock_and_refresh();
  if (!hold) return hold.error();
  if (auto free = uses_->check(names); !free) return free.error();
  auto use = start_of(names, life, label);
  if (!use) return use.error();
  return uses_->take(std::move(*use));
}

Result<void> Registry::enroll_space(const NumberSpace& names, const std::string& label, std::uint64_t egress_next) {
  if (egress_next == 0 || egress_next >= names.end()) {
    return Error{fmt::format("numbers begin at {}, allowed: 1 to {}", egress_next, names.end() - 1)};
  }
  auto hold = lock_and_refresh();
  if (!hold) return hold.error();
  SpaceRecord record;
  if (const SpaceRecord* known = record_of(names.space)) {
    if (known->enrolled) {
      return Error{
          fmt::format("its key is enrolled already, for {} as \"{}\"", text_of(known->direction), known->label)};
    }
    if (known->direction != names.direction) {
      return Error{fmt::format("its key served {} before, as \"{}\", and cannot serve {}", text_of(known->direction),
                               known->label, text_of(names.direction))};
    }
    record = *known;
  }
  record.label = label.substr(0, journal_label_largest);
  record.direction = names.direction;
  record.enrolled = true;
  if (names.direction == Direction::egress) {
    // What was used elsewhere was sent, as far as anybody can say.
    record.egress_next = std::max(record.egress_next, egress_next);
    record.egress_sent = std::max(record.egress_sent, egress_next - 1);
  } else {
    record.ingress_mark = std::max(record.ingress_mark, egress_next - 1);
  }
  return journal_->append(std::vector<Journal::Change>{{names.space, record}});
}

Result<void> Registry::forget(const NumberSpaceId& space) {
  auto hold = lock_and_refresh();
  if (!hold) return hold.error();
  const SpaceRecord* const known = record_of(space);
  if (known == nullptr || !known->enrolled) return Error{"this key is not enrolled"};
  auto user = uses_->holder(space);
  if (!user) return user.error();
  if (user->has_value()) return Error{fmt::format("\"{}\" is in use: {}; stop that first", known->label, **user)};
  SpaceRecord record = *known;
  record.enrolled = false;
  return journal_->append(std::vector<Journal::Change>{{space, record}});
}

void Registry::note_sent(const NumberSpaceId& space, std::uint64_t last_sent) {
  Use* const use = uses_->find(space);
  if (use == nullptr || last_sent <= use->sent) return;
  use->sent = last_sent;
  use->sent_dirty = true;
}

// 1. Never more than DESIGN 2 allows at once. 2. Never past the end of the space. 3. Where the peer infers the high
// half, never 2^30 or more ahead of what was sent (RFC 4303 A2.2).
Result<Lease> Registry::lend(const Use& use, std::uint64_t size) const {
  if (size == 0) return Error{"a lease of 0 numbers was asked, allowed: 1 and more"};
  const std::uint64_t largest = use.names.wide ? lease_largest : lease_largest_32bit;
  std::uint64_t limit = use.names.end();
  if (use.next >= limit) {
    return Error{
        fmt::format("all {} numbers of its key are used up; it needs a new key", use.names.wide ? "64-bit" : "32-bit")};
  }
  if (use.names.wide && use.sent < limit - lead_largest) {
    limit = use.sent + lead_largest;
    if (use.next >= limit) {
      return Error{fmt::format(
          "numbers up to {} are leased or skipped while {} was the last one sent; 2^30 ahead the peer could not "
          "infer the high half (RFC 4303 A2.2), it needs a new key",
          use.next - 1, use.sent)};
    }
  }
  const std::uint64_t room = std::min(std::min(size, largest), limit - use.next);
  return Lease{use.next, use.next + room};
}

// 1. Each request against its space as the requests before it left it. 2. Persistent ones into the journal, all in one
// batch. 3. Only then they go out.
std::vector<Result<Lease>> Registry::acquire(std::span<const LeaseRequest> requests) {
  std::vector<Result<Lease>> leases;
  leases.reserve(requests.size());
  const bool durable = std::any_of(requests.begin(), requests.end(), [&](const LeaseRequest& request) {
    const Use* const use = uses_->find(request.space);
    return use != nullptr && use->life == KeyLife::persistent;
  });
  std::optional<Error> failure;
  std::optional<DirectoryLock::Hold> hold;
  if (durable) {
    auto locked = lock_and_refresh();
    if (locked) {
      hold.emplace(std::move(*locked));
    } else {
      failure = locked.error();
    }
  }
  // 1.
  std::map<NumberSpaceId, Use> staged;
  for (const LeaseRequest& request : requests) {
    const Use* const known = uses_->find(request.space);
    if (known == nullptr || known->names.direction != Direction::egress) {
      leases.emplace_back(Error{"lease: the number space is not claimed for egress by this process"});
      continue;
    }
    Use& use = staged.try_emplace(request.space, *known).first->second;
    if (use.life == KeyLife::persistent) {
      if (failure) {
        leases.emplace_back(*failure);
        continue;
      }
      const SpaceRecord* const record = record_of(request.space);
      if (record == nullptr || !record->enrolled) {
        leases.emplace_back(Error{fmt::format("its record is gone from {}/journal", files_->directory())});
        continue;
      }
      use.next = std::max(use.next, record->egress_next);
    }
    leases.push_back(lend(use, request.size));
    if (leases.back()) use.next = leases.back()->end;
  }
  // 2.
  std::vector<Journal::Change> changes;
  for (auto& [space, use] : staged) {
    if (use.life != KeyLife::persistent || use.next == uses_->find(space)->next) continue;
    SpaceRecord record = *record_of(space);
    record.egress_next = use.next;
    record.egress_sent = std::max(record.egress_sent, use.sent);
    changes.push_back({space, std::move(record)});
    use.sent_dirty = false;
  }
  const Result<void> written = changes.empty() ? Result<void>() : journal_->append(changes);
  // 3.
  for (std::size_t i = 0; i < leases.size(); ++i) {
    if (written || !leases[i]) continue;
    if (staged.find(requests[i].space)->second.life == KeyLife::persistent) leases[i] = written.error();
  }
  for (auto& [space, use] : staged) {
    if (written || use.life == KeyLife::ephemeral) *uses_->find(space) = std::move(use);
  }
  return leases;
}

Result<void> Registry::record_ingress(std::span<const IngressMark> marks) {
  std::map<NumberSpaceId, SpaceRecord> changed;
  const bool sent = std::any_of(uses_->all().begin(), uses_->all().end(), [](const auto& use) {
    return use.second.life == KeyLife::persistent && use.second.sent_dirty;
  });
  if (marks.empty() && !sent) return {};
  auto hold = lock_and_refresh();
  if (!hold) return hold.error();
  // 1. Marks that moved. One that has no record does not hold up the others.
  std::optional<Error> unknown;
  for (const IngressMark& mark : marks) {
    const SpaceRecord* const known = record_of(mark.space);
    if (known == nullptr || known->direction != Direction::ingress) {
      unknown = Error{"an ingress mark of a number space that is not enrolled for ingress was not recorded"};
      continue;
    }
    SpaceRecord& record = changed.try_emplace(mark.space, *known).first->second;
    record.ingress_mark = std::max(record.ingress_mark, mark.mark);
  }
  // 2. What was sent.
  for (const auto& [space, use] : uses_->all()) {
    if (use.life != KeyLife::persistent || !use.sent_dirty) continue;
    const SpaceRecord* const known = record_of(space);
    if (known == nullptr) continue;
    SpaceRecord& record = changed.try_emplace(space, *known).first->second;
    record.egress_sent = std::max(record.egress_sent, use.sent);
  }
  // 3. One batch.
  std::vector<Journal::Change> changes;
  for (auto& [space, record] : changed) {
    if (record != *record_of(space)) changes.push_back({space, std::move(record)});
  }
  if (auto written = journal_->append(changes); !written) return written;
  for (auto& [space, use] : uses_->all()) use.sent_dirty = use.sent_dirty && use.life == KeyLife::ephemeral;
  return unknown ? Result<void>(*unknown) : Result<void>();
}

SpaceState state_of(const NumberSpaceId& space, const SpaceRecord& record) {
  return {space,          record.label, record.egress_next, record.ingress_mark, record.egress_sent, record.direction,
          record.enrolled};
}

Result<SpaceState> Registry::state(const NumberSpaceId& space) const {
  if (const Use* const use = uses_->find(space); use != nullptr && use->life == KeyLife::ephemeral) {
    return SpaceState{space, use->label, use->next, 0, use->sent, use->names.direction, false};
  }
  const SpaceRecord* const record = record_of(space);
  if (record == nullptr) return Error{"this number space has no record and no user here"};
  return state_of(space, *record);
}

std::vector<SpaceState> Registry::spaces() const {
  std::vector<SpaceState> result;
  // As of now where the files can be read, else as last known.
  const auto hold = uses_->lock();
  if (hold) static_cast<void>(journal_->refresh().ok());
  for (const auto& [space, record] : journal_->spaces()) result.push_back(state_of(space, record));
  std::sort(result.begin(), result.end(), [](const SpaceState& a, const SpaceState& b) { return a.label < b.label; });
  return result;
}

}  // namespace

Result<void> KeyRegistry::forget(const NumberSpaceId& /*space*/) {
  return Error{"this registry keeps no records: there is nothing to forget"};
}
void KeyRegistry::note_sent(const NumberSpaceId& /*space*/, std::uint64_t /*last_sent*/) {}
std::vector<std::string> KeyRegistry::take_messages() {
  return {};
}

Result<std::unique_ptr<KeyRegistry>> open_registry(std::unique_ptr<StateFiles> files, const std::string& lock_directory,
                                                   const RegistryOptions& options) {
  // 1. The lock first: another process may be making the same files.
  auto lock = DirectoryLock::open(lock_directory);
  if (!lock) return lock.error();
  auto hold = (*lock)->acquire();
  if (!hold) return hold.error();
  // 2. Who this host is; where its numbers stand; who uses them.
  std::vector<std::string> messages;
  auto identity = open_identity(*files, options.machine_id, messages);
  if (!identity) return identity.error();
  auto journal = Journal::open(*files, std::move(identity->journal_key));
  if (!journal) return journal.error();
  (*journal)->set_compaction_threshold(options.compaction_threshold);
  auto uses = Uses::open(lock_directory, std::move(*lock));
  if (!uses) return uses.error();
  return std::unique_ptr<KeyRegistry>(std::make_unique<Registry>(
      std::move(files), std::move(*uses), std::move(*identity), std::move(*journal), std::move(messages)));
}

Result<std::unique_ptr<KeyRegistry>> KeyRegistry::open(const std::string& state_directory) {
  auto files = open_state_files(state_directory);
  if (!files) return files.error();
  return open_registry(std::move(*files), state_directory);
}

}  // namespace linecrypt::keys
