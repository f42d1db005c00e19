// The report's form is as AMD's UG1399 documents it: <Modules><Module><Name>..</Name><PerformanceEstimates>
// <SummaryOfOverallLatency><Worst-caseLatency>..<PipelineInitiationInterval>... It was not seen with a real Vitis here,
// so whatever does not match exactly is refused.
#include "bitstreams/csynth.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace linecrypt::bitstreams {
namespace {

// What stands between the first <tag> and the next </tag>, without outer spaces.
std::optional<std::string_view> element(std::string_view text, std::string_view tag) {
  const std::string open = fmt::format("<{}>", tag), close = fmt::format("</{}>", tag);
  const std::size_t begin = text.find(open);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t from = begin + open.size();
  const std::size_t end = text.find(close, from);
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view inside = text.substr(from, end - from);
  while (!inside.empty() && std::string_view(" \t\r\n").find(inside.front()) != std::string_view::npos)
    inside.remove_prefix(1);
  while (!inside.empty() && std::string_view(" \t\r\n").find(inside.back()) != std::string_view::npos)
    inside.remove_suffix(1);
  return inside;
}

std::optional<std::uint32_t> whole_number(std::optional<std::string_view> text) {
  std::uint32_t value = 0;
  if (!text) return std::nullopt;
  const auto done = std::from_chars(text->data(), text->data() + text->size(), value);
  if (done.ec != std::errc{} || done.ptr != text->data() + text->size()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::uint32_t> forwarding_distance(std::string_view report, const std::string& file,
                                          const std::vector<std::string>& modules) {
  if (modules.empty()) return Error{fmt::format("{}: no module was named whose distance counts", file)};
  std::uint32_t largest = 0;
  for (const auto& wanted : modules) {
    bool found = false;
    for (std::size_t at = report.find("<Module>"); at != std::string_view::npos; at = report.find("<Module>", at + 1)) {
      const auto module = element(report.substr(at), "Module");
      if (!module) return Error{fmt::format("{}: a <Module> without its end: the report is not whole", file)};
      if (element(*module, "Name").value_or("") != wanted) continue;
      if (found) return Error{fmt::format("{}: module '{}' is there twice", file, wanted)};
      found = true;
      const auto summary = element(*module, "SummaryOfOverallLatency").value_or("");
      const auto interval_text = element(summary, "PipelineInitiationInterval");
      const auto interval = whole_number(interval_text);
      if (interval != 1U)
        return Error{fmt::format("{}: module '{}': PipelineInitiationInterval is '{}', 1 is needed", file, wanted,
                                 interval_text.value_or("missing"))};
      const auto latency_text = element(summary, "Worst-caseLatency");
      const auto latency = whole_number(latency_text);
      if (!latency)
        return Error{fmt::format("{}: module '{}': Worst-caseLatency is '{}', a number of cycles is needed", file,
                                 wanted, latency_text.value_or("missing"))};
      largest = std::max(largest, *latency);
    }
    if (!found) return Error{fmt::format("{}: module '{}' is not in the report", file, wanted)};
  }
  return largest;
}

}  // namespace linecrypt::bitstreams
