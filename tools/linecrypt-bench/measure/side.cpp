#include "tools/linecrypt-bench/measure/side.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "tools/linecrypt-bench/measure/statistics.hpp"
#include "tools/linecrypt-bench/measure/stopwatch.hpp"

namespace linecrypt::bench {
namespace {

double timed_burst(Side& side) {
  side.prepare();
  const std::uint64_t begin = Stopwatch::begin();
  side.run();
  return Stopwatch::ns(begin, Stopwatch::end());
}

// How many bursts fill a slice: by the median of some, for the first ones are slow.
std::uint32_t bursts_of_slice(Side& side, double slice_ns) {
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) times.push_back(timed_burst(side));
  return static_cast<std::uint32_t>(std::clamp(slice_ns / std::max(median(times), 1.0), 1.0, 100000.0));
}

// The first bursts bring the side's memory and code back into the caches; they are not counted. Nanoseconds a packet.
Result<double> slice(Side& side, std::uint32_t bursts) {
  constexpr std::uint32_t warm = 2;
  double sum = 0;
  for (std::uint32_t i = 0; i < warm + bursts; ++i) {
    const double ns = timed_burst(side);
    if (i >= warm) sum += ns;
  }
  if (std::string wrong = side.check(); !wrong.empty()) return Error{std::move(wrong)};
  return sum / (static_cast<double>(bursts) * side.packets());
}

Result<void> compare_results(Side& ours, Side& peer, Results results) {
  for (Side* side : {&ours, &peer}) {
    side->prepare();
    side->run();
    if (std::string wrong = side->check(); !wrong.empty())
      return Error{fmt::format("{}: {}", side == &ours ? "ours" : "the peer", wrong)};
  }
  if (results == Results::of_their_own) return {};
  for (std::uint32_t i = 0; i < ours.packets(); ++i) {
    const auto a = ours.result(i);
    const auto b = peer.result(i);
    if (a.size() != b.size())
      return Error{fmt::format("packet {}: ours is {} bytes long, the peer's {}", i, a.size(), b.size())};
    const auto differ = std::mismatch(a.begin(), a.end(), b.begin()).first;
    if (differ != a.end())
      return Error{fmt::format("packet {}: ours and the peer's differ at byte {}", i, differ - a.begin())};
  }
  return {};
}

}  // namespace

Result<Comparison> compare_in_pairs(const Slice& ours, const Slice& peer, std::uint32_t pairs) {
  std::vector<double> our_times;
  std::vector<double> peer_times;
  std::vector<double> ratios;
  std::vector<double> costs;
  for (std::uint32_t pair = 0; pair < pairs; ++pair) {
    double ns[2] = {0, 0};
    for (const std::uint32_t turn : {pair % 2, 1 - pair % 2}) {
      auto taken = turn == 0 ? ours() : peer();
      if (!taken) return Error{fmt::format("{}: {}", turn == 0 ? "ours" : "the peer", taken.error().message)};
      ns[turn] = std::max(*taken, 1e-3);
    }
    our_times.push_back(ns[0]);
    peer_times.push_back(ns[1]);
    ratios.push_back(ns[1] / ns[0]);
    costs.push_back(ns[0] - ns[1]);
  }
  return Comparison{.ours_ns = median(our_times),
                    .peer_ns = median(peer_times),
                    .ratio = median(ratios),
                    .spread = spread(ratios),
                    .cost_ns = median(costs),
                    .cost_spread_ns = quantile(costs, 0.75) - quantile(costs, 0.25)};
}

Result<Comparison> compare(Side& ours, Side& peer, Results results, const Effort& effort) {
  // 1.
  if (auto equal = compare_results(ours, peer, results); !equal) return equal.error();
  // 2.
  const std::uint32_t our_bursts = bursts_of_slice(ours, effort.slice_ns);
  const std::uint32_t peer_bursts = bursts_of_slice(peer, effort.slice_ns);
  return compare_in_pairs([&] { return slice(ours, our_bursts); }, [&] { return slice(peer, peer_bursts); },
                          effort.pairs);
}

Result<Timing> time_alone(Side& side, const Effort& effort) {
  const std::uint32_t bursts = bursts_of_slice(side, effort.slice_ns);
  std::vector<double> times;
  for (std::uint32_t i = 0; i < effort.pairs; ++i) {
    auto taken = slice(side, bursts);
    if (!taken) return taken.error();
    times.push_back(*taken);
  }
  return Timing{median(times), spread(times)};
}

}  // namespace linecrypt::bench
