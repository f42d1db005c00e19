// The reports' form is as AMD's UG1399 documents it: <Modules><Module><Name>..</Name><PerformanceEstimates>
// <SummaryOfOverallLatency><PipelineInitiationInterval>..., the schedule's as in the example below. It was not seen
// with a real Vitis here, so whatever does not match exactly is refused.
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

Result<void> check_intervals(std::string_view report, const std::string& file,
                             const std::vector<std::string>& modules) {
  if (modules.empty()) return Error{fmt::format("{}: no module was named whose interval counts", file)};
  for (const auto& wanted : modules) {
    bool found = false;
    for (std::size_t at = report.find("<Module>"); at != std::string_view::npos; at = report.find("<Module>", at + 1)) {
      const auto module = element(report.substr(at), "Module");
      if (!module) return Error{fmt::format("{}: a <Module> without its end: the report is not whole", file)};
      if (element(*module, "Name").value_or("") != wanted) continue;
      if (found) return Error{fmt::format("{}: module '{}' is there twice", file, wanted)};
      found = true;
      const auto summary = element(*module, "SummaryOfOverallLatency").value_or("");
      const auto interval = element(summary, "PipelineInitiationInterval").value_or("missing");
      if (interval != "1")
        return Error{
            fmt::format("{}: module '{}': PipelineInitiationInterval is '{}', 1 is needed", file, wanted, interval)};
    }
    if (!found) return Error{fmt::format("{}: module '{}' is not in the report", file, wanted)};
  }
  return {};
}

// Lines such as
//   ST_2 : Operation 13 [2/2] (0.67ns)   --->   "%cells_load = load i12 %cells_addr" [f.hpp:9] ...
// An operation of several cycles has one line in each of its states.
Result<std::optional<std::uint32_t>> forwarding_distance(std::string_view schedule, const std::string& file,
                                                         const std::string& memory) {
  std::optional<std::uint32_t> first_read, last_write;
  std::uint32_t line_number = 0;
  while (!schedule.empty()) {
    const std::size_t end = schedule.find('\n');
    const std::string_view line = schedule.substr(0, end);
    schedule.remove_prefix(end == std::string_view::npos ? schedule.size() : end + 1);
    ++line_number;
    if (!line.starts_with("ST_")) continue;
    const std::size_t quote = line.find("--->   \"");
    const std::size_t close = quote == std::string_view::npos ? quote : line.find('"', quote + 8);
    if (close == std::string_view::npos) continue;
    const std::string_view operation = line.substr(quote + 8, close - quote - 8);
    const bool read = operation.find(" = load ") != std::string_view::npos;
    const bool write = operation.find(" = store ") != std::string_view::npos || operation.starts_with("store ");
    // The address is the last word: "%<memory>_addr", with a number after it when there are several.
    const std::string address = fmt::format("%{}_addr", memory);
    const std::size_t last_word = operation.rfind(' ');
    if ((!read && !write) || last_word == std::string_view::npos ||
        !operation.substr(last_word + 1).starts_with(address))
      continue;
    const auto state = whole_number(line.substr(3, line.find_first_not_of("0123456789", 3) - 3));
    if (!state) return Error{fmt::format("{}:{}: no number after 'ST_'", file, line_number)};
    if (read) first_read = std::min(first_read.value_or(*state), *state);
    if (write) last_write = std::max(last_write.value_or(*state), *state);
  }
  if (!first_read && !last_write) return std::optional<std::uint32_t>{};
  if (!first_read || !last_write)
    return Error{fmt::format("{}: table '{}' is {}; its distance needs a read and a write", file, memory,
                             first_read ? "read but never written" : "written but never read")};
  if (*last_write < *first_read) return std::optional<std::uint32_t>{0};
  return std::optional<std::uint32_t>{*last_write - *first_read + 1};
}

}  // namespace linecrypt::bitstreams
