#include "driver/dpdk/common/number_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "host/values/numbers.hpp"
#include "host/values/sa_start.hpp"

namespace linecrypt::dpdk {
namespace {

std::uint64_t lease_size(bool is_wide) {
  return is_wide ? lease_largest : lease_largest_32bit;
}

// ---- key_reuse=refuse ----

class ClaimedNumbers final : public Numbers {
 public:
  ClaimedNumbers(keys::EphemeralRegistry& registry, std::unique_ptr<keys::Claim> claim, std::uint64_t size)
      : registry_(registry), claim_(std::move(claim)), size_(size) {}

  Result<Lease> lend() override {
    if (rest_.size() != 0) return std::exchange(rest_, Lease{});
    const LeaseRequest request{claim_->space(), size_};
    auto lease = registry_.acquire({&request, 1}).front();
    if (lease) lent_end_ = lease->end;
    return lease;
  }
  // What was lent and not used is this SA's own: the claim has kept others away.
  Result<void> go_to(std::uint64_t number, std::uint64_t unsent) override {
    if (number >= lent_end_) return registry_.skip_to(claim_->space(), number);
    if (number < unsent)
      return Error{
          fmt::format("esn.value: {}, allowed: {} and above; lower numbers were used under this key", number, unsent)};
    rest_ = {number, lent_end_};
    return {};
  }

 private:
  keys::EphemeralRegistry& registry_;
  std::unique_ptr<keys::Claim> claim_;
  std::uint64_t size_;
  std::uint64_t lent_end_ = 0;
  Lease rest_{};
};

// One registry for all devices of the process: a key that one of them encrypts with is refused by the others.
class ProcessNumbers final : public NumberSource {
 public:
  explicit ProcessNumbers(keys::EphemeralRegistry& registry) : registry_(registry) {}

  Result<std::unique_ptr<Numbers>> claim(const Sa& sa, std::uint64_t first) override {
    auto claimed = std::visit(
        [this](const auto& one) { return registry_.claim(one, keys::KeyLife::ephemeral, "another session"); }, sa);
    if (!claimed) return claimed.error();
    auto numbers = std::make_unique<ClaimedNumbers>(registry_, std::move(*claimed), lease_size(wide_numbers(sa)));
    if (direction_of(sa) == Direction::egress && first > 1)
      if (auto gone = numbers->go_to(first, first); !gone) return gone.error();
    return std::unique_ptr<Numbers>(std::move(numbers));
  }

 private:
  keys::EphemeralRegistry& registry_;
};

// ---- key_reuse=allow ----

class OwnNumbers final : public Numbers {
 public:
  OwnNumbers(bool is_wide, std::uint64_t first)
      : next_(first), end_(is_wide ? number_last_64bit : number_last_32bit + 1), size_(lease_size(is_wide)) {}

  Result<Lease> lend() override {
    if (next_ >= end_) return Error{"lease: the number space of this session is used up"};
    const Lease lease{next_, next_ + std::min(size_, end_ - next_)};
    next_ = lease.end;
    return lease;
  }
  Result<void> go_to(std::uint64_t number, std::uint64_t /*unsent*/) override {
    next_ = number;
    return {};
  }

 private:
  std::uint64_t next_;
  std::uint64_t end_;
  std::uint64_t size_;
};

class OwnNumberSource final : public NumberSource {
 public:
  Result<std::unique_ptr<Numbers>> claim(const Sa& sa, std::uint64_t first) override {
    return std::unique_ptr<Numbers>(std::make_unique<OwnNumbers>(wide_numbers(sa), std::max<std::uint64_t>(first, 1)));
  }
};

}  // namespace

bool wide_numbers(const Sa& sa) {
  const auto* esp = std::get_if<EspSa>(&sa);
  return esp != nullptr ? esp->esn : is_xpn(std::get<MacsecSa>(sa).secy.suite);
}

Result<std::unique_ptr<NumberSource>> make_number_source(KeyReuse reuse) {
  if (reuse == KeyReuse::allow) return std::unique_ptr<NumberSource>(std::make_unique<OwnNumberSource>());
  static const Result<std::unique_ptr<keys::EphemeralRegistry>> registry = keys::open_ephemeral_registry();
  if (!registry) return registry.error();
  return std::unique_ptr<NumberSource>(std::make_unique<ProcessNumbers>(*registry.value()));
}

}  // namespace linecrypt::dpdk
