// Statistics of the ethdev: frames by queue; as extended ones, what became of them by verdict, and all of the lower
// device's, with "lower_" before their names.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "driver/dpdk/net/device.hpp"

namespace linecrypt::dpdk {
namespace {

template <typename Queue>
Queue* queue_at(void** queues, std::uint16_t index) noexcept {
  return static_cast<Queue*>(queues[index]);
}

template <typename Each>
void for_rx(const rte_eth_dev* port, Each&& each) {
  for (std::uint16_t i = 0; i < port->data->nb_rx_queues; ++i)
    if (auto* const queue = queue_at<RxQueue>(port->data->rx_queues, i); queue != nullptr) each(i, *queue);
}
template <typename Each>
void for_tx(const rte_eth_dev* port, Each&& each) {
  for (std::uint16_t i = 0; i < port->data->nb_tx_queues; ++i)
    if (auto* const queue = queue_at<TxQueue>(port->data->tx_queues, i); queue != nullptr) each(i, *queue);
}

// Verdicts of both directions, `pending` is none; and frames flagged for MACsec that no rule matched.
constexpr std::uint32_t own_xstats = 2 * (static_cast<std::uint32_t>(verdict_count) - 1) + 1;

int lower_xstats(const rte_eth_dev* port) {
  const auto lower = device_of(port).lower().port();
  return lower ? std::max(rte_eth_xstats_get_names(*lower, nullptr, 0), 0) : 0;
}

}  // namespace

int read_stats(rte_eth_dev* port, rte_eth_stats* out) {
  for_rx(port, [out](std::uint16_t i, const RxQueue& queue) {
    const QueueCounts counts = queue.counts();
    out->ipackets += counts.frames;
    out->ibytes += counts.bytes;
    out->ierrors += counts.errors;
    if (i >= RTE_ETHDEV_QUEUE_STAT_CNTRS) return;
    out->q_ipackets[i] = counts.frames;
    out->q_ibytes[i] = counts.bytes;
  });
  for_tx(port, [out](std::uint16_t i, const TxQueue& queue) {
    const QueueCounts counts = queue.counts();
    out->opackets += counts.frames;
    out->obytes += counts.bytes;
    out->oerrors += counts.errors;
    if (i >= RTE_ETHDEV_QUEUE_STAT_CNTRS) return;
    out->q_opackets[i] = counts.frames;
    out->q_obytes[i] = counts.bytes;
  });
  // What never came to us.
  rte_eth_stats lower{};
  if (const auto here = device_of(port).lower().port(); here && rte_eth_stats_get(*here, &lower) == 0) {
    out->imissed = lower.imissed;
    out->ierrors += lower.ierrors;
    out->oerrors += lower.oerrors;
    out->rx_nombuf = lower.rx_nombuf;
  }
  return 0;
}

int reset_stats(rte_eth_dev* port) {
  for_rx(port, [](std::uint16_t, RxQueue& queue) { queue.reset_counts(); });
  for_tx(port, [](std::uint16_t, TxQueue& queue) { queue.reset_counts(); });
  if (const auto lower = device_of(port).lower().port()) rte_eth_xstats_reset(*lower);
  return 0;
}

int name_xstats(rte_eth_dev* port, rte_eth_xstat_name* out, unsigned count) {
  const int below = lower_xstats(port);
  const unsigned all = own_xstats + static_cast<unsigned>(below);
  if (out == nullptr || count < all) return static_cast<int>(all);
  rte_eth_xstat_name* next = out;
  for (const char* const way : {"rx", "tx"})
    for (std::size_t i = 1; i < verdict_count; ++i, ++next)
      *fmt::format_to_n(next->name, sizeof next->name - 1, "{}_{}", way, linecrypt::name(static_cast<Verdict>(i))).out =
          '\0';
  *fmt::format_to_n(next->name, sizeof next->name - 1, "tx_macsec_unmatched").out = '\0';
  ++next;
  std::vector<rte_eth_xstat_name> names(static_cast<std::size_t>(below));
  const auto lower = device_of(port).lower().port();
  if (lower && below != 0 && rte_eth_xstats_get_names(*lower, names.data(), static_cast<unsigned>(below)) == below)
    for (const rte_eth_xstat_name& one : names)
      *fmt::format_to_n((next++)->name, sizeof next->name - 1, "lower_{}", one.name).out = '\0';
  return static_cast<int>(next - out);
}

int read_xstats(rte_eth_dev* port, rte_eth_xstat* out, unsigned count) {
  const int below = lower_xstats(port);
  const unsigned all = own_xstats + static_cast<unsigned>(below);
  if (out == nullptr || count < all) return static_cast<int>(all);
  rte_eth_xstat* next = out;
  const auto put = [&](std::uint64_t value) {
    next->id = static_cast<std::uint64_t>(next - out);
    next->value = value;
    ++next;
  };
  for (std::size_t i = 1; i < verdict_count; ++i) {
    std::uint64_t value = 0;
    for_rx(port, [&](std::uint16_t, const RxQueue& queue) { value += queue.count(static_cast<Verdict>(i)); });
    put(value);
  }
  for (std::size_t i = 1; i < verdict_count; ++i) {
    std::uint64_t value = 0;
    for_tx(port, [&](std::uint16_t, const TxQueue& queue) { value += queue.count(static_cast<Verdict>(i)); });
    put(value);
  }
  put(device_of(port).macsec().unmatched());
  std::vector<rte_eth_xstat> values(static_cast<std::size_t>(below));
  const auto lower = device_of(port).lower().port();
  if (lower && below != 0 && rte_eth_xstats_get(*lower, values.data(), static_cast<unsigned>(below)) == below)
    for (const rte_eth_xstat& one : values) put(one.value);
  return static_cast<int>(next - out);
}

}  // namespace linecrypt::dpdk
