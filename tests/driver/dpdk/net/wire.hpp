// A wire in this process: an ethdev of the test's own, under the ethdev that is tested. What is sent lies here to be
// looked at, what is put in is received, and it can be pulled out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/hex.hpp"

namespace linecrypt::test {

class Wire {
 public:
  static constexpr std::uint16_t queues_most = 8;

  // Its ethdev is there, and nobody's yet.
  Wire();
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

  // Frames sent since the last call.
  std::vector<Bytes> sent(std::uint16_t queue = 0);
  // They are received next. `segments`: in pieces of that size.
  void put(const std::vector<Bytes>& frames, std::uint16_t queue = 0, std::uint32_t segments = 0);
  // What is sent comes back on the queue of the same number.
  void loop(bool on);
  // Takes nothing any more, as a link that is down.
  void hold(bool on);
  // Raises RTE_ETH_EVENT_INTR_RMV; from here on it gives and takes nothing.
  void pull();
  // Changes its link, and tells of it.
  void set_link(bool up);
  // Told to it.
  [[nodiscard]] bool promiscuous() const;
  [[nodiscard]] bool started() const;
  [[nodiscard]] std::uint16_t mtu() const;

 private:
  std::string name_;
  std::uint16_t port_ = 0;
};

}  // namespace linecrypt::test
