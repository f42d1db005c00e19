#include "host/control/leaving_sas.hpp"

#include <algorithm>
#include <utility>

namespace linecrypt::control {

void LeavingSas::add(One one) {
  if (one.marked() && reclamation_.begin != nullptr) {
    leaving_.push_back({reclamation_.begin(reclamation_.self), std::move(one)});
    let_go();
  } else {
    retire(std::move(one));
  }
}

void LeavingSas::retire(One one) {
  if (one.marked()) {
    const std::uint64_t top = std::max(one.top, slots_.slots()[one.id.index].window.top());
    if (top > one.recorded_mark) marks_.push_back({one.id, {one.claim->space(), top}});
  }
  need_record_ |= one.recorded;
  claims_.push_back(std::move(one.claim));
  slots_.release(one.id);
}

void LeavingSas::let_go() {
  while (!leaving_.empty() && reclamation_.passed(reclamation_.self, leaving_.front().moment)) {
    retire(std::move(leaving_.front().one));
    leaving_.pop_front();
  }
}

bool LeavingSas::let_go_of(const NumberSpaceId& space) {
  const auto same = [&](const Leaving& leaving) { return leaving.one.claim->space() == space; };
  if (std::none_of(leaving_.begin(), leaving_.end(), same)) return false;
  let_go_of_all();
  return true;
}

void LeavingSas::let_go_of_all() {
  if (leaving_.empty()) return;
  reclamation_.wait_for_workers(reclamation_.self);
  for (Leaving& leaving : leaving_) retire(std::move(leaving.one));
  leaving_.clear();
}

void LeavingSas::free_claims() noexcept {
  need_record_ = false;
  claims_.clear();
}

}  // namespace linecrypt::control
