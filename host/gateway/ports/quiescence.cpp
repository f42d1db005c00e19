#include "host/gateway/ports/quiescence.hpp"

#include <rte_rcu_qsbr.h>

#include <cstdlib>
#include <cstring>

namespace linecrypt::gateway {

namespace {

constexpr unsigned worker_thread = 0;

}  // namespace

Result<std::unique_ptr<Quiescence>> Quiescence::make() {
  std::unique_ptr<Quiescence> made(new Quiescence);
  const std::size_t size = rte_rcu_qsbr_get_memsize(1);
  void* memory = std::aligned_alloc(RTE_CACHE_LINE_SIZE,
                                    (size + RTE_CACHE_LINE_SIZE - 1) / RTE_CACHE_LINE_SIZE * RTE_CACHE_LINE_SIZE);
  if (memory == nullptr) return Error{"no memory for quiescent states"};
  made->state_ = static_cast<rte_rcu_qsbr*>(memory);
  if (rte_rcu_qsbr_init(made->state_, 1) != 0) return Error{"quiescent states: DPDK refused them"};
  return made;
}

Quiescence::~Quiescence() {
  std::free(state_);
}

void Quiescence::enter() noexcept {
  rte_rcu_qsbr_thread_register(state_, worker_thread);
  rte_rcu_qsbr_thread_online(state_, worker_thread);
}

void Quiescence::leave() noexcept {
  rte_rcu_qsbr_thread_offline(state_, worker_thread);
  rte_rcu_qsbr_thread_unregister(state_, worker_thread);
}

void Quiescence::quiescent() noexcept {
  rte_rcu_qsbr_quiescent(state_, worker_thread);
}

void Quiescence::sleep() noexcept {
  rte_rcu_qsbr_thread_offline(state_, worker_thread);
}

void Quiescence::wake() noexcept {
  rte_rcu_qsbr_thread_online(state_, worker_thread);
}

void Quiescence::wait_for_worker() noexcept {
  rte_rcu_qsbr_synchronize(state_, RTE_QSBR_THRID_INVALID);
}

std::uint64_t Quiescence::begin() noexcept {
  return rte_rcu_qsbr_start(state_);
}

bool Quiescence::passed(std::uint64_t moment) noexcept {
  return rte_rcu_qsbr_check(state_, moment, false) != 0;
}

Reclamation Quiescence::reclamation() noexcept {
  return {this, [](void* self) { static_cast<Quiescence*>(self)->wait_for_worker(); },
          [](void* self) { return static_cast<Quiescence*>(self)->begin(); },
          [](void* self, std::uint64_t moment) { return static_cast<Quiescence*>(self)->passed(moment); }};
}

}  // namespace linecrypt::gateway
