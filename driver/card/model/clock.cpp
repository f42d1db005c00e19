// The virtual clock, the thread that drives it, and the faults that strike at its cycles.
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

#include "driver/card/model/card.hpp"
#include "driver/card/model/memory.hpp"
#include "host/values/vector_registers.hpp"
#include "linecrypt/abi/registers.hpp"

namespace linecrypt::card_model {
namespace {

using Clock = std::chrono::steady_clock;

// Whoever looks at a core file must know this thread: it is the fabric.
constexpr const char* clock_thread_name = "lc-fabric";

// Cycles clocked at one go are chosen so that a request waits about this long for the lock.
constexpr auto piece_shortest = std::chrono::microseconds(30);
constexpr auto piece_longest = std::chrono::microseconds(100);
constexpr std::uint64_t piece_cycles_least = 16;
constexpr std::uint64_t piece_cycles_most = 1U << 20U;

}  // namespace

// --- time ---

std::uint64_t Card::time() const {
  return base_ + (card_ != nullptr ? interface_->now(card_) : 0);
}

// A card without a clocked image counts what is done to it.
void Card::tick() {
  if (interface_ == nullptr) ++base_;
}

std::uint64_t Card::now() {
  Guard guard = enter();
  return time();
}

// Clocks until `most` cycles have passed, nothing can move, or the next fault is due (it has then struck).
std::uint64_t Card::advance(std::uint64_t most, bool& idle) {
  strike();
  idle = true;
  if (!can_clock()) return 0;
  feed_ports(false);
  std::uint64_t cycles = most;
  if (faults_.next() != FaultPlan::never) cycles = std::min(cycles, faults_.next() - time());
  int quiet = 0;
  const std::uint64_t passed = interface_->run(card_, cycles, &quiet);
  ports_.transmit(*interface_, card_, time());
  idle = quiet != 0 && !feed_ports(true);
  strike();
  return passed;
}

// Frames go in once the card works: before, it would drop them all, and a capture file would be read for nothing.
bool Card::ports_open() const {
  if (!ports_.any() || !can_clock()) return false;
  // Other images than linecrypt's have no such bit.
  return !std::string_view(interface_->kernel_names[0]).starts_with("linecrypt_control:") ||
         (interface_->read_register(card_, 0, abi::reg::status) & abi::status::enabled) != 0;
}

bool Card::feed_ports(bool idle) {
  return ports_open() && ports_.receive(*interface_, card_, time(), idle);
}

// --- the thread ---

void Card::start_clock() {
  if (quit_ || clock_thread_.joinable()) {
    wake();
    return;
  }
  clock_thread_ = std::thread([this] { clock(); });
}

void Card::wake() {
  if (!asleep_) return;
  asleep_ = false;
  const std::uint64_t one = 1;
  (void)!write(wake_event_, &one, sizeof one);
}

// Until woken, a frame comes, or the time is over (-1: never). Keys of packets that the fabric had in hand do not stay
// in this thread's registers meanwhile.
void Card::sleep(Guard& guard, int milliseconds) {
  std::array<pollfd, 1 + ports_most> waits{};
  nfds_t count = 0;
  waits.at(count++) = pollfd{wake_event_, POLLIN, 0};
  if (milliseconds < 0 && !held_ && ports_open())
    for (const int descriptor : ports_.descriptors()) waits.at(count++) = pollfd{descriptor, POLLIN, 0};
  asleep_ = true;
  guard.unlock();
  clear_vector_registers();
  poll(waits.data(), count, milliseconds);
  guard.lock();
  asleep_ = false;
  std::uint64_t drained = 0;
  (void)!read(wake_event_, &drained, sizeof drained);
}

void Card::clock() {
  pthread_setname_np(pthread_self(), clock_thread_name);
  keep_stack_out_of_cores();
  Guard guard(mutex_);
  std::uint64_t piece = piece_cycles_least;
  auto slow_began = Clock::now();
  std::uint64_t slow_done = 0;
  while (!quit_) {
    if (held_ || !can_clock()) {
      sleep(guard, -1);
      continue;
    }
    // 1. The fault `slow`: so many cycles in a millisecond.
    std::uint64_t most = piece;
    if (slow_ != 0) {
      const auto begin = Clock::now();
      if (begin - slow_began >= std::chrono::milliseconds(1)) {
        slow_began = begin;
        slow_done = 0;
      }
      if (slow_done >= slow_) {
        sleep(guard, 1);
        continue;
      }
      most = std::min(most, slow_ - slow_done);
    }

    // 2. One piece.
    bool idle = false;
    const auto begin = Clock::now();
    const std::uint64_t passed = advance(most, idle);
    const auto took = Clock::now() - begin;
    slow_done += passed;
    if (took < piece_shortest && passed >= piece)
      piece = std::min(piece * 2, piece_cycles_most);
    else if (took > piece_longest)
      piece = std::max(piece / 2, piece_cycles_least);

    // 3. Sleep when nothing can move until somebody acts; else let requests in.
    if (idle) {
      sleep(guard, -1);
      continue;
    }
    if (waiting_.load() == 0) continue;
    guard.unlock();
    while (waiting_.load() != 0) std::this_thread::yield();
    guard.lock();
  }
}

void Card::hold() {
  Guard guard = enter();
  held_ = true;
}

void Card::release() {
  Guard guard = enter();
  held_ = false;
  wake();
}

std::uint64_t Card::step(std::uint64_t cycles) {
  Guard guard = enter();
  std::uint64_t done = 0;
  bool idle = false;
  while (done < cycles && !idle) done += advance(cycles - done, idle);
  return done;
}

void Card::plug(std::uint32_t port, bool in) {
  Guard guard = enter();
  ports_.plug(port, in);
  wake();
}

// --- faults ---

void Card::plan(const Fault& fault) {
  Guard guard = enter();
  faults_.add(fault);
  strike();
  wake();
}

void Card::forget_faults() {
  Guard guard = enter();
  faults_.forget();
}

void Card::strike() {
  while (const auto fault = faults_.take(time())) apply(*fault);
}

void Card::apply(const Fault& fault) {
  ++counters_.faults;
  log_info("card {}: cycle {}: fault {} {}", index_, time(), name_of(fault.kind), fault.argument);
  switch (fault.kind) {
    case FaultKind::hang:
      if (link_ == Link::well) link_ = Link::hung;
      break;
    case FaultKind::slow:
      slow_ = fault.argument;
      break;
    case FaultKind::wrong_tag:
      if (card_ == nullptr || interface_->inject(card_, "wrong_tag", std::max<std::uint64_t>(fault.argument, 1)) != 0)
        (void)refuse(ENOTSUP, "fault wrong_tag: the loaded kernels have none");
      break;
    case FaultKind::flip:
      flip_ = fault.argument;
      break;
    case FaultKind::partial:
      partial_ = fault.argument;
      break;
    case FaultKind::fail:
      fail_ = std::max<std::uint64_t>(fault.argument, 1);
      break;
    case FaultKind::lost:
      if (link_ != Link::killed) link_ = Link::lost;
      lost_reads_ones_ = fault.argument != 0;
      break;
    case FaultKind::reset:
      if (gone() || !loaded_) break;
      link_ = Link::well;
      abort_commands();
      restart_fabric();
      if (fault.argument != 0) memory_.forget();
      break;
    case FaultKind::kill:
      drop_fabric();
      memory_.forget();
      for (Session& session : sessions_) session.holds.clear();
      link_ = Link::killed;
      break;
    case FaultKind::recover:
      if (link_ != Link::killed) link_ = Link::well;
      slow_ = 0;
      for (const auto& unit : plain_) unit->wake.notify_all();
      break;
  }
  wake();
}

linecrypt_model_state Card::state() {
  Guard guard = enter();
  linecrypt_model_state all = counters_;
  all.now = time();
  all.link = static_cast<std::uint32_t>(link_);
  all.loaded = loaded_ ? 1 : 0;
  all.buffers = memory_.buffers();
  const Ports::Counters& ports = ports_.counters();
  for (std::uint32_t port = 0; port < ports_most; ++port) {
    all.port_in[port] = ports.in.at(port);
    all.port_lost[port] = ports.in_lost.at(port);
    all.port_out[port] = ports.out.at(port);
    all.port_out_lost[port] = ports.out_lost.at(port);
  }
  return all;
}

}  // namespace linecrypt::card_model
