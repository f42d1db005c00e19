#include "driver/card/engine/session.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <chrono>
#include <thread>

namespace linecrypt::card {
namespace {

constexpr std::uint32_t control_running = 0x81;  // ap_start, auto-restart
constexpr auto pause = std::chrono::microseconds(50);

Error gone() {
  return {"card: its registers read 0xffffffff; it is off the bus or was reset"};
}

std::string version_text(std::uint32_t version) {
  return fmt::format("{}.{}", version >> 16U, version & 0xffffU);
}

// Until `done` says so of the register's value, or the card was waited for long enough.
template <typename Done>
Result<void> wait(CardPort& port, std::uint32_t offset, Patience patience, const char* what, Done done) {
  Standstill standstill(patience);
  for (;;) {
    const std::uint32_t value = port.read_register(offset);
    if (value == abi::lost_value) return gone();
    if (done(value)) return {};
    if (standstill.too_long())
      return Error{fmt::format("card: {} took longer than {} ms (register {:#x} reads {:#x})", what,
                               patience.limit_ns / 1'000'000, offset, value)};
    std::this_thread::sleep_for(pause);
  }
}

Result<void> command(CardPort& port, abi::CardCommand command, Patience patience, const char* what) {
  port.write_register(abi::reg::command, static_cast<std::uint32_t>(command));
  return wait(port, abi::reg::command, patience, what, [](std::uint32_t value) { return value == 0; });
}

}  // namespace

void write64(CardPort& port, std::uint32_t offset, std::uint64_t value) {
  port.write_register(offset, static_cast<std::uint32_t>(value));
  port.write_register(offset + 4, static_cast<std::uint32_t>(value >> 32U));
}

std::uint32_t random_epoch(const EpochSource& source, const Clock& clock) {
  std::uint32_t epoch = 0;
  while (epoch == 0 || epoch == abi::lost_value) {
    if (source.next != nullptr)
      epoch = source.next(source.self);
    else if (getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
      epoch = static_cast<std::uint32_t>(clock.now_ns(clock.self) * 2654435761U) | 1U;
  }
  return epoch;
}

// 1. The control kernel runs from here on: its ro registers are its own to write.
// 2. Ours, and of our major version; both are named.
// 3. What it does.
Result<CardFacts> read_facts(CardPort& port, abi::CardMode wanted) {
  // 1.
  if (port.read_register(abi::reg::magic) == abi::lost_value) return gone();
  port.write_register(abi::reg::control, control_running);
  std::uint32_t magic = port.read_register(abi::reg::magic);
  for (int i = 0; i < 2000 && magic == 0; ++i) {
    std::this_thread::sleep_for(pause);
    magic = port.read_register(abi::reg::magic);
  }
  // 2.
  if (magic == abi::lost_value) return gone();
  if (magic != abi::magic)
    return Error{
        fmt::format("card: register MAGIC reads {:#010x}, allowed: {:#010x}; the loaded bitstream is not one of "
                    "linecrypt's",
                    magic, abi::magic)};
  CardFacts facts;
  facts.abi_version = port.read_register(abi::reg::version);
  if (facts.abi_version >> 16U != abi::version_major)
    return Error{
        fmt::format("card: its bitstream has ABI version {}, this program has {}; the major versions must be equal",
                    version_text(facts.abi_version), version_text(abi::version))};
  // 3.
  const std::uint32_t mode = port.read_register(abi::reg::mode);
  facts.features = port.read_register(abi::reg::features);
  facts.sa_count = port.read_register(abi::reg::sa_count);
  if (mode == abi::lost_value || facts.sa_count == abi::lost_value) return gone();
  if (mode == 0 || mode > static_cast<std::uint32_t>(abi::CardMode::both))
    return Error{fmt::format("card: mode {}, allowed: 1 (esp), 2 (macsec), 3 (both)", mode)};
  facts.mode = static_cast<abi::CardMode>(mode);
  if (wanted != abi::CardMode::none && wanted != facts.mode)
    return Error{fmt::format("card: its bitstream does {}, asked for: {}", name(facts.mode), name(wanted))};
  if ((facts.features & abi::feature::look_aside) == 0)
    return Error{"card: its bitstream has no look-aside path; load one whose name says look-aside"};
  if (facts.sa_count <= own_slots)
    return Error{fmt::format("card: room for {} SAs, allowed: {} or more", facts.sa_count, own_slots + 1)};
  return facts;
}

Result<void> reset_card(CardPort& port, Patience patience) {
  if (auto done = halt_card(port, patience); !done) return done;
  port.write_register(abi::reg::epoch, 0);
  if (auto done = command(port, abi::CardCommand::reset, patience, "reset"); !done) return done;
  return wait(port, abi::reg::status, patience, "the sweep behind the reset", [](std::uint32_t value) {
    return (value & abi::status::swept) != 0 && (value & abi::status::enabled) == 0;
  });
}

void place_command_rings(CardPort& port, const CommandRing& commands) {
  write64(port, abi::reg::command_ring, commands.command_address());
  port.write_register(abi::reg::command_size, CommandRing::entries);
  write64(port, abi::reg::response_ring, commands.response_address());
  port.write_register(abi::reg::response_size, CommandRing::response_entries);
}

Result<void> halt_card(CardPort& port, Patience patience) {
  return command(port, abi::CardCommand::halt, patience, "halt");
}

// A card that another process drives would not keep the epoch.
Result<void> begin_session(CardPort& port, std::uint32_t epoch, Patience patience) {
  port.write_register(abi::reg::epoch, epoch);
  if (const std::uint32_t read = port.read_register(abi::reg::epoch); read != epoch)
    return read == abi::lost_value ? gone() : Error{fmt::format("card: register EPOCH does not keep what is written")};
  if (auto done = command(port, abi::CardCommand::enable, patience, "enable"); !done) return done;
  return wait(port, abi::reg::status, patience, "enable",
              [](std::uint32_t value) { return (value & abi::status::enabled) != 0; });
}

Result<void> enable_card(CardPort& port, std::uint32_t epoch, const CommandRing& commands, const Lanes& lanes,
                         Patience patience) {
  // 1. Where everything is. Heads and tails are zero since the reset.
  place_command_rings(port, commands);
  for (std::uint32_t d = 0; d < abi::directions; ++d) {
    write64(port, abi::reg::work_ring + d * abi::reg::work_stride, lanes[d]->ring_address());
    port.write_register(abi::reg::work_size + d * abi::reg::work_stride, Lane::ring_entries);
  }
  // 2. The session.
  if (auto begun = begin_session(port, epoch, patience); !begun) return begun;
  for (const std::uint32_t offset : {abi::reg::command_head, abi::reg::response_tail, abi::reg::work_head,
                                     abi::reg::work_head + abi::reg::work_stride})
    if (const std::uint32_t value = port.read_register(offset); value != 0)
      return Error{fmt::format("card: register {:#x} reads {} behind a reset, allowed: 0", offset, value)};
  return {};
}

}  // namespace linecrypt::card
