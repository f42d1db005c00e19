#include "host/gateway/bring_up.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "host/gateway/engine_choice.hpp"
#include "host/gateway/log.hpp"

namespace linecrypt::gateway {

namespace {

using config::LogLevel;

std::string companion_name(const config::Port& port) {
  return port.companion.empty() ? ("lc-" + port.name).substr(0, 15) : port.companion;
}

// Offload mode: `card` never falls back, `auto` says once that it does.
Result<void> make_engine(Runtime& runtime) {
  auto choice = choose_engine(runtime.config);
  if (!choice) return choice.error();
  runtime.engine_choice = std::move(choice).value();
  runtime.engine = runtime.engine_choice.engine.get();
  if (const std::string& why = runtime.engine_choice.fallback; !why.empty())
    log(LogLevel::warning, "offload = \"auto\": software does the work: {}", why);
  if (runtime.engine_choice.card != nullptr) {
    const card::CardSnapshot card = runtime.engine_choice.card->snapshot();
    log(LogLevel::info, "card {} at {}, bitstream {}{}", card.name, card.bdf, card.xclbin_uuid,
        card.emulated ? ", emulated" : "");
    if (const std::string& room = runtime.engine_choice.room; !room.empty()) log(LogLevel::warning, "{}", room);
    if (!card.note.empty()) runtime.notes.push_back("card: " + card.note);
  }
  const auto tested = runtime.engine->self_test();
  runtime.self_test = {tested.ok(), tested ? std::string{} : tested.error().message, std::chrono::system_clock::now()};
  const Capabilities& capabilities = runtime.engine->capabilities();
  if (!tested)
    return Error{fmt::format("gateway: self-test of {} failed: {}", capabilities.engine, tested.error().message)};
  log(LogLevel::info, "self-test passed: engine {}, {}", capabilities.engine, capabilities.provider);
  return {};
}

Result<void> secure_wires(Runtime& runtime) {
  for (const config::Port& port : runtime.config.ports) {
    runtime.wires.emplace_back();
    const auto* device = std::get_if<config::AfPacketDevice>(&port.device);
    if (device == nullptr) continue;
    auto wire =
        kernel::WireNetdev::secure(*runtime.netlink, port.name, device->netdev, payload_mtu(runtime.config, port));
    if (!wire) return wire.error();
    runtime.wires.back() = std::make_unique<kernel::WireNetdev>(std::move(wire).value());
    for (const std::string& note : runtime.wires.back()->notes()) {
      log(LogLevel::info, "{}", note);
      runtime.notes.push_back(note);
    }
  }
  return {};
}

Result<void> open_devices(Runtime& runtime) {
  auto eal = Eal::start(runtime.config);
  if (!eal) return eal.error();
  runtime.eal = std::move(eal).value();
  auto buffers = Buffers::make(runtime.config);
  if (!buffers) return buffers.error();
  runtime.buffers = std::make_unique<Buffers>(std::move(buffers).value());
  for (PortIndex i = 0; i < runtime.config.ports.size(); ++i) {
    auto device = Device::open(runtime.config, i, runtime.buffers->pool(), runtime.wires[i].get());
    if (!device) return device.error();
    runtime.devices.push_back(std::make_unique<Device>(std::move(device).value()));
    log(LogLevel::info, "port {}: {}, MAC {}, MTU {}", runtime.config.ports[i].name, runtime.devices[i]->driver(),
        runtime.devices[i]->mac().text(), runtime.config.ports[i].mtu);
  }
  return {};
}

Result<void> install_sas(Runtime& runtime) {
  auto quiescence = Quiescence::make();
  if (!quiescence) return quiescence.error();
  runtime.quiescence = std::move(quiescence).value();

  control::SaControlOptions options;
  options.engine = runtime.engine;
  options.registry = runtime.registry.get();
  options.max_sas = runtime.engine_choice.max_sas;
  options.reclamation = runtime.quiescence->reclamation();
  options.clock = monotonic_clock();
  auto control = control::SaControl::open(options);
  if (!control) return control.error();
  runtime.control = std::move(control).value();

  std::vector<MacAddress> macs;
  for (const auto& device : runtime.devices) macs.push_back(device->mac());
  auto composition = compose(runtime.config, *runtime.control, macs);
  if (!composition) return composition.error();
  runtime.composition = std::move(composition).value();
  return {};
}

Result<void> make_companions(Runtime& runtime) {
  std::vector<kernel::CompanionIndex> indexes;
  for (PortIndex i = 0; i < runtime.config.ports.size(); ++i) {
    const config::Port& port = runtime.config.ports[i];
    kernel::CompanionSettings settings;
    settings.netdev = companion_name(port);
    settings.mac = runtime.devices[i]->mac();
    settings.mtu = port.mtu;
    for (const config::PortAddress& address : runtime.config.addresses)
      if (address.port == port.name) settings.addresses.push_back({address.address, address.prefix_length, false});
    auto tap = kernel::CompanionTap::open(*runtime.netlink, settings);
    if (!tap) return Error{fmt::format("port {}: {}", port.name, tap.error().message)};
    runtime.companions.push_back(std::make_unique<kernel::CompanionTap>(std::move(tap).value()));
    indexes.push_back({runtime.companions.back()->index(), i});
  }
  auto tables = kernel::KernelTables::open(std::move(indexes));
  if (!tables) return tables.error();
  runtime.tables = std::make_unique<kernel::KernelTables>(std::move(tables).value());
  return {};
}

Result<void> start_worker(Runtime& runtime) {
  std::vector<std::unique_ptr<PortIo::Port>> ports;
  for (PortIndex i = 0; i < runtime.config.ports.size(); ++i) {
    auto port = std::make_unique<PortIo::Port>();
    port->device = runtime.devices[i].get();
    port->companion = runtime.companions[i].get();
    port->longest = longest_frame(runtime.config, runtime.config.ports[i]);
    ports.push_back(std::move(port));
  }
  runtime.io = std::make_unique<PortIo>(std::move(ports), runtime.buffers->pool());

  PipelineSetup setup;
  setup.engine = runtime.engine;
  setup.spi_table = &runtime.control->spi_table();
  setup.spd = runtime.composition.spd.get();
  setup.tunnels = runtime.composition.tunnels;
  setup.ports = runtime.composition.ports;
  setup.io = runtime.io.get();
  setup.clock = monotonic_clock();
  runtime.pipeline = std::make_unique<Pipeline>(setup);
  if (auto refreshed = refresh_fib(runtime); !refreshed) return refreshed.error();

  runtime.activity = OwnDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (runtime.activity.get() < 0) return Error{fmt::format("eventfd: {}", std::strerror(errno))};
  const PollSettings settings{runtime.config.gateway.worker_core,
                              runtime.config.gateway.poll == config::PollMode::always};
  runtime.worker = std::make_unique<PollThread>(settings, *runtime.io, *runtime.pipeline, *runtime.quiescence,
                                                monotonic_clock(), runtime.activity.get());
  return runtime.worker->start();
}

}  // namespace

Clock monotonic_clock() noexcept {
  return {nullptr, [](void*) {
            timespec now{};
            ::clock_gettime(CLOCK_MONOTONIC, &now);
            return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
          }};
}

// The kernel's tables hold the addresses of the configuration already (they are on the companions), so an address that
// an operator takes off is gone here as well.
Result<void> refresh_fib(Runtime& runtime) {
  auto input = runtime.tables->read();
  if (!input) return input.error();
  FibInput fixed = static_fib(runtime.config);
  input->routes.insert(input->routes.end(), fixed.routes.begin(), fixed.routes.end());
  input->neighbours.insert(input->neighbours.end(), fixed.neighbours.begin(), fixed.neighbours.end());
  auto fresh = Fib::build(*input);
  runtime.pipeline->publish(fresh.get());
  runtime.quiescence->wait_for_worker();
  runtime.fib = std::move(fresh);
  ++runtime.fib_updates;
  return {};
}

Result<void> bring_up(Runtime& runtime) {
  // 1. What needs no privilege and changes nothing.
  if (auto stage = make_engine(runtime); !stage) return stage.error();
  auto registry = keys::KeyRegistry::open(runtime.config.gateway.state_directory);
  if (!registry) return registry.error();
  runtime.registry = std::move(registry).value();

  // 2. The netdevs are shut before a driver opens them.
  auto netlink = kernel::Netlink::open(NETLINK_ROUTE);
  if (!netlink) return netlink.error();
  runtime.netlink = std::make_unique<kernel::Netlink>(std::move(netlink).value());
  if (auto stage = secure_wires(runtime); !stage) return stage.error();
  if (auto stage = open_devices(runtime); !stage) return stage.error();

  // 3. Policies and SAs before any frame.
  if (auto stage = install_sas(runtime); !stage) return stage.error();
  if (auto stage = make_companions(runtime); !stage) return stage.error();
  return start_worker(runtime);
}

OwnDescriptor::OwnDescriptor(OwnDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
OwnDescriptor& OwnDescriptor::operator=(OwnDescriptor&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
OwnDescriptor::~OwnDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Runtime::~Runtime() {
  worker.reset();
  pipeline.reset();
  if (control) decompose(composition, *control);
}

}  // namespace linecrypt::gateway
