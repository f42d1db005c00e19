#include "tools/linecrypt-bench/compare_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace linecrypt::bench {
namespace {

constexpr const char* row_format = "{:32} {:18} {:>5}  {:>6}  {:>7}  {:>9}  {:>9}  {:>9}  {:>9}  {}\n";

// The cost is a small difference of two large times: what is steady as a ratio need not be as a difference.
std::string no_claim_of_cost(const CompareRow& row, const CommonOptions& options) {
  const Comparison& f = row.figures;
  return row.no_claim.empty() ? no_claim(f.cost_spread_ns / std::max(std::abs(f.cost_ns), 1e-3), options)
                              : row.no_claim;
}

std::vector<std::string> notes_of(const CompareResult& result, const CommonOptions& options) {
  std::vector<std::string> notes = {
      fmt::format(
          "One process, one core, bursts of {}; {} pairs of slices of {:g} us each, A B and B A in turn. Ratio: "
          "how many times as fast ours is, median of the pairs. Spread: interquartile range of the pairs' "
          "ratios over their median; above {:g} % a row is no claim.",
          result.burst, options.pairs, options.slice_us, 100 * options.spread_limit),
      "Size: of the text (aead), of the inner IP packet (esp, gateway), of the frame without FCS (macsec); Gb/s of "
      "these "
      "bytes.",
      "The last burst of every slice was checked, all packets of it, on both sides; ours and the peer's were equal "
      "byte "
      "for byte first where both do the same (not bare-aead, engine, two-processes).",
      "esp: tunnel mode IPv4, ESN, replay window 1024, counters, outer header with checksum; librte_ipsec leaves that "
      "checksum to a NIC. dpdk-...-cpu: librte_ipsec's synchronous mode. No huge pages for packets on either side.",
      "bare-aead: the same texts through our provider alone; the cost is ours minus that, the median of the pairs, "
      "and is refused by its own spread.",
      "gateway: the pipeline from port to port in memory (checks, policy, routes, ESP, headers, counters) beside the "
      "engine alone with the same ESP work; the ratio is the share of the engine's packet rate.",
      "two-workers: one engine, two threads with a queue and SAs each, on two cores, beside two processes with an "
      "engine "
      "and a worker each on the same cores, in turns; speeds are of both together.",
  };
  for (const Refused& one : result.refused) notes.push_back(fmt::format("{} was left out: {}", one.peer, one.reason));
  return notes;
}

// A plot a work, a line a peer; ours once.
void add_to_plot(Report& report, const CompareRow& row) {
  Plot& plot = plot_of(report, row.name, "size (bytes)", "Gb/s");
  Series& ours = series_of(plot, "ours");
  if (ours.points.empty() || ours.points.back().x < row.size)
    ours.points.push_back({static_cast<double>(row.size), gbps(row.size, row.figures.ours_ns)});
  series_of(plot, row.peer).points.push_back({static_cast<double>(row.size), gbps(row.size, row.figures.peer_ns)});
}

std::vector<std::string> share_of(const CompareRow& row) {
  return {row.name,
          std::to_string(row.size),
          fmt::format("{:.1f}", 100 * row.figures.ratio),
          fmt::format("{:.1f}", 100 * row.figures.spread),
          fmt::format("{:.2f}", 1e3 / row.figures.ours_ns),
          fmt::format("{:.2f}", 1e3 / row.figures.peer_ns),
          as_claim(row.no_claim)};
}

}  // namespace

void show_head() {
  fmt::print(row_format, "work", "peer", "size", "ratio", "spread", "ours Gb/s", "peer Gb/s", "ours ns", "peer ns", "");
}

void show(const CompareRow& row) {
  const Comparison& f = row.figures;
  std::string remark;
  if (row.peer == peer_bare_aead)
    remark = fmt::format("costs {:.1f} ns a packet, spread {:.1f}", f.cost_ns, f.cost_spread_ns);
  if (row.peer == peer_engine) remark = fmt::format("{:.1f} % of the engine's packet rate", 100 * f.ratio);
  if (row.peer == peer_two_processes) remark = fmt::format("{:.1f} % of two processes", 100 * f.ratio);
  if (!row.no_claim.empty()) remark = as_remark(row.no_claim);
  fmt::print(row_format, row.name, row.peer, row.size, fmt::format("{:.2f}", f.ratio),
             fmt::format("{:.1f} %", 100 * f.spread), fmt::format("{:.2f}", gbps(row.size, f.ours_ns)),
             fmt::format("{:.2f}", gbps(row.size, f.peer_ns)), fmt::format("{:.1f}", f.ours_ns),
             fmt::format("{:.1f}", f.peer_ns), remark);
  std::fflush(stdout);
}

Report compare_report(const CompareResult& result, const CommonOptions& options, const Facts& facts) {
  Report report;
  report.title = fmt::format("linecrypt-bench compare, provider {}", options.provider);
  report.machine = facts;
  report.notes = notes_of(result, options);
  Table speeds{"Ours against a peer",
               {"work", "peer", "size", "ratio", "spread %", "ours Gb/s", "peer Gb/s", "ours ns", "peer ns", "claim"},
               {}};
  Table costs{"What the protocol costs over the bare AEAD", {"work", "size", "ns a packet", "spread ns", "claim"}, {}};
  Table gateway{"The gateway's packet rate as a share of the engine's",
                {"work", "size", "share %", "spread %", "gateway Mpps", "engine Mpps", "claim"},
                {}};
  Table workers{"Two workers of one engine as a share of two one-worker processes",
                {"work", "size", "share %", "spread %", "workers Mpps", "processes Mpps", "claim"},
                {}};
  for (const CompareRow& row : result.rows) {
    const Comparison& f = row.figures;
    add_to_plot(report, row);
    if (row.peer == peer_bare_aead)
      costs.rows.push_back({row.name, std::to_string(row.size), fmt::format("{:.1f}", f.cost_ns),
                            fmt::format("{:.1f}", f.cost_spread_ns), as_claim(no_claim_of_cost(row, options))});
    if (row.peer == peer_engine) gateway.rows.push_back(share_of(row));
    if (row.peer == peer_two_processes) workers.rows.push_back(share_of(row));
    speeds.rows.push_back({row.name, row.peer, std::to_string(row.size), fmt::format("{:.2f}", f.ratio),
                           fmt::format("{:.1f}", 100 * f.spread), fmt::format("{:.2f}", gbps(row.size, f.ours_ns)),
                           fmt::format("{:.2f}", gbps(row.size, f.peer_ns)), fmt::format("{:.1f}", f.ours_ns),
                           fmt::format("{:.1f}", f.peer_ns), as_claim(row.no_claim)});
  }
  report.tables = {std::move(costs), std::move(gateway), std::move(workers), std::move(speeds)};
  return report;
}

nlohmann::json compare_json(const CompareResult& result, const CommonOptions& options, const Facts& facts) {
  nlohmann::json rows = nlohmann::json::array();
  nlohmann::json costs = nlohmann::json::array();
  for (const CompareRow& row : result.rows) {
    const Comparison& f = row.figures;
    rows.push_back(to_json(row.name, row.peer, row.size, f, row.no_claim));
    if (row.peer != peer_bare_aead) continue;
    costs.push_back({{"work", row.name}, {"size", row.size}, {"ns", f.cost_ns}, {"spread_ns", f.cost_spread_ns}});
    if (const std::string refused = no_claim_of_cost(row, options); !refused.empty())
      costs.back()["no_claim"] = refused;
  }
  nlohmann::json refused = nlohmann::json::array();
  for (const Refused& one : result.refused) refused.push_back({{"peer", one.peer}, {"reason", one.reason}});
  return {{"rows", rows},
          {"costs", costs},
          {"refused", refused},
          {"provider", options.provider},
          {"burst", result.burst},
          {"pairs", options.pairs},
          {"spread_limit", options.spread_limit},
          {"machine", to_json(facts)}};
}

}  // namespace linecrypt::bench
