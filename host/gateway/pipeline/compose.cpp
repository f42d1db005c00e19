#include "host/gateway/pipeline/compose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "host/config/load.hpp"

namespace linecrypt::gateway {

namespace {

// Key and salt are in one reference (key followed by salt) or in two.
struct KeyAndSalt {
  Secret<44> key;
  Secret<44> salt;
};

Result<KeyAndSalt> read_key_and_salt(const config::KeyReference& key, const std::optional<config::KeyReference>& salt,
                                     std::size_t key_bytes, std::size_t salt_bytes) {
  const bool together = salt_bytes != 0 && !salt;
  auto read = config::read_key<44>(key, together ? key_bytes + salt_bytes : key_bytes);
  if (!read) return read.error();
  KeyAndSalt result;
  result.key = Secret<44>(read->bytes().first(key_bytes));
  if (together) {
    result.salt = Secret<44>(read->bytes().subspan(key_bytes));
  } else if (salt_bytes != 0) {
    auto read_salt = config::read_key<44>(*salt, salt_bytes);
    if (!read_salt) return read_salt.error();
    result.salt = std::move(read_salt).value();
  }
  return result;
}

Result<EspSa> read_esp_sa(const config::Tunnel& tunnel, const config::EspSaConfig& from, Direction direction) {
  EspSa sa = from.prototype.duplicate();
  sa.direction = direction;
  // RFC 4301 5.2: what comes out of a tunnel must match the tunnel's own selectors.
  if (direction == Direction::ingress && sa.selectors.empty()) sa.selectors = tunnel.selectors;
  auto keys = read_key_and_salt(from.key, from.salt, key_size(sa.algorithm), decltype(sa.salt)::capacity);
  if (!keys) return keys.error();
  sa.key = Secret<32>(keys->key.bytes());
  sa.salt = Secret<4>(keys->salt.bytes());
  return sa;
}

Result<MacsecSa> read_macsec_sa(const config::Macsec& macsec, const config::MacsecSaConfig& from, Sci sci,
                                Direction direction) {
  MacsecSa sa;
  sa.secy = macsec.secy;
  sa.direction = direction;
  sa.sci = sci;
  sa.an = from.an;
  sa.ssci = from.ssci;
  sa.lowest_pn = from.lowest_pn;
  const std::size_t salt_bytes = is_xpn(macsec.secy.suite) ? decltype(sa.salt)::capacity : 0;
  auto keys = read_key_and_salt(from.key, from.salt, key_size(macsec.secy.suite), salt_bytes);
  if (!keys) return keys.error();
  sa.key = Secret<32>(keys->key.bytes());
  sa.salt = Secret<12>(keys->salt.bytes());
  return sa;
}

std::string text_of(Sci sci) {
  return fmt::format("{}/{}", sci.address.text(), sci.port);
}

Sci transmit_sci(const config::Macsec& macsec, const MacAddress& port_mac) {
  return macsec.sci ? *macsec.sci : Sci{port_mac, 1};
}

std::string place_text(const config::Place& place) {
  return config::Diagnostic{place, {}}.text();
}

std::unique_ptr<TunnelState> make_tunnel(const config::Tunnel& from) {
  const EspSa& outbound = from.outbound.prototype;
  auto tunnel = std::make_unique<TunnelState>();
  tunnel->name = from.name;
  tunnel->source = outbound.source;
  tunnel->destination = outbound.destination;
  tunnel->mode = outbound.mode;
  tunnel->udp = outbound.udp.has_value();
  if (outbound.udp) {
    tunnel->udp_source_port = outbound.udp->source_port;
    tunnel->udp_destination_port = outbound.udp->destination_port;
    tunnel->keepalive_seconds = from.keepalive_seconds == 0 ? 20 : from.keepalive_seconds;  // RFC 3948 4
  }
  tunnel->path_mtu = from.path_mtu;
  return tunnel;
}

// Reads, installs and forgets one SA's key.
template <typename SaType>
Result<SaId> add(Composition& composition, control::SaControl& control, Result<SaType> sa, const std::string& label) {
  if (!sa) return Error{fmt::format("{}: {}", label, sa.error().message)};
  auto id = control.add(*sa, keys::KeyLife::persistent, label);
  if (!id) return Error{fmt::format("{}: {}", label, id.error().message)};
  composition.sas.push_back(*id);
  return *id;
}

std::string egress_label(const config::Tunnel& tunnel) {
  return fmt::format("tunnel {} out", tunnel.name);
}
std::string ingress_label(const config::Tunnel& tunnel, const config::EspSaConfig& sa) {
  return fmt::format("tunnel {} in 0x{:08x}", tunnel.name, sa.prototype.spi);
}
std::string transmit_label(const config::Macsec& macsec, const config::MacsecSaConfig& sa) {
  return fmt::format("macsec {} tx an {}", macsec.port, sa.an);
}
std::string receive_label(const config::Macsec& macsec, Sci sci, const config::MacsecSaConfig& sa) {
  return fmt::format("macsec {} rx {} an {}", macsec.port, text_of(sci), sa.an);
}

Result<void> compose_tunnels(const config::Config& config, control::SaControl& control, Directions directions,
                             Composition& out) {
  for (const config::Tunnel& from : config.tunnels) {
    out.tunnels.push_back(make_tunnel(from));
    // Ingress first, so that the peer's answer to our first packet is understood.
    if (directions.ingress) {
      for (const config::EspSaConfig& sa : from.inbound) {
        auto id = add(out, control, read_esp_sa(from, sa, Direction::ingress), ingress_label(from, sa));
        if (!id) return id.error();
      }
    }
    if (directions.egress) {
      auto id = add(out, control, read_esp_sa(from, from.outbound, Direction::egress), egress_label(from));
      if (!id) return id.error();
      out.tunnels.back()->carry_with(*id, from.outbound.prototype.spi);
    }
  }
  return {};
}

Result<void> compose_secy(const config::Macsec& from, Sci sci, control::SaControl& control, Directions directions,
                          Composition& out) {
  auto secy = std::make_unique<tables::Secy>(from.secy, sci);
  if (directions.ingress) {
    for (const config::ReceiveScConfig& sc : from.receive_scs) {
      if (auto added = secy->add_receive_sc(sc.sci); !added) return added.error();
      for (const config::MacsecSaConfig& sa : sc.sas) {
        auto id =
            add(out, control, read_macsec_sa(from, sa, sc.sci, Direction::ingress), receive_label(from, sc.sci, sa));
        if (!id) return id.error();
        if (auto set = secy->set_receive_sa(sc.sci, sa.an, *id); !set) return set.error();
      }
    }
  }
  if (directions.egress) {
    for (const config::MacsecSaConfig& sa : from.transmit_sas) {
      auto id = add(out, control, read_macsec_sa(from, sa, sci, Direction::egress), transmit_label(from, sa));
      if (!id) return id.error();
      if (auto set = secy->set_transmit_sa(sa.an, *id); !set) return set.error();
    }
    if (!from.transmit_sas.empty())
      if (auto chosen = secy->transmit_with(from.transmit_an); !chosen) return chosen.error();
  }
  out.secys.push_back(std::move(secy));
  return {};
}

Result<void> compose_into(const config::Config& config, control::SaControl& control,
                          std::span<const MacAddress> port_macs, Directions directions, Composition& out) {
  // 1. Ports.
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    const config::Port& port = config.ports[i];
    PortSettings settings;
    settings.name = port.name;
    settings.side = port.side;
    settings.mac = port_macs[i];
    settings.mtu = port.mtu;
    settings.vlan = port.vlan;
    out.ports.push_back(std::move(settings));
  }

  // 2. Secys on them.
  for (const config::Macsec& from : config.macsecs) {
    const PortIndex port = port_index(config, from.port);
    if (port == no_port) return Error{fmt::format("{}unknown port '{}'", place_text(from.place), from.port)};
    if (auto made = compose_secy(from, transmit_sci(from, port_macs[port]), control, directions, out); !made)
      return made.error();
    out.ports[port].secy = out.secys.back().get();
  }

  // 3. Tunnels.
  if (auto made = compose_tunnels(config, control, directions, out); !made) return made.error();

  // 4. Policies over the tunnels.
  std::vector<Policy> policies;
  std::vector<std::string> names;
  for (const config::PolicyConfig& from : config.policies) policies.push_back(from.policy);
  for (const config::Tunnel& from : config.tunnels) names.push_back(from.name);
  auto spd = tables::Spd::build(std::move(policies), names);
  if (!spd) return spd.error();
  out.spd = std::move(spd).value();
  return {};
}

}  // namespace

PortIndex port_index(const config::Config& config, const std::string& name) noexcept {
  const auto found = std::find_if(config.ports.begin(), config.ports.end(),
                                  [&](const config::Port& port) { return port.name == name; });
  return found == config.ports.end() ? no_port : static_cast<PortIndex>(found - config.ports.begin());
}

Result<std::vector<NamedSa>> read_sas(const config::Config& config, std::span<const MacAddress> port_macs,
                                      Directions directions) {
  std::vector<NamedSa> result;
  const auto take = [&](auto sa, std::string label) -> Result<void> {
    if (!sa) return Error{fmt::format("{}: {}", label, sa.error().message)};
    result.push_back({std::move(label), std::move(sa).value()});
    return {};
  };
  if (directions.egress) {
    for (const config::Tunnel& tunnel : config.tunnels)
      if (auto ok = take(read_esp_sa(tunnel, tunnel.outbound, Direction::egress), egress_label(tunnel)); !ok)
        return ok.error();
    for (const config::Macsec& macsec : config.macsecs) {
      const PortIndex port = port_index(config, macsec.port);
      const Sci sci = transmit_sci(macsec, port < port_macs.size() ? port_macs[port] : MacAddress{});
      for (const config::MacsecSaConfig& sa : macsec.transmit_sas)
        if (auto ok = take(read_macsec_sa(macsec, sa, sci, Direction::egress), transmit_label(macsec, sa)); !ok)
          return ok.error();
    }
  }
  if (directions.ingress) {
    for (const config::Tunnel& tunnel : config.tunnels)
      for (const config::EspSaConfig& sa : tunnel.inbound)
        if (auto ok = take(read_esp_sa(tunnel, sa, Direction::ingress), ingress_label(tunnel, sa)); !ok)
          return ok.error();
    for (const config::Macsec& macsec : config.macsecs)
      for (const config::ReceiveScConfig& sc : macsec.receive_scs)
        for (const config::MacsecSaConfig& sa : sc.sas)
          if (auto ok = take(read_macsec_sa(macsec, sa, sc.sci, Direction::ingress), receive_label(macsec, sc.sci, sa));
              !ok)
            return ok.error();
  }
  return result;
}

Result<std::vector<MacAddress>> offline_macs(const config::Config& config) {
  std::vector<MacAddress> macs(config.ports.size());
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    const config::Port& port = config.ports[i];
    if (port.mac) {
      macs[i] = *port.mac;
      continue;
    }
    const auto* device = std::get_if<config::AfPacketDevice>(&port.device);
    if (device == nullptr) continue;
    std::ifstream file(fmt::format("/sys/class/net/{}/address", device->netdev));
    std::string text;
    if (!(file >> text)) continue;
    if (auto mac = MacAddress::parse(text)) macs[i] = *mac;
  }
  for (const config::Macsec& macsec : config.macsecs) {
    const PortIndex port = port_index(config, macsec.port);
    if (macsec.sci || port == no_port || macs[port] != MacAddress{}) continue;
    return Error{fmt::format(
        "{}the transmit SCI of port '{}' is its device's MAC, which is not known here; give the port a 'mac' or the "
        "MACsec section an 'sci'",
        place_text(macsec.place), macsec.port)};
  }
  return macs;
}

Result<Composition> compose(const config::Config& config, control::SaControl& control,
                            std::span<const MacAddress> port_macs, Directions directions) {
  if (port_macs.size() != config.ports.size())
    return Error{fmt::format("{} MAC addresses for {} ports", port_macs.size(), config.ports.size())};
  Composition composition;
  if (auto made = compose_into(config, control, port_macs, directions, composition); !made) {
    decompose(composition, control);
    return made.error();
  }
  return composition;
}

void decompose(Composition& composition, control::SaControl& control) {
  for (const auto& tunnel : composition.tunnels) tunnel->carry_with({}, 0);
  for (const SaId id : composition.sas) static_cast<void>(control.remove(id));
  composition.sas.clear();
}

FibInput static_fib(const config::Config& config) {
  FibInput input;
  for (const config::PortAddress& from : config.addresses)
    input.addresses.push_back({port_index(config, from.port), from.address, from.prefix_length});
  for (const config::Route& from : config.routes)
    input.routes.push_back({from.destination, port_index(config, from.port), from.via, 0});
  for (const config::Neighbour& from : config.neighbours)
    input.neighbours.push_back({port_index(config, from.port), from.address, from.mac});
  return input;
}

}  // namespace linecrypt::gateway
