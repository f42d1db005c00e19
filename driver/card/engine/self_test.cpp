// Self-test: known answers through the rings, slabs and kernels that packets take (DESIGN 3.8). The SAs and the queue
// are our own, so it runs beside traffic.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

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

// One packet with room around it.
struct Trial {
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
};

struct Question {
  std::string_view name;
  Sa egress, ingress;
  Operation seal, open;
  Bytes clear, sealed;
  std::size_t skip = 0;  // bytes before the known part: the IP header
};

}  // namespace

// Our queue is the one behind the workers'. Control thread.
Verdict LookAsideEngine::run_own(Job& job) {
  const auto own = static_cast<QueueId>(running_->queues.size() - 1);
  Job* jobs[] = {&job};
  if (submit(own, jobs) == 0) return Verdict::engine_busy;
  Job* done[1];
  // Each job comes back: the lanes and the watchdog see to it.
  while (job.verdict == Verdict::pending)
    if (poll(own, done) == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
  return job.verdict;
}

// 1. Clear to known. 2. Known with a wrong bit in its tag: refused, no clear byte left. 3. Known to clear. 4. Once
// more: refused.
Result<void> LookAsideEngine::self_test_here() {
  std::vector<Question> questions;
  if (capabilities_.esp)
    for (const EspAnswer& known : esp_answers)
      questions.push_back({known.name, esp_sa(known, Direction::egress), esp_sa(known, Direction::ingress),
                           Operation::esp_encapsulate, Operation::esp_decapsulate, from_hex(answer_esp_clear),
                           from_hex(known.sealed), 20});
  if (capabilities_.macsec)
    for (const MacsecAnswer& known : macsec_answers)
      questions.push_back({known.name, macsec_sa(known, Direction::egress), macsec_sa(known, Direction::ingress),
                           Operation::macsec_protect, Operation::macsec_validate, from_hex(answer_macsec_clear),
                           from_hex(known.sealed), 0});
  const SaId out{running_->host_slots, 1};
  const SaId in{running_->host_slots + 1, 1};
  SaTable& table = *running_->table;
  const auto ask = [&](const Question& question) -> const char* {
    Trial sealing(question.clear, out, question.seal);
    if (run_own(sealing.job) != Verdict::ok || sealing.result(question.skip) != question.sealed) return "seal";
    Bytes forged = sealing.result();
    forged.back() ^= 1U;
    Trial forging(forged, in, question.open);
    const Verdict refused = run_own(forging.job);
    const bool encrypts = std::search(question.sealed.begin(), question.sealed.end(), question.clear.end() - 16,
                                      question.clear.end()) == question.sealed.end();
    const auto left =
        std::search(forging.memory.begin(), forging.memory.end(), question.clear.end() - 16, question.clear.end());
    if (!is_drop(refused) || (encrypts && left != forging.memory.end())) return "open with a wrong ICV";
    Trial opening(sealing.result(), in, question.open);
    if (run_own(opening.job) != Verdict::ok || opening.result() != question.clear) return "open";
    return nullptr;
  };
  for (const Question& question : questions) {
    if (auto good = table.install(out, question.egress, Lease{1, 2}, 0); !good) return good;
    auto installed = table.install(in, question.ingress, Lease{}, 0);
    const char* const wrong = installed ? ask(question) : nullptr;
    (void)table.remove(out);
    if (installed) (void)table.remove(in);
    if (!installed) return installed;
    if (running_->loss->lost()) return Error{"self-test of card: " + running_->loss->reason()};
    if (wrong != nullptr) return Error{fmt::format("self-test of card: {}, {}: wrong answer", question.name, wrong)};
  }
  return {};
}

Result<void> LookAsideEngine::self_test() {
  if (running_) {
    if (auto good = live("self-test"); !good) return good;
    return self_test_here();
  }
  // A session of its own, with a slot nobody uses.
  std::vector<SaSlot> slots(1);
  const auto last = last_setup_;
  EngineSetup setup;
  setup.slots = slots;
  if (auto opened = open(setup); !opened) return opened;
  auto passed = self_test_here();
  close();
  last_setup_ = last;
  return passed;
}

}  // namespace linecrypt::card
