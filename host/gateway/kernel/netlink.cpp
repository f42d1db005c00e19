#include "host/gateway/kernel/netlink.hpp"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace linecrypt::gateway::kernel {

namespace {

// Large enough for any datagram that the kernel builds (libmnl's advice is 8 KiB; dumps use up to 32 KiB).
constexpr std::size_t receive_size = 32768;

}  // namespace

Result<Netlink> Netlink::open(int bus, std::initializer_list<unsigned> groups) {
  mnl_socket* socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
  if (socket == nullptr) return Error{fmt::format("netlink socket {}: {}", bus, std::strerror(errno))};
  Netlink netlink(socket);
  if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
    return Error{fmt::format("netlink bind: {}", std::strerror(errno))};
  for (unsigned group : groups)
    if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
      return Error{fmt::format("netlink group {}: {}", group, std::strerror(errno))};
  return netlink;
}

Netlink::Netlink(Netlink&& other) noexcept
    : socket_(std::exchange(other.socket_, nullptr)), sequence_(other.sequence_) {}

Netlink& Netlink::operator=(Netlink&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(sequence_, other.sequence_);
  return *this;
}

Netlink::~Netlink() {
  if (socket_ != nullptr) mnl_socket_close(socket_);
}

int Netlink::descriptor() const noexcept {
  return mnl_socket_get_fd(socket_);
}

int Netlink::request(NetlinkRequest& request) {
  nlmsghdr* header = request.header();
  header->nlmsg_flags |= NLM_F_ACK;
  return batch({reinterpret_cast<const char*>(header), header->nlmsg_len}, 1);
}

int Netlink::batch(std::span<const char> messages, std::uint32_t answers) {
  if (mnl_socket_sendto(socket_, messages.data(), messages.size()) < 0) return errno;
  std::vector<char> buffer(receive_size);
  int first_error = 0;
  while (answers > 0) {
    const ssize_t got = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
    if (got < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    int length = static_cast<int>(got);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(message, length);
         message = mnl_nlmsg_next(message, &length)) {
      if (message->nlmsg_type != NLMSG_ERROR) continue;
      const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
      if (error->error != 0 && first_error == 0) first_error = -error->error;
      // A message that failed ends its batch: nothing more will be answered.
      if (answers == 1 || first_error != 0) return first_error;
      --answers;
    }
  }
  return first_error;
}

int Netlink::dump(NetlinkRequest& request, const Visit& visit) {
  nlmsghdr* header = request.header();
  header->nlmsg_flags |= NLM_F_DUMP;
  std::vector<char> buffer(receive_size);
  for (int attempt = 0; attempt < 5; ++attempt) {
    header->nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(socket_, header, header->nlmsg_len) < 0) return errno;
    bool interrupted = false;
    bool done = false;
    std::vector<std::vector<char>> parts;
    while (!done) {
      const ssize_t got = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
      if (got < 0) {
        if (errno == EINTR) continue;
        return errno;
      }
      int length = static_cast<int>(got);
      for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(message, length);
           message = mnl_nlmsg_next(message, &length)) {
        if (message->nlmsg_seq != header->nlmsg_seq) continue;
        if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
        if (message->nlmsg_type == NLMSG_ERROR) {
          const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
          return -error->error;
        }
        if (message->nlmsg_type == NLMSG_DONE) {
          done = true;
          break;
        }
        const auto* bytes = reinterpret_cast<const char*>(message);
        parts.emplace_back(bytes, bytes + message->nlmsg_len);
      }
    }
    if (interrupted) continue;
    for (const auto& part : parts) visit(*reinterpret_cast<const nlmsghdr*>(part.data()));
    return 0;
  }
  return EAGAIN;
}

bool Netlink::drain(const Visit& visit) {
  std::vector<char> buffer(receive_size);
  bool complete = true;
  while (true) {
    const ssize_t got = recv(descriptor(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno != ENOBUFS) return complete;
      complete = false;  // go on: what is queued behind the loss must not stay queued
      continue;
    }
    int length = static_cast<int>(got);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(message, length);
         message = mnl_nlmsg_next(message, &length))
      visit(*message);
  }
}

}  // namespace linecrypt::gateway::kernel
