// NumberSource: where egress numbers come from. Process-wide by key (key_reuse=refuse), or each SA its own from where
// the application says (key_reuse=allow, for test suites that encrypt under one key again and again).
#pragma once

#include <memory>
#include <string>

#include "driver/dpdk/common/devargs.hpp"
#include "host/keys/ephemeral_registry.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::dpdk {

// One SA's. Control lock held.
class Numbers {
 public:
  virtual ~Numbers() = default;
  // The next lease, never lent before. An error at the end of the space.
  virtual Result<Lease> lend() = 0;
  // The next lease begins at `number`. `unsent`: of what was lent so far, numbers from there on were never used.
  // Refused below that (not with key_reuse=allow).
  virtual Result<void> go_to(std::uint64_t number, std::uint64_t unsent) = 0;
};

class NumberSource {
 public:
  virtual ~NumberSource() = default;
  // Claims the SA's key for its direction. Egress: numbers begin at `first`, or (0 and 1) where the key's last user
  // stopped.
  virtual Result<std::unique_ptr<Numbers>> claim(const Sa& sa, std::uint64_t first) = 0;
};

// 64-bit numbers (ESN, XPN).
[[nodiscard]] bool wide_numbers(const Sa& sa);

Result<std::unique_ptr<NumberSource>> make_number_source(KeyReuse reuse);

}  // namespace linecrypt::dpdk
