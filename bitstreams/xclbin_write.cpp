// The writer. Section layouts are the structs of xclbin.h; what each means to XRT is in bitstreams/README.md.
#include <fmt/format.h>
#include <xrt/xclbin.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "bitstreams/digest.hpp"
#include "bitstreams/xclbin.hpp"

namespace linecrypt::bitstreams {
namespace {

constexpr std::uint64_t no_registers = ~std::uint64_t{0};  // ip_data.m_base_address of a unit without AXI-Lite

template <typename T>
void append(Bytes& out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::size_t end = out.size();
  out.resize(end + sizeof(T));
  std::memcpy(out.data() + end, &value, sizeof(T));
}

void append_text(Bytes& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
}

template <std::size_t N, typename Char>
void copy_name(Char (&room)[N], std::string_view text) {
  static_assert(sizeof(Char) == 1);
  std::memcpy(room, text.data(), std::min(text.size(), N - 1));  // the specification has checked the length
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// One compute unit of the card with the kernel it is of, in IP_LAYOUT's order: by address, free-running ones last.
struct Placed {
  const Kernel* kernel;
  const ComputeUnit* unit;
};

std::vector<Placed> placed_units(const Specification& spec) {
  std::vector<Placed> list;
  for (const auto& kernel : spec.kernels)
    for (const auto& unit : kernel.units) list.push_back({&kernel, &unit});
  std::stable_sort(list.begin(), list.end(), [](const Placed& a, const Placed& b) {
    return a.unit->base.value_or(no_registers) < b.unit->base.value_or(no_registers);
  });
  return list;
}

void append_kernel_xml(std::string& xml, const Kernel& kernel) {
  const auto put = [&]<typename... Args>(fmt::format_string<Args...> text, Args&&... args) {
    fmt::format_to(std::back_inserter(xml), text, std::forward<Args>(args)...);
    xml += '\n';
  };
  put(R"(      <kernel name="{0}" language="c" vlnv="linecrypt:kernel:{0}:1.0" attributes="" preferredWorkGroupSizeMultiple="0" workGroupSize="1" interrupt="false" hwControlProtocol="{1}">)",
      escaped(kernel.name), name_of(kernel.protocol));
  std::vector<std::string> ports;
  for (const auto& argument : kernel.arguments)
    if (!argument.port.empty() && std::find(ports.begin(), ports.end(), argument.port) == ports.end())
      ports.push_back(argument.port);
  for (const auto& port : ports)
    put(R"(        <port name="{}" mode="master" range="0xFFFFFFFFFFFFFFFF" dataWidth="512" portType="addressable" base="0x0"/>)",
        escaped(port));
  if (kernel.range != 0)
    put(R"(        <port name="S_AXI_CONTROL" mode="slave" range="{:#x}" dataWidth="32" portType="addressable" base="0x0"/>)",
        kernel.range);
  for (std::size_t i = 0; i < kernel.arguments.size(); ++i) {
    const KernelArgument& argument = kernel.arguments[i];
    put(R"(        <arg name="{}" addressQualifier="{}" id="{}" port="{}" size="{:#x}" offset="{:#x}" hostOffset="0x0" hostSize="{:#x}" type="{}"/>)",
        escaped(argument.name), argument.port.empty() ? 0 : 1, i,
        argument.port.empty() ? "S_AXI_CONTROL" : escaped(argument.port), argument.size, argument.offset, argument.size,
        escaped(argument.type));
  }
  for (const auto& unit : kernel.units) {
    if (unit.base)
      put(R"(        <instance name="{}"><addrRemap base="{:#x}" range="{:#x}" port="S_AXI_CONTROL"/></instance>)",
          escaped(unit.name), *unit.base, kernel.range);
    else
      put(R"(        <instance name="{}"/>)", escaped(unit.name));
  }
  xml += "      </kernel>\n";
}

Bytes metadata_xml(const Specification& spec, std::size_t units) {
  std::string xml = fmt::format(
      R"(<?xml version="1.0" encoding="UTF-8"?>
<project name="{0}">
  <platform vendor="linecrypt" boardid="{1}" name="{2}" featureRomTime="0">
    <version major="1" minor="0"/>
    <device name="fpga0" fpgaDevice="" addrWidth="0">
    <core name="OCL_REGION_0" target="hw_em" type="clc_region" clockFreq="0MHz" numComputeUnits="{3}">
      <kernelClocks><clock port="KERNEL_CLK" frequency="{4}.000000MHz"/></kernelClocks>
)",
      escaped(spec.name), escaped(spec.card), escaped(spec.platform), units, spec.kernel_clock_mhz);
  for (const auto& kernel : spec.kernels) append_kernel_xml(xml, kernel);
  xml += "    </core>\n    </device>\n  </platform>\n</project>\n";
  return {xml.begin(), xml.end()};
}

Bytes memory_topology(const Specification& spec) {
  Bytes out;
  append(out, static_cast<std::int32_t>(spec.memory.size()));
  append(out, std::uint32_t{0});  // mem_data is aligned at 8
  for (const auto& bank : spec.memory) {
    mem_data data{};
    data.m_type = bank.hbm ? MEM_HBM : MEM_DDR4;
    data.m_used = 1;
    data.m_size = bank.size_kib;
    data.m_base_address = bank.base;
    copy_name(data.m_tag, bank.tag);
    append(out, data);
  }
  return out;
}

Bytes ip_layout_of(const std::vector<Placed>& units) {
  Bytes out;
  append(out, static_cast<std::int32_t>(units.size()));
  append(out, std::uint32_t{0});
  for (const auto& [kernel, unit] : units) {
    ip_data data{};
    data.m_type = IP_KERNEL;
    data.properties = static_cast<std::uint32_t>(kernel->protocol) << IP_CONTROL_SHIFT;
    data.m_base_address = unit->base.value_or(no_registers);
    copy_name(data.m_name, kernel->name + ":" + unit->name);
    append(out, data);
  }
  return out;
}

Bytes connectivity_of(const Specification& spec, const std::vector<Placed>& units) {
  std::map<std::string, std::int32_t> banks;
  for (const auto& bank : spec.memory) banks.emplace(bank.tag, static_cast<std::int32_t>(banks.size()));
  std::vector<connection> list;
  for (std::size_t u = 0; u < units.size(); ++u) {
    const auto& arguments = units[u].kernel->arguments;
    for (std::size_t a = 0; a < arguments.size(); ++a)
      for (const auto& tag : arguments[a].memory)
        list.push_back({static_cast<std::int32_t>(a), static_cast<std::int32_t>(u), banks.at(tag)});
  }
  Bytes out;
  append(out, static_cast<std::int32_t>(list.size()));
  for (const auto& item : list) append(out, item);
  return out;
}

Bytes clock_topology(const Specification& spec) {
  Bytes out;
  append(out, std::int16_t{1});
  clock_freq clock{};
  clock.m_freq_Mhz = static_cast<std::uint16_t>(spec.kernel_clock_mhz);
  clock.m_type = CT_DATA;
  copy_name(clock.m_name, "KERNEL_CLK");
  append(out, clock);
  return out;
}

Bytes build_metadata(const Specification& spec) {
  nlohmann::json kernels = nlohmann::json::array();
  for (const auto& kernel : spec.kernels) kernels.push_back({{"name", kernel.name}});
  const nlohmann::json text = {{"build_metadata",
                                {{"xclbin",
                                  {{"generated_by", {{"name", "linecrypt-xclbin"}, {"version", "1"}}},
                                   {"user_regions", nlohmann::json::array({{{"kernels", kernels}}})}}}}}};
  Bytes out;
  append_text(out, text.dump());
  return out;
}

}  // namespace

Result<Bytes> write_xclbin(const Specification& spec, ByteSpan image) {
  if (image.empty())
    return Error{fmt::format("{}: the image is empty, a shared object with the kernels is needed", spec.name)};
  const std::vector<Placed> units = placed_units(spec);
  const Bytes topology = memory_topology(spec);
  const Bytes connections = connectivity_of(spec, units);

  // 1. The sections that XRT 2.13 wants as real ones; the GROUP_ pair repeats the plain one, each bank is its own
  // group.
  const std::vector<std::pair<axlf_section_kind, Bytes>> sections = {
      {BITSTREAM, Bytes(image.begin(), image.end())},
      {EMBEDDED_METADATA, metadata_xml(spec, units.size())},
      {MEM_TOPOLOGY, topology},
      {IP_LAYOUT, ip_layout_of(units)},
      {CONNECTIVITY, connections},
      {ASK_GROUP_TOPOLOGY, topology},
      {ASK_GROUP_CONNECTIVITY, connections},
      {CLOCK_FREQ_TOPOLOGY, clock_topology(spec)},
      {BUILD_METADATA, build_metadata(spec)},
  };

  // 2. Headers, then bodies at multiples of 8.
  Bytes headers, bodies;
  const std::uint64_t begin = offsetof(axlf, m_sections) + sections.size() * sizeof(axlf_section_header);
  for (const auto& [kind, data] : sections) {
    while ((begin + bodies.size()) % 8 != 0) bodies.push_back(0);
    axlf_section_header header{};
    header.m_sectionKind = kind;
    header.m_sectionOffset = begin + bodies.size();
    header.m_sectionSize = data.size();
    append(headers, header);
    bodies.insert(bodies.end(), data.begin(), data.end());
  }

  // 3. The file's header. XRT compares uuids to skip a download, so another content must have another one.
  axlf top{};
  std::memcpy(top.m_magic, "xclbin2", 8);
  top.m_signature_length = -1;
  std::memset(top.reserved, 0xff, sizeof(top.reserved));
  top.m_header.m_length = begin + bodies.size();
  top.m_header.m_versionMajor = 2;
  top.m_header.m_versionMinor = 1;
  top.m_header.m_mode = XCLBIN_HW_EMU;
  copy_name(top.m_header.m_platformVBNV, spec.platform);
  top.m_header.m_numSections = static_cast<std::uint32_t>(sections.size());
  Bytes content = headers;
  content.insert(content.end(), bodies.begin(), bodies.end());
  append_text(content, spec.platform);
  const auto digest = sha256(content);
  std::memcpy(top.m_header.uuid, digest.data(), sizeof(top.m_header.uuid));

  Bytes out(reinterpret_cast<const std::uint8_t*>(&top),
            reinterpret_cast<const std::uint8_t*>(&top) + offsetof(axlf, m_sections));
  out.insert(out.end(), headers.begin(), headers.end());
  out.insert(out.end(), bodies.begin(), bodies.end());
  return out;
}

}  // namespace linecrypt::bitstreams
