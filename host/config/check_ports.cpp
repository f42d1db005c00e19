// Ports, their MACsec and their routes against each other.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "host/config/draft.hpp"
#include "host/config/unique.hpp"
#include "host/config/words.hpp"

namespace linecrypt::config {

namespace {

std::vector<std::string> port_names(const Draft& draft) {
  std::vector<std::string> names;
  for (const Port& port : draft.config.ports)
    if (!port.name.empty()) names.push_back(port.name);
  return names;
}

const Port* find_port(const Draft& draft, const std::string& name) {
  const auto found = std::find_if(draft.config.ports.begin(), draft.config.ports.end(),
                                  [&](const Port& port) { return port.name == name; });
  return found == draft.config.ports.end() ? nullptr : &*found;
}

// A reference from a section to a port.
bool check_reference(const Draft& draft, const std::string& name, const Value& table, Report& report) {
  const Value* const value = table.find("port");
  if (value == nullptr || value->kind != Kind::string) return false;  // reported
  if (find_port(draft, name) != nullptr) return true;
  const auto names = port_names(draft);
  const std::string near = nearest(name, names);
  if (!near.empty())
    report.error(value->at, fmt::format("port = {} is no [[port]], did you mean \"{}\"?", quoted(name), near));
  else
    report.error(value->at, fmt::format("port = {} is no [[port]], there are: {}", quoted(name),
                                        names.empty() ? "none" : joined(names)));
  return false;
}

// "lc-" and the port's name, cut to what a kernel takes: as config.hpp says.
std::string companion_of(const Port& port) {
  return port.companion.empty() ? ("lc-" + port.name).substr(0, 15) : port.companion;
}

// The device as one text: equal for equal devices.
std::string device_text(const Device& device) {
  struct Text {
    std::string operator()(const PciDevice& d) const { return d.address.empty() ? "" : "pci:" + d.address; }
    std::string operator()(const AfPacketDevice& d) const { return "network device " + d.netdev; }
    std::string operator()(const TapDevice& d) const { return "network device " + d.netdev; }
    std::string operator()(const PcapDevice& d) const { return "pcap:tx=" + d.transmit; }
    std::string operator()(const RingDevice& d) const { return "ring:" + d.name; }
  };
  return std::visit(Text{}, device);
}

// The port's IPv6 rule: no link below 1280 (RFC 8200 5).
void check_ipv6_mtu(const Draft& draft, Report& report) {
  constexpr std::uint32_t smallest = 1280;
  std::map<std::string, std::string> ipv6;  // port, why
  for (const PortAddress& address : draft.config.addresses)
    if (address.address.family == Family::ipv6) ipv6.try_emplace(address.port, address.address.text());
  for (const Route& route : draft.config.routes)
    if (route.destination.address.family == Family::ipv6) ipv6.try_emplace(route.port, route.destination.text());
  for (const Neighbour& neighbour : draft.config.neighbours)
    if (neighbour.address.family == Family::ipv6) ipv6.try_emplace(neighbour.port, neighbour.address.text());
  for (std::size_t i = 0; i < draft.ports.size(); ++i) {
    const Port& port = draft.config.ports[i];
    const auto found = ipv6.find(port.name);
    if (found != ipv6.end() && port.mtu < smallest)
      report.error(
          draft.ports[i]->position_of("mtu"),
          fmt::format("mtu = {} and the port has IPv6 ({}), allowed: {} to 9600", port.mtu, found->second, smallest));
  }
}

}  // namespace

void check_ports(Draft& draft, Report& report) {
  if (draft.ports.empty()) report.error({}, "no [[port]], at least one is needed");
  Unique<std::string> names(report);
  Unique<std::string> devices(report);
  Unique<MacAddress> macs(report);
  // 1. Devices first: a companion must not take the name of one.
  for (std::size_t i = 0; i < draft.ports.size(); ++i) {
    const Port& port = draft.config.ports[i];
    const Value& table = *draft.ports[i];
    if (!port.name.empty()) names.add(port.name, table.position_of("name"), quoted(port.name), "the name of a port");
    const std::string device = device_text(port.device);
    if (!device.empty()) devices.add(device, table.position_of("device"), device, "the device of a port");
    if (port.mac) macs.add(*port.mac, table.position_of("mac"), port.mac->text(), "the mac of a port");
  }
  // 2. Companions, also the names they get by themselves.
  std::map<std::string, Position> taken;
  for (std::size_t i = 0; i < draft.ports.size(); ++i) {
    const Position at = draft.ports[i]->position_of("device");
    if (const auto* d = std::get_if<AfPacketDevice>(&draft.config.ports[i].device)) taken.try_emplace(d->netdev, at);
    if (const auto* d = std::get_if<TapDevice>(&draft.config.ports[i].device)) taken.try_emplace(d->netdev, at);
  }
  Unique<std::string> companions(report);
  for (std::size_t i = 0; i < draft.ports.size(); ++i) {
    const Port& port = draft.config.ports[i];
    if (port.name.empty() && port.companion.empty()) continue;
    const Position at = draft.ports[i]->position_of("companion");
    const std::string companion = companion_of(port);
    if (!companions.add(companion, at, fmt::format("companion \"{}\"", companion), "the companion of a port")) continue;
    if (const auto device = taken.find(companion); device != taken.end())
      report.error(at, fmt::format("companion \"{}\" is the device of the port at {}, another name is needed",
                                   companion, line_of(device->second)));
  }
  // 3. Addresses.
  Unique<IpAddress> addresses(report);
  for (std::size_t i = 0; i < draft.addresses.size(); ++i) {
    const IpAddress& address = draft.config.addresses[i].address;
    addresses.add(address, draft.addresses[i], address.text(), "the address of a port");
  }
  check_ipv6_mtu(draft, report);
}

void check_macsecs(Draft& draft, Report& report) {
  Unique<std::string> ports(report);
  Unique<Sci> scis(report);
  for (std::size_t i = 0; i < draft.macsecs.size(); ++i) {
    const Macsec& macsec = draft.config.macsecs[i];
    const Value& table = *draft.macsecs[i];
    if (!check_reference(draft, macsec.port, table, report)) continue;
    if (!ports.add(macsec.port, table.position_of("port"), quoted(macsec.port), "the port of a [[macsec]]")) continue;
    const Port& port = *find_port(draft, macsec.port);
    // 1. A port's tags are those before the SecTAG: what the port strips and adds is what stays in clear.
    if (macsec.secy.clear_tags != port.vlan)
      report.error(table.position_of("clear_tags"),
                   fmt::format("clear_tags is {} and port \"{}\" carries {}, both must be equal",
                               vlan_text(macsec.secy.clear_tags), macsec.port, vlan_text(port.vlan)));
    // 2. The SCI that this port sends with.
    std::optional<Sci> sci = macsec.sci;
    if (!sci && port.mac) sci = Sci{*port.mac, 1};
    if (macsec.secy.sci_encoding == SciEncoding::end_station && macsec.sci) {
      // The receiver builds it from the source address (802.1AE 9.5, ES bit).
      if (macsec.sci->port != 1 || (port.mac && macsec.sci->address != *port.mac))
        report.error(
            table.position_of("sci"),
            fmt::format("sci {}/{} with sci_encoding = \"end-station\", allowed there: the port's MAC and port 1",
                        macsec.sci->address.text(), macsec.sci->port));
    }
    if (!sci) continue;
    scis.add(*sci, table.position_of("sci"), fmt::format("sci {}/{}", sci->address.text(), sci->port),
             "the SCI of a [[macsec]]");
    for (const ReceiveScConfig& sc : macsec.receive_scs)
      if (!macsec.sci && sc.sci == *sci)
        report.error({sc.place.line, sc.place.column},
                     fmt::format("sci {}/{} is the one this port transmits with, the peer's is needed",
                                 sci->address.text(), sci->port));
  }
}

void check_routes(Draft& draft, Report& report) {
  Unique<Prefix> destinations(report);
  for (std::size_t i = 0; i < draft.routes.size(); ++i) {
    const Route& route = draft.config.routes[i];
    const Value& table = *draft.routes[i];
    check_reference(draft, route.port, table, report);
    if (!table.find("destination")) continue;
    destinations.add(route.destination, table.position_of("destination"), route.destination.text(),
                     "the destination of a [[route]]");
    if (route.via && route.via->family != route.destination.address.family)
      report.error(table.position_of("via"),
                   fmt::format("via {} and destination {} are of different families, one family is needed",
                               route.via->text(), route.destination.text()));
  }
  Unique<std::pair<std::string, IpAddress>> neighbours(report);
  for (std::size_t i = 0; i < draft.neighbours.size(); ++i) {
    const Neighbour& neighbour = draft.config.neighbours[i];
    const Value& table = *draft.neighbours[i];
    if (!check_reference(draft, neighbour.port, table, report) || !table.find("address")) continue;
    neighbours.add({neighbour.port, neighbour.address}, table.position_of("address"), neighbour.address.text(),
                   "a [[neighbour]] of this port");
  }
}

}  // namespace linecrypt::config
