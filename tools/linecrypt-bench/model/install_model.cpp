#include "tools/linecrypt-bench/model/install_model.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include "firmware_hls/model/clocked_card.hpp"
#include "linecrypt/abi/registers.hpp"
#include "linecrypt/abi/rings.hpp"
#include "tools/linecrypt-bench/model/packets.hpp"

namespace linecrypt::bench {
namespace {

constexpr std::uint32_t command_entries = 2048;  // as driver/card/engine/command_ring.hpp
constexpr std::uint32_t response_entries = 1024;
constexpr std::uint32_t work_entries = 16;
constexpr std::uint32_t epoch = 0x5eed1234;
constexpr std::uint32_t piece = 16;  // cycles between two looks of the host
constexpr std::uint64_t patience = 20'000'000;
constexpr std::uint32_t warm = 64;
constexpr std::uint32_t measured = 192;

// Card memory: a few MiB from `base` on.
class Memory {
 public:
  Memory() : bytes_(std::size_t{4} << 20U) {
    host_.self = this;
    host_.memory = [](void* self, std::uint64_t address, std::uint64_t length) {
      return static_cast<Memory*>(self)->at(address, length);
    };
  }
  [[nodiscard]] const firmware::MemoryHost& host() const { return host_; }
  unsigned char* at(std::uint64_t address, std::uint64_t length) {
    if (address < base || length > bytes_.size() || address - base > bytes_.size() - length) return nullptr;
    return bytes_.data() + (address - base);
  }
  std::uint64_t allocate(std::size_t bytes) {
    const std::uint64_t address = base + used_;
    used_ += (bytes + abi::page - 1) / abi::page * abi::page;
    if (used_ > bytes_.size()) throw std::logic_error("install model: card memory is too small");
    return address;
  }
  template <class T>
  T& entry(std::uint64_t ring, std::uint32_t index) {
    return *reinterpret_cast<T*>(at(ring + std::uint64_t{index} * sizeof(T), sizeof(T)));
  }

 private:
  static constexpr std::uint64_t base = 0x100000;
  firmware::MemoryHost host_{};
  std::vector<unsigned char> bytes_;
  std::size_t used_ = 0;
};

bool is_egress(Kernel kernel) {
  return kernel == Kernel::esp_encapsulate || kernel == Kernel::macsec_protect;
}
Subject sender_of(Subject subject) {
  if (is_egress(subject.kernel)) return subject;
  return {subject.kernel == Kernel::esp_decapsulate ? Kernel::esp_encapsulate : Kernel::macsec_protect,
          subject.variant};
}
abi::Operation operation_of(Kernel kernel) {
  constexpr abi::Operation operations[] = {abi::Operation::esp_encapsulate, abi::Operation::esp_decapsulate,
                                           abi::Operation::macsec_protect, abi::Operation::macsec_validate};
  return operations[static_cast<std::size_t>(kernel)];
}
std::uint32_t direction_of(Kernel kernel) {
  return is_egress(kernel) ? 0 : 1;
}

// A card with its host: registers, rings, batches.
class InstallRig {
 public:
  InstallRig() : card_(firmware::make_clocked_card(memory_.host())) {
    commands_ = memory_.allocate(command_entries * sizeof(abi::Command));
    responses_ = memory_.allocate(response_entries * sizeof(abi::Response));
    for (auto& ring : work_) ring = memory_.allocate(work_entries * sizeof(abi::Batch));
    card_->write_register(abi::reg::control, 0x81);
    settle();
    command(abi::CardCommand::reset);
    set64(abi::reg::command_ring, commands_);
    card_->write_register(abi::reg::command_size, command_entries);
    set64(abi::reg::response_ring, responses_);
    card_->write_register(abi::reg::response_size, response_entries);
    for (std::uint32_t d = 0; d < abi::directions; ++d) {
      set64(abi::reg::work_ring + d * abi::reg::work_stride, work_[d]);
      card_->write_register(abi::reg::work_size + d * abi::reg::work_stride, work_entries);
    }
    card_->write_register(abi::reg::epoch, epoch);
    command(abi::CardCommand::enable);
    if ((card_->read_register(abi::reg::status) & abi::status::enabled) == 0)
      throw std::logic_error("install model: the card was not enabled");
  }

  void install(const card::CommandList& list) {
    put(list);
    card_->write_register(abi::reg::command_tail, tail_);
    settle();
    if (take_responses() != 1 || refused_ != 0) throw std::logic_error("install model: an SA was refused");
  }

  // A batch of as many of `frame` as one takes; its first job's result is what lay() was given, or is read by result().
  abi::Batch lay(Subject subject, const std::vector<std::uint8_t>& frame) {
    constexpr std::size_t room = 256;
    const std::size_t bytes = abi::batch_jobs * (sizeof(abi::JobDescriptor) + room);
    abi::Batch batch{};
    batch.epoch = epoch;
    batch.input = memory_.allocate(bytes);
    batch.output = memory_.allocate(bytes);
    batch.input_bytes = batch.output_bytes = static_cast<std::uint32_t>(bytes);
    batch.jobs = abi::batch_jobs;
    for (std::uint32_t i = 0; i < abi::batch_jobs; ++i) {
      auto& job = memory_.entry<abi::JobDescriptor>(batch.input, i);
      job = {};
      job.epoch = epoch;
      job.cookie = i + 1;
      job.input_offset = job.output_offset =
          static_cast<std::uint32_t>(abi::batch_jobs * sizeof(abi::JobDescriptor) + i * room);
      job.length = static_cast<std::uint16_t>(frame.size());
      job.output_room = room;
      job.l2_length = subject.variant == Variant::xpn ? 0 : ethernet_size;
      job.operation[0] = operation_of(subject.kernel);
      job.stage[0] = {traffic_index, 1};
      std::memcpy(memory_.at(batch.input + job.input_offset, frame.size()), frame.data(), frame.size());
    }
    return batch;
  }
  void post(Subject subject, abi::Batch batch) {
    const std::uint32_t d = direction_of(subject.kernel);
    while (posted_[d] - head(d) < work_entries) {
      batch.number = posted_[d];
      memory_.entry<abi::Batch>(work_[d], posted_[d] % work_entries) = batch;
      ++posted_[d];
    }
    card_->write_register(abi::reg::work_tail + d * abi::reg::work_stride, posted_[d]);
  }
  // The frame that the batch's job `i` became.
  std::vector<std::uint8_t> result(const abi::Batch& batch, std::uint32_t i) {
    const auto& done = memory_.entry<abi::Completion>(batch.output, i);
    if (done.verdict != static_cast<std::uint8_t>(abi::VerdictCode::ok))
      throw std::logic_error("install model: a packet was not accepted, verdict " + std::to_string(done.verdict));
    const auto& job = memory_.entry<abi::JobDescriptor>(batch.input, i);
    const unsigned char* at = memory_.at(batch.output + job.output_offset, done.length);
    return {at, at + done.length};
  }

  // Installs of the SAs behind the one of the packets, with the ring kept full; `batch`: with its packets always
  // waiting.
  InstallFigures run(Subject subject, const abi::Batch* batch) {
    InstallFigures figures;
    const std::uint32_t d = direction_of(subject.kernel);
    std::uint32_t next = traffic_index + 1;
    std::uint32_t answered = 0;
    std::uint64_t began = 0;
    std::uint32_t batches = 0;
    std::uint64_t looks = 0;
    while (answered < warm + measured) {
      if (++looks > patience / piece) throw std::logic_error("install model: the card stands still");
      card::CommandList list = install_commands(subject, next);
      while (next <= warm + measured + 8 &&
             tail_ - card_->read_register(abi::reg::command_head) + list.size() <= command_entries) {
        put(list);
        list = install_commands(subject, ++next);
      }
      card_->write_register(abi::reg::command_tail, tail_);
      if (batch != nullptr) post(subject, *batch);
      bool idle = false;
      card_->run(piece, idle);
      const std::uint32_t before = answered;
      answered += take_responses();
      if (before < warm && answered >= warm) {
        began = card_->now();
        figures.installs = warm + measured - answered;
        batches = head(d);
      }
    }
    figures.installs += answered - (warm + measured);
    figures.cycles = card_->now() - began;
    figures.packets = std::uint64_t{head(d) - batches} * abi::batch_jobs;
    figures.refused = refused_;
    return figures;
  }

  void settle() {
    bool idle = false;
    for (std::uint64_t passed = 0; !idle;) {
      passed += card_->run(1U << 20U, idle);
      if (passed > patience) throw std::logic_error("install model: the card does not come to rest");
    }
  }
  std::uint32_t head(std::uint32_t direction) {
    return card_->read_register(abi::reg::work_head + direction * abi::reg::work_stride);
  }

  static constexpr std::uint32_t traffic_index = 0;

 private:
  void set64(std::uint32_t offset, std::uint64_t value) {
    card_->write_register(offset, static_cast<std::uint32_t>(value));
    card_->write_register(offset + 4, static_cast<std::uint32_t>(value >> 32U));
  }
  void command(abi::CardCommand what) {
    card_->write_register(abi::reg::command, static_cast<std::uint32_t>(what));
    settle();
  }
  // As the driver does: the last command of an SA asks for a response.
  void put(const card::CommandList& list) {
    for (const abi::Command& one : list.commands()) {
      auto& entry = memory_.entry<abi::Command>(commands_, tail_ % command_entries);
      entry = one;
      entry.epoch = epoch;
      entry.cookie = ++cookie_;
      ++tail_;
    }
  }
  std::uint32_t take_responses() {
    const std::uint32_t written = card_->read_register(abi::reg::response_tail);
    std::uint32_t answers = 0;
    for (; taken_ != written; ++taken_) {
      const auto& response = memory_.entry<abi::Response>(responses_, taken_ % response_entries);
      if (response.kind == abi::ResponseKind::event) continue;
      if (response.kind != abi::ResponseKind::done) ++refused_;
      ++answers;
    }
    card_->write_register(abi::reg::response_head, taken_);
    return answers;
  }

  Memory memory_;
  std::unique_ptr<firmware::ClockedCard> card_;
  std::uint64_t commands_ = 0;
  std::uint64_t responses_ = 0;
  std::uint64_t work_[abi::directions] = {};
  std::uint32_t posted_[abi::directions] = {};
  std::uint32_t tail_ = 0;
  std::uint32_t taken_ = 0;
  std::uint32_t cookie_ = 0;
  std::uint64_t refused_ = 0;
};

// Frames of 64 bytes that the SA of `subject` takes again and again.
abi::Batch traffic(InstallRig& rig, Subject subject) {
  const Subject sender = sender_of(subject);
  rig.install(install_commands(sender, InstallRig::traffic_index, true));
  const abi::Batch sent = rig.lay(sender, clear_frame(subject.variant, frame_smallest - fcs));
  if (is_egress(subject.kernel)) return sent;
  rig.install(install_commands(subject, InstallRig::traffic_index, true));
  rig.post(sender, sent);
  rig.settle();
  return rig.lay(subject, rig.result(sent, 0));
}

}  // namespace

double InstallFigures::cycles_an_install() const {
  return installs == 0 ? 0 : static_cast<double>(cycles) / static_cast<double>(installs);
}
double InstallFigures::per_second() const {
  return cycles == 0 ? 0 : clock_assumed / cycles_an_install();
}
double InstallFigures::mpps() const {
  return cycles == 0 ? 0 : static_cast<double>(packets) * clock_assumed / static_cast<double>(cycles) / 1e6;
}

std::vector<Subject> install_subjects() {
  return {{Kernel::esp_encapsulate, Variant::tunnel_ipv4},
          {Kernel::esp_decapsulate, Variant::tunnel_ipv4},
          {Kernel::macsec_protect, Variant::xpn},
          {Kernel::macsec_validate, Variant::xpn}};
}

InstallRow measure_installs(Subject subject) {
  InstallRow row;
  row.subject = subject;
  row.commands = static_cast<std::uint32_t>(install_commands(subject, 1).size());
  {
    InstallRig rig;
    row.alone = rig.run(subject, nullptr);
  }
  InstallRig rig;
  const abi::Batch batch = traffic(rig, subject);
  rig.post(subject, batch);
  row.with_packets = rig.run(subject, &batch);
  // They were accepted, to the last batch.
  rig.settle();
  static_cast<void>(rig.result(batch, abi::batch_jobs - 1));
  return row;
}

}  // namespace linecrypt::bench
