// In-line ports: frames pass from a veth pair and a TAP through the card and out again. In a network namespace of the
// test's own, so it needs root; without, it says so and is skipped.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "tests/driver/card/model/rig.hpp"

namespace linecrypt::test {
namespace {

using Frame = std::vector<unsigned char>;

constexpr std::uint16_t test_ethertype = 0x88b5;  // IEEE 802 local experimental

int packet_socket(const char* interface) {
  const int file = socket(AF_PACKET, SOCK_RAW, 0);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  const int on = 1;
  REQUIRE(setsockopt(file, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) == 0);
  REQUIRE(bind(file, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return file;
}

// The next test frame; others (neighbour discovery) are passed over. Empty after the time.
Frame next_frame(int file, int milliseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (std::chrono::steady_clock::now() < end) {
    pollfd wait{file, POLLIN, 0};
    if (poll(&wait, 1, milliseconds) <= 0) break;
    Frame frame(10'000);
    const ssize_t got = recv(file, frame.data(), frame.size(), 0);
    if (got < 14) continue;
    frame.resize(static_cast<std::size_t>(got));
    if (frame[12] == test_ethertype >> 8U && frame[13] == (test_ethertype & 0xffU)) return frame;
  }
  return {};
}

Frame make_frame(std::mt19937& random, std::size_t length) {
  Frame frame(length);
  for (auto& byte : frame) byte = static_cast<unsigned char>(random());
  frame[0] = 2;  // local, unicast
  frame[6] = 2;
  frame[12] = test_ethertype >> 8U;
  frame[13] = test_ethertype & 0xffU;
  return frame;
}

bool shell(const std::string& command) {
  return std::system(command.c_str()) == 0;
}

// Interfaces, configuration and environment, before XRT is first asked: once for the process.
bool prepared() {
  static const bool ready = [] {
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) return false;
    const std::string file = std::string(LINECRYPT_SCRATCH) + "/ports.toml";
    std::ofstream(file) << "[[card]]\n[[card.port]]\nindex = 0\nattach = \"packet:lcM-card\"\n"
                           "[[card.port]]\nindex = 1\nattach = \"tap:lcM-tap\"\n";
    setenv("LINECRYPT_MODEL", file.c_str(), 1);
    return shell(
        "ip link add lcM-card type veth peer name lcM-far && ip link set lcM-card mtu 9000 up && "
        "ip link set lcM-far mtu 9000 up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
        "net.ipv6.conf.default.disable_ipv6=1");
  }();
  return ready;
}

}  // namespace

TEST_CASE("frames of all sizes pass through the card between a packet port and a TAP, both ways, unchanged") {
  if (!prepared()) {
    WARN("skipped: it needs root and network namespaces");
    return;
  }
  const CopierRig rig;
  REQUIRE(shell("ip link set lcM-tap mtu 9000 up"));
  const int far = packet_socket("lcM-far");
  const int tap = packet_socket("lcM-tap");
  std::mt19937 random(1);
  for (const std::size_t length : {60U, 61U, 64U, 65U, 127U, 512U, 1514U, 4000U, 9014U}) {
    for (const auto& [from, to] : {std::pair{far, tap}, std::pair{tap, far}}) {
      const Frame sent = make_frame(random, length);
      REQUIRE(send(from, sent.data(), sent.size(), 0) == static_cast<ssize_t>(sent.size()));
      const Frame got = next_frame(to, 2000);
      INFO("length " << length);
      REQUIRE(got == sent);
    }
  }
  const auto state = model_state();
  CHECK(state.port_in[0] >= 9);
  CHECK(state.port_in[1] >= 9);
  CHECK(state.port_out[0] >= 9);
  CHECK(state.port_out_lost[0] == 0);
  close(far);
  close(tap);
}

TEST_CASE("a VLAN tag, which the kernel takes out of a frame, is back in it when the card sees it") {
  if (!prepared()) return;
  const CopierRig rig;
  REQUIRE(shell("ip link set lcM-tap mtu 9000 up"));
  const int far = packet_socket("lcM-far");
  const int tap = packet_socket("lcM-tap");
  const int on = 1;
  REQUIRE(setsockopt(tap, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) == 0);
  std::mt19937 random(2);
  Frame sent = make_frame(random, 100);
  const std::array<unsigned char, 4> tag{0x81, 0x00, 0x61, 0x23};
  sent.insert(sent.begin() + 12, tag.begin(), tag.end());
  REQUIRE(send(far, sent.data(), sent.size(), 0) == static_cast<ssize_t>(sent.size()));
  // Out of the TAP the kernel splits it again: the tag comes beside the frame.
  Frame room(200);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(tpacket_auxdata))> control{};
  iovec data{room.data(), room.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  pollfd wait{tap, POLLIN, 0};
  REQUIRE(poll(&wait, 1, 2000) == 1);
  REQUIRE(recvmsg(tap, &message, 0) == 100);
  tpacket_auxdata aside{};
  REQUIRE(CMSG_FIRSTHDR(&message) != nullptr);
  std::memcpy(&aside, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof aside);
  CHECK(aside.tp_vlan_tci == 0x6123);
  CHECK(std::memcmp(room.data() + 12, sent.data() + 16, 88) == 0);
  close(far);
  close(tap);
}

TEST_CASE("a lost card forwards nothing") {
  if (!prepared()) return;
  const CopierRig rig;
  const int far = packet_socket("lcM-far");
  const int tap = packet_socket("lcM-tap");
  std::mt19937 random(3);
  const Frame frame = make_frame(random, 200);
  fault("lost");
  REQUIRE(send(far, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size()));
  CHECK(next_frame(tap, 100).empty());
  fault("recover");
  CHECK(next_frame(tap, 2000) == frame);
  close(far);
  close(tap);
}

}  // namespace linecrypt::test
