// Config: what a whole, valid configuration file says, as plain values. Read by host/config/load.hpp, used by everyone
// above.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "linecrypt/abi/registers.hpp"
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/offload.hpp"
#include "linecrypt/policy.hpp"

namespace linecrypt::config {

// Where a value stands in its file, for messages. Lines and columns from 1.
struct Place {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// Where key bytes come from. A key file or helper gives hex digits: key, or key followed by salt.
struct KeyFile {
  std::string path;
};
struct KeyHelper {
  std::vector<std::string> arguments;  // absolute program path first; no shell, clean environment, 5 s, 4 KiB
};
struct InlineKey {  // only with allow_inline_keys
  Secret<44> bytes;
};
struct KeyReference {
  std::variant<KeyFile, KeyHelper, InlineKey> source;
  Place place;
};

enum class AeadChoice : std::uint8_t { automatic, vaes, ipsec_mb, openssl };
enum class PollMode : std::uint8_t { adaptive, always };
enum class StaticKeys : std::uint8_t { refuse, accept_risk };  // of ESP; RFC 4106 2 and RFC 8221 forbid static keys
enum class LogLevel : std::uint8_t { error, warning, info, debug };

inline constexpr std::uint32_t max_sas_default = 4096;

struct Gateway {
  std::string name = "linecrypt";
  OffloadMode offload = OffloadMode::software;
  AeadChoice aead = AeadChoice::automatic;
  PollMode poll = PollMode::adaptive;
  StaticKeys static_keys = StaticKeys::refuse;
  bool allow_inline_keys = false;
  bool hugepages = false;                    // false: --no-huge
  std::uint32_t memory_mb = 64;              // DPDK memory without hugepages
  std::optional<std::uint32_t> worker_core;  // none: not pinned
  std::optional<std::uint32_t> max_sas;      // none: max_sas_default, or what a card has room for
  std::uint32_t buffers = 8192;              // packet buffers in all
  std::string state_directory = "/var/lib/linecrypt";
  std::string control_socket = "/run/linecrypt/control.sock";
  LogLevel log_level = LogLevel::info;
  Place place;
};

// The card for offload = "auto" or "card".
struct Card {
  std::string address;                       // PCI address of its user function; empty: by number
  std::uint32_t index = 0;                   // in XRT's order
  std::string bitstream;                     // xclbin; its manifest stands beside it
  abi::CardMode mode = abi::CardMode::none;  // what the bitstream must do; none: whatever it does
  std::string trusted_keys;                  // who must have signed the manifest; empty: nobody
  bool allow_shared_node = false;            // a device node that others may open
  Place place;
};

enum class Side : std::uint8_t { clear, black };

struct PciDevice {
  std::string address;
};
struct AfPacketDevice {
  std::string netdev;
  std::uint32_t frame_count = 4096;
};
struct TapDevice {  // a DPDK net_tap: the far end is a kernel netdev of this name
  std::string netdev;
};
struct PcapDevice {  // files
  std::string receive;
  std::string transmit;
};
struct RingDevice {  // memory ring loop-back inside the process, for tests and measurements
  std::string name;
};
using Device = std::variant<PciDevice, AfPacketDevice, TapDevice, PcapDevice, RingDevice>;

struct Port {
  std::string name;
  Side side = Side::clear;
  Device device;
  std::uint32_t mtu = 1500;
  std::string companion;           // name of the companion TAP; empty: "lc-" + name, cut to 15
  std::optional<MacAddress> mac;   // none: the device's own
  std::vector<ClearVlanTag> vlan;  // tags that every frame of this port carries (MACsec's clear tags among them)
  Place place;
};

struct MacsecSaConfig {
  std::uint8_t an = 0;
  KeyReference key;
  std::optional<KeyReference> salt;  // XPN, 12 bytes, if not appended to the key
  std::uint32_t ssci = 0;            // XPN: of the transmitter
  std::uint64_t lowest_pn = 1;       // receive
  Place place;
};
struct ReceiveScConfig {
  Sci sci;
  std::vector<MacsecSaConfig> sas;
  Place place;
};
struct Macsec {
  std::string port;
  MacsecSecY secy;
  std::optional<Sci> sci;        // transmit; none: the port's MAC, port 1
  std::uint8_t transmit_an = 0;  // encodingSA
  std::vector<MacsecSaConfig> transmit_sas;
  std::vector<ReceiveScConfig> receive_scs;
  Place place;
};

// One direction of a tunnel: `prototype` is complete but for its key and salt.
struct EspSaConfig {
  EspSa prototype;
  KeyReference key;
  std::optional<KeyReference> salt;  // 4 bytes, if not appended to the key
  Place place;
};
struct Tunnel {
  std::string name;
  std::vector<Selector> selectors;  // every local network with every remote network, protocols and ports
  EspSaConfig outbound;
  std::vector<EspSaConfig> inbound;     // one to eight
  bool allow_peer_move = false;         // NAT-T
  std::uint32_t keepalive_seconds = 0;  // NAT-T; 0: 20 s where udp is set
  std::uint32_t path_mtu = 0;           // 0: the outgoing port's MTU
  Place place;
};

struct PolicyConfig {
  Policy policy;
  Place place;
};

// Static next hops, for ports whose companion TAP cannot learn them (pcap, ring) and for tests.
struct Neighbour {
  std::string port;
  IpAddress address;
  MacAddress mac;
  Place place;
};
struct Route {
  Prefix destination;
  std::string port;
  std::optional<IpAddress> via;
  Place place;
};
// Addresses of a port that are set by this file (linecryptd puts them on the companion TAP).
struct PortAddress {
  std::string port;
  IpAddress address;
  std::uint8_t prefix_length = 32;
  Place place;
};

struct Config {
  Gateway gateway;
  std::optional<Card> card;
  std::vector<Port> ports;
  std::vector<Macsec> macsecs;
  std::vector<Tunnel> tunnels;
  std::vector<PolicyConfig>
      policies;  // in the file's order; tunnels without a policy of their own get protect in and out
  std::vector<PortAddress> addresses;
  std::vector<Route> routes;
  std::vector<Neighbour> neighbours;
};

// SAs that the file itself names.
[[nodiscard]] std::uint32_t count_sas(const Config& config) noexcept;
// Places for SAs: max_sas, else `room` or as many as the file names where those are more.
[[nodiscard]] std::uint32_t places_for_sas(const Config& config, std::uint32_t room = max_sas_default) noexcept;

}  // namespace linecrypt::config
