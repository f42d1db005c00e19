// Composition: a configuration becomes live SAs, policies, tunnels and Secys. Free of DPDK and of threads: linecryptd
// builds its pipeline from it, `linecryptctl pcap` too, and `linecryptctl key enroll` reads the same keys under the
// same labels.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/config/config.hpp"
#include "host/control/sa_control.hpp"
#include "host/gateway/pipeline/pipeline.hpp"
#include "host/keys/registry.hpp"
#include "host/tables/secy.hpp"
#include "host/tables/spd.hpp"

namespace linecrypt::gateway {

// One SA of the configuration with its key read, and the name it goes by in listings, journal and messages:
// "tunnel site-b out", "tunnel site-b in 0x00001001", "macsec circuit tx an 0", "macsec circuit rx 02:..:01/1 an 0".
struct NamedSa {
  std::string label;
  Sa sa;
};

// Which directions a program needs: `pcap protect` claims no ingress key and `pcap unprotect` no egress key.
struct Directions {
  bool egress = true;
  bool ingress = true;
};

// Reads the keys of every SA of `config`, egress first. `port_macs` are the ports' own addresses in the configuration's
// order (a transmit SCI that is not configured is the port's MAC and port 1). An error names the key's place.
Result<std::vector<NamedSa>> read_sas(const config::Config& config, std::span<const MacAddress> port_macs,
                                      Directions directions = {});

// The ports' MACs as far as they are known without opening a device: configured, or read from the kernel's netdev under
// an af_packet port. Zero otherwise; an error where a Secy without `sci` needs one, naming the two ways out.
Result<std::vector<MacAddress>> offline_macs(const config::Config& config);

// What the pipeline runs on, by the configuration's order of ports and tunnels. SaControl owns the SAs.
struct Composition {
  std::unique_ptr<tables::Spd> spd;
  std::vector<std::unique_ptr<TunnelState>> tunnels;
  std::vector<std::unique_ptr<tables::Secy>> secys;  // one per Secy; PortSettings::secy points here
  std::vector<PortSettings> ports;
  std::vector<SaId> sas;  // as added, for an orderly end
};

// Installs every SA through `control` and builds the tables around them. On failure what was installed is removed
// again. Keys are cleansed before it returns.
Result<Composition> compose(const config::Config& config, control::SaControl& control,
                            std::span<const MacAddress> port_macs, Directions directions = {});

// Removes the composition's SAs; no frame may be in flight.
void decompose(Composition& composition, control::SaControl& control);

// The fast path's static part: addresses, routes and neighbours that the configuration itself gives.
FibInput static_fib(const config::Config& config);

// The index of a port by its name; no_port if there is none.
[[nodiscard]] PortIndex port_index(const config::Config& config, const std::string& name) noexcept;

}  // namespace linecrypt::gateway
