// Quiescence: tells the control thread when the worker can no longer hold a pointer into what was unpublished (DPDK's
// QSBR). Engines and tables see it as linecrypt::Reclamation.
#pragma once

#include <memory>

#include "linecrypt/engine.hpp"
#include "linecrypt/result.hpp"

struct rte_rcu_qsbr;

namespace linecrypt::gateway {

class Quiescence {
 public:
  static Result<std::unique_ptr<Quiescence>> make();
  ~Quiescence();
  Quiescence(const Quiescence&) = delete;
  Quiescence& operator=(const Quiescence&) = delete;

  // ---- worker ----
  void enter() noexcept;      // before its first packet
  void leave() noexcept;      // after its last
  void quiescent() noexcept;  // between bursts: no pointer is held
  void sleep() noexcept;      // about to wait: nobody needs to wait for it
  void wake() noexcept;

  // ---- control thread ----
  void wait_for_worker() noexcept;
  // Without waiting: a moment, and whether the worker has passed a quiescent point behind it (Reclamation).
  std::uint64_t begin() noexcept;
  bool passed(std::uint64_t moment) noexcept;
  [[nodiscard]] Reclamation reclamation() noexcept;

 private:
  Quiescence() = default;
  rte_rcu_qsbr* state_ = nullptr;
};

}  // namespace linecrypt::gateway
