// What the drop table does to real frames, both ways.
#include "host/gateway/kernel/drop_table.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/host/gateway/kernel/net_lab.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway::kernel;
using linecrypt::test::NetLab;
using linecrypt::test::PacketSocket;
using linecrypt::test::udp_frame;

namespace {

constexpr std::uint32_t mark = 0x12345678;
constexpr int soon = 3000;  // ends with the frame; long for a busy machine
constexpr int never = 100;

// A UDP socket of the kernel's own stack.
class UdpSocket {
 public:
  explicit UdpSocket(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~UdpSocket() { ::close(socket_); }
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;
  [[nodiscard]] bool receives(int milliseconds) const {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, milliseconds) <= 0) return false;
    char byte = 0;
    return ::recv(socket_, &byte, 1, 0) >= 0;
  }
  void send(const char* to, std::uint16_t port, const std::string& text) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, to, &address.sin_addr);
    static_cast<void>(
        ::sendto(socket_, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  }

 private:
  int socket_;
};

}  // namespace

TEST_CASE("An AF_PACKET socket receives in front of the ingress drop, the kernel's stack does not") {
  NetLab lab;
  NetLab::veth("wire", "far");
  NetLab::run("ip addr add 10.0.0.1/24 dev wire");
  const UdpSocket stack(7777);
  const PacketSocket port("wire");
  const PacketSocket far("far");
  const auto frame = udp_frame(lab.link("wire").mac, {10, 0, 0, 9}, {10, 0, 0, 1}, 7777, "to the stack");

  // Without the table both have it: the test can fail.
  REQUIRE(far.send(frame));
  CHECK(port.receives("to the stack", soon));
  CHECK(stack.receives(soon));

  const auto installed = install_drop_table("wire", mark);
  REQUIRE(installed.ok());
  CHECK(installed->ingress == DropState::present);
  CHECK(installed->egress == DropState::present);
  REQUIRE(far.send(frame));
  CHECK(port.receives("to the stack", soon));
  CHECK_FALSE(stack.receives(never));

  REQUIRE(remove_drop_table("wire").ok());
  REQUIRE(far.send(frame));
  CHECK(stack.receives(soon));
}

TEST_CASE("Behind the egress drop only frames with the port's own mark leave") {
  NetLab lab;
  NetLab::veth("wire", "far");
  NetLab::run("ip addr add 10.0.0.1/24 dev wire");
  NetLab::run("ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:99 dev wire nud permanent");
  const UdpSocket stack(7777);
  const PacketSocket far("far");
  const bool bypass = GENERATE(false, true);
  const PacketSocket port("wire");
  if (bypass) port.bypass_qdisc();
  const auto frame = udp_frame(lab.link("far").mac, {10, 0, 0, 1}, {10, 0, 0, 9}, 9, "by our port");

  stack.send("10.0.0.9", 9, "by the stack");
  CHECK(far.receives("by the stack", soon));

  REQUIRE(install_drop_table("wire", mark).ok());
  stack.send("10.0.0.9", 9, "by the stack");
  CHECK_FALSE(far.receives("by the stack", never));
  if (!bypass) {
    static_cast<void>(port.send(frame));
    CHECK_FALSE(far.receives("by our port", never));
    port.mark(mark + 1);
    static_cast<void>(port.send(frame));
    CHECK_FALSE(far.receives("by our port", never));
  }
  port.mark(mark);
  REQUIRE(port.send(frame));
  CHECK(far.receives("by our port", soon));
}

TEST_CASE("A drop table is replaced, read back, and seen when it is gone or accepts") {
  NetLab lab;
  NetLab::veth("wire", "far");
  CHECK(read_drop_table("wire")->ingress == DropState::absent);
  REQUIRE(install_drop_table("wire", mark).ok());
  REQUIRE(install_drop_table("wire", mark).ok());  // what a killed daemon left
  CHECK(read_drop_table("wire")->ingress == DropState::present);
  CHECK(read_drop_table("wire")->egress == DropState::present);
  CHECK(read_drop_table("far")->ingress == DropState::absent);

  NetLab::run("nft 'chain netdev linecrypt-wire ingress { policy accept; }'");
  CHECK(read_drop_table("wire")->ingress == DropState::absent);
  CHECK(read_drop_table("wire")->egress == DropState::present);
  NetLab::run("nft delete chain netdev linecrypt-wire egress");
  CHECK(read_drop_table("wire")->egress == DropState::absent);

  REQUIRE(remove_drop_table("wire").ok());
  REQUIRE(remove_drop_table("wire").ok());  // none is no error
  CHECK(NetLab::output("nft list ruleset").empty());
}
