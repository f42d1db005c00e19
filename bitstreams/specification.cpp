#include "bitstreams/specification.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "bitstreams/json_object.hpp"

namespace linecrypt::bitstreams {
namespace {

constexpr std::uint64_t address_end = std::uint64_t{1} << 48U;
constexpr std::size_t tag_longest = 15;        // mem_data.m_tag, with its zero
constexpr std::size_t unit_name_longest = 63;  // ip_data.m_name, "kernel:unit" with its zero

MemoryBank read_bank(JsonObject json) {
  json.only({"tag", "type", "base", "size_kib"});
  MemoryBank bank;
  bank.tag = json.text("tag", tag_longest);
  bank.hbm = json.one_of("type", {"HBM", "DDR4"}) == "HBM";
  bank.base = json.number("base", 0, address_end);
  bank.size_kib = json.number("size_kib", 4, address_end >> 10U);
  return bank;
}

KernelArgument read_argument(JsonObject json, std::uint32_t next_offset, const std::vector<MemoryBank>& banks) {
  json.only({"name", "type", "offset", "size", "port", "memory"});
  KernelArgument argument;
  argument.name = json.text("name");
  argument.type = json.text("type");
  if (json.has("memory")) {
    argument.port = json.text("port");
    argument.memory = json.texts("memory");
    argument.size = 8;
    for (const auto& tag : argument.memory) {
      std::vector<std::string> tags;
      for (const auto& bank : banks) tags.push_back(bank.tag);
      if (std::find(tags.begin(), tags.end(), tag) == tags.end())
        json.note("memory", fmt::format("found '{}', the banks are {}", tag, fmt::join(tags, ", ")));
    }
    if (argument.memory.empty()) json.note("memory", "found an empty list, at least one bank is needed");
  } else {
    argument.size = json.has("size") ? static_cast<std::uint32_t>(json.number("size", 1, 4096)) : 4;
  }
  argument.offset = json.has("offset") ? static_cast<std::uint32_t>(json.number("offset", 0, 0xffff)) : next_offset;
  if (argument.offset % 4 != 0)
    json.note("offset", fmt::format("found {:#x}, a multiple of 4 is allowed", argument.offset));
  return argument;
}

Kernel read_kernel(JsonObject json, const std::vector<MemoryBank>& banks) {
  json.only({"name", "protocol", "range", "arguments", "units"});
  Kernel kernel;
  kernel.name = json.text("name", unit_name_longest);
  const std::string protocol = json.one_of("protocol", {"ap_ctrl_hs", "ap_ctrl_chain", "ap_ctrl_none"});
  kernel.protocol = protocol == "ap_ctrl_none"    ? ControlProtocol::ap_ctrl_none
                    : protocol == "ap_ctrl_chain" ? ControlProtocol::ap_ctrl_chain
                                                  : ControlProtocol::ap_ctrl_hs;
  if (json.has("range")) kernel.range = json.number("range", 0x1000, 0x1000000);
  if (kernel.range % 0x1000 != 0)
    json.note("range", fmt::format("found {:#x}, a multiple of 4096 is allowed", kernel.range));
  if (kernel.range == 0 && kernel.protocol != ControlProtocol::ap_ctrl_none)
    json.note("range", fmt::format("missing, a kernel with {} has AXI-Lite registers", protocol));

  std::uint32_t next_offset = 0x10;
  std::set<std::string> names;
  for (auto& item : json.objects("arguments")) {
    kernel.arguments.push_back(read_argument(item, next_offset, banks));
    const KernelArgument& argument = kernel.arguments.back();
    next_offset = argument.offset + (argument.size + 3) / 4 * 4 + 4;
    if (!names.insert(argument.name).second) item.note("name", fmt::format("'{}' is given twice", argument.name));
    if (kernel.range == 0)
      item.note("name", fmt::format("'{}' needs a register, the kernel has no 'range'", argument.name));
    if (kernel.range != 0 && argument.offset + argument.size > kernel.range)
      item.note("offset", fmt::format("found {:#x}, the kernel's range ends at {:#x}", argument.offset, kernel.range));
  }
  for (auto& item : json.objects("units")) {
    item.only({"name", "base"});
    ComputeUnit unit;
    unit.name = item.text("name");
    if (kernel.name.size() + 1 + unit.name.size() > unit_name_longest)
      item.note("name", fmt::format("'{}:{}' is longer than {} characters", kernel.name, unit.name, unit_name_longest));
    if (kernel.range != 0) {
      unit.base = item.number("base", 0x1000, address_end);
      if (*unit.base % kernel.range != 0)
        item.note("base", fmt::format("found {:#x}, a multiple of the kernel's range {:#x} is allowed", *unit.base,
                                      kernel.range));
    } else if (item.has("base")) {
      item.note("base", "given, but the kernel has no 'range'");
    }
    kernel.units.push_back(std::move(unit));
  }
  if (kernel.units.empty()) json.note("units", "found none, at least one compute unit is needed");
  return kernel;
}

// Two banks, or two compute units' registers, at one address; two units of one name.
void check_places(const Specification& spec, const std::string& file, Problem& problem) {
  struct Span {
    std::uint64_t begin, end;
    std::string name;
  };
  const auto disjoint = [&](std::vector<Span> spans, const char* what) {
    std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < spans.size(); ++i) {
      if (spans[i].begin < spans[i - 1].end)
        problem.note(fmt::format("{}: {} '{}' at {:#x} begins inside '{}', which ends at {:#x}", file, what,
                                 spans[i].name, spans[i].begin, spans[i - 1].name, spans[i - 1].end));
    }
  };
  std::vector<Span> banks, registers;
  std::set<std::string> names;
  const auto once = [&](const std::string& name, const char* what) {
    if (!names.insert(name).second) problem.note(fmt::format("{}: {} '{}' is given twice", file, what, name));
  };
  for (const auto& bank : spec.memory) {
    once(bank.tag, "memory bank");
    banks.push_back({bank.base, bank.base + bank.size_kib * 1024, bank.tag});
  }
  for (const auto& kernel : spec.kernels) {
    once(kernel.name, "kernel");
    for (const auto& unit : kernel.units) {
      once(unit.name, "compute unit");
      if (unit.base) registers.push_back({*unit.base, *unit.base + kernel.range, unit.name});
    }
  }
  disjoint(std::move(banks), "memory bank");
  disjoint(std::move(registers), "compute unit");
}

}  // namespace

std::string_view name_of(ControlProtocol protocol) {
  switch (protocol) {
    case ControlProtocol::ap_ctrl_hs:
      return "ap_ctrl_hs";
    case ControlProtocol::ap_ctrl_chain:
      return "ap_ctrl_chain";
    case ControlProtocol::ap_ctrl_none:
      return "ap_ctrl_none";
  }
  return "unknown";
}

Result<Specification> read_specification(std::string_view text, const std::string& file) {
  auto parsed = parse_json(text, file);
  if (!parsed) return parsed.error();
  Problem problem;
  JsonObject json(*parsed, file, problem);
  json.only({"name", "platform", "card", "mode", "wiring", "kernel_clock_mhz", "memory", "kernels"});
  Specification spec;
  spec.name = json.text("name", 63);
  spec.platform = json.text("platform", 63);
  spec.card = json.one_of("card", {"emulated"});
  spec.mode = json.one_of("mode", {"esp", "macsec", "both"});
  spec.wiring = json.one_of("wiring", {"look-aside", "bump-in-the-wire", "port-to-host"});
  spec.kernel_clock_mhz = static_cast<std::uint32_t>(json.number("kernel_clock_mhz", 1, 1000));
  for (auto& item : json.objects("memory")) spec.memory.push_back(read_bank(item));
  for (auto& item : json.objects("kernels")) spec.kernels.push_back(read_kernel(item, spec.memory));
  if (spec.memory.empty()) json.note("memory", "found none, at least one bank is needed");
  if (spec.kernels.empty()) json.note("kernels", "found none, at least one kernel is needed");
  check_places(spec, file, problem);
  if (problem.any()) return problem.error();
  return spec;
}

}  // namespace linecrypt::bitstreams
