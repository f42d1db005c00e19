#include "host/keys/ephemeral_registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "host/keys/hmac.hpp"
#include "host/keys/number_space.hpp"

namespace linecrypt::keys {

namespace {

// Names are the output of a keyed hash: any of their bits are as good as a hash of them.
struct NameHash {
  std::size_t operator()(const NumberSpaceId& name) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, name.bytes.data(), sizeof value);
    return value;
  }
};
template <typename Value>
using ByName = std::unordered_map<NumberSpaceId, Value, NameHash>;

// What the process knows of one space. It is kept for good: forgetting it would start its numbers again.
struct Space {
  std::uint64_t next = 1;
  std::uint64_t end = 0;  // first number that may never be lent
  bool egress_in_use = false;
  std::string user;
};

struct Process {
  std::mutex mutex;
  bool ready = false;
  Hmac naming;
  ByName<Space> spaces;
  ByName<NonceForm> forms;  // by NumberSpace::key
};

Process& process() {
  // Never destroyed: claims may be released, and OpenSSL may be gone, while the program ends.
  static Process& the_process = *new Process;
  return the_process;
}

// Random bytes for naming spaces, once in a process.
Result<void> prepare(Process& state) {
  if (state.ready) return {};
  std::array<std::uint8_t, 32> random{};
  if (Result<void> filled = fill_random(random); !filled) return filled;
  state.naming = Hmac(Secret<32>(random));
  cleanse(random.data(), random.size());
  state.ready = true;
  return {};
}

// One registry's own uses, shared with its claims, which may outlive it.
struct Uses {
  struct Count {
    std::uint32_t egress = 0;
    std::uint32_t ingress = 0;
    [[nodiscard]] std::uint32_t& of(Direction direction) noexcept {
      return direction == Direction::egress ? egress : ingress;
    }
  };
  // Names of both kinds, NumberSpace::space and ::party: equal in either is a clash of directions.
  ByName<Count> counts;

  [[nodiscard]] bool used(const NumberSpaceId& name, Direction direction) noexcept {
    const auto at = counts.find(name);
    return at != counts.end() && at->second.of(direction) != 0;
  }
  void add(const NumberSpaceId& name, Direction direction) { ++counts[name].of(direction); }
  void drop(const NumberSpaceId& name, Direction direction) noexcept {
    const auto at = counts.find(name);
    if (at == counts.end()) return;
    --at->second.of(direction);
    if (at->second.egress == 0 && at->second.ingress == 0) counts.erase(at);
  }
};

class EphemeralClaim : public Claim {
 public:
  // With the process's mutex held.
  EphemeralClaim(const NumberSpace& space, std::shared_ptr<Uses> uses) : space_(space), uses_(std::move(uses)) {
    uses_->add(space_.space, space_.direction);
    if (space_.party != space_.space) uses_->add(space_.party, space_.direction);
  }
  ~EphemeralClaim() override {
    const std::lock_guard lock(process().mutex);
    uses_->drop(space_.space, space_.direction);
    if (space_.party != space_.space) uses_->drop(space_.party, space_.direction);
    if (space_.direction == Direction::egress) process().spaces[space_.space].egress_in_use = false;
  }
  EphemeralClaim(const EphemeralClaim&) = delete;
  EphemeralClaim& operator=(const EphemeralClaim&) = delete;
  [[nodiscard]] const NumberSpaceId& space() const noexcept override { return space_.space; }

 private:
  NumberSpace space_;
  std::shared_ptr<Uses> uses_;
};

std::string quoted(const std::string& label) {
  return label.empty() ? "another SA" : '"' + label + '"';
}

class InMemory final : public EphemeralRegistry {
 public:
  [[nodiscard]] NumberSpaceId egress_space(const EspSa& sa) const override { return space_of(sa); }
  [[nodiscard]] NumberSpaceId egress_space(const MacsecSa& sa) const override { return space_of(sa); }
  Result<std::unique_ptr<Claim>> claim(const EspSa& sa, KeyLife life, const std::string& label) override {
    return claim_any(sa, life, label);
  }
  Result<std::unique_ptr<Claim>> claim(const MacsecSa& sa, KeyLife life, const std::string& label) override {
    return claim_any(sa, life, label);
  }
  Result<void> enroll(const EspSa&, const std::string&, std::uint64_t) override { return no_directory(); }
  Result<void> enroll(const MacsecSa&, const std::string&, std::uint64_t) override { return no_directory(); }
  Result<void> record_ingress(std::span<const IngressMark> marks) override {
    return marks.empty() ? Result<void>() : no_directory();
  }
  [[nodiscard]] std::vector<SpaceState> spaces() const override { return {}; }  // enrolled ones: none

  [[nodiscard]] Result<SpaceState> state(const NumberSpaceId& space) const override {
    const std::lock_guard lock(process().mutex);
    SpaceState found;
    found.space = space;
    if (const auto at = process().spaces.find(space); at != process().spaces.end()) {
      found.label = at->second.user;
      found.egress_next = at->second.next;
    }
    return found;
  }

  Result<void> skip_to(const NumberSpaceId& space, std::uint64_t first) override {
    const std::lock_guard lock(process().mutex);
    const auto at = process().spaces.find(space);
    if (at == process().spaces.end() || !uses_->used(space, Direction::egress))
      return Error{"numbers: the number space is not claimed for egress here"};
    if (first < at->second.next)
      return Error{
          fmt::format("numbers: {} asked as the next one, allowed are {} and above: those below were lent before "
                      "under this key and salt",
                      first, at->second.next)};
    at->second.next = first;
    return {};
  }

  std::vector<Result<Lease>> acquire(std::span<const LeaseRequest> requests) override {
    const std::lock_guard lock(process().mutex);
    std::vector<Result<Lease>> leases;
    leases.reserve(requests.size());
    for (const LeaseRequest& request : requests) leases.push_back(lend(request));
    return leases;
  }

 private:
  static Error no_directory() {
    return {"this context has no state directory: only ephemeral keys are possible, and those are not recorded"};
  }

  template <typename AnySa>
  static NumberSpaceId space_of(const AnySa& sa) {
    const std::lock_guard lock(process().mutex);
    return number_space(process().naming, sa).space;
  }

  Result<Lease> lend(const LeaseRequest& request) {
    const auto at = process().spaces.find(request.space);
    if (at == process().spaces.end() || !uses_->used(request.space, Direction::egress))
      return Error{"lease: the number space is not claimed for egress here"};
    Space& space = at->second;
    if (request.size == 0 || request.size > lease_largest)
      return Error{fmt::format("lease: {} numbers asked, allowed are 1 to {}", request.size, lease_largest)};
    if (space.next >= space.end) return Error{"lease: the number space of this key is used up; a new key is needed"};
    const Lease lease{space.next, space.next + std::min(request.size, space.end - space.next)};
    space.next = lease.end;
    return lease;
  }

  // 1. One key, one protocol. 2. One direction within a registry. 3. One egress user within the process.
  template <typename AnySa>
  Result<std::unique_ptr<Claim>> claim_any(const AnySa& sa, KeyLife life, const std::string& label) {
    if (life != KeyLife::ephemeral) return no_directory();
    const std::lock_guard lock(process().mutex);
    const NumberSpace named = number_space(process().naming, sa);
    // 1.
    if (const auto form = process().forms.find(named.key); form != process().forms.end() && form->second != named.form)
      return Error{
          fmt::format("key: used before by {}, asked for {}; nonces could repeat: a key belongs to one protocol",
                      text_of(form->second), text_of(named.form))};
    // 2.
    const bool egress = named.direction == Direction::egress;
    const Direction other = egress ? Direction::ingress : Direction::egress;
    if (uses_->used(named.space, other) || uses_->used(named.party, other))
      return Error{
          "key: in use here for the other direction with the same salt, SCI or SSCI; each direction needs a number "
          "space of its own"};
    // 3.
    Space& space = process().spaces[named.space];
    if (egress && space.egress_in_use)
      return Error{
          fmt::format("key: {} encrypts with this key and salt (or SCI) already; a second user would repeat "
                      "nonces",
                      quoted(space.user))};
    // What may throw comes before what marks the space as used.
    process().forms.emplace(named.key, named.form);
    if (egress) {
      space.user = label;
      space.end = named.end();
    }
    auto claim = std::make_unique<EphemeralClaim>(named, uses_);
    if (egress) space.egress_in_use = true;
    return std::unique_ptr<Claim>(std::move(claim));
  }

  std::shared_ptr<Uses> uses_ = std::make_shared<Uses>();
};

}  // namespace

Result<std::unique_ptr<EphemeralRegistry>> open_ephemeral_registry() {
  const std::lock_guard lock(process().mutex);
  if (Result<void> random = prepare(process()); !random) return random.error();
  return std::unique_ptr<EphemeralRegistry>(std::make_unique<InMemory>());
}

}  // namespace linecrypt::keys
