#include "driver/card/engine/command_ring.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "host/values/vector_registers.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::card {
namespace {

constexpr auto pause = std::chrono::microseconds(20);
// Answers that may be open at a time; the rest of the response ring is for events.
constexpr std::uint32_t answers_open_most = CommandRing::response_entries / 2;

// An entry of the response ring that nothing came into: no epoch, and an end that no card writes. What a transfer
// leaves out, from anywhere in an entry to its end, is seen by that.
constexpr std::uint64_t nothing_came = std::uint64_t{0xff} << 56U;
constexpr abi::Response empty_response() {
  abi::Response response{};
  response.flags = nothing_came;
  return response;
}

}  // namespace

void exclude_from_dumps(CardMemory& memory) noexcept {
  // Device memory of a real card is not dumped anyway, and may refuse the advice.
  (void)madvise(memory.host(), memory.size(), MADV_DONTDUMP);
}

CommandRing::CommandRing(std::shared_ptr<CardPort> port, std::uint32_t epoch, Patience patience,
                         std::shared_ptr<Loss> loss, std::shared_ptr<void> keep_alive)
    : port_(std::move(port)),
      epoch_(epoch),
      patience_(patience),
      loss_(std::move(loss)),
      keep_alive_(std::move(keep_alive)),
      asked_(response_entries) {}

CommandRing::~CommandRing() {
  if (commands_) cleanse(commands_->host(), commands_->size());
}

Result<std::shared_ptr<CommandRing>> CommandRing::make(std::shared_ptr<CardPort> port, std::uint32_t epoch,
                                                       Patience patience, std::shared_ptr<Loss> loss,
                                                       std::shared_ptr<void> keep_alive) {
  std::shared_ptr<CommandRing> ring(
      new CommandRing(std::move(port), epoch, patience, std::move(loss), std::move(keep_alive)));
  auto commands = ring->port_->allocate(MemoryUse::control, entries * sizeof(abi::Command));
  if (!commands) return Error{"command ring: " + commands.error().message};
  auto responses = ring->port_->allocate(MemoryUse::control, response_entries * sizeof(abi::Response));
  if (!responses) return Error{"response ring: " + responses.error().message};
  ring->commands_ = std::move(*commands);
  ring->responses_ = std::move(*responses);
  for (CardMemory* memory : {ring->commands_.get(), ring->responses_.get()}) {
    exclude_from_dumps(*memory);
    std::memset(memory->host(), 0, memory->size());
    if (!memory->to_card(0, memory->size())) return Error{"command ring: the first transfer to the card failed"};
  }
  std::fill_n(reinterpret_cast<abi::Response*>(ring->responses_->host()), response_entries, empty_response());
  return ring;
}

std::unique_lock<std::timed_mutex> CommandRing::lock() {
  std::unique_lock held(mutex_, std::chrono::nanoseconds(2 * patience_.limit_ns));
  if (!held) loss_->report(fmt::format("a call to it did not return for {} ms", 2 * patience_.limit_ns / 1'000'000));
  return held;
}

Error CommandRing::lose(const std::string& reason) {
  loss_->report(reason);
  return Error{"card: " + reason};
}

// Drains until `done`, or the card has answered nothing for too long.
template <typename Done>
Result<void> CommandRing::wait(Done done, const char* what) {
  Standstill standstill(patience_);
  std::uint32_t seen = response_;
  std::uint32_t head = consumed_;
  while (!done()) {
    if (loss_->lost()) return Error{"card: " + loss_->reason()};
    if (auto drained = drain_locked(); !drained) return drained;
    if (done()) break;
    if (seen != response_ || head != consumed_) {
      seen = response_;
      head = consumed_;
      standstill.moved();
    } else if (standstill.too_long()) {
      return lose(fmt::format("{} for {} ms", what, patience_.limit_ns / 1'000'000));
    }
    std::this_thread::sleep_for(pause);
  }
  return {};
}

Result<void> CommandRing::make_room(std::uint32_t count) {
  const auto fits = [&] { return tail_ - consumed_ + count <= entries && open_answers_ < answers_open_most; };
  if (fits()) return {};
  if (auto flushed = flush_locked(); !flushed) return flushed;
  return wait(
      [&] {
        if (fits()) return true;
        const std::uint32_t head = port_->read_register(abi::reg::command_head);
        // Anything that lies between is a head; what is not stays for drain to name.
        if (flushed_ - head <= entries) consumed_ = head;
        return fits();
      },
      "the command ring stayed full");
}

Result<void> CommandRing::push_locked(std::span<const abi::Command> commands, SaPlan& plan, bool keep) {
  if (loss_->lost()) return Error{"card: " + loss_->reason()};
  if (commands.empty() || commands.size() > entries / 2)
    return Error{fmt::format("command ring: {} commands at once, allowed: 1 to {}", commands.size(), entries / 2)};
  if (auto room = make_room(static_cast<std::uint32_t>(commands.size())); !room) return room;
  auto* const ring = reinterpret_cast<abi::Command*>(commands_->host());
  for (std::size_t i = 0; i < commands.size(); ++i) {
    abi::Command& entry = ring[tail_++ % entries];
    entry = commands[i];
    entry.epoch = epoch_;
    entry.cookie = 0;
    entry.respond = 0;
    if (i + 1 != commands.size()) continue;
    if (++cookie_ == 0) ++cookie_;
    entry.cookie = cookie_;
    entry.respond = 1;
    asked_[cookie_ % asked_.size()] = {&plan, cookie_, keep};
    ++open_answers_;
    plan.unanswered.fetch_add(1, std::memory_order_relaxed);
  }
  commands_sent_.fetch_add(commands.size(), std::memory_order_relaxed);
  return {};
}

// A lone command goes at once; while the card is busy with some, more gather.
Result<void> CommandRing::push(std::span<const abi::Command> commands, SaPlan& plan) {
  const auto held = lock();
  if (!held) return Error{"card: " + loss_->reason()};
  const bool quiet = open_answers_ == 0;
  if (auto pushed = push_locked(commands, plan, false); !pushed) return pushed;
  if (quiet || tail_ - flushed_ >= burst) return flush_locked();
  return {};
}

Result<abi::Response> CommandRing::call(std::span<const abi::Command> commands, SaPlan& plan) {
  const auto held = lock();
  if (!held) return Error{"card: " + loss_->reason()};
  if (auto pushed = push_locked(commands, plan, true); !pushed) return pushed.error();
  const std::uint32_t cookie = cookie_;
  if (auto flushed = flush_locked(); !flushed) return flushed.error();
  kept_ = {};
  if (auto answered = wait([&] { return kept_.cookie == cookie; }, "the card answered no command"); !answered)
    return answered.error();
  return kept_;
}

void CommandRing::service() {
  const std::unique_lock held(mutex_, std::try_to_lock);
  if (!held) return;
  if (auto flushed = flush_locked(); flushed) (void)drain_locked();
}

// 1. The new entries, in at most two pieces. Only these: entries that the card has not taken yet are ours no more.
// 2. Keys leave the host's copy, and what moved it: any thread may come by here, transfer threads among them.
// 3. One doorbell.
Result<void> CommandRing::flush_locked() {
  if (tail_ == flushed_) return {};
  if (loss_->lost()) return Error{"card: " + loss_->reason()};
  // 1.
  for (std::uint32_t at = flushed_; at != tail_;) {
    const std::uint32_t first = at % entries;
    const std::uint32_t count = std::min(tail_ - at, entries - first);
    const std::size_t offset = first * sizeof(abi::Command);
    const std::size_t bytes = count * sizeof(abi::Command);
    const bool sent = commands_->to_card(offset, bytes);
    // 2.
    cleanse(commands_->host() + offset, bytes);
    clear_vector_registers();
    if (!sent) return lose("a transfer of commands to the card failed");
    at += count;
  }
  // 3.
  flushed_ = tail_;
  port_->write_register(abi::reg::command_tail, tail_);
  doorbells_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

// 1. How far the card has written. No count can be far from ours: what is, is no card.
// 2. Its entries, in at most two pieces.
Result<void> CommandRing::drain_locked() {
  if (loss_->lost()) return Error{"card: " + loss_->reason()};
  // 1.
  const std::uint32_t tail = port_->read_register(abi::reg::response_tail);
  if (tail == response_) return {};
  const std::uint32_t fresh = tail - response_;
  if (fresh > response_entries)
    return lose(tail == abi::lost_value
                    ? "its registers read 0xffffffff"
                    : fmt::format("the response ring's tail jumped from {} to {}", response_, tail));
  // 2.
  while (response_ != tail) {
    const std::uint32_t first = response_ % response_entries;
    const std::uint32_t count = std::min(tail - response_, response_entries - first);
    if (!responses_->from_card(first * sizeof(abi::Response), count * sizeof(abi::Response)))
      return lose("a transfer of responses from the card failed");
    auto* const ring = reinterpret_cast<abi::Response*>(responses_->host());
    for (std::uint32_t i = 0; i < count; ++i) {
      if (auto taken = take(ring[first + i]); !taken) return taken;
      ring[first + i] = empty_response();  // not an old response, should the next transfer leave this entry out
    }
    response_ += count;
  }
  port_->write_register(abi::reg::response_head, response_);
  return {};
}

Result<void> CommandRing::take(const abi::Response& response) {
  if (response.epoch != epoch_) return lose("a response carries another session's epoch");
  if ((response.flags & nothing_came) != 0) return lose("a response did not come whole");
  if (response.kind == abi::ResponseKind::event) {
    card_events_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  Asked& asked = asked_[response.cookie % asked_.size()];
  if (response.cookie == 0 || asked.cookie != response.cookie)
    return lose(fmt::format("a response carries cookie {}, which nobody waits for", response.cookie));
  SaPlan* const plan = asked.plan;
  if (asked.keep) kept_ = response;
  asked = {};
  --open_answers_;
  plan->unanswered.fetch_sub(1, std::memory_order_release);
  if (response.kind == abi::ResponseKind::refused && kept_.cookie != response.cookie)
    return lose(fmt::format("the card refused a command for SA {} of its tables", response.index));
  return {};
}

Result<void> CommandRing::settle(SaPlan& plan) {
  if (plan.unanswered.load(std::memory_order_acquire) == 0) return {};
  const auto held = lock();
  if (!held) return Error{"card: " + loss_->reason()};
  if (auto flushed = flush_locked(); !flushed) return flushed;
  return wait([&] { return plan.unanswered.load(std::memory_order_acquire) == 0; }, "the card answered no command");
}

}  // namespace linecrypt::card
