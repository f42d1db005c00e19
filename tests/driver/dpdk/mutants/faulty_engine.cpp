// Takes the place of driver/dpdk/common/host_engine.cpp when the common library is linked for mutants.py: the software
// engine with one fault, chosen by the environment variable LINECRYPT_MUTANT. Whoever tests the drivers must see it.
// With `delay` it has no fault: it takes parts of bursts and completes late, and everything must pass.
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>

#include "driver/dpdk/common/host_engine.hpp"
#include "host/engines/delaying.hpp"
#include "host/software/engine.hpp"
#include "host/values/key_arena.hpp"
#include "tests/driver/dpdk/mutants/twin.hpp"

namespace linecrypt::dpdk {
namespace {

enum class Fault : std::uint8_t {
  none,
  accept_bad_icv,
  accept_replay,
  skip_address_check,
  reuse_iv,
  wrong_esn,
  leave_clear_text,
};

Fault fault_asked() {
  const char* const name = std::getenv("LINECRYPT_MUTANT");
  const std::map<std::string, Fault> all = {{"none", Fault::none},
                                            {"accept_bad_icv", Fault::accept_bad_icv},
                                            {"accept_replay", Fault::accept_replay},
                                            {"skip_address_check", Fault::skip_address_check},
                                            {"reuse_iv", Fault::reuse_iv},
                                            {"wrong_esn", Fault::wrong_esn},
                                            {"leave_clear_text", Fault::leave_clear_text}};
  const auto found = all.find(name == nullptr ? "" : name);
  if (found == all.end()) throw std::runtime_error("LINECRYPT_MUTANT names no fault");
  return found->second;
}

class FaultyEngine final : public Engine {
 public:
  FaultyEngine(std::unique_ptr<Engine> inner, std::unique_ptr<software::AeadProvider> provider)
      : fault_(fault_asked()),
        inner_(std::move(inner)),
        provider_(std::move(provider)),
        keys_(provider_->context_size(), provider_->context_alignment()) {}

  [[nodiscard]] const Capabilities& capabilities() const noexcept override { return inner_->capabilities(); }
  [[nodiscard]] MemoryPlace memory() const noexcept override { return inner_->memory(); }
  Result<void> self_test() override { return inner_->self_test(); }
  Result<void> open(const EngineSetup& setup) override {
    slots_ = setup.slots;
    // A worker installs SAs anew, see accept_replays(): it cannot wait for itself.
    EngineSetup mine = setup;
    mine.reclamation = {};
    return inner_->open(mine);
  }
  void close() override { inner_->close(); }
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) override {
    Twin& twin = twins_[id.index];
    if (twin.key == nullptr) twin.key = *keys_.allocate();
    const auto key = std::visit([](const auto& one) { return one.key.bytes(); }, sa);
    if (auto good = provider_->expand(key, twin.key); !good) return good;
    twin.sa = std::visit([](const auto& one) { return Sa(one.duplicate()); }, sa);
    if (auto* esp = std::get_if<EspSa>(&twin.sa); esp != nullptr && fault_ == Fault::skip_address_check)
      esp->verify_outer = false;
    return inner_->install(id, twin.sa, lease, window_top);
  }
  Result<void> update(SaId id, const SaUpdate& update) override { return inner_->update(id, update); }
  Result<void> remove(SaId id) override { return inner_->remove(id); }
  [[nodiscard]] Result<SaState> read(SaId id) const override { return inner_->read(id); }
  std::uint32_t poll(QueueId queue, std::span<Job*> done) override { return inner_->poll(queue, done); }
  std::uint32_t events(std::span<Event> out) override { return inner_->events(out); }

  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override {
    // One at a time: the next one's window is moved by then.
    for (Job* const job : jobs) submit_one(queue, *job);
    return static_cast<std::uint32_t>(jobs.size());
  }

 private:
  void submit_one(QueueId queue, Job& job) {
    const SaId id = job.stages[0].sa;
    const bool ingress =
        job.stages[0].operation == Operation::esp_decapsulate || job.stages[0].operation == Operation::macsec_validate;
    if (id.index >= slots_.size() || slots_[id.index].generation.load() != id.generation) {
      run(queue, job);
      return;
    }
    Twin& twin = twins_[id.index];
    if (ingress && fault_ == Fault::accept_bad_icv) mend_icv(twin, slots_[id.index], job);
    std::vector<std::uint8_t> clear;
    if (ingress && fault_ == Fault::leave_clear_text) clear = decrypted(twin, slots_[id.index], job);
    run(queue, job);
    if (ingress && fault_ == Fault::accept_replay &&
        (job.verdict == Verdict::replay_duplicate || job.verdict == Verdict::replay_late))
      accept_replay(queue, twin, job);
    if (!clear.empty() && (job.verdict == Verdict::esp_bad_icv || job.verdict == Verdict::macsec_not_valid))
      if (const Place place = place_of(twin, *job.destination, job.l2_length); place.text != nullptr)
        std::memcpy(place.text, clear.data(), clear.size());
    if (!ingress && job.verdict == Verdict::ok && (fault_ == Fault::reuse_iv || fault_ == Fault::wrong_esn))
      seal_wrongly(twin, job);
  }

  void run(QueueId queue, Job& job) {
    Job* one = &job;
    inner_->submit(queue, {&one, 1});
  }

  // Counter mode is its own inverse: sealing the cipher text gives the clear text, whatever its tag.
  std::vector<std::uint8_t> decrypted(const Twin& twin, const SaSlot& slot, const Job& job) {
    const Place place = place_of(twin, *job.source, job.l2_length);
    if (place.text == nullptr) return {};
    std::vector<std::uint8_t> clear(place.text_length);
    std::uint8_t aad[64];
    std::uint8_t tag[16];
    software::AeadOp op = op_of(twin, place, number_of(twin, slot, place), aad);
    op.out = clear.data();
    op.tag = tag;
    provider_->seal({&op, 1});
    return clear;
  }

  // The ICV becomes that of the packet as it is.
  void mend_icv(const Twin& twin, const SaSlot& slot, const Job& job) {
    const std::vector<std::uint8_t> clear = decrypted(twin, slot, job);
    const Place place = place_of(twin, *job.source, job.l2_length);
    if (place.text == nullptr) return;
    std::uint8_t aad[64];
    software::AeadOp op = op_of(twin, place, number_of(twin, slot, place), aad);
    op.in = clear.data();
    provider_->seal({&op, 1});
  }

  // The SA anew, with a window that has not seen the packet.
  void accept_replay(QueueId queue, Twin& twin, Job& job) {
    const SaId id = job.stages[0].sa;
    const Place place = place_of(twin, *job.source, job.l2_length);
    if (place.text == nullptr) return;
    const std::uint64_t number = number_of(twin, slots_[id.index], place);
    if (number == 0 || !inner_->remove(id)) return;
    if (auto* macsec = std::get_if<MacsecSa>(&twin.sa)) macsec->lowest_pn = number;
    if (!inner_->install(id, twin.sa, {}, number - 1)) return;
    job.verdict = Verdict::pending;
    run(queue, job);
  }

  // Egress, after the engine: opened, and sealed under an IV that does not change, or a number without its high half.
  void seal_wrongly(const Twin& twin, const Job& job) {
    const Place place = place_of(twin, *job.destination, job.l2_length);
    std::uint8_t aad[64];
    software::AeadOp op = op_of(twin, place, job.number, aad);
    provider_->open({&op, 1});
    std::uint64_t number = fault_ == Fault::wrong_esn ? job.number & 0xffffffffU : job.number;
    if (fault_ == Fault::reuse_iv) {
      set_iv(twin, place, 1);
      if (std::holds_alternative<MacsecSa>(twin.sa)) number = 1;
    }
    op = op_of(twin, place, number, aad);
    provider_->seal({&op, 1});
  }

  const Fault fault_;
  std::unique_ptr<Engine> inner_;
  std::unique_ptr<software::AeadProvider> provider_;
  KeyArena keys_;
  std::span<SaSlot> slots_;
  std::map<std::uint32_t, Twin> twins_;
};

}  // namespace

Result<std::unique_ptr<Engine>> make_host_engine(software::ProviderChoice choice) {
  auto inner = software::make_software_engine({choice});
  if (!inner) return inner.error();
  if (const char* const name = std::getenv("LINECRYPT_MUTANT"); name != nullptr && std::string(name) == "delay")
    return engines::make_delaying_engine(std::move(inner).value());
  auto provider = software::make_provider(choice);
  if (!provider) return provider.error();
  return std::unique_ptr<Engine>(std::make_unique<FaultyEngine>(std::move(inner).value(), std::move(provider).value()));
}

}  // namespace linecrypt::dpdk
