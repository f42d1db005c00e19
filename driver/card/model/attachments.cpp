// The kinds of attachment: a TAP interface of our own, an interface that exists (AF_PACKET), capture files, and a
// socket for programs that may not make interfaces.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "driver/card/model/ports.hpp"

namespace linecrypt::card_model {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(other.value_) { other.value_ = -1; }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

Error failed(const PortConfiguration& port, const char* what) {
  return Error{fmt::format("port {}, interface {}: {}: {}", port.index, port.name, what, std::strerror(errno))};
}

void name_into(const std::string& name, ifreq& request) {
  std::memset(&request, 0, sizeof request);
  name.copy(request.ifr_name, IFNAMSIZ - 1);
}

Result<void> bring_up(const PortConfiguration& port) {
  const Descriptor socket_of(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request;
  name_into(port.name, request);
  if (ioctl(socket_of.get(), SIOCGIFFLAGS, &request) < 0) return failed(port, "reading its flags");
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (ioctl(socket_of.get(), SIOCSIFFLAGS, &request) < 0) return failed(port, "setting it up");
  return {};
}

class Tap : public Attachment {
 public:
  explicit Tap(Descriptor file) : file_(std::move(file)) {}
  static Result<std::unique_ptr<Attachment>> open(const PortConfiguration& port) {
    Descriptor file(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (file.get() < 0) return failed(port, "opening /dev/net/tun");
    ifreq request;
    name_into(port.name, request);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(file.get(), TUNSETIFF, &request) < 0) return failed(port, "making the TAP");
    if (auto up = bring_up(port); !up) return up.error();
    return std::unique_ptr<Attachment>(new Tap(std::move(file)));
  }
  [[nodiscard]] int descriptor() const override { return file_.get(); }
  std::uint32_t receive(std::span<unsigned char> room) override {
    const ssize_t got = read(file_.get(), room.data(), room.size());
    return got > 0 ? static_cast<std::uint32_t>(got) : 0;
  }
  bool transmit(std::span<const unsigned char> frame, std::uint64_t /*now*/) override {
    return write(file_.get(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
  }

 private:
  Descriptor file_;
};

class Packet : public Attachment {
 public:
  explicit Packet(Descriptor socket) : socket_(std::move(socket)) {}
  static Result<std::unique_ptr<Attachment>> open(const PortConfiguration& port) {
    const unsigned index = if_nametoindex(port.name.c_str());
    if (index == 0) return failed(port, "looking it up");
    Descriptor file(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (file.get() < 0) return failed(port, "opening a packet socket");
    const int on = 1;
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(index);
    packet_mreq promiscuous{};
    promiscuous.mr_ifindex = static_cast<int>(index);
    promiscuous.mr_type = PACKET_MR_PROMISC;
    if (setsockopt(file.get(), SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) < 0 ||
        setsockopt(file.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
        setsockopt(file.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) < 0 ||
        bind(file.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
      return failed(port, "setting the packet socket up");
    return std::unique_ptr<Attachment>(new Packet(std::move(file)));
  }
  [[nodiscard]] int descriptor() const override { return socket_.get(); }

  // The kernel takes a frame's outer VLAN tag out and hands it over beside the frame: it goes back where it was.
  std::uint32_t receive(std::span<unsigned char> room) override {
    constexpr std::size_t tag_bytes = 4;
    constexpr std::size_t addresses = 2 * ETH_ALEN;
    alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof(tpacket_auxdata))];
    iovec data{room.data() + tag_bytes, room.size() - tag_bytes};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(socket_.get(), &message, MSG_TRUNC);
    if (got < static_cast<ssize_t>(ETH_HLEN) || got > static_cast<ssize_t>(data.iov_len)) return 0;
    tpacket_auxdata aside{};
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one))
      if (one->cmsg_level == SOL_PACKET && one->cmsg_type == PACKET_AUXDATA)
        std::memcpy(&aside, CMSG_DATA(one), sizeof aside);
    if ((aside.tp_status & TP_STATUS_VLAN_VALID) == 0) {
      std::memmove(room.data(), room.data() + tag_bytes, static_cast<std::size_t>(got));
      return static_cast<std::uint32_t>(got);
    }
    const bool has_type = (aside.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    const std::uint16_t type = htons(has_type ? aside.tp_vlan_tpid : std::uint16_t{ETH_P_8021Q});
    const std::uint16_t tag = htons(aside.tp_vlan_tci);
    std::memmove(room.data(), room.data() + tag_bytes, addresses);
    std::memcpy(room.data() + addresses, &type, sizeof type);
    std::memcpy(room.data() + addresses + sizeof type, &tag, sizeof tag);
    return static_cast<std::uint32_t>(static_cast<std::size_t>(got) + tag_bytes);
  }
  bool transmit(std::span<const unsigned char> frame, std::uint64_t /*now*/) override {
    return send(socket_.get(), frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
  }

 private:
  Descriptor socket_;
};

class Capture : public Attachment {
 public:
  static Result<std::unique_ptr<Attachment>> open(const PortConfiguration& port) {
    auto capture = std::make_unique<Capture>();
    std::string reason(PCAP_ERRBUF_SIZE, '\0');
    if (!port.name.empty()) {
      capture->read_ = pcap_open_offline(port.name.c_str(), reason.data());
      if (capture->read_ == nullptr) return Error{fmt::format("port {}: {}", port.index, reason.c_str())};
      if (pcap_datalink(capture->read_) != DLT_EN10MB)
        return Error{fmt::format("port {}: {} holds no Ethernet frames", port.index, port.name)};
    }
    if (!port.write.empty()) {
      capture->dead_ = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 65535, PCAP_TSTAMP_PRECISION_NANO);
      capture->write_ = pcap_dump_open(capture->dead_, port.write.c_str());
      if (capture->write_ == nullptr) return Error{fmt::format("port {}: {}", port.index, pcap_geterr(capture->dead_))};
    }
    return std::unique_ptr<Attachment>(std::move(capture));
  }
  Capture() = default;
  ~Capture() override {
    if (read_ != nullptr) pcap_close(read_);
    if (write_ != nullptr) pcap_dump_close(write_);
    if (dead_ != nullptr) pcap_close(dead_);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  [[nodiscard]] int descriptor() const override { return -1; }
  std::uint32_t receive(std::span<unsigned char> room) override {
    pcap_pkthdr* header = nullptr;
    const unsigned char* data = nullptr;
    while (read_ != nullptr && pcap_next_ex(read_, &header, &data) == 1) {
      if (header->caplen == 0 || header->caplen != header->len || header->caplen > room.size()) continue;  // not whole
      std::memcpy(room.data(), data, header->caplen);
      return header->caplen;
    }
    return 0;
  }
  // Time stamps are the virtual clock's, from the epoch on.
  bool transmit(std::span<const unsigned char> frame, std::uint64_t now) override {
    if (write_ == nullptr) return false;
    constexpr std::uint64_t clock_hz = 300'000'000;
    pcap_pkthdr header{};
    header.ts.tv_sec = static_cast<time_t>(now / clock_hz);
    header.ts.tv_usec = static_cast<suseconds_t>(now % clock_hz * 10 / 3);  // nanoseconds, as the file says
    header.caplen = header.len = static_cast<bpf_u_int32>(frame.size());
    pcap_dump(reinterpret_cast<u_char*>(write_), &header, frame.data());
    return pcap_dump_flush(write_) == 0;
  }

 private:
  pcap_t* read_ = nullptr;
  pcap_t* dead_ = nullptr;
  pcap_dumper_t* write_ = nullptr;
};

// A socket of frames (SOCK_SEQPACKET): whoever connects has the wire's other end, until it closes; then the next. While
// nobody does, frames that leave are lost, as on a port without a cable.
class Socket : public Attachment {
 public:
  Socket(Descriptor listener, Descriptor either, std::string path)
      : listener_(std::move(listener)), either_(std::move(either)), path_(std::move(path)) {
    watch(EPOLL_CTL_ADD, listener_.get());
  }
  ~Socket() override {
    hang_up();
    unlink(path_.c_str());
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  static Result<std::unique_ptr<Attachment>> open(const PortConfiguration& port) {
    Descriptor file(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    port.name.copy(address.sun_path, sizeof address.sun_path - 1);
    unlink(address.sun_path);  // of a process that is gone
    if (file.get() < 0 || bind(file.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
        listen(file.get(), 1) < 0)
      return failed(port, "making the socket");
    Descriptor either(epoll_create1(EPOLL_CLOEXEC));
    if (either.get() < 0) return failed(port, "watching the socket");
    return std::unique_ptr<Attachment>(new Socket(std::move(file), std::move(either), port.name));
  }
  // One for both: whoever waits for it must not miss that a peer came meanwhile.
  [[nodiscard]] int descriptor() const override { return either_.get(); }
  std::uint32_t receive(std::span<unsigned char> room) override {
    if (!answer()) return 0;
    const ssize_t got = recv(peer_, room.data(), room.size(), MSG_TRUNC);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) hang_up();
    return got > 0 && got <= static_cast<ssize_t>(room.size()) ? static_cast<std::uint32_t>(got) : 0;
  }
  bool transmit(std::span<const unsigned char> frame, std::uint64_t /*now*/) override {
    if (!answer()) return false;
    if (put(frame)) return true;
    if (errno != EPIPE && errno != ECONNRESET) return false;
    hang_up();  // this end has gone, and another may have come
    return answer() && put(frame);
  }

 private:
  bool put(std::span<const unsigned char> frame) const {
    return send(peer_, frame.data(), frame.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(frame.size());
  }
  bool answer() {
    if (peer_ >= 0) return true;
    peer_ = accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer_ < 0) return false;
    watch(EPOLL_CTL_DEL, listener_.get());  // the next one waits
    watch(EPOLL_CTL_ADD, peer_);
    return true;
  }
  void hang_up() {
    if (peer_ < 0) return;
    close(peer_);  // which epoll sees by itself
    peer_ = -1;
    watch(EPOLL_CTL_ADD, listener_.get());
  }
  void watch(int operation, int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    epoll_ctl(either_.get(), operation, descriptor, &event);
  }

  Descriptor listener_;
  Descriptor either_;
  int peer_ = -1;
  std::string path_;
};

}  // namespace

Result<std::unique_ptr<Attachment>> attach(const PortConfiguration& port) {
  switch (port.kind) {
    case PortConfiguration::Kind::tap:
      return Tap::open(port);
    case PortConfiguration::Kind::packet:
      return Packet::open(port);
    case PortConfiguration::Kind::pcap:
      return Capture::open(port);
    case PortConfiguration::Kind::socket:
      return Socket::open(port);
  }
  return Error{"unknown kind of port"};
}

}  // namespace linecrypt::card_model
