#include "host/gateway/neighbour_keeper.hpp"

#include <algorithm>

namespace linecrypt::gateway {

namespace {

using namespace std::chrono_literals;

constexpr auto ask_again = 1s;
constexpr auto peers_every = 1s;
constexpr auto stale_every = 5s;
constexpr std::size_t stale_at_once = 32;
constexpr std::size_t asked_largest = 4096;

}  // namespace

// The kernel sends three requests by itself and then gives up; a second is its own pace.
void NeighbourKeeper::resolve(Runtime& runtime, PortIndex port, const IpAddress& address, Time now) {
  if (asked_.size() >= asked_largest)
    std::erase_if(asked_, [&](const auto& entry) { return now - entry.second >= ask_again; });
  if (asked_.size() >= asked_largest) return;
  const auto [entry, fresh] = asked_.try_emplace({port, address}, now);
  if (!fresh && now - entry->second < ask_again) return;
  entry->second = now;
  // No answer is known from here: the neighbour appears, or stays away and its packets are counted as no_neighbour.
  static_cast<void>(runtime.tables->resolve(port, address));
}

void NeighbourKeeper::resolve_peers(Runtime& runtime, Time now) {
  for (const auto& tunnel : runtime.composition.tunnels) {
    const NextHop next = runtime.fib->route(tunnel->destination.family, tunnel->destination.bytes.data());
    if (next.port == no_port || runtime.fib->neighbour(next.port, next.address) != nullptr) continue;
    resolve(runtime, next.port, next.address, now);
  }
}

void NeighbourKeeper::confirm_stale(Runtime& runtime) {
  const auto stale = runtime.tables->stale();
  for (std::size_t i = 0; i < std::min(stale.size(), stale_at_once); ++i)
    static_cast<void>(runtime.tables->resolve(stale[i].port, stale[i].address));
}

void NeighbourKeeper::service(Runtime& runtime) {
  const Time now = std::chrono::steady_clock::now();
  for (const Pipeline::Unresolved& next : runtime.pipeline->take_unresolved())
    resolve(runtime, next.port, next.address, now);
  if (now - peers_at_ >= peers_every) {
    peers_at_ = now;
    resolve_peers(runtime, now);
  }
  if (now - stale_at_ >= stale_every) {
    stale_at_ = now;
    confirm_stale(runtime);
  }
}

}  // namespace linecrypt::gateway
