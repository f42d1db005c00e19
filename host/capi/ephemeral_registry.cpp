#include "host/capi/ephemeral_registry.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <set>

#include "linecrypt/wire/endian.hpp"

namespace linecrypt::capi {

namespace {

// What the process knows of one space. It is kept for good: forgetting it would start its numbers again.
struct Space {
  std::uint64_t next = 1;
  bool egress_in_use = false;
  std::string user;
};

// What makes a nonce of a key: spaces of different protocols under one key could meet, so one key has one protocol.
enum class NonceForm : std::uint8_t { esp = 1, macsec = 2, macsec_xpn = 3 };

struct Process {
  std::mutex mutex;
  bool ready = false;
  Secret<32> hash_key;
  std::map<NumberSpaceId, Space> spaces;
  std::map<NumberSpaceId, NonceForm> forms;  // by the hash of the key alone
};

Process& process() {
  static Process the_process;
  return the_process;
}

// 32 random bytes for the process, once.
Result<void> prepare(Process& state) {
  if (state.ready) return {};
  std::array<std::uint8_t, 32> random{};
  std::size_t have = 0;
  while (have < random.size()) {
    const ssize_t n = ::getrandom(random.data() + have, random.size() - have, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error{fmt::format("no random numbers from the system (getrandom: {})", std::strerror(errno))};
    have += static_cast<std::size_t>(n);
  }
  state.hash_key = Secret<32>(random);
  cleanse(random.data(), random.size());
  state.ready = true;
  return {};
}

NumberSpaceId hash(const Process& state, std::uint8_t domain, std::span<const std::uint8_t> key,
                   std::span<const std::uint8_t> name) {
  std::array<std::uint8_t, 2 + 32 + 16> text{};
  std::size_t length = 0;
  text[length++] = domain;
  text[length++] = static_cast<std::uint8_t>(key.size());
  std::memcpy(text.data() + length, key.data(), key.size());
  length += key.size();
  if (!name.empty()) std::memcpy(text.data() + length, name.data(), name.size());
  length += name.size();
  NumberSpaceId id;
  unsigned int size = 0;
  const auto hash_key = state.hash_key.bytes();
  HMAC(EVP_sha256(), hash_key.data(), static_cast<int>(hash_key.size()), text.data(), length, id.bytes.data(), &size);
  cleanse(text.data(), text.size());
  return id;
}

struct Named {
  NumberSpaceId space;
  NumberSpaceId key;
  NonceForm form;
};

Named name_of(const Process& state, NonceForm form, std::span<const std::uint8_t> key,
              std::span<const std::uint8_t> name) {
  return {hash(state, static_cast<std::uint8_t>(form), key, name), hash(state, 0, key, {}), form};
}

// RFC 4106 4: the nonce is salt and IV. GMAC and GCM of one key share it, so the algorithm is not part of the name.
Named name_of(const Process& state, const EspSa& sa) {
  return name_of(state, NonceForm::esp, sa.key.bytes(), sa.salt.bytes());
}

// IEEE 802.1AE-2018 14.5, 14.7: the nonce is SCI and PN, with XPN (SSCI, PN) xor salt. Salts that differ in their last
// 8 bytes only could meet at different PNs, so just the first 4 name the space.
Named name_of(const Process& state, const MacsecSa& sa) {
  std::array<std::uint8_t, 8> name{};
  if (!is_xpn(sa.secy.suite)) {
    wire::store64(name.data(), sa.sci.value());
    return name_of(state, NonceForm::macsec, sa.key.bytes(), name);
  }
  const std::uint32_t salt_head = sa.salt.size() >= 4 ? wire::load32(sa.salt.bytes().data()) : 0;
  wire::store32(name.data(), salt_head ^ sa.ssci);
  return name_of(state, NonceForm::macsec_xpn, sa.key.bytes(), name);
}

// One registry's own uses, shared with its claims, which may outlive it.
struct Uses {
  std::multiset<NumberSpaceId> egress;
  std::multiset<NumberSpaceId> ingress;
};

class EphemeralClaim : public keys::Claim {
 public:
  EphemeralClaim(NumberSpaceId space, Direction direction, std::shared_ptr<Uses> uses)
      : space_(space), direction_(direction), uses_(std::move(uses)) {}
  ~EphemeralClaim() override {
    const std::lock_guard lock(process().mutex);
    auto& mine = direction_ == Direction::egress ? uses_->egress : uses_->ingress;
    if (const auto found = mine.find(space_); found != mine.end()) mine.erase(found);
    if (direction_ == Direction::egress) process().spaces[space_].egress_in_use = false;
  }
  EphemeralClaim(const EphemeralClaim&) = delete;
  EphemeralClaim& operator=(const EphemeralClaim&) = delete;
  [[nodiscard]] const NumberSpaceId& space() const noexcept override { return space_; }

 private:
  NumberSpaceId space_;
  Direction direction_;
  std::shared_ptr<Uses> uses_;
};

std::string quoted(const std::string& label) {
  return label.empty() ? "another SA" : '"' + label + '"';
}

class EphemeralRegistry : public keys::KeyRegistry {
 public:
  [[nodiscard]] NumberSpaceId egress_space(const EspSa& sa) const override { return space_of(sa); }
  [[nodiscard]] NumberSpaceId egress_space(const MacsecSa& sa) const override { return space_of(sa); }
  Result<std::unique_ptr<keys::Claim>> claim(const EspSa& sa, keys::KeyLife life, const std::string& label) override {
    return claim_any(sa, life, label);
  }
  Result<std::unique_ptr<keys::Claim>> claim(const MacsecSa& sa, keys::KeyLife life,
                                             const std::string& label) override {
    return claim_any(sa, life, label);
  }
  Result<void> enroll(const EspSa&, const std::string&, std::uint64_t) override { return no_directory(); }
  Result<void> enroll(const MacsecSa&, const std::string&, std::uint64_t) override { return no_directory(); }
  Result<void> record_ingress(std::span<const IngressMark> marks) override {
    return marks.empty() ? Result<void>() : no_directory();
  }
  [[nodiscard]] std::vector<keys::SpaceState> spaces() const override { return {}; }  // enrolled ones: none

  [[nodiscard]] Result<keys::SpaceState> state(const NumberSpaceId& space) const override {
    const std::lock_guard lock(process().mutex);
    keys::SpaceState found;
    found.space = space;
    if (const auto at = process().spaces.find(space); at != process().spaces.end()) {
      found.label = at->second.user;
      found.egress_next = at->second.next;
    }
    return found;
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
    return name_of(process(), sa).space;
  }

  Result<Lease> lend(const LeaseRequest& request) {
    const auto at = process().spaces.find(request.space);
    if (at == process().spaces.end() || uses_->egress.count(request.space) == 0)
      return Error{"lease: the number space is not claimed for egress here"};
    Space& space = at->second;
    if (request.size == 0 || request.size > lease_largest)
      return Error{fmt::format("lease: {} numbers asked, allowed are 1 to {}", request.size, lease_largest)};
    if (space.next > std::numeric_limits<std::uint64_t>::max() - request.size)
      return Error{"lease: the number space is used up"};
    const Lease lease{space.next, space.next + request.size};
    space.next = lease.end;
    return lease;
  }

  // 1. One key, one protocol. 2. One direction within a registry. 3. One egress user within the process.
  template <typename AnySa>
  Result<std::unique_ptr<keys::Claim>> claim_any(const AnySa& sa, keys::KeyLife life, const std::string& label) {
    if (life != keys::KeyLife::ephemeral) return no_directory();
    const std::lock_guard lock(process().mutex);
    const Named named = name_of(process(), sa);
    const auto form = process().forms.find(named.key);
    if (form != process().forms.end() && form->second != named.form)
      return Error{
          "key: used before under another protocol or nonce form (ESP, MACsec, MACsec XPN), where nonces could "
          "repeat; a key belongs to one"};
    const bool egress = sa.direction == Direction::egress;
    if ((egress ? uses_->ingress : uses_->egress).count(named.space) != 0)
      return Error{
          "key: in use here for the other direction with the same salt or SCI; each direction needs a number space of "
          "its own"};
    Space& space = process().spaces[named.space];
    if (egress && space.egress_in_use)
      return Error{
          fmt::format("key: {} encrypts with this key and salt (or SCI) already; a second user would repeat "
                      "nonces",
                      quoted(space.user))};
    auto claim = std::make_unique<EphemeralClaim>(named.space, sa.direction, uses_);
    (egress ? uses_->egress : uses_->ingress).insert(named.space);
    process().forms.emplace(named.key, named.form);
    if (egress) {
      space.egress_in_use = true;
      space.user = label;
    }
    return std::unique_ptr<keys::Claim>(std::move(claim));
  }

  std::shared_ptr<Uses> uses_ = std::make_shared<Uses>();
};

}  // namespace

Result<std::unique_ptr<keys::KeyRegistry>> open_ephemeral_registry() {
  const std::lock_guard lock(process().mutex);
  if (Result<void> random = prepare(process()); !random) return random.error();
  return std::unique_ptr<keys::KeyRegistry>(std::make_unique<EphemeralRegistry>());
}

}  // namespace linecrypt::capi
