#include "driver/card/model/design.hpp"

#include <fmt/core.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xclbin.h>

#include <algorithm>
#include <boost/property_tree/xml_parser.hpp>
#include <sstream>

#include "bitstreams/xclbin.hpp"

namespace linecrypt::card_model {
namespace {

namespace pt = boost::property_tree;

constexpr std::uint64_t file_longest = std::uint64_t{1} << 30U;
constexpr std::uint32_t default_range = 0x10000;

// Copies memory of this process that may end before `length`: the kernel says so instead of a fault.
bool copy_carefully(const void* from, std::size_t length, std::vector<std::uint8_t>& to) {
  to.resize(length);
  std::size_t done = 0;
  while (done < length) {
    iovec local{to.data() + done, length - done};
    iovec remote{const_cast<char*>(static_cast<const char*>(from)) + done, length - done};
    const ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

std::uint64_t number(const std::string& text) {
  return text.empty() ? 0 : std::stoull(text, nullptr, 0);
}

// The registers and arguments of each kernel, by name, into the units of that kernel.
void read_metadata(const std::string& metadata, std::vector<Unit>& units) {
  std::istringstream stream(metadata);
  pt::ptree tree;
  pt::read_xml(stream, tree);
  for (const auto& [tag, kernel] : tree.get_child("project.platform.device.core")) {
    if (tag != "kernel") continue;
    std::uint32_t range = default_range;
    std::vector<std::pair<std::uint64_t, PlainArgument>> arguments;
    for (const auto& [inner, element] : kernel) {
      if (inner == "port" && element.get<std::string>("<xmlattr>.mode") == "slave")
        range = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(number(element.get<std::string>("<xmlattr>.range")), std::uint64_t{1} << 20U));
      if (inner == "arg")
        arguments.emplace_back(
            number(element.get<std::string>("<xmlattr>.id", "")),
            PlainArgument{static_cast<std::uint32_t>(number(element.get<std::string>("<xmlattr>.offset"))),
                          static_cast<std::uint32_t>(number(element.get<std::string>("<xmlattr>.size")))});
    }
    std::stable_sort(arguments.begin(), arguments.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (Unit& unit : units) {
      if (unit.kernel != kernel.get<std::string>("<xmlattr>.name")) continue;
      unit.range = range;
      unit.arguments.clear();
      for (const auto& [id, argument] : arguments) unit.arguments.push_back(argument);
    }
  }
}

}  // namespace

Result<Design> read_design(const axlf* top, std::uint64_t bank_bytes) {
  // 1. The header says how long the file is; take that much, if it is there.
  std::vector<std::uint8_t> bytes;
  if (!copy_carefully(top, offsetof(axlf, m_sections), bytes)) return Error{"the xclbin is shorter than its header"};
  axlf header{};
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(&header));
  const std::uint64_t length = header.m_header.m_length;
  if (length < bytes.size() || length > file_longest)
    return Error{
        fmt::format("the xclbin says that it has {} bytes; {} to {} are allowed", length, bytes.size(), file_longest)};
  if (!copy_carefully(top, length, bytes)) return Error{fmt::format("the xclbin ends before its {} bytes", length)};

  // 2. Sections, by the reader that trusts nothing.
  auto read = bitstreams::read_xclbin(bytes, "xclbin");
  if (!read) return read.error();
  const bitstreams::Xclbin& xclbin = *read;
  if (!xclbin.emulation)
    return Error{"the xclbin is for a real card; the emulated card takes those made for emulation"};

  // 3. Memory.
  Design design;
  design.uuid = xclbin.uuid;
  for (const auto& bank : xclbin.memory) {
    const std::uint64_t size = bank.size_kib << 10U;
    design.banks.push_back(Bank{bank.tag, bank.base, bank_bytes == 0 ? size : std::min(size, bank_bytes)});
  }

  // 4. Compute units in XRT's order (xclbin_parser.cpp, get_cus: by address, interrupt ids being zero).
  for (const auto& unit : xclbin.units) {
    const std::string name = fmt::format("{}:{}", unit.kernel, unit.name);
    if (unit.base)
      design.units.push_back(Unit{unit.kernel, name, *unit.base, default_range, {}});
    else
      design.free_running.push_back(name);
  }
  std::sort(design.units.begin(), design.units.end(), [](const Unit& a, const Unit& b) { return a.base < b.base; });
  try {
    read_metadata(xclbin.metadata, design.units);
  } catch (const std::exception& error) {  // of the XML reader and of std::stoull
    return Error{fmt::format("section EMBEDDED_METADATA: {}", error.what())};
  }
  for (const Unit& unit : design.units)
    for (const PlainArgument& argument : unit.arguments)
      if (argument.offset > unit.range || std::max<std::uint32_t>(argument.size, 8) > unit.range - argument.offset)
        return Error{fmt::format("{}: an argument at {:#x} of {} bytes is outside the {:#x} bytes of registers",
                                 unit.name, argument.offset, argument.size, unit.range)};

  // 5. The kernels themselves.
  for (const auto& section : xclbin.sections) {
    if (section.kind != BITSTREAM) continue;
    const auto image = bitstreams::section_bytes(bytes, section);
    design.image.assign(image.begin(), image.end());
  }
  return design;
}

}  // namespace linecrypt::card_model
