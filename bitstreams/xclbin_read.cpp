// The reader: nothing of the file is used before it was seen to lie inside the file.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xrt/xclbin.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "bitstreams/digest.hpp"
#include "bitstreams/xclbin.hpp"

namespace linecrypt::bitstreams {
namespace {

constexpr std::size_t headers_at = offsetof(axlf, m_sections);
constexpr std::uint32_t sections_most = 256;
constexpr std::array<std::string_view, 32> section_names = {"BITSTREAM",
                                                            "CLEARING_BITSTREAM",
                                                            "EMBEDDED_METADATA",
                                                            "FIRMWARE",
                                                            "DEBUG_DATA",
                                                            "SCHED_FIRMWARE",
                                                            "MEM_TOPOLOGY",
                                                            "CONNECTIVITY",
                                                            "IP_LAYOUT",
                                                            "DEBUG_IP_LAYOUT",
                                                            "DESIGN_CHECK_POINT",
                                                            "CLOCK_FREQ_TOPOLOGY",
                                                            "MCS",
                                                            "BMC",
                                                            "BUILD_METADATA",
                                                            "KEYVALUE_METADATA",
                                                            "USER_METADATA",
                                                            "DNA_CERTIFICATE",
                                                            "PDI",
                                                            "BITSTREAM_PARTIAL_PDI",
                                                            "PARTITION_METADATA",
                                                            "EMULATION_DATA",
                                                            "SYSTEM_METADATA",
                                                            "SOFT_KERNEL",
                                                            "ASK_FLASH",
                                                            "AIE_METADATA",
                                                            "GROUP_TOPOLOGY",
                                                            "GROUP_CONNECTIVITY",
                                                            "SMARTNIC",
                                                            "AIE_RESOURCES",
                                                            "OVERLAY",
                                                            "VENDER_METADATA"};

// What a card's driver reads, each exactly once.
constexpr std::array needed = {BITSTREAM, EMBEDDED_METADATA,  MEM_TOPOLOGY,          CONNECTIVITY,
                               IP_LAYOUT, ASK_GROUP_TOPOLOGY, ASK_GROUP_CONNECTIVITY};

// Text in a fixed field; nothing when it has no terminating zero.
template <typename Char, std::size_t N>
std::optional<std::string> fixed_text(const Char (&field)[N]) {
  static_assert(sizeof(Char) == 1);
  const void* end = std::memchr(field, 0, N);
  if (end == nullptr) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(field),
                     static_cast<std::size_t>(static_cast<const char*>(end) - reinterpret_cast<const char*>(field)));
}

// Control characters in a file must not reach a person's terminal.
bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 127; });
}

// A section that is a count and then an array of T.
template <typename T>
Result<std::vector<T>> counted(ByteSpan section, std::size_t count_size, std::size_t array_at,
                               const std::string& place) {
  if (section.size() < array_at)
    return Error{fmt::format("{}: {} bytes, at least {} are needed for its count", place, section.size(), array_at)};
  std::int32_t count = 0;
  std::int16_t short_count = 0;
  std::memcpy(count_size == 2 ? static_cast<void*>(&short_count) : static_cast<void*>(&count), section.data(),
              count_size);
  if (count_size == 2) count = short_count;
  const std::size_t room = (section.size() - array_at) / sizeof(T);
  if (count < 0 || static_cast<std::size_t>(count) > room)
    return Error{fmt::format("{}: count {}, its {} bytes have room for {}", place, count, section.size(), room)};
  std::vector<T> list(static_cast<std::size_t>(count));
  if (count > 0) std::memcpy(list.data(), section.data() + array_at, list.size() * sizeof(T));
  return list;
}

Result<std::vector<Xclbin::Section>> read_sections(ByteSpan bytes, const axlf_header& header, const std::string& file) {
  const std::uint32_t count = header.m_numSections;
  if (count == 0 || count > sections_most)
    return Error{fmt::format("{}: {} sections, 1 to {} are allowed", file, count, sections_most)};
  const std::uint64_t headers_end = headers_at + std::uint64_t{count} * sizeof(axlf_section_header);
  if (headers_end > bytes.size())
    return Error{fmt::format("{}: truncated: the headers of {} sections end at {}, the file has {} bytes", file, count,
                             headers_end, bytes.size())};

  std::vector<Xclbin::Section> sections;
  std::set<std::uint32_t> once;
  for (std::uint32_t i = 0; i < count; ++i) {
    axlf_section_header raw{};
    std::memcpy(&raw, bytes.data() + headers_at + i * sizeof(raw), sizeof(raw));
    const std::string place = fmt::format("{}: section {} ({})", file, i, section_name(raw.m_sectionKind));
    // Written so that no sum can wrap.
    if (raw.m_sectionOffset > bytes.size() || raw.m_sectionSize > bytes.size() - raw.m_sectionOffset)
      return Error{fmt::format("{}: {} bytes at offset {}, the file has {} bytes", place, raw.m_sectionSize,
                               raw.m_sectionOffset, bytes.size())};
    if (raw.m_sectionOffset < headers_end)
      return Error{
          fmt::format("{}: offset {} lies in the headers, which end at {}", place, raw.m_sectionOffset, headers_end)};
    if (raw.m_sectionOffset % 8 != 0)
      return Error{fmt::format("{}: offset {}, a multiple of 8 is allowed", place, raw.m_sectionOffset)};
    const auto is_needed = std::find(needed.begin(), needed.end(), raw.m_sectionKind) != needed.end() ||
                           raw.m_sectionKind == CLOCK_FREQ_TOPOLOGY;
    if (is_needed && !once.insert(raw.m_sectionKind).second)
      return Error{fmt::format("{}: is there twice, one is allowed", place)};
    if (is_needed && raw.m_sectionSize == 0) return Error{fmt::format("{}: is empty", place)};
    sections.push_back(
        {raw.m_sectionKind, fixed_text(raw.m_sectionName).value_or(""), raw.m_sectionOffset, raw.m_sectionSize});
  }

  std::vector<std::string_view> missing;
  for (const auto kind : needed)
    if (!once.contains(kind)) missing.push_back(section_name(kind));
  if (!missing.empty()) return Error{fmt::format("{}: missing sections: {}", file, fmt::join(missing, ", "))};

  auto by_offset = sections;
  std::sort(by_offset.begin(), by_offset.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (std::size_t i = 1; i < by_offset.size(); ++i) {
    const auto& before = by_offset[i - 1];
    if (before.offset + before.size > by_offset[i].offset && by_offset[i].size != 0)
      return Error{fmt::format("{}: section {} at {} begins inside {}, which ends at {}", file,
                               section_name(by_offset[i].kind), by_offset[i].offset, section_name(before.kind),
                               before.offset + before.size)};
  }
  return sections;
}

Result<std::vector<MemoryBank>> read_memory(ByteSpan section, const std::string& place) {
  auto raw = counted<mem_data>(section, 4, 8, place);
  if (!raw) return raw.error();
  std::vector<MemoryBank> banks;
  for (std::size_t i = 0; i < raw->size(); ++i) {
    const mem_data& data = (*raw)[i];
    const auto tag = fixed_text(data.m_tag);
    if (!tag || !printable(*tag))
      return Error{fmt::format("{}: bank {}: its tag is not a text of at most 15 characters", place, i)};
    banks.push_back({*tag, data.m_type == MEM_HBM, data.m_base_address, data.m_size});
  }
  if (banks.empty()) return Error{fmt::format("{}: no memory bank", place)};
  return banks;
}

Result<std::vector<Xclbin::Unit>> read_units(ByteSpan section, const std::string& place) {
  auto raw = counted<ip_data>(section, 4, 8, place);
  if (!raw) return raw.error();
  std::vector<Xclbin::Unit> units;
  std::set<std::string> names;
  for (std::size_t i = 0; i < raw->size(); ++i) {
    const ip_data& data = (*raw)[i];
    const auto name = fixed_text(data.m_name);
    if (!name || !printable(*name))
      return Error{fmt::format("{}: entry {}: its name is not a text of at most 63 characters", place, i)};
    // Entries of other types are memory controllers; they keep their index, because connections count them.
    Xclbin::Unit unit{*name, "", std::nullopt, ControlProtocol::ap_ctrl_none};
    if (data.m_type == IP_KERNEL) {
      const std::size_t colon = name->find(':');
      if (colon == std::string::npos || colon == 0 || colon + 1 == name->size())
        return Error{fmt::format("{}: entry {}: found '{}', 'kernel:unit' is allowed", place, i, *name)};
      if (!names.insert(*name).second) return Error{fmt::format("{}: '{}' is there twice", place, *name)};
      const std::uint32_t control = (data.properties & IP_CONTROL_MASK) >> IP_CONTROL_SHIFT;
      if (control > AP_CTRL_NONE)
        return Error{
            fmt::format("{}: '{}': control protocol {}, allowed: ap_ctrl_hs (0), ap_ctrl_chain (1), ap_ctrl_none (2)",
                        place, *name, control)};
      unit.kernel = name->substr(0, colon);
      unit.name = name->substr(colon + 1);
      unit.protocol = static_cast<ControlProtocol>(control);
      if (data.m_base_address != ~std::uint64_t{0}) unit.base = data.m_base_address;
    }
    units.push_back(std::move(unit));
  }
  if (names.empty()) return Error{fmt::format("{}: no compute unit", place)};
  return units;
}

Result<std::vector<Xclbin::Connection>> read_connections(ByteSpan section, const Xclbin& xclbin,
                                                         const std::string& place) {
  auto raw = counted<connection>(section, 4, 4, place);
  if (!raw) return raw.error();
  std::vector<Xclbin::Connection> list;
  for (std::size_t i = 0; i < raw->size(); ++i) {
    const connection& c = (*raw)[i];
    const auto inside = [](std::int32_t index, std::size_t size) {
      return index >= 0 && static_cast<std::size_t>(index) < size;
    };
    if (c.arg_index < 0)
      return Error{fmt::format("{}: entry {}: argument {}, 0 or more is allowed", place, i, c.arg_index)};
    if (!inside(c.m_ip_layout_index, xclbin.units.size()))
      return Error{fmt::format("{}: entry {}: compute unit {}, 0 to {} are there", place, i, c.m_ip_layout_index,
                               xclbin.units.size() - 1)};
    if (!inside(c.mem_data_index, xclbin.memory.size()))
      return Error{fmt::format("{}: entry {}: memory bank {}, 0 to {} are there", place, i, c.mem_data_index,
                               xclbin.memory.size() - 1)};
    list.push_back({static_cast<std::uint32_t>(c.arg_index), static_cast<std::uint32_t>(c.m_ip_layout_index),
                    static_cast<std::uint32_t>(c.mem_data_index)});
  }
  return list;
}

// The slowest clock of those that kernels run on.
Result<std::uint32_t> read_clock(ByteSpan section, const std::string& place) {
  auto raw = counted<clock_freq>(section, 2, 2, place);
  if (!raw) return raw.error();
  std::uint32_t slowest = 0;
  for (const auto& clock : *raw) {
    if (clock.m_type != CT_DATA || clock.m_freq_Mhz == 0) continue;
    slowest = slowest == 0 ? clock.m_freq_Mhz : std::min<std::uint32_t>(slowest, clock.m_freq_Mhz);
  }
  return slowest;
}

}  // namespace

std::string_view section_name(std::uint32_t kind) {
  return kind < section_names.size() ? section_names[kind] : "unknown kind";
}

std::string uuid_text(const std::array<std::uint8_t, 16>& uuid) {
  const std::string hex = hex_text(uuid);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

ByteSpan section_bytes(ByteSpan bytes, const Xclbin::Section& section) {
  return bytes.subspan(section.offset, section.size);
}

std::optional<std::uint32_t> Xclbin::bank_of(std::string_view unit, std::uint32_t argument) const {
  for (const auto& c : connections)
    if (units[c.unit].name == unit && c.argument == argument) return c.bank;
  return std::nullopt;
}

Result<Xclbin> read_xclbin(ByteSpan bytes, const std::string& file) {
  // 1. The fixed part.
  if (bytes.size() < headers_at)
    return Error{
        fmt::format("{}: truncated: {} bytes, the header of an xclbin alone has {}", file, bytes.size(), headers_at)};
  axlf top{};
  std::memcpy(&top, bytes.data(), headers_at);
  if (std::memcmp(top.m_magic, "xclbin2", 8) != 0)
    return Error{fmt::format("{}: does not begin with 'xclbin2', so it is no xclbin", file)};
  // A signature of AMD's own lies behind the length that the header gives; ours is in the manifest.
  if (top.m_header.m_length > bytes.size() || top.m_header.m_length < headers_at)
    return Error{fmt::format("{}: truncated or not whole: its header says {} bytes, the file has {}", file,
                             top.m_header.m_length, bytes.size())};
  if (top.m_header.m_mode >= XCLBIN_MODE_MAX)
    return Error{fmt::format("{}: mode {}, 0 to {} are allowed", file, top.m_header.m_mode, XCLBIN_MODE_MAX - 1)};

  Xclbin xclbin;
  const auto platform = fixed_text(top.m_header.m_platformVBNV);
  if (!platform || platform->empty() || !printable(*platform))
    return Error{fmt::format("{}: the platform's name is not a text of 1 to 63 characters", file)};
  xclbin.platform = *platform;
  std::memcpy(xclbin.uuid.data(), top.m_header.uuid, xclbin.uuid.size());
  const auto mode = top.m_header.m_mode;
  xclbin.emulation = mode == XCLBIN_HW_EMU || mode == XCLBIN_SW_EMU || mode == XCLBIN_HW_EMU_PR;

  // 2. The sections' places.
  const ByteSpan inside = bytes.first(top.m_header.m_length);
  auto sections = read_sections(inside, top.m_header, file);
  if (!sections) return sections.error();
  xclbin.sections = std::move(*sections);

  // 3. Their contents.
  const auto bytes_of = [&](axlf_section_kind kind) {
    const auto found =
        std::find_if(xclbin.sections.begin(), xclbin.sections.end(), [&](const auto& s) { return s.kind == kind; });
    return found == xclbin.sections.end() ? ByteSpan{} : section_bytes(bytes, *found);
  };
  const auto place_of = [&](axlf_section_kind kind) { return fmt::format("{}: {}", file, section_name(kind)); };

  // BOs are placed by the group topology; without groups of its own it equals the plain one.
  auto memory = read_memory(bytes_of(ASK_GROUP_TOPOLOGY), place_of(ASK_GROUP_TOPOLOGY));
  if (!memory) return memory.error();
  xclbin.memory = std::move(*memory);
  auto plain_memory = read_memory(bytes_of(MEM_TOPOLOGY), place_of(MEM_TOPOLOGY));
  if (!plain_memory) return plain_memory.error();
  auto units = read_units(bytes_of(IP_LAYOUT), place_of(IP_LAYOUT));
  if (!units) return units.error();
  xclbin.units = std::move(*units);
  auto connections = read_connections(bytes_of(ASK_GROUP_CONNECTIVITY), xclbin, place_of(ASK_GROUP_CONNECTIVITY));
  if (!connections) return connections.error();
  xclbin.connections = std::move(*connections);
  Xclbin plain;
  plain.units = xclbin.units;
  plain.memory = std::move(*plain_memory);
  auto plain_connections = read_connections(bytes_of(CONNECTIVITY), plain, place_of(CONNECTIVITY));
  if (!plain_connections) return plain_connections.error();
  if (const ByteSpan clocks = bytes_of(CLOCK_FREQ_TOPOLOGY); !clocks.empty()) {
    auto clock = read_clock(clocks, place_of(CLOCK_FREQ_TOPOLOGY));
    if (!clock) return clock.error();
    xclbin.kernel_clock_mhz = *clock;
  }
  const ByteSpan xml = bytes_of(EMBEDDED_METADATA);
  xclbin.metadata.assign(xml.begin(), xml.end());
  return xclbin;
}

}  // namespace linecrypt::bitstreams
