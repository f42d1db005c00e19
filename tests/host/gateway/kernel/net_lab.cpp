#include "tests/host/gateway/kernel/net_lab.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "linecrypt/wire/endian.hpp"

namespace linecrypt::test {

namespace {

constexpr int skipped = 77;

void put16(std::vector<std::uint8_t>& bytes, std::uint32_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8U));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

}  // namespace

gateway::kernel::Netlink NetLab::open() {
  if (::unshare(CLONE_NEWNET) != 0) {
    static_cast<void>(std::fprintf(stderr, "skipped: network namespaces need root (%s)\n", std::strerror(errno)));
    std::exit(skipped);
  }
  run("ip link set lo up");
  auto netlink = gateway::kernel::Netlink::open(NETLINK_ROUTE);
  REQUIRE(netlink.ok());
  return std::move(netlink).value();
}

NetLab::NetLab() : netlink_(open()) {}

void NetLab::run(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);  // NOLINT(cert-env33-c): our own command lines
}

std::string NetLab::output(const std::string& command) {
  std::string text;
  std::FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c): our own command lines
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> part{};
  while (const std::size_t got = std::fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), got);
  ::pclose(pipe);
  return text;
}

void NetLab::veth(const std::string& a, const std::string& b) {
  run("ip link add " + a + " type veth peer name " + b);
  for (const std::string& name : {a, b}) {
    run("sysctl -qw net.ipv6.conf." + name + ".disable_ipv6=1");
    run("ip link set " + name + " up");
  }
}

gateway::kernel::Link NetLab::link(const std::string& name) {
  auto found = gateway::kernel::find_link(netlink_, name);
  REQUIRE(found.ok());
  return *found;
}

PacketSocket::PacketSocket(const std::string& netdev) : socket_(::socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))) {
  REQUIRE(socket_ >= 0);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(netdev.c_str()));
  REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

PacketSocket::~PacketSocket() {
  ::close(socket_);
}

void PacketSocket::mark(std::uint32_t value) const {
  REQUIRE(::setsockopt(socket_, SOL_SOCKET, SO_MARK, &value, sizeof value) == 0);
}

void PacketSocket::bypass_qdisc() const {
  const int on = 1;
  REQUIRE(::setsockopt(socket_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) == 0);
}

bool PacketSocket::send(std::span<const std::uint8_t> frame) const {
  return ::send(socket_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
}

bool PacketSocket::receives(const std::string& tail, int milliseconds) const {
  std::array<char, 4096> bytes{};
  pollfd ready{socket_, POLLIN, 0};
  while (::poll(&ready, 1, milliseconds) > 0) {
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t got = ::recvfrom(socket_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got <= 0 || from.sll_pkttype == PACKET_OUTGOING) continue;
    const std::string text(bytes.data(), static_cast<std::size_t>(got));
    if (text.ends_with(tail)) return true;
  }
  return false;
}

std::vector<std::uint8_t> udp_frame(const MacAddress& destination, std::array<std::uint8_t, 4> from,
                                    std::array<std::uint8_t, 4> to, std::uint16_t port, const std::string& text) {
  std::vector<std::uint8_t> frame(destination.bytes.begin(), destination.bytes.end());
  frame.insert(frame.end(), {0x02, 0, 0, 0, 0, 0x99, 0x08, 0x00});
  const auto udp_length = static_cast<std::uint32_t>(8 + text.size());
  const std::size_t ip = frame.size();
  frame.insert(frame.end(), {0x45, 0});
  put16(frame, 20 + udp_length);
  frame.insert(frame.end(), {0, 1, 0, 0, 64, 17, 0, 0});
  frame.insert(frame.end(), from.begin(), from.end());
  frame.insert(frame.end(), to.begin(), to.end());
  std::uint32_t sum = 0;
  for (std::size_t i = ip; i < ip + 20; i += 2) sum += wire::load16(frame.data() + i);
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  wire::store16(frame.data() + ip + 10, static_cast<std::uint16_t>(~sum));
  put16(frame, 1000);
  put16(frame, port);
  put16(frame, udp_length);
  put16(frame, 0);
  frame.insert(frame.end(), text.begin(), text.end());
  return frame;
}

}  // namespace linecrypt::test
