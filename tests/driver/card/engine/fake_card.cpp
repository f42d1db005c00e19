#include "tests/driver/card/engine/fake_card.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "tests/host/software/counted_new.hpp"

namespace linecrypt::card_test {
namespace {

bool takes(std::atomic<int>& count) {
  int left = count.load();
  while (left > 0)
    if (count.compare_exchange_weak(left, left - 1)) return true;
  return false;
}

IpAddress address(const std::uint8_t* bytes, Family family) {
  IpAddress out;
  out.family = family;
  std::copy_n(bytes, out.size(), out.bytes.begin());
  return out;
}

// The raw key stands in the first round keys (FIPS 197 5.2).
Secret<32> raw_key(const abi::KeyEntry& key) {
  return Secret<32>(std::span(&key.round_key[0][0], key.rounds == 14 ? 32 : 16));
}

Direction direction_of(abi::Block block) {
  return block == abi::Block::esp_encapsulate || block == abi::Block::macsec_protect ? Direction::egress
                                                                                     : Direction::ingress;
}

Selector selector_of(const abi::SelectorRecord& record) {
  namespace flag = abi::selector_flag;
  Selector out;
  const Family family = (record.flags & flag::ipv6) != 0 ? Family::ipv6 : Family::ipv4;
  out.local = {address(record.local, family), record.local_length};
  out.remote = {address(record.remote, family), record.remote_length};
  if ((record.flags & flag::protocol) != 0) out.protocol = record.protocol;
  if ((record.flags & flag::local_port) != 0) out.local_port = {record.local_first, record.local_last};
  if ((record.flags & flag::remote_port) != 0) out.remote_port = {record.remote_first, record.remote_last};
  return out;
}

template <typename Record, typename Word>
Record record_of(const Word& word) {
  Record out;
  std::memcpy(&out, word.data(), sizeof out);
  return out;
}

constexpr bool good(Verdict verdict) {
  return verdict == Verdict::ok || verdict == Verdict::unchecked;
}

// Behind the tag, and the tag was good.
constexpr bool passed_tag(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
    case Verdict::dummy:
    case Verdict::esp_bad_padding:
    case Verdict::esp_bad_next_header:
    case Verdict::esp_bad_inner:
    case Verdict::esp_bad_ecn:
    case Verdict::selector_mismatch:
      return true;
    default:
      return false;
  }
}

}  // namespace

class FakeMemory final : public card::CardMemory {
 public:
  FakeMemory(FakeCard& card, std::shared_ptr<FakeCard::Memory> memory) : card_(card), memory_(std::move(memory)) {}
  ~FakeMemory() override {
    const std::lock_guard lock(card_.mutex_);
    card_.memories_.erase(memory_->address);
  }
  [[nodiscard]] std::uint8_t* host() const noexcept override { return memory_->host; }
  [[nodiscard]] std::uint64_t address() const noexcept override { return memory_->address; }
  [[nodiscard]] std::size_t size() const noexcept override { return memory_->card.size(); }
  bool to_card(std::size_t offset, std::size_t bytes) noexcept override {
    while (card_.faults.hang_to_card) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return move(offset, bytes, memory_->card.data(), memory_->host, bytes, bytes);
  }
  bool from_card(std::size_t offset, std::size_t bytes) noexcept override {
    while (card_.faults.hang_from_card) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (!takes(card_.faults.cut_transfers))
      return move(offset, bytes, memory_->host, memory_->card.data(), bytes, bytes);
    std::size_t from = card_.faults.cut_from;
    if (from >= bytes) from = bytes / 2;
    return move(offset, bytes, memory_->host, memory_->card.data(), from,
                std::min<std::size_t>(card_.faults.cut_to, bytes));
  }

 private:
  // All but [gap, gap_end).
  bool move(std::size_t offset, std::size_t bytes, std::uint8_t* to, const std::uint8_t* from, std::size_t gap,
            std::size_t gap_end) {
    const std::lock_guard lock(card_.mutex_);
    ++card_.transfers;
    if (card_.faults.lost || takes(card_.faults.fail_transfers)) return false;
    if (offset % 64 != 0 || bytes % 64 != 0 || offset + bytes > size()) std::abort();  // the contract of CardMemory
    std::memcpy(to + offset, from + offset, gap);
    std::memcpy(to + offset + gap_end, from + offset + gap_end, bytes - gap_end);
    return true;
  }
  FakeCard& card_;
  std::shared_ptr<FakeCard::Memory> memory_;
};

class FakePort final : public card::CardPort {
 public:
  explicit FakePort(FakeCard& card) : card_(card) {
    identity_ = {"fake_u50_gen3x16_xdma", "0000:65:00.1", "uuid", ""};
    ++card_.ports_open;
  }
  ~FakePort() override { --card_.ports_open; }
  [[nodiscard]] const card::PortIdentity& identity() const noexcept override { return identity_; }
  std::uint32_t read_register(std::uint32_t offset) noexcept override {
    if (card_.faults.lost) return abi::lost_value;
    if (offset == abi::reg::magic) return card_.magic;
    if (offset == abi::reg::version) return card_.version;
    if (offset == abi::reg::mode) return card_.mode;
    if (offset == abi::reg::features) return card_.features;
    if (offset == abi::reg::sa_count) return FakeCard::sa_count;
    const std::lock_guard lock(card_.mutex_);
    if (offset == abi::reg::work_head && card_.faults.head_jumps) return card_.reg(offset) + 1000;
    return card_.reg(offset);
  }
  void write_register(std::uint32_t offset, std::uint32_t value) noexcept override {
    if (card_.faults.lost) return;
    const std::lock_guard lock(card_.mutex_);
    card_.reg(offset) = value;
    if (offset == abi::reg::command_tail) ++card_.command_doorbells;
    if (offset == abi::reg::command) card_.command(static_cast<abi::CardCommand>(value));
  }
  Result<std::unique_ptr<card::CardMemory>> allocate(card::MemoryUse /*use*/, std::size_t bytes) override {
    const std::lock_guard lock(card_.mutex_);
    auto memory = std::make_shared<FakeCard::Memory>();
    memory->address = card_.next_address_;
    card_.next_address_ += bytes + 4096;
    memory->card.assign(bytes, 0xee);  // what an earlier user left there
    memory->host_room.assign(bytes + 4096, 0xdd);
    const auto start = reinterpret_cast<std::uintptr_t>(memory->host_room.data());
    memory->host = memory->host_room.data() + (4096 - start % 4096) % 4096;
    card_.memories_[memory->address] = memory;
    return std::unique_ptr<card::CardMemory>(std::make_unique<FakeMemory>(card_, memory));
  }
  card::CardHealth health() override {
    card::CardHealth health;
    health.thermal = R"({"temp":"42"})";
    return health;
  }

 private:
  FakeCard& card_;
  card::PortIdentity identity_;
};

FakeCard::FakeCard() : entries_(std::size_t{abi::blocks} * sa_count), slots_(entries_.size()) {
  engine_ = std::move(software::make_software_engine({software::ProviderChoice::openssl})).value();
  reset();
  thread_ = std::thread([this] { run(); });
}

FakeCard::~FakeCard() {
  end_ = true;
  faults.hang_to_card = faults.hang_from_card = false;
  thread_.join();
}

card::OpenPort FakeCard::opener() {
  return [this](const card::CardOptions&) -> Result<std::shared_ptr<card::CardPort>> {
    if (faults.no_port) return Error{"card: there is none"};
    return std::shared_ptr<card::CardPort>(std::make_shared<FakePort>(*this));
  };
}

std::uint32_t FakeCard::register_value(std::uint32_t offset) const {
  const std::lock_guard lock(mutex_);
  return registers_[offset / 4];
}

void FakeCard::set_register(std::uint32_t offset, std::uint32_t value) {
  const std::lock_guard lock(mutex_);
  reg(offset) = value;
}

std::size_t FakeCard::installed() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(entries_, [](const Entry& e) { return e.generation != 0; }));
}

bool FakeCard::host_memory_holds(const std::vector<std::uint8_t>& bytes) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(memories_, [&](const auto& item) {
    const Memory& memory = *item.second;
    const std::uint8_t* const end = memory.host + memory.card.size();
    return std::search(static_cast<const std::uint8_t*>(memory.host), end, bytes.begin(), bytes.end()) != end;
  });
}

void FakeCard::reset() {
  engine_->close();
  EngineSetup setup;
  setup.slots = slots_;
  (void)engine_->open(setup);
  for (Entry& entry : entries_) entry = {};
  registers_.fill(0);
  reg(abi::reg::status) = abi::status::swept;
  ++resets;
}

void FakeCard::command(abi::CardCommand command) {
  if (command == abi::CardCommand::reset) reset();
  if (command == abi::CardCommand::enable) reg(abi::reg::status) |= abi::status::enabled;
  if (command == abi::CardCommand::halt) reg(abi::reg::status) &= ~abi::status::enabled;
  reg(abi::reg::command) = 0;
}

void FakeCard::run() {
  test::stands_for_hardware = true;
  while (!end_) {
    bool moved = false;
    {
      const std::lock_guard lock(mutex_);
      ++reg(abi::reg::heartbeat);
      if (!faults.stalled && !faults.lost && (reg(abi::reg::status) & abi::status::enabled) != 0) {
        moved = take_commands();
        moved = take_batches(0) || moved;
        moved = take_batches(1) || moved;
      }
    }
    if (!moved) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

std::uint8_t* FakeCard::at(std::uint64_t address, std::uint64_t length) {
  auto it = memories_.upper_bound(address);
  if (it == memories_.begin()) return nullptr;
  --it;
  Memory& memory = *it->second;
  if (address - it->first + length > memory.card.size()) return nullptr;
  return memory.card.data() + (address - it->first);
}

bool FakeCard::take_commands() {
  const std::uint32_t size = reg(abi::reg::command_size);
  std::uint32_t& head = reg(abi::reg::command_head);
  bool moved = false;
  while (head != reg(abi::reg::command_tail)) {
    auto* const entry = reinterpret_cast<abi::Command*>(
        at(reg64(abi::reg::command_ring) + head % size * sizeof(abi::Command), sizeof(abi::Command)));
    if (entry == nullptr) break;
    if (entry->epoch == reg(abi::reg::epoch))
      act(*entry);
    else
      ++skipped_commands;
    std::memset(static_cast<void*>(entry), 0, sizeof *entry);
    ++head;
    moved = true;
  }
  return moved;
}

void FakeCard::respond(const abi::Command& command, abi::ResponseKind kind) {
  if (command.respond == 0) return;
  abi::Response response{};
  response.epoch = reg(abi::reg::epoch);
  response.cookie = command.cookie;
  response.kind = kind;
  response.block = command.block;
  response.index = command.index;
  response.generation = command.generation;
  if (kind == abi::ResponseKind::state) {
    const SaSlot& slot = slots_[slot_of(command.block, command.index, 0).index];
    const bool egress = direction_of(command.block) == Direction::egress;
    response.next_number = egress ? slot.next_number.load() : slot.window.top();
    response.lease_end = egress ? slot.lease_end.load() : 0;
    response.packets = slot.counters.packets.get();
    response.bytes = slot.counters.bytes.get();
    response.flags = slot.expired ? 1 : 0;
  }
  std::uint32_t& tail = reg(abi::reg::response_tail);
  auto* const to =
      at(reg64(abi::reg::response_ring) + tail % reg(abi::reg::response_size) * sizeof response, sizeof response);
  std::memcpy(to, &response, sizeof response);
  ++tail;
}

void FakeCard::act(const abi::Command& command) {
  Entry& entry = entries_[slot_of(command.block, command.index, 0).index];
  const SaId id = slot_of(command.block, command.index, command.generation);
  bool done = true;
  switch (command.op) {
    case abi::CommandOp::load:
      done = entry.generation == 0;
      if (!done) break;
      if (command.table == abi::Table::key)
        std::memcpy(reinterpret_cast<std::uint8_t*>(&entry.key) + command.word * abi::word_bytes, command.payload, 64);
      if (command.table == abi::Table::record) std::memcpy(entry.record[command.word].data(), command.payload, 64);
      if (command.table == abi::Table::number)
        std::memcpy(command.word == 0 ? static_cast<void*>(&entry.number) : static_cast<void*>(&entry.lifetime),
                    command.payload, 64);
      break;
    case abi::CommandOp::commit:
      done = !takes(faults.refuse_commands) && commit(command, entry);
      break;
    case abi::CommandOp::grant: {
      abi::NumberGrant grant;
      std::memcpy(&grant, command.payload, sizeof grant);
      done = entry.generation == command.generation &&
             (direction_of(command.block) == Direction::egress
                  ? engine_->update(id, GrantLease{{grant.begin, grant.end}}).ok()
                  : engine_->update(id, RaiseLowestPn{grant.begin}).ok());
      break;
    }
    case abi::CommandOp::expire:
      done = engine_->update(id, Expire{}).ok();
      break;
    case abi::CommandOp::read:
      return respond(command,
                     entry.generation == command.generation ? abi::ResponseKind::state : abi::ResponseKind::refused);
    case abi::CommandOp::drain:
      break;
    case abi::CommandOp::none:
      done = false;
      break;
  }
  respond(command, done ? abi::ResponseKind::done : abi::ResponseKind::refused);
}

bool FakeCard::commit(const abi::Command& command, Entry& entry) {
  if (command.generation == 0) {
    const SaId old = slot_of(command.block, command.index, entry.generation);
    if (entry.generation != 0) (void)engine_->remove(old);
    entry = {};
    return true;
  }
  const SaId id = slot_of(command.block, command.index, command.generation);
  const Lease lease{entry.number.begin, entry.number.end};
  const bool egress = direction_of(command.block) == Direction::egress;
  Result<void> installed;
  if (command.block == abi::Block::esp_encapsulate || command.block == abi::Block::esp_decapsulate) {
    namespace flag = abi::esp_flag;
    const auto record = record_of<abi::EspRecord>(entry.record[0]);
    const auto has = [&](std::uint16_t bit) { return (record.flags & bit) != 0; };
    EspSa sa;
    sa.spi = record.spi;
    sa.direction = direction_of(command.block);
    sa.mode = has(flag::tunnel) ? EspMode::tunnel : EspMode::transport;
    const bool wide_key = entry.key.rounds == 14;
    sa.algorithm = has(flag::gmac) ? (wide_key ? EspAlgorithm::aes_gmac_256 : EspAlgorithm::aes_gmac_128)
                                   : (wide_key ? EspAlgorithm::aes_gcm_256 : EspAlgorithm::aes_gcm_128);
    sa.key = raw_key(entry.key);
    sa.salt = Secret<4>(std::span(entry.key.salt, 4));
    sa.esn = has(flag::esn);
    sa.replay_window = record.replay_window;
    sa.replay_disabled = !egress && record.replay_window == 0;
    const Family family = has(flag::outer_ipv6) ? Family::ipv6 : Family::ipv4;
    sa.source = address(record.source, family);
    sa.destination = address(record.destination, family);
    sa.verify_outer = has(flag::verify_outer);
    if (has(flag::udp)) sa.udp = UdpEncapsulation{record.source_port, record.destination_port, has(flag::verify_ports)};
    sa.verify_inner_checksum = !has(flag::carry_inner_checksum);
    sa.df = static_cast<DfPolicy>(record.df);
    sa.dscp_copy_out = has(flag::dscp_copy_out);
    sa.dscp_copy_in = has(flag::dscp_copy_in);
    sa.dscp = record.dscp;
    sa.ecn = has(flag::ecn);
    sa.hop_limit = record.hop_limit;
    sa.decrement_ttl = has(flag::decrement_ttl);
    sa.flow_label_copy = has(flag::flow_label_copy);
    sa.tfc_pad_to = record.tfc_pad_to;
    sa.lifetime.soft = {entry.lifetime.soft_packets, entry.lifetime.soft_bytes, 0};
    sa.lifetime.hard = {entry.lifetime.hard_packets, entry.lifetime.hard_bytes, 0};
    for (std::uint32_t i = 0; i < record.selectors; ++i)
      sa.selectors.push_back(selector_of(record_of<abi::SelectorRecord>(entry.record[1 + i])));
    installed = engine_->install(id, Sa(std::move(sa)), egress ? lease : Lease{}, entry.number.window_top);
  } else {
    namespace flag = abi::macsec_flag;
    const auto record = record_of<abi::MacsecRecord>(entry.record[0]);
    const auto has = [&](std::uint16_t bit) { return (record.flags & bit) != 0; };
    MacsecSa sa;
    const bool wide_key = entry.key.rounds == 14;
    sa.secy.suite = has(flag::xpn) ? (wide_key ? CipherSuite::gcm_aes_xpn_256 : CipherSuite::gcm_aes_xpn_128)
                                   : (wide_key ? CipherSuite::gcm_aes_256 : CipherSuite::gcm_aes_128);
    sa.secy.encrypt = has(flag::encrypt);
    sa.secy.validate = static_cast<ValidateFrames>(record.validate);
    sa.secy.replay_protect = has(flag::replay_protect);
    sa.secy.replay_window = record.replay_window;
    sa.secy.duplicate_bitmap = record.bitmap;
    sa.secy.pn_soft_limit = entry.number.soft_limit;
    sa.secy.sci_encoding = (record.tci_an & 0x20U) != 0   ? SciEncoding::explicit_sci
                           : (record.tci_an & 0x40U) != 0 ? SciEncoding::end_station
                           : (record.tci_an & 0x10U) != 0 ? SciEncoding::scb
                                                          : SciEncoding::implicit;
    for (std::uint32_t i = 0; i < record.clear_tags; ++i)
      sa.secy.clear_tags.push_back({static_cast<std::uint16_t>(record.clear_tag[i] >> 16U),
                                    static_cast<std::uint16_t>(record.clear_tag[i] & 0xffffU)});
    sa.direction = direction_of(command.block);
    for (std::size_t i = 0; i < 6; ++i) sa.sci.address.bytes[i] = static_cast<std::uint8_t>(record.sci >> (56 - 8 * i));
    sa.sci.port = static_cast<std::uint16_t>(record.sci);
    sa.an = record.an;
    sa.key = raw_key(entry.key);
    if (has(flag::xpn)) {
      // The entry's salt has the SSCI in it; any SSCI will do that comes out of it again.
      std::array<std::uint8_t, 12> salt{};
      std::copy_n(entry.key.salt, salt.size(), salt.begin());
      salt[3] ^= 1U;
      sa.salt = Secret<12>(salt);
      sa.ssci = 1;
    }
    sa.lowest_pn = std::max<std::uint64_t>(1, entry.number.lowest);
    installed = engine_->install(id, Sa(std::move(sa)), egress ? lease : Lease{}, entry.number.window_top);
  }
  if (!installed) return false;
  entry.generation = command.generation;
  return true;
}

bool FakeCard::take_batches(std::uint32_t direction) {
  const std::uint32_t to = direction * abi::reg::work_stride;
  std::uint32_t& head = reg(abi::reg::work_head + to);
  if (head == reg(abi::reg::work_tail + to)) return false;
  abi::Batch batch;
  std::memcpy(&batch,
              at(reg64(abi::reg::work_ring + to) + head % reg(abi::reg::work_size + to) * sizeof batch, sizeof batch),
              sizeof batch);
  std::uint8_t* const input = at(batch.input, batch.input_bytes);
  std::uint8_t* const output = at(batch.output, batch.output_bytes);
  if (batch.epoch == reg(abi::reg::epoch) && input != nullptr && output != nullptr)
    for (std::uint32_t i = 0; i < batch.jobs; ++i) finish(batch, input, output, i);
  ++head;
  ++batches;
  return true;
}

void FakeCard::finish(const abi::Batch& batch, std::uint8_t* input, std::uint8_t* output, std::uint32_t job) {
  abi::JobDescriptor descriptor;
  std::memcpy(&descriptor, input + job * sizeof descriptor, sizeof descriptor);
  abi::Completion completion{};
  completion.epoch = takes(faults.wrong_epochs) ? batch.epoch + 1 : batch.epoch;
  completion.cookie = takes(faults.wrong_cookies) ? descriptor.cookie + 1 : descriptor.cookie;
  constexpr std::size_t room = 256;
  std::vector<std::uint8_t> memory(descriptor.length + 2 * room + 2048);
  std::memcpy(memory.data() + room, input + descriptor.input_offset, descriptor.length);
  Packet packet{memory.data() + room, descriptor.length, room, room + 2048, nullptr};
  Verdict verdict = Verdict::pending;
  for (std::uint32_t s = 0; s < 2 && descriptor.operation[s] != abi::Operation::none; ++s) {
    const auto operation = static_cast<Operation>(descriptor.operation[s]);
    const auto block = operation == Operation::esp_encapsulate   ? abi::Block::esp_encapsulate
                       : operation == Operation::esp_decapsulate ? abi::Block::esp_decapsulate
                       : operation == Operation::macsec_protect  ? abi::Block::macsec_protect
                                                                 : abi::Block::macsec_validate;
    const SaId id = slot_of(block, descriptor.stage[s].index, descriptor.stage[s].generation);
    const bool egress = direction_of(block) == Direction::egress;
    Job work;
    work.source = work.destination = &packet;
    work.stages[0] = {id, operation};
    work.l2_length = descriptor.l2_length;
    const bool known = id.index < slots_.size();
    const std::uint64_t bytes = known ? slots_[id.index].counters.bytes.get() : 0;
    const std::uint64_t next = known ? slots_[id.index].next_number.load() : 0;
    Job* jobs[] = {&work};
    engine_->submit(QueueId{0}, jobs);
    verdict = work.verdict;
    completion.verdict_stage = static_cast<std::uint8_t>(s);
    completion.number[s] = work.number;
    completion.inner_lengths[s] = completion.inner_length =
        known ? static_cast<std::uint32_t>(slots_[id.index].counters.bytes.get() - bytes) : 0;
    const bool flag = egress ? known && slots_[id.index].next_number.load() != next : passed_tag(verdict);
    if (flag && !takes(faults.unflagged)) completion.flags = static_cast<std::uint8_t>(completion.flags | 1U << s);
    if (egress && flag && takes(faults.repeat_numbers)) --completion.number[s];
    if (!egress && flag && takes(faults.far_numbers)) completion.number[s] += std::uint64_t{1} << 40U;
    if (!good(verdict)) break;
  }
  completion.verdict = static_cast<std::uint8_t>(verdict);
  if (good(verdict)) {
    if (packet.length > descriptor.output_room) {
      completion.verdict = static_cast<std::uint8_t>(Verdict::no_buffer);
    } else {
      completion.length = static_cast<std::uint16_t>(packet.length);
      std::memcpy(output + descriptor.output_offset, packet.data, packet.length);
      const bool egress = card::is_egress(static_cast<Operation>(descriptor.operation[0]));
      if (egress && takes(faults.spoiled)) output[descriptor.output_offset + packet.length - 1] ^= 1U;
    }
  }
  std::memcpy(output + job * sizeof completion, &completion, sizeof completion);
}

}  // namespace linecrypt::card_test
