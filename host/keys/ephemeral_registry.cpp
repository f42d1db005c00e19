#include "host/keys/ephemeral_registry.hpp"

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>
#include <absl/container/node_hash_map.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

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

// What the process knows of one name, NumberSpace::space or ::party: equal in either is a clash of directions. One that
// ever was for egress is kept for good: forgetting it would start its numbers again.
struct Space {
  // Claims of one registry.
  struct Uses {
    std::uint64_t registry = 0;
    std::uint32_t egress = 0;
    std::uint32_t ingress = 0;
    [[nodiscard]] std::uint32_t& of(Direction direction) noexcept {
      return direction == Direction::egress ? egress : ingress;
    }
  };

  using UsesList = absl::InlinedVector<Uses, 1>;  // seldom of more than one registry

  [[nodiscard]] bool used(std::uint64_t registry, Direction direction) noexcept {
    const auto at = find(registry);
    return at != uses.end() && at->of(direction) != 0;
  }
  // add() throws only where this has not been called since the last one.
  void make_room() { uses.reserve(uses.size() + 1); }
  void add(std::uint64_t registry, Direction direction) {
    auto at = find(registry);
    if (at == uses.end()) at = uses.insert(at, {.registry = registry});
    ++at->of(direction);
  }
  void drop(std::uint64_t registry, Direction direction) noexcept {
    const auto at = find(registry);
    if (--at->of(direction) == 0 && at->egress == 0 && at->ingress == 0) uses.erase(at);
  }
  [[nodiscard]] bool encrypts() const noexcept {
    return std::ranges::any_of(uses, [](const Uses& one) { return one.egress != 0; });
  }
  [[nodiscard]] bool forgettable() const noexcept { return uses.empty() && end == 0; }

  std::uint64_t next = 1;
  std::uint64_t end = 0;  // first number that may never be lent; 0: never claimed for egress
  std::string user;
  UsesList uses;

 private:
  UsesList::iterator find(std::uint64_t registry) noexcept {
    return std::ranges::find(uses, registry, &Uses::registry);
  }
};
// A space stays where it is while it is known, so that a claim finds it without asking again.
using Spaces = absl::node_hash_map<NumberSpaceId, Space, NameHash>;

struct Process {
  std::mutex mutex;
  bool ready = false;
  Hmac naming;
  Spaces spaces;
  absl::flat_hash_map<NumberSpaceId, NonceForm, NameHash> forms;  // by NumberSpace::key
  std::uint64_t registries = 0;                                   // opened so far: names the next
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

void forget_unused(Spaces& spaces, const Spaces::value_type& name) noexcept {
  if (name.second.forgettable()) spaces.erase(spaces.find(name.first));
}

// The names of a space while it is asked for: known from now on only if somebody uses them then.
struct Known {
  // With the process's mutex held, to the end.
  Known(Spaces& in, const NumberSpace& named)
      : spaces(in),
        space(*in.try_emplace(named.space).first),
        party(named.party == named.space ? space : *in.try_emplace(named.party).first) {}
  ~Known() {
    if (&party != &space) forget_unused(spaces, party);
    forget_unused(spaces, space);
  }
  Known(const Known&) = delete;
  Known& operator=(const Known&) = delete;

  Spaces& spaces;
  Spaces::value_type& space;
  Spaces::value_type& party;  // `space` itself where they are one
};

// A use of the space's names by one registry, which the claim may outlive.
class EphemeralClaim : public Claim {
 public:
  // With the process's mutex held. `party`: `space` itself where they are one.
  EphemeralClaim(std::uint64_t registry, Direction direction, Spaces::value_type& space, Spaces::value_type& party)
      : registry_(registry), direction_(direction), space_(space), party_(party) {
    space_.second.make_room();
    party_.second.make_room();
    space_.second.add(registry_, direction_);
    if (&party_ != &space_) party_.second.add(registry_, direction_);
  }
  ~EphemeralClaim() override {
    const std::lock_guard lock(process().mutex);
    Spaces& spaces = process().spaces;
    if (&party_ != &space_) {
      party_.second.drop(registry_, direction_);
      forget_unused(spaces, party_);
    }
    space_.second.drop(registry_, direction_);
    forget_unused(spaces, space_);
  }
  EphemeralClaim(const EphemeralClaim&) = delete;
  EphemeralClaim& operator=(const EphemeralClaim&) = delete;
  [[nodiscard]] const NumberSpaceId& space() const noexcept override { return space_.first; }

 private:
  std::uint64_t registry_;
  Direction direction_;
  Spaces::value_type& space_;
  Spaces::value_type& party_;
};

std::string quoted(const std::string& label) {
  return label.empty() ? "another SA" : '"' + label + '"';
}

class InMemory final : public EphemeralRegistry {
 public:
  explicit InMemory(std::uint64_t number) : number_(number) {}
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
    if (at == process().spaces.end() || !at->second.used(number_, Direction::egress))
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
    if (at == process().spaces.end() || !at->second.used(number_, Direction::egress))
      return Error{"lease: the number space is not claimed for egress here"};
    Space& space = at->second;
    if (request.size == 0 || request.size > lease_largest)
      return Error{fmt::format("lease: {} numbers asked, allowed are 1 to {}", request.size, lease_largest)};
    if (space.next >= space.end) return Error{"lease: the number space of this key is used up; a new key is needed"};
    const Lease lease{space.next, space.next + std::min(request.size, space.end - space.next)};
    space.next = lease.end;
    return lease;
  }

  // 1. One direction within a registry. 2. One egress user within the process. 3. One key, one protocol.
  // All that may throw comes before what marks the space as used.
  template <typename AnySa>
  Result<std::unique_ptr<Claim>> claim_any(const AnySa& sa, KeyLife life, const std::string& label) {
    if (life != KeyLife::ephemeral) return no_directory();
    Process& state = process();
    const std::lock_guard lock(state.mutex);
    const NumberSpace named = number_space(state.naming, sa);
    state.forms.prefetch(named.key);  // among a million it is in no cache; it comes while the space is looked for
    const Known known(state.spaces, named);
    Space& space = known.space.second;
    // 1.
    const bool egress = named.direction == Direction::egress;
    const Direction other = egress ? Direction::ingress : Direction::egress;
    if (space.used(number_, other) || known.party.second.used(number_, other))
      return Error{
          "key: in use here for the other direction with the same salt, SCI or SSCI; each direction needs a number "
          "space of its own"};
    // 2.
    if (egress && space.encrypts())
      return Error{
          fmt::format("key: {} encrypts with this key and salt (or SCI) already; a second user would repeat "
                      "nonces",
                      quoted(space.user))};
    // 3.
    const NonceForm form = state.forms.try_emplace(named.key, named.form).first->second;
    if (form != named.form)
      return Error{
          fmt::format("key: used before by {}, asked for {}; nonces could repeat: a key belongs to one protocol",
                      text_of(form), text_of(named.form))};
    if (egress) space.user = label;
    auto claim = std::make_unique<EphemeralClaim>(number_, named.direction, known.space, known.party);
    if (egress) space.end = named.end();
    return std::unique_ptr<Claim>(std::move(claim));
  }

  std::uint64_t number_;  // of this registry in the process
};

}  // namespace

Result<std::unique_ptr<EphemeralRegistry>> open_ephemeral_registry() {
  const std::lock_guard lock(process().mutex);
  if (Result<void> random = prepare(process()); !random) return random.error();
  return std::unique_ptr<EphemeralRegistry>(std::make_unique<InMemory>(++process().registries));
}

}  // namespace linecrypt::keys
