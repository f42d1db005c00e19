// Netlink: requests, dumps and notifications over one netlink socket (libmnl). Control thread.
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>

#include "linecrypt/result.hpp"

namespace linecrypt::gateway::kernel {

// A request in the making: a header, a fixed part, attributes.
class NetlinkRequest {
 public:
  NetlinkRequest(std::uint16_t type, std::uint16_t flags) {
    header_ = mnl_nlmsg_put_header(buffer_.data());
    header_->nlmsg_type = type;
    header_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  }
  NetlinkRequest(const NetlinkRequest&) = delete;
  NetlinkRequest& operator=(const NetlinkRequest&) = delete;
  // The zeroed fixed part (ifinfomsg, ndmsg, ...).
  template <typename T>
  T& extra() {
    return *static_cast<T*>(mnl_nlmsg_put_extra_header(header_, sizeof(T)));
  }
  [[nodiscard]] nlmsghdr* header() noexcept { return header_; }

 private:
  alignas(16) std::array<char, 2048> buffer_{};
  nlmsghdr* header_;
};

class Netlink {
 public:
  using Visit = std::function<void(const nlmsghdr& message)>;

  // `bus` is NETLINK_ROUTE, NETLINK_NETFILTER ...; `groups` are joined by number.
  static Result<Netlink> open(int bus, std::initializer_list<unsigned> groups = {});
  Netlink(Netlink&& other) noexcept;
  Netlink& operator=(Netlink&& other) noexcept;
  ~Netlink();

  // Sends and waits for the kernel's answer. 0, or the errno it gave.
  [[nodiscard]] int request(NetlinkRequest& request);
  // Sends bytes that hold whole messages (nfnetlink batches) and waits for the answer to each with NLM_F_ACK.
  [[nodiscard]] int batch(std::span<const char> messages, std::uint32_t answers);
  // Visits every message of a dump; again from the start when the kernel says that it was interrupted. 0, or errno.
  [[nodiscard]] int dump(NetlinkRequest& request, const Visit& visit);

  // Reads notifications without blocking. False when the kernel dropped some (ENOBUFS): ask for everything again.
  [[nodiscard]] bool drain(const Visit& visit);
  [[nodiscard]] int descriptor() const noexcept;

 private:
  explicit Netlink(mnl_socket* socket) : socket_(socket) {}
  mnl_socket* socket_ = nullptr;
  std::uint32_t sequence_ = 1;
};

// The attributes that follow each other in `length` bytes from `first`, by type; absent ones are null.
template <std::size_t N>
std::array<const nlattr*, N> attribute_table(const void* first, std::size_t length) {
  std::array<const nlattr*, N> table{};
  const auto* end = static_cast<const char*>(first) + length;
  for (const auto* attribute = static_cast<const nlattr*>(first);
       mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)));
       attribute = mnl_attr_next(attribute)) {
    const std::uint16_t type = mnl_attr_get_type(attribute);
    if (type < N) table[type] = attribute;
  }
  return table;
}
// Of a message, behind its fixed part of `extra` bytes.
template <std::size_t N>
std::array<const nlattr*, N> attributes(const nlmsghdr& message, std::size_t extra) {
  const auto* first = static_cast<const char*>(mnl_nlmsg_get_payload_offset(&message, extra));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message));
  return attribute_table<N>(first, end > first ? static_cast<std::size_t>(end - first) : 0);
}
// Within a nest, which may be null.
template <std::size_t N>
std::array<const nlattr*, N> nested(const nlattr* nest) {
  if (nest == nullptr) return {};
  return attribute_table<N>(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest));
}

}  // namespace linecrypt::gateway::kernel
