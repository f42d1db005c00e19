// Runtime: every part of a running gateway, in the order in which they come up. They go down in the reverse order, by
// their destructors; what a failed start made goes the same way.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/config/config.hpp"
#include "host/control/sa_control.hpp"
#include "host/gateway/engine_choice.hpp"
#include "host/gateway/kernel/companion_tap.hpp"
#include "host/gateway/kernel/tables.hpp"
#include "host/gateway/kernel/wire_netdev.hpp"
#include "host/gateway/pipeline/compose.hpp"
#include "host/gateway/pipeline/fib.hpp"
#include "host/gateway/pipeline/pipeline.hpp"
#include "host/gateway/ports/buffers.hpp"
#include "host/gateway/ports/device.hpp"
#include "host/gateway/ports/eal.hpp"
#include "host/gateway/ports/poll_thread.hpp"
#include "host/gateway/ports/port_io.hpp"
#include "host/gateway/ports/quiescence.hpp"
#include "host/gateway/process.hpp"
#include "host/keys/registry.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::gateway {

struct SelfTest {
  bool passed = false;
  std::string error;
  std::chrono::system_clock::time_point at;
};

// A descriptor closed at the end.
class OwnDescriptor {
 public:
  OwnDescriptor() = default;
  explicit OwnDescriptor(int descriptor) : descriptor_(descriptor) {}
  OwnDescriptor(OwnDescriptor&& other) noexcept;
  OwnDescriptor& operator=(OwnDescriptor&& other) noexcept;
  ~OwnDescriptor();
  [[nodiscard]] int get() const noexcept { return descriptor_; }

 private:
  int descriptor_ = -1;
};

struct Runtime {
  Runtime() = default;
  ~Runtime();  // an orderly end, whatever stage was reached
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  config::Config config;
  ProcessProtection protection;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  SelfTest self_test;
  std::vector<std::string> notes;  // what this host cannot give, for `status`

  std::unique_ptr<keys::KeyRegistry> registry;
  EngineChoice engine_choice;
  Engine* engine = nullptr;  // of engine_choice
  std::unique_ptr<kernel::Netlink> netlink;
  std::vector<std::unique_ptr<kernel::WireNetdev>> wires;  // per port; null: not af_packet
  std::unique_ptr<Eal> eal;
  std::unique_ptr<Buffers> buffers;
  std::vector<std::unique_ptr<Device>> devices;  // per port
  std::unique_ptr<Quiescence> quiescence;
  std::unique_ptr<control::SaControl> control;
  Composition composition;
  std::vector<std::unique_ptr<kernel::CompanionTap>> companions;  // per port
  std::unique_ptr<kernel::KernelTables> tables;
  std::unique_ptr<const Fib> fib;
  std::unique_ptr<PortIo> io;
  std::unique_ptr<Pipeline> pipeline;
  OwnDescriptor activity;  // eventfd: the worker woke to work
  std::unique_ptr<PollThread> worker;

  // Counters of the control thread.
  std::uint64_t fib_updates = 0;
  std::uint64_t forwarding_repairs = 0;
};

}  // namespace linecrypt::gateway
