#include "host/gateway/gateway.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "host/gateway/api/card_view.hpp"
#include "host/gateway/api/control_socket.hpp"
#include "host/gateway/api/self_test.hpp"
#include "host/gateway/api/server.hpp"
#include "host/gateway/api/views.hpp"
#include "host/gateway/bring_up.hpp"
#include "host/gateway/control_tasks.hpp"
#include "host/gateway/log.hpp"
#include "host/gateway/neighbour_keeper.hpp"
#include "host/gateway/notify.hpp"
#include "host/gateway/runtime.hpp"
#include "host/values/vector_registers.hpp"

namespace linecrypt::gateway {

namespace {

using namespace std::chrono_literals;
using config::LogLevel;
using Time = std::chrono::steady_clock::time_point;

// While frames flow, leases and events are looked after every 5 ms (a lease is renewed at its half), with a card every
// one: it has no interrupts, its event ring is drained from here. Else rarely: the worker's eventfd ends the long wait
// when frames come again.
constexpr int busy_wait_ms = 5;
constexpr int busy_wait_card_ms = 1;
constexpr int idle_wait_ms = 500;
constexpr auto busy_for = 100ms;
// Reading the kernel's tables costs in proportion to them: bursts of changes are taken together.
constexpr auto tables_every = 10ms;
constexpr int answer_seconds = 10;
// A self-test's packets queue behind traffic: on a busy emulated card for seconds each.
constexpr auto longest_test = 100s;
constexpr auto look_again = 10ms;

Result<OwnDescriptor> stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  OwnDescriptor descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (descriptor.get() < 0) return Error{fmt::format("signalfd: {}", std::strerror(errno))};
  return descriptor;
}

// A view that there always is, among those that may be refused.
template <auto view>
Result<nlohmann::json> always(Runtime& runtime) {
  return view(runtime);
}

api::Answer error_answer(int status, const std::string& why) {
  return {status, nlohmann::json{{"error", why}}.dump()};
}

api::Answer no_answer() {
  return error_answer(503, "the control thread did not answer in time");
}

void empty(int descriptor) {
  std::uint64_t count = 0;
  static_cast<void>(!::read(descriptor, &count, sizeof count));
}

}  // namespace

struct Gateway::Impl {
  std::unique_ptr<Runtime> runtime = std::make_unique<Runtime>();
  OwnDescriptor signals;
  OwnDescriptor wakeup;  // tasks
  OwnDescriptor poll;
  std::unique_ptr<ControlTasks> tasks;
  std::unique_ptr<api::ApiServer> server;
  NeighbourKeeper neighbours;
  MessageLimit sa_messages{20, 10};
  MessageLimit failures{5, 60};

  std::uint64_t last_work = 0;
  Time busy_until{};
  bool tables_changed = false;
  Time tables_due{};

  Result<void> prepare_loop();
  api::Answer answer(const std::string& method, const std::string& resource);
  api::Answer answer_later(Result<void> (*begin)(Runtime&), std::optional<nlohmann::json> (*result)(Runtime&));
  void turn();
  // SAs are on their way between card and software: their frames wait for the control thread.
  [[nodiscard]] bool moves() const {
    const engines::FailoverEngine* const failover = runtime->engine_choice.failover;
    return failover != nullptr && failover->moving();
  }
  void report(const Result<void>& result);
  void follow_kernel(Time now);
  void keep_forwarding_off();
  ExitCode stop();
};

Gateway::Gateway() = default;
Gateway::~Gateway() = default;

Result<void> Gateway::Impl::prepare_loop() {
  auto stop_signal = stop_signals();
  if (!stop_signal) return stop_signal.error();
  signals = std::move(stop_signal).value();
  wakeup = OwnDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  poll = OwnDescriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (wakeup.get() < 0 || poll.get() < 0) return Error{fmt::format("control thread: {}", std::strerror(errno))};
  for (const int descriptor : {signals.get(), wakeup.get(), runtime->activity.get(), runtime->tables->descriptor()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, descriptor, &event) != 0)
      return Error{fmt::format("control thread: epoll: {}", std::strerror(errno))};
  }
  tasks = std::make_unique<ControlTasks>(wakeup.get());
  return {};
}

Result<std::unique_ptr<Gateway>> Gateway::start(config::Config config, const ProcessProtection& protection) {
  std::unique_ptr<Gateway> gateway(new Gateway);
  gateway->impl_ = std::make_unique<Impl>();
  Impl& impl = *gateway->impl_;
  impl.runtime->config = std::move(config);
  impl.runtime->protection = protection;
  // 1. Our place on this host before anything is touched.
  auto socket = api::ControlSocket::claim(impl.runtime->config.gateway.control_socket);
  if (!socket) return socket.error();
  // 2. The gateway.
  if (auto up = bring_up(*impl.runtime); !up) return up.error();
  if (auto prepared = impl.prepare_loop(); !prepared) return prepared.error();
  impl.neighbours.service(*impl.runtime);
  // 3. The API last: who can ask gets answers.
  auto server = api::ApiServer::start(
      std::move(socket).value(),
      [&impl](const std::string& method, const std::string& resource) { return impl.answer(method, resource); });
  if (!server) return server.error();
  impl.server = std::move(server).value();
  return gateway;
}

// On a thread of the server.
api::Answer Gateway::Impl::answer(const std::string& method, const std::string& resource) {
  struct Resource {
    const char* method;
    const char* name;
    Result<nlohmann::json> (*view)(Runtime&);
    // In place of `view`: begun by one task; others look whether it has ended.
    Result<void> (*begin)(Runtime&) = nullptr;
    std::optional<nlohmann::json> (*result)(Runtime&) = nullptr;
  };
  static constexpr std::array<Resource, 11> resources{{
      {"GET", "status", always<api::view_status>},
      {"GET", "sas", always<api::view_sas>},
      {"GET", "policies", always<api::view_policies>},
      {"GET", "ports", always<api::view_ports>},
      {"GET", "counters", always<api::view_counters>},
      {"GET", "live", always<api::view_live>},
      {"POST", "selftest", nullptr, api::begin_self_test, api::self_test_result},
      {"GET", "card", api::view_card},
      {"GET", "card/registers", api::view_card_registers},
      {"POST", "card/selftest", nullptr, api::begin_card_test, api::card_test_result},
      {"POST", "card/reset", api::reset_card},
  }};
  const Resource* found = nullptr;
  bool other_method = false;
  for (const Resource& candidate : resources) {
    if (resource != candidate.name) continue;
    if (method == candidate.method)
      found = &candidate;
    else
      other_method = true;
  }
  if (found == nullptr) {
    return other_method ? error_answer(405, "method not allowed for this resource")
                        : error_answer(404, "no such resource");
  }
  if (found->view == nullptr) return answer_later(found->begin, found->result);
  auto answer = tasks->run(
      [this, view = found->view]() -> api::Answer {
        const auto document = view(*runtime);
        if (!document) return error_answer(409, document.error().message);
        return {200, document->dump()};
      },
      answer_seconds);
  return answer ? std::move(*answer) : no_answer();
}

// The control thread goes on with its work between two looks; each look also wakes it.
api::Answer Gateway::Impl::answer_later(Result<void> (*begin)(Runtime&),
                                        std::optional<nlohmann::json> (*result)(Runtime&)) {
  auto begun = tasks->run(
      [this, begin]() -> api::Answer {
        const auto good = begin(*runtime);
        return good ? api::Answer{} : error_answer(409, good.error().message);
      },
      answer_seconds);
  if (!begun) return no_answer();
  if (begun->status != 200) return std::move(*begun);
  const Time until = std::chrono::steady_clock::now() + longest_test;
  while (std::chrono::steady_clock::now() < until) {
    auto answer = tasks->run(
        [this, result]() -> api::Answer {
          const auto document = result(*runtime);
          return document ? api::Answer{200, document->dump()} : api::Answer{202, {}};
        },
        answer_seconds);
    if (!answer) return no_answer();
    if (answer->status == 200) return std::move(*answer);
    std::this_thread::sleep_for(look_again);
  }
  return error_answer(503, fmt::format("the self-test did not end within {} s; it goes on", longest_test.count()));
}

void Gateway::Impl::report(const Result<void>& result) {
  std::uint64_t held = 0;
  if (result.ok() || !failures.allow(held)) return;
  log(LogLevel::warning, "{}{}", result.error().message, held == 0 ? "" : fmt::format(" ({} held back)", held));
}

// `sysctl net.ipv4.ip_forward=1` turns forwarding on for every netdev, ours among them.
void Gateway::Impl::keep_forwarding_off() {
  for (const auto& companion : runtime->companions) {
    const kernel::Forwarding forwarding = kernel::read_forwarding(companion->netdev());
    if (!forwarding.ipv4 && !forwarding.ipv6) continue;
    ++runtime->forwarding_repairs;
    const auto off = kernel::forbid_forwarding(companion->netdev());
    report(off);
    std::uint64_t held = 0;
    if (off && failures.allow(held))
      log(LogLevel::warning, "companion {}: something turned forwarding on; it is off again", companion->netdev());
  }
}

void Gateway::Impl::follow_kernel(Time now) {
  const auto changes = runtime->tables->changed();
  if (changes.forwarding) keep_forwarding_off();
  tables_changed = tables_changed || changes.tables;
  if (!tables_changed || now < tables_due) return;
  const auto refreshed = refresh_fib(*runtime);
  report(refreshed);
  tables_changed = !refreshed.ok();  // once more then
  // Large tables: at most a tenth of this thread's time.
  const Time done = std::chrono::steady_clock::now();
  tables_due = done + std::max<Time::duration>(tables_every, 10 * (done - now));
}

// Steps of a turn: leases and lifetimes, what the SAs have to say, the kernel's tables, next hops.
void Gateway::Impl::turn() {
  const Time now = std::chrono::steady_clock::now();
  runtime->control->service();
  for (const std::string& message : runtime->control->take_messages()) {
    std::uint64_t held = 0;
    if (sa_messages.allow(held))
      log(LogLevel::info, "{}{}", message, held == 0 ? "" : fmt::format(" ({} messages held back)", held));
  }
  if (engines::FailoverEngine* const failover = runtime->engine_choice.failover)
    for (const std::string& message : failover->take_messages()) log(LogLevel::warning, "{}", message);
  follow_kernel(now);
  neighbours.service(*runtime);
  const std::uint64_t work = runtime->worker->counters().work.get();
  if (work != last_work) busy_until = now + busy_for;
  last_work = work;
}

ExitCode Gateway::run() {
  Impl& impl = *impl_;
  log(LogLevel::info, "ready: {} ports, {} SAs, control socket {}", impl.runtime->config.ports.size(),
      impl.runtime->composition.sas.size(), impl.runtime->config.gateway.control_socket);
  notify_service_manager("READY=1");
  const int busy_ms = impl.runtime->engine_choice.card != nullptr ? busy_wait_card_ms : busy_wait_ms;
  while (true) {
    const Time now = std::chrono::steady_clock::now();
    const bool busy = now < impl.busy_until || impl.tables_changed || impl.moves();
    const int wait_ms = busy ? busy_ms : idle_wait_ms;
    std::array<epoll_event, 8> events{};
    clear_vector_registers();  // of keys that the start, an install or the registry had in hand
    const int ready = ::epoll_wait(impl.poll.get(), events.data(), static_cast<int>(events.size()), wait_ms);
    for (int i = 0; i < ready; ++i) {
      const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
      if (descriptor == impl.signals.get()) {
        signalfd_siginfo info{};
        static_cast<void>(!::read(descriptor, &info, sizeof info));
        log(LogLevel::info, "signal {}: stopping", info.ssi_signo);
        return impl.stop();
      }
      if (descriptor == impl.runtime->activity.get()) {
        empty(descriptor);
        impl.busy_until = std::chrono::steady_clock::now() + busy_for;
      }
      if (descriptor == impl.wakeup.get()) empty(descriptor);
    }
    impl.tasks->serve();
    impl.turn();
  }
}

// Steps: no more requests, no more frames, what is in flight goes out, the journal's last marks, then everything down.
ExitCode Gateway::Impl::stop() {
  notify_service_manager("STOPPING=1");
  tasks->close();
  server.reset();
  const std::uint32_t left = runtime->worker->stop();
  runtime->control->service();
  runtime.reset();
  if (left != 0) {
    log(LogLevel::error, "{} frames did not come back from the engine", left);
    return ExitCode::runtime_failure;
  }
  log(LogLevel::info, "stopped");
  return ExitCode::clean;
}

}  // namespace linecrypt::gateway
