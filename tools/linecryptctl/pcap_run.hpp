// A pipeline over a file: frames of a capture come in on one port, what leaves on the other side's ports goes into
// another capture.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "host/config/config.hpp"
#include "linecrypt/result.hpp"
#include "linecrypt/verdict.hpp"
#include "tools/linecryptctl/pcap_file.hpp"

namespace linecrypt::ctl {

// protect: the port is on the clear side; unprotect: on the black side.
enum class PcapWay : std::uint8_t { protect, unprotect };

struct VerdictCount {
  Verdict verdict = Verdict::pending;
  std::uint64_t frames = 0;
};

struct PcapCounts {
  std::uint64_t read = 0;
  std::uint64_t truncated = 0;  // cut by the capture's snap length: not processed
  std::uint64_t written = 0;
  std::uint64_t punted = 0;                          // for the kernel, which is not there
  std::map<std::string, std::uint64_t> other_ports;  // left by a port of the same side (answers, ICMP): not written
  std::vector<VerdictCount> verdicts;                // every one that occurred
};

// What kept it from running, and whether that is a rule's refusal (a key in use or not enrolled) or a wrong input.
struct PcapError {
  bool refused = false;
  std::string message;
};

struct PcapRun {
  const config::Config& config;
  std::uint16_t port = 0;  // index in config.ports
  PcapWay way = PcapWay::protect;
};

// Null error text: done, `counts` filled.
PcapError run_pcap(const PcapRun& run, CaptureReader& reader, CaptureWriter& writer, PcapCounts& counts);

}  // namespace linecrypt::ctl
