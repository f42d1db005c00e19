// What many SAs cost: installs, rekeys under traffic, removals, memory, SPI lookups, packets.
#pragma once

#include <cstdint>
#include <vector>

#include "host/software/aead/provider.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::bench::scale {

struct Options {
  std::uint32_t sas = 1'000'000;  // half of them egress, half ingress
  std::uint32_t rounds = 5;       // interleaved repeats; medians are told
  double seconds = 2;             // of traffic under rekeying, a round
  software::ProviderChoice provider = software::ProviderChoice::automatic;
  // The control thread on one, the worker on another where there are two.
  int control_core = 0;
  int worker_core = 0;
  bool spoil_packet = false;  // for the tests of this program
};

void pin_to(int core) noexcept;

// ---- control.cpp: SAs come and go ----

// One way of installing, as medians of the rounds.
struct ControlRow {
  const char* way = "";  // "engine", "engine and key claims"
  double installs = 0;   // a second
  double removals = 0;
  double rekeys = 0;  // a second: SAs replaced while the worker sends through all of them
  double spread = 0;  // of rekeys
  double bytes = 0;   // resident memory that an SA costs, of this process
  std::uint64_t packets = 0;
  std::uint64_t lost = 0;  // packets that did not come back whole, of all rounds
  double mpps = 0;         // through both directions while rekeying
};
Result<std::vector<ControlRow>> measure_control(const Options& options);

// ---- packets.cpp: packets over many SAs ----

struct PacketRow {
  std::uint32_t size = 0;       // of the clear IP packet
  std::uint32_t installed = 0;  // SAs in each direction
  std::uint32_t sas = 0;        // those of them that packets take in random order
  double egress_ns = 0;         // a packet
  double ingress_ns = 0;
  // To the row of this size with one SA for a thousand, with a thousand installed for more; median of paired rounds.
  double egress_ratio = 1;
  double ingress_ratio = 1;
  std::uint64_t lost = 0;
  double spread = 0;  // the wider of the two directions'
};
Result<std::vector<PacketRow>> measure_packets(const Options& options);

// ---- lookup.cpp: SPI to SA ----

struct LookupRow {
  std::uint32_t entries = 0;
  std::uint32_t burst = 0;
  double ours_ns = 0;  // a lookup
  double sad_ns = 0;   // rte_ipsec_sad, SPI only, with reader and writer concurrency
  double ratio = 0;    // sad / ours, median of paired rounds
  double spread = 0;
};
// Starts DPDK's environment in this process, once, without hugepages.
Result<std::vector<LookupRow>> measure_lookup(const Options& options);

}  // namespace linecrypt::bench::scale
