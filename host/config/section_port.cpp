// [[port]]
#include <fmt/format.h>

#include <algorithm>

#include "host/config/draft.hpp"
#include "host/config/words.hpp"
#include "linecrypt/wire/ethernet.hpp"

namespace linecrypt::config {
namespace {

constexpr Word<Side> side_words[] = {{"clear", Side::clear}, {"black", Side::black}};

constexpr std::string_view device_forms =
    "allowed: \"pci:0000:01:00.0\", \"af_packet:NETDEV\", \"tap:NETDEV\", \"pcap:rx=FILE,tx=FILE\", \"ring:NAME\"";

Result<Device> parse_pcap(std::string_view text) {
  PcapDevice device;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    std::string* file = nullptr;
    if (part.starts_with("rx=")) file = &device.receive;
    if (part.starts_with("tx=")) file = &device.transmit;
    if (file == nullptr) return Error{"\"pcap:\" is followed by rx=FILE,tx=FILE"};
    if (!file->empty()) return Error{fmt::format("\"pcap:\" names {} twice", part.substr(0, 2))};
    *file = part.substr(3);
    if (!is_absolute_path(*file)) return Error{fmt::format("{} needs an absolute path", part.substr(0, 2))};
  }
  if (device.receive.empty() || device.transmit.empty()) return Error{"\"pcap:\" needs both rx=FILE and tx=FILE"};
  if (device.receive == device.transmit) return Error{"rx and tx name one file"};
  return Device{std::move(device)};
}

Result<Device> parse_device(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  if (kind == "pci") {
    auto address = parse_pci_address(rest);
    if (!address) return address.error();
    return Device{PciDevice{std::move(address).value()}};
  }
  if (kind == "af_packet" || kind == "tap") {
    if (!is_netdev_name(rest))
      return Error{fmt::format("{} is not a name of a network device, allowed: 1 to 15 letters, digits, '.', '_', '-'",
                               quoted(rest))};
    if (kind == "tap") return Device{TapDevice{std::string(rest)}};
    return Device{AfPacketDevice{.netdev = std::string(rest)}};
  }
  if (kind == "pcap") return parse_pcap(rest);
  if (kind == "ring") {
    if (!is_netdev_name(rest))
      return Error{
          fmt::format("{} is not a name of a ring, allowed: 1 to 15 letters, digits, '.', '_', '-'", quoted(rest))};
    return Device{RingDevice{std::string(rest)}};
  }
  return Error{fmt::format("{} is not a device, {}", quoted(text), device_forms)};
}

void read_addresses(Section& section, const Port& port, Draft& draft) {
  for (const Value& item : section.items("addresses", 64)) {
    HostPrefix address;
    if (!section.parsed_value("addresses", item, parse_host_prefix, address)) continue;
    draft.config.addresses.push_back({port.name, address.address, address.length, section.report().place(item.at)});
    draft.addresses.push_back(item.at);
  }
}

}  // namespace

void read_port(Section section, Draft& draft) {
  Port port;
  port.place = section.place();
  read_name(section, port.name);
  section.word("side", side_words, port.side, Need::required);
  section.parsed("device", parse_device, port.device, Need::required);

  auto* const af_packet = std::get_if<AfPacketDevice>(&port.device);
  std::uint32_t frame_count = 0;
  if (section.integer("frame_count", 64, 65536, frame_count)) {
    if (af_packet != nullptr)
      af_packet->frame_count = frame_count;
    else
      section.error("frame_count", "frame_count belongs to af_packet devices only");
  }
  section.integer("mtu", 576, 9600, port.mtu);
  if (section.text("companion", port.companion) && !is_netdev_name(port.companion))
    section.error("companion",
                  fmt::format("companion = {} is not a name of a network device, allowed: 1 to 15 letters, "
                              "digits, '.', '_', '-'",
                              quoted(port.companion)));
  MacAddress mac;
  if (section.parsed("mac", parse_unicast_mac, mac)) port.mac = mac;
  port.vlan = read_vlan_tags(section, "vlan");
  if (af_packet != nullptr &&
      std::any_of(port.vlan.begin(), port.vlan.end(), [](auto tag) { return tag.tpid == wire::ethertype_stag; }))
    section.error("vlan",
                  "vlan: an S-tag (0x88a8) is not kept by af_packet devices, allowed there: C-tags (0x8100); "
                  "use a pci, tap or pcap device");
  read_addresses(section, port, draft);
  section.finish();
  draft.ports.push_back(&section.table());
  draft.config.ports.push_back(std::move(port));
}

}  // namespace linecrypt::config
