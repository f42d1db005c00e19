// Compute units of plain kernels: register files with the ap_ctrl protocol, a thread each, and XRT's command packets.
#include <ert.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "driver/card/model/card.hpp"

namespace linecrypt::card_model {
namespace {

// Vitis HLS, "S_AXILITE Control Register Map": word 0 of a kernel's registers.
constexpr std::uint32_t ap_start = 1U << 0U;
constexpr std::uint32_t ap_done = 1U << 1U;
constexpr std::uint32_t ap_idle = 1U << 2U;
constexpr std::uint32_t ap_ready = 1U << 3U;
constexpr std::uint32_t arguments_at = 0x10;  // the words before are the protocol's

// XRT reads the state from another thread without a lock.
void set_state(Buffer& packet, std::uint32_t state) {
  auto* header = reinterpret_cast<std::uint32_t*>(packet.host);
  std::uint32_t old = __atomic_load_n(header, __ATOMIC_RELAXED);
  __atomic_store_n(header, (old & ~0xfU) | state, __ATOMIC_RELEASE);
}

ert_packet header_of(const Buffer& packet) {
  ert_packet header{};
  std::memcpy(&header, packet.host, sizeof header.header);
  return header;
}

}  // namespace

int Card::execute(Session& session, std::uint32_t handle) {
  Guard guard = enter();
  tick();
  strike();
  const auto found = session.buffers.find(handle);
  if (found == session.buffers.end() || found->second->host == nullptr)
    return refuse(EINVAL, "command: no such buffer");
  if (gone()) return refuse(EIO, "command: the card is {}", link_ == Link::lost ? "lost" : "blank");
  const std::shared_ptr<Buffer>& packet = found->second;

  // 1. A packet that is inside its buffer.
  if (packet->size < sizeof(ert_start_kernel_cmd)) return refuse(EINVAL, "command: a buffer of {} bytes", packet->size);
  const ert_packet header = header_of(*packet);
  const std::uint32_t count = header.count;
  if ((std::uint64_t{count} + 1) * 4 > packet->size)
    return refuse(EINVAL, "command: {} words in a buffer of {} bytes", count, packet->size);
  if (header.opcode == ERT_ABORT) {
    std::uint64_t victim = 0;
    std::memcpy(&victim, packet->host + 4, sizeof victim);
    const int result = abort_command(static_cast<std::uint32_t>(victim), session);
    if (result == 0) finish(&session, packet, ERT_CMD_STATE_COMPLETED);
    return result;
  }
  if (header.opcode != ERT_START_CU) {
    const std::uint32_t opcode = header.opcode;
    return refuse(ENOTSUP, "command: opcode {} is not emulated; start (0) and abort (11) are", opcode);
  }

  // 2. It must name units of plain kernels, with a register map that fits.
  ert_start_kernel_cmd start_command{};
  std::memcpy(&start_command, packet->host, sizeof start_command);
  const std::uint32_t masks = 1U + start_command.extra_cu_masks;
  if (count < masks) return refuse(EINVAL, "command: {} words hold no unit mask", count);
  bool any = false;
  for (std::uint32_t unit = 0; unit < masks * 32; ++unit) {
    std::uint32_t mask = 0;
    std::memcpy(&mask, packet->host + 4 + std::size_t{unit / 32} * 4, sizeof mask);
    if ((mask >> (unit % 32) & 1U) == 0) continue;
    any = true;
    if (unit >= plain_.size()) return refuse(EINVAL, "command: compute unit {} cannot be started by a command", unit);
    if (!session.holds.contains(unit)) return refuse(EPERM, "command: compute unit {} is not open", unit);
    if (std::size_t{count - masks} * 4 > plain_[unit]->registers.size())
      return refuse(EINVAL, "command: {} register words for {}", count - masks, plain_[unit]->unit.name);
  }
  if (!any) return refuse(EINVAL, "command: it names no compute unit");

  // 3. A free unit, or the queue.
  set_state(*packet, ERT_CMD_STATE_QUEUED);
  const Command command{packet, &session};
  if (!pending_.empty() || !start(command)) pending_.push_back(command);
  return 0;
}

// Starts the command on a free unit of its mask; false when there is none.
bool Card::start(const Command& command) {
  ert_start_kernel_cmd header{};
  std::memcpy(&header, command.packet->host, sizeof header);
  const std::uint32_t masks = 1U + header.extra_cu_masks;
  for (std::uint32_t index = 0; index < plain_.size() && index < masks * 32; ++index) {
    std::uint32_t mask = 0;
    std::memcpy(&mask, command.packet->host + 4 + std::size_t{index / 32} * 4, sizeof mask);
    PlainUnit& unit = *plain_[index];
    if ((mask >> (index % 32) & 1U) == 0 || unit.busy) continue;
    const std::size_t bytes = std::size_t{header.count - masks} * 4;
    if (bytes > arguments_at)
      std::memcpy(unit.registers.data() + arguments_at, command.packet->host + 4 + masks * 4 + arguments_at,
                  bytes - arguments_at);
    set_state(*command.packet, ERT_CMD_STATE_RUNNING);
    unit.busy = true;
    unit.done = false;
    unit.packet = command.packet;
    unit.session = command.session;
    unit.wake.notify_all();
    return true;
  }
  return false;
}

void Card::start_pending() {
  for (auto next = pending_.begin(); next != pending_.end();)
    next = start(*next) ? pending_.erase(next) : std::next(next);
}

void Card::finish(Session* session, const std::shared_ptr<Buffer>& packet, std::uint32_t state) {
  if (packet) set_state(*packet, state);
  if (session != nullptr) ++session->completed;
  ended_.notify_all();
}

int Card::wait(Session& session, int milliseconds) {
  Guard guard = enter();
  const auto more = [&] { return session.completed != session.reported; };
  if (milliseconds < 0)
    ended_.wait(guard, more);
  else if (!ended_.wait_for(guard, std::chrono::milliseconds(milliseconds), more))
    return 0;
  session.reported = session.completed;
  return 1;
}

int Card::abort_command(std::uint32_t handle, Session& session) {
  const auto found = session.buffers.find(handle);
  if (found == session.buffers.end()) return refuse(EINVAL, "abort: no such command");
  const std::shared_ptr<Buffer> packet = found->second;
  for (auto next = pending_.begin(); next != pending_.end(); ++next) {
    if (next->packet != packet) continue;
    pending_.erase(next);
    finish(&session, packet, ERT_CMD_STATE_ABORT);
    return 0;
  }
  for (const auto& unit : plain_) {
    if (unit->packet != packet) continue;
    // The unit works on; its end is nobody's.
    unit->packet.reset();
    unit->session = nullptr;
    finish(&session, packet, ERT_CMD_STATE_ABORT);
    return 0;
  }
  return refuse(EINVAL, "abort: the command is not in flight");
}

// As the driver ends what was in flight when it resets a card.
void Card::abort_commands() {
  for (const Command& command : pending_) finish(command.session, command.packet, ERT_CMD_STATE_ABORT);
  pending_.clear();
  for (const auto& unit : plain_)
    if (unit->packet) finish(unit->session, unit->packet, ERT_CMD_STATE_ABORT);
}

// Nothing that was in flight is told of its end, as when a card goes.
void Card::stop_units() {
  pending_.clear();
  for (const auto& unit : plain_) {
    unit->quit = true;
    unit->busy = false;
    unit->packet.reset();
    unit->session = nullptr;
    unit->wake.notify_all();
  }
  plain_.clear();
}

void Card::serve(const std::shared_ptr<PlainUnit>& unit, const std::shared_ptr<Image>& image) {
  Guard guard(mutex_);
  while (true) {
    unit->wake.wait(guard, [&] { return unit->quit || unit->busy; });
    if (unit->quit) break;
    // 1. The kernel works on a copy of its registers, as hardware does on what it latched at the start.
    const std::vector<unsigned char> registers = unit->registers;
    const PlainCall call{registers.data(), unit->unit.arguments.data(),
                         static_cast<std::uint32_t>(unit->unit.arguments.size()), this,
                         [](void* self, std::uint64_t address) {
                           auto* card = static_cast<Card*>(self);
                           const Guard inner = card->enter();
                           return card->memory_.live(address, 1);
                         }};
    const std::uint64_t delay = slow_;
    guard.unlock();
    if (delay != 0) std::this_thread::sleep_for(std::chrono::microseconds(delay));
    const int bad = unit->function(call);
    guard = enter();

    // 2. On a card that hangs or is lost, nothing ends.
    unit->wake.wait(guard, [&] { return unit->quit || link_ == Link::well; });
    if (unit->quit) break;
    if (bad != 0)
      (void)refuse(EFAULT, "{}: argument {} points to no live buffer, or is not there", unit->unit.name, bad - 1);
    ++counters_.runs;
    tick();
    strike();
    if (unit->quit || link_ != Link::well) {
      unit->wake.wait(guard, [&] { return unit->quit || link_ == Link::well; });
      if (unit->quit) break;
    }
    const std::shared_ptr<Buffer> packet = std::move(unit->packet);
    Session* session = unit->session;
    unit->packet.reset();
    unit->session = nullptr;
    unit->busy = false;
    unit->done = true;
    finish(session, packet, bad == 0 ? ERT_CMD_STATE_COMPLETED : ERT_CMD_STATE_ERROR);
    start_pending();
  }
  --unit_threads_;
  threads_ended_.notify_all();
  (void)image;  // its code is what this thread ran: it goes when the last unit has
}

std::uint32_t Card::read_plain(PlainUnit& unit, std::uint32_t offset) {
  if (offset == 0) {
    const std::uint32_t value = unit.busy ? ap_start : unit.done ? ap_done | ap_idle | ap_ready : ap_idle;
    unit.done = false;  // ap_done is cleared by reading
    return value;
  }
  std::uint32_t value = 0;
  std::memcpy(&value, unit.registers.data() + offset, sizeof value);
  return value;
}

void Card::write_plain(PlainUnit& unit, std::uint32_t offset, std::uint32_t value) {
  if (offset != 0) {
    std::memcpy(unit.registers.data() + offset, &value, sizeof value);
    return;
  }
  if ((value & ap_start) == 0 || unit.busy) return;
  unit.busy = true;
  unit.done = false;
  unit.wake.notify_all();
}

}  // namespace linecrypt::card_model
