#include "driver/card/engine/self_test.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "driver/card/engine/engine.hpp"
#include "driver/card/engine/known_answers.hpp"
#include "host/values/hex.hpp"

namespace linecrypt::card {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes key_of(std::uint32_t size) {
  Bytes key = from_hex(answer_key);
  key.resize(size);
  return key;
}

EspSa esp_sa(const EspAnswer& known, Direction direction) {
  EspSa sa;
  sa.spi = 0x00010203;
  sa.direction = direction;
  sa.mode = known.mode;
  sa.algorithm = known.algorithm;
  sa.esn = known.esn;
  sa.key = Secret<32>(key_of(key_size(known.algorithm)));
  sa.salt = Secret<4>(from_hex("a0a1a2a3"));
  if (known.mode == EspMode::tunnel) {
    sa.source.bytes = {192, 0, 2, 1};
    sa.destination.bytes = {192, 0, 2, 2};
  } else {
    sa.source.bytes = {10, 1, 0, 1};
    sa.destination.bytes = {10, 2, 0, 1};
  }
  return sa;
}

MacsecSa macsec_sa(const MacsecAnswer& known, Direction direction) {
  MacsecSa sa;
  sa.secy.suite = known.suite;
  sa.secy.encrypt = known.encrypt;
  sa.direction = direction;
  sa.sci.address.bytes = {2, 0, 0, 0, 0, 1};
  sa.an = 1;
  sa.key = Secret<32>(key_of(key_size(known.suite)));
  if (is_xpn(known.suite)) {
    sa.salt = Secret<12>(from_hex("b0b1b2b3b4b5b6b7b8b9babb"));
    sa.ssci = 0x01020304;
  }
  return sa;
}

}  // namespace

// One packet with room around it.
struct SelfTest::Trial {
  static constexpr std::size_t room = 128;
  Bytes memory;
  Packet packet;
  Job job;

  Trial(const Bytes& bytes, SaId sa, Operation operation) : memory(bytes.size() + 2 * room) {
    std::ranges::copy(bytes, memory.begin() + room);
    packet = {memory.data() + room, static_cast<std::uint32_t>(bytes.size()), room, room, nullptr};
    job.source = job.destination = &packet;
    job.stages[0] = {sa, operation};
    job.l2_length = 0;
  }
  [[nodiscard]] Bytes result(std::size_t skip = 0) const {
    return {packet.data + std::min<std::size_t>(skip, packet.length), packet.data + packet.length};
  }
  [[nodiscard]] bool holds(std::span<const std::uint8_t> bytes) const {
    return !std::ranges::search(memory, bytes).empty();
  }
};

struct SelfTest::Question {
  std::string_view name;
  Sa egress, ingress;
  Operation seal, open;
  Bytes clear, sealed;
  std::size_t skip = 0;  // bytes before the known part: the IP header
};

SelfTest::SelfTest(const Setup& setup) : setup_(setup) {
  const Capabilities& can = setup.engine->capabilities();
  if (can.esp)
    for (const EspAnswer& known : esp_answers)
      questions_.push_back({known.name, esp_sa(known, Direction::egress), esp_sa(known, Direction::ingress),
                            Operation::esp_encapsulate, Operation::esp_decapsulate, from_hex(answer_esp_clear),
                            from_hex(known.sealed), 20});
  if (can.macsec)
    for (const MacsecAnswer& known : macsec_answers)
      questions_.push_back({known.name, macsec_sa(known, Direction::egress), macsec_sa(known, Direction::ingress),
                            Operation::macsec_protect, Operation::macsec_validate, from_hex(answer_macsec_clear),
                            from_hex(known.sealed), 0});
}

// Each job comes back: the lanes and the watchdog see to it.
SelfTest::~SelfTest() {
  while (away()) std::this_thread::sleep_for(std::chrono::microseconds(50));
}

bool SelfTest::away() noexcept {
  if (!trial_ || trial_->job.verdict != Verdict::pending) return false;
  Job* done[1];
  return setup_.engine->poll(setup_.queue, done) == 0;
}

// A queue that takes nothing, though it is ours alone, is a wrong answer as well.
void SelfTest::send(const Bytes& bytes, SaId sa, Operation operation, Phase phase) {
  trial_ = std::make_unique<Trial>(bytes, sa, operation);
  Job* jobs[] = {&trial_->job};
  if (setup_.engine->submit(setup_.queue, jobs) == 0) trial_->job.verdict = Verdict::engine_busy;
  phase_ = phase;
}

void SelfTest::wrong(const char* what) {
  wrong_ = what;
  phase_ = Phase::remove;
}

std::optional<Result<void>> SelfTest::install() {
  const Question& question = questions_[at_];
  if (auto good = setup_.table->install(setup_.out, question.egress, Lease{1, 2}, 0); !good) return good;
  if (auto good = setup_.table->install(setup_.in, question.ingress, Lease{}, 0); !good) {
    (void)setup_.table->remove(setup_.out);
    return good;
  }
  return std::nullopt;
}

std::optional<Result<void>> SelfTest::remove() {
  trial_.reset();
  (void)setup_.table->remove(setup_.out);
  (void)setup_.table->remove(setup_.in);
  if (setup_.loss->lost()) return Error{"self-test of card: " + setup_.loss->reason()};
  if (wrong_ != nullptr)
    return Error{fmt::format("self-test of card: {}, {}: wrong answer", questions_[at_].name, wrong_)};
  if (++at_ == questions_.size()) return Result<void>{};
  phase_ = Phase::install;
  return std::nullopt;
}

// 1. Clear to known. 2. Known with a wrong bit in its tag: refused, no clear byte left. 3. Known to clear.
std::optional<Result<void>> SelfTest::step() {
  if (away()) return std::nullopt;
  const Question& question = questions_[at_];
  switch (phase_) {
    case Phase::install:
      // 1.
      if (auto ended = install()) return ended;
      send(question.clear, setup_.out, question.seal, Phase::seal);
      return std::nullopt;
    case Phase::seal: {
      if (trial_->job.verdict != Verdict::ok || trial_->result(question.skip) != question.sealed) {
        wrong("seal");
        return std::nullopt;
      }
      sealed_ = trial_->result();
      // 2.
      Bytes forged = sealed_;
      forged.back() ^= 1U;
      send(forged, setup_.in, question.open, Phase::forge);
      return std::nullopt;
    }
    case Phase::forge: {
      const std::span clear = std::span(question.clear).last(16);
      const bool encrypts = std::ranges::search(question.sealed, clear).empty();
      if (!is_drop(trial_->job.verdict) || (encrypts && trial_->holds(clear))) {
        wrong("open with a wrong ICV");
        return std::nullopt;
      }
      // 3.
      send(sealed_, setup_.in, question.open, Phase::open);
      return std::nullopt;
    }
    case Phase::open:
      if (trial_->job.verdict != Verdict::ok || trial_->result() != question.clear) wrong("open");
      phase_ = Phase::remove;
      return std::nullopt;
    case Phase::remove:
      return remove();
  }
  return std::nullopt;
}

// Our queue is the one behind the workers'.
std::optional<Result<void>> LookAsideEngine::self_test_step() {
  if (!running_) return self_test();
  Running& run = *running_;
  if (!run.test) {
    if (auto good = live("self-test"); !good) return good;
    run.test = std::make_unique<SelfTest>(SelfTest::Setup{this, static_cast<QueueId>(run.queues.size() - 1),
                                                          run.table.get(), run.loss.get(), SaId{run.host_slots, 1},
                                                          SaId{run.host_slots + 1, 1}});
  }
  auto result = run.test->step();
  if (result) run.test.reset();
  return result;
}

// One that goes on already is taken to its end: its answers are the same.
Result<void> LookAsideEngine::self_test() {
  const auto to_its_end = [this] {
    auto result = self_test_step();
    for (; !result; result = self_test_step()) std::this_thread::sleep_for(std::chrono::microseconds(50));
    return *result;
  };
  if (running_) return to_its_end();
  // A session of its own, with a slot nobody uses.
  std::vector<SaSlot> slots(1);
  const auto last = last_setup_;
  EngineSetup setup;
  setup.slots = slots;
  if (auto opened = open(setup); !opened) return opened;
  auto passed = to_its_end();
  close();
  last_setup_ = last;
  return passed;
}

}  // namespace linecrypt::card
