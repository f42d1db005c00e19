#include "driver/dpdk/common/service_thread.hpp"

#include <rte_lcore.h>

#include <utility>

namespace linecrypt::dpdk {

bool ServiceThread::start(std::chrono::milliseconds every, std::function<void()> work) {
  every_ = every;
  work_ = std::move(work);
  started_ = rte_ctrl_thread_create(&thread_, "linecrypt-svc", nullptr, run, this) == 0;
  return started_;
}

void ServiceThread::stop() {
  if (!std::exchange(started_, false)) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  ::pthread_join(thread_, nullptr);
}

void ServiceThread::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void* ServiceThread::run(void* self) {
  auto& me = *static_cast<ServiceThread*>(self);
  std::unique_lock lock(me.mutex_);
  for (;;) {
    me.wake_.wait_for(lock, me.every_, [&] { return me.stopping_ || me.woken_; });
    if (me.stopping_) return nullptr;
    me.woken_ = false;
    lock.unlock();
    me.work_();
    lock.lock();
  }
}

}  // namespace linecrypt::dpdk
