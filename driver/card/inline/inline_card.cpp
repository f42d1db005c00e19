#include "driver/card/inline/inline_card.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "driver/card/engine/xrt_module.hpp"
#include "driver/card/records/capabilities.hpp"
#include "host/values/clock.hpp"
#include "linecrypt/wire/ethernet.hpp"

namespace linecrypt::card {
namespace {

constexpr std::size_t pages(std::size_t bytes) {
  return (bytes + abi::page - 1) / abi::page * abi::page;
}

Error refused(const char* what) {
  return Error{fmt::format("in-line card: the card refused {}", what)};
}

HashName name_of(const EspSa& sa) {
  return {sa.spi, 0};
}
// A frame names its SC by the SCI, or the receiver has one (IEEE 802.1AE-2018 9.9).
HashName name_of(const MacsecSa& sa) {
  const bool implicit = sa.secy.sci_encoding == SciEncoding::implicit;
  return {implicit ? 0 : sa.sci.value(), sa.an + (implicit ? abi::hash_implicit : 0U)};
}

}  // namespace

Result<std::unique_ptr<InlineCard>> InlineCard::open(const CardOptions& options) {
  auto port = open_xrt_port(options);
  if (!port) return port.error();
  return open(std::move(*port), options);
}

// 1. A card of ours, with ports of its own.
// 2. Reset, so that no key, policy or frame of before is left.
// 3. The rings; then the session.
Result<std::unique_ptr<InlineCard>> InlineCard::open(std::shared_ptr<CardPort> port, const CardOptions& options) {
  const Clock clock = options.clock.now_ns == nullptr ? system_clock() : options.clock;
  // 1.
  auto facts = read_facts(*port, options.mode);
  if (!facts) return facts.error();
  if ((facts->features & abi::feature::inline_ports) == 0)
    return Error{"in-line card: its bitstream's wiring is look-aside, allowed: bump-in-the-wire"};
  const std::uint64_t limit = options.progress_timeout_ms != 0 ? std::uint64_t{options.progress_timeout_ms} * 1'000'000
                                                               : facts->progress_limit_ns();
  std::unique_ptr<InlineCard> card(
      new InlineCard(std::move(port), *facts, random_epoch(options.epoch, clock), Patience{clock, limit}));
  if (auto begun = card->begin(); !begun) return begun.error();
  return card;
}

InlineCard::InlineCard(std::shared_ptr<CardPort> port, CardFacts facts, std::uint32_t epoch, Patience patience)
    : port_(std::move(port)),
      facts_(facts),
      capabilities_(card_capabilities(facts.mode, facts.sa_count)),
      epoch_(epoch),
      patience_(patience),
      spis_(abi::Block::esp_decapsulate, facts.sa_count),
      scis_(abi::Block::macsec_validate, facts.sa_count) {}

InlineCard::~InlineCard() {
  // A card that is gone, or is another's by now, is not ours to close.
  if (port_->read_register(abi::reg::epoch) == epoch_) (void)reset_card(*port_, patience_);
  port_->release();
}

Result<void> InlineCard::begin() {
  // 2.
  if (auto swept = reset_card(*port_, patience_); !swept) return swept;
  classify_count_ = port_->read_register(abi::reg::classify_count);
  if (classify_count_ == 0 || classify_count_ > abi::policy_entries_most)
    return Error{fmt::format("in-line card: room for {} policy entries, allowed: 1 to {}", classify_count_,
                             abi::policy_entries_most)};
  // 3.
  auto commands = CommandRing::make(port_, epoch_, patience_, loss_, plan_);
  if (!commands) return commands.error();
  constexpr std::size_t ring_bytes = pages(std::size_t{ring_entries} * abi::host_frame_slot);
  for (auto* ring : {&exceptions_, &injected_}) {
    auto memory = port_->allocate(MemoryUse::control, ring_bytes);
    if (!memory) return Error{"ring of frames: " + memory.error().message};
    std::memset((*memory)->host(), 0, ring_bytes);
    if (!(*memory)->to_card(0, ring_bytes)) return Error{"ring of frames: the first transfer to the card failed"};
    *ring = std::move(*memory);
  }
  place_command_rings(*port_, **commands);
  write64(*port_, abi::reg::exceptions_ring, exceptions_->address());
  port_->write_register(abi::reg::exceptions_size, ring_entries);
  write64(*port_, abi::reg::injected_ring, injected_->address());
  port_->write_register(abi::reg::injected_size, ring_entries);
  if (auto begun = begin_session(*port_, epoch_, patience_); !begun) return begun;
  commands_ = std::move(*commands);
  return {};
}

// ---- SAs ----

Result<abi::Response> InlineCard::call(std::span<const abi::Command> commands, const char* what) {
  auto response = commands_->call(commands, *plan_);
  if (!response) return response.error();
  if (response->kind == abi::ResponseKind::refused) return refused(what);
  return response;
}
Result<void> InlineCard::run(std::span<const abi::Command> commands, const char* what) {
  auto response = call(commands, what);
  if (!response) return response.error();
  return {};
}

Result<const InlineCard::Installed*> InlineCard::find(SaId id) const {
  const auto found = installed_.find(id.index);
  if (found == installed_.end() || found->second.generation != id.generation)
    return Error{fmt::format("in-line card: SA {}.{} is not installed", id.index, id.generation)};
  return &found->second;
}

// 1. Only what the card does, at a place that is free.
// 2. Its words, and a commit.
// 3. Ingress: found from now on, by its name on the wire.
Result<void> InlineCard::install(SaId id, const Sa& sa, Lease numbers) {
  // 1.
  const auto able = std::visit([&](const auto& one) { return linecrypt::check(capabilities_, one); }, sa);
  if (!able) return able;
  if (!id.valid() || id.index >= facts_.sa_count)
    return Error{fmt::format("in-line card: SA {}.{}, allowed: index 0 to {}, generation not 0", id.index,
                             id.generation, facts_.sa_count - 1)};
  if (installed_.contains(id.index))
    return Error{fmt::format("in-line card: SA {} is installed already; remove it first", id.index)};
  if (const auto last = last_generation_.find(id.index);
      last != last_generation_.end() && id.generation <= last->second)
    return Error{fmt::format(
        "in-line card: SA {}.{}, allowed: a generation above {}, the last one that this index had since the card was "
        "opened",
        id.index, id.generation, last->second)};
  if (numbers.begin == 0 || numbers.end <= numbers.begin)
    return Error{fmt::format(
        "in-line card: SA {}: numbers {} to {}, allowed: a lease (egress) or numbers below an accept ceiling (ingress)",
        id.index, numbers.begin, numbers.end)};
  const bool ingress = std::visit([](const auto& one) { return one.direction == Direction::ingress; }, sa);
  const Installed installed{std::visit([](const auto& one) { return block_of(one); }, sa), id.generation, ingress,
                            std::visit([](const auto& one) { return name_of(one); }, sa)};
  if (ingress) {
    const bool taken = std::any_of(installed_.begin(), installed_.end(), [&](const auto& other) {
      return other.second.hashed && other.second.block == installed.block && other.second.name == installed.name;
    });
    if (taken)
      return Error{
          fmt::format("in-line card: SA {}: another one has its SPI, or SCI and AN; remove that first", id.index)};
  }
  // 2. Spent whatever comes of it: some of its words may be on the card.
  last_generation_[id.index] = id.generation;
  const CommandList list = std::visit(
      [&](const auto& one) {
        return install_commands(id, one, ingress ? Lease{} : numbers, ingress ? numbers.begin - 1 : 0,
                                ingress ? numbers.end : 0);
      },
      sa);
  if (auto done = run(list.commands(), "an SA"); !done) return done;
  installed_.emplace(id.index, installed);
  // 3.
  if (!ingress) return {};
  auto entries = placement(installed.block).insert(installed.name, id);
  if (!entries) {
    (void)remove(id);
    return entries.error();
  }
  return run(*entries, "an SA's name");
}

Result<void> InlineCard::grant(SaId id, Lease numbers) {
  auto found = find(id);
  if (!found) return found.error();
  const Installed& installed = **found;
  const abi::Command command = installed.hashed ? raise_ceiling_command(id, installed.block, numbers.end)
                                                : grant_command(id, installed.block, numbers);
  return run({&command, 1}, installed.hashed ? "an accept ceiling" : "a lease");
}

// 1. No frame finds it any more.
// 2. Its words and key are zero; a second token has left the last process before the place is used again (DESIGN 4).
Result<void> InlineCard::remove(SaId id) {
  auto found = find(id);
  if (!found) return found.error();
  const Installed installed = **found;
  // 1.
  if (installed.hashed) {
    const auto entries = placement(installed.block).erase(installed.name);
    if (!entries.empty())
      if (auto done = run(entries, "to forget a name"); !done) return done;
  }
  // 2.
  for (const abi::Command& command : {remove_command(id, installed.block), drain_command(installed.block)})
    if (auto done = run({&command, 1}, "to remove an SA"); !done) return done;
  installed_.erase(id.index);
  return {};
}

// ---- policy ----

// What a direction cannot say is found before either is told anything.
Result<void> InlineCard::publish(const InlineGateway& gateway) {
  if (++policy_generation_ == 0) ++policy_generation_;
  auto egress = classify_commands(gateway, facts_.mode, classify_count_, abi::egress_port, policy_generation_);
  if (!egress) return egress.error();
  auto ingress = classify_commands(gateway, facts_.mode, classify_count_, abi::ingress_port, policy_generation_);
  if (!ingress) return ingress.error();
  if (auto done = run(*egress, "the policy of egress"); !done) return done;
  return run(*ingress, "the policy of ingress");
}

Result<void> InlineCard::close_policy() {
  for (const abi::Block direction : {abi::egress_port, abi::ingress_port}) {
    const abi::Command command = close_command(direction);
    if (auto done = run({&command, 1}, "to close its policy"); !done) return done;
  }
  return {};
}

Result<void> InlineCard::halt() {
  return halt_card(*port_, patience_);
}
Result<void> InlineCard::resume() {
  return begin_session(*port_, epoch_, patience_);
}

Result<void> InlineCard::check() const {
  if (loss_->lost()) return Error{"in-line card: " + loss_->reason()};
  const std::uint32_t status = port_->read_register(abi::reg::status);
  const std::uint32_t epoch = port_->read_register(abi::reg::epoch);
  if (status == abi::lost_value || epoch == abi::lost_value)
    return Error{"in-line card: its registers read 0xffffffff; it is off the bus or was reset"};
  if (epoch != epoch_)
    return Error{"in-line card: it was reset, or another process has it; nothing of this session is left on it"};
  if ((status & abi::status::enabled) == 0) return Error{"in-line card: it is halted"};
  return {};
}

// ---- frames of the host ----

Result<std::vector<ExceptionFrame>> InlineCard::exceptions() {
  const std::uint32_t tail = port_->read_register(abi::reg::exceptions_tail);
  if (tail - exceptions_head_ > ring_entries)
    return Error{fmt::format("in-line card: its ring of frames jumped from {} to {}", exceptions_head_, tail)};
  std::vector<ExceptionFrame> frames;
  for (; exceptions_head_ != tail; ++exceptions_head_) {
    const std::size_t at = std::size_t{exceptions_head_ % ring_entries} * abi::host_frame_slot;
    if (!exceptions_->from_card(at, abi::host_frame_slot))
      return Error{"in-line card: a transfer of frames from the card failed"};
    ExceptionFrame frame{};
    std::memcpy(&frame.header, exceptions_->host() + at, sizeof frame.header);
    if (frame.header.epoch != epoch_ || frame.header.number != exceptions_head_ ||
        frame.header.length > abi::frame_largest)
      return Error{"in-line card: a frame in its ring is of another session, or not at its place"};
    const std::uint8_t* const bytes = exceptions_->host() + at + sizeof frame.header;
    frame.bytes.assign(bytes, bytes + frame.header.length);
    frames.push_back(std::move(frame));
  }
  if (!frames.empty()) port_->write_register(abi::reg::exceptions_head, exceptions_head_);
  return frames;
}

Result<void> InlineCard::inject(std::uint32_t port, std::span<const std::uint8_t> frame) {
  if (port >= abi::inline_port_count || frame.size() < wire::ethernet_size || frame.size() > abi::frame_largest)
    return Error{fmt::format("in-line card: a frame of {} bytes for port {}, allowed: {} to {} bytes, port 0 or 1",
                             frame.size(), port, wire::ethernet_size, abi::frame_largest)};
  const std::uint32_t head = port_->read_register(abi::reg::injected_head);
  if (injected_tail_ - head >= ring_entries) return Error{"in-line card: the ring of frames for it is full"};
  const std::size_t at = std::size_t{injected_tail_ % ring_entries} * abi::host_frame_slot;
  abi::HostFrame header{};
  header.epoch = epoch_;
  header.number = injected_tail_;
  header.length = static_cast<std::uint16_t>(frame.size());
  header.port = static_cast<std::uint8_t>(port);
  std::memcpy(injected_->host() + at, &header, sizeof header);
  std::memcpy(injected_->host() + at + sizeof header, frame.data(), frame.size());
  if (!injected_->to_card(at, abi::host_frame_slot))
    return Error{"in-line card: a transfer of frames to the card failed"};
  port_->write_register(abi::reg::injected_tail, ++injected_tail_);
  return {};
}

// ---- counts ----

Result<std::uint64_t> InlineCard::word_of(abi::Block block, abi::Table table, std::uint32_t index, std::uint32_t word) {
  abi::Command command{};
  command.op = abi::CommandOp::read;
  command.block = block;
  command.table = table;
  command.index = index;
  command.word = static_cast<std::uint8_t>(word);
  auto response = call({&command, 1}, "a read of its counts");
  if (!response) return response.error();
  return response->next_number;
}

Result<std::uint64_t> InlineCard::verdicts(abi::Block direction, Verdict verdict) {
  const auto code = static_cast<std::uint32_t>(verdict);
  return word_of(direction, abi::Table::verdicts, code / 8 * 8, code % 8);
}

Result<abi::PortCounts> InlineCard::counts(abi::Block direction, abi::PortCounter which) {
  std::uint64_t words[sizeof(abi::PortCounts) / 8]{};
  for (std::uint32_t i = 0; i < std::size(words); ++i) {
    auto word = word_of(direction, abi::Table::classify, abi::classify_counters + static_cast<std::uint32_t>(which), i);
    if (!word) return word.error();
    words[i] = *word;
  }
  abi::PortCounts counts{};
  std::memcpy(&counts, words, sizeof counts);
  return counts;
}

}  // namespace linecrypt::card
