// A transfer from the card that leaves bytes out and says that it is whole: nothing of an earlier batch is taken for a
// result, and no SA hears of the packets, so that software can do them again. LINECRYPT_LONG=1: every byte of a batch.
#include <deque>

#include "tests/driver/card/engine/rig.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::card_test;
using namespace linecrypt::test;

namespace {

// What an SA tells: numbers, window and counts.
struct Trace {
  std::uint64_t next, top, packets, bytes;
  bool operator==(const Trace&) const = default;
};
Trace trace_of(const SaSlot& slot) {
  return {slot.next_number.load(), slot.window.top(), slot.counters.packets.get(), slot.counters.bytes.get()};
}

// Frames through both stages of each direction, in batches of one size, so that each slab holds results of an earlier
// batch at the very places of the next one's.
class TwoStages {
 public:
  static constexpr std::size_t batches_before = 4;  // quick_options().slabs

  TwoStages(bool egress, std::size_t jobs) : batch(jobs), egress_(egress) {
    esp_out_ = rig_.install(esp_sa(Direction::egress));
    macsec_out_ = rig_.install(macsec_sa(Direction::egress));
    if (egress) return;
    esp_in_ = rig_.install(esp_sa(Direction::ingress), {});
    macsec_in_ = rig_.install(macsec_sa(Direction::ingress), {});
  }
  // Those through the fault as well: sealed before anything is wrong, for the ingress.
  void prepare() {
    for (std::size_t i = 0; i < (batches_before + 1) * batch; ++i) {
      Frame& frame = frames_.emplace_back(clear_frame(100 + i % batch));
      if (egress_) continue;
      REQUIRE(rig_.run(sealing(frame)) == Verdict::ok);
    }
    for (std::size_t n = 0; n < batches_before; ++n)
      for (Job* job : run_batch()) REQUIRE(job->verdict == Verdict::ok);
  }
  // The next batch, as one: the card works on nothing until all of it is there.
  std::vector<Job*> run_batch() {
    std::vector<Job*> jobs;
    for (std::size_t i = 0; i < batch; ++i) {
      Frame& frame = frames_[next_++];
      jobs.push_back(egress_ ? sealing(frame) : opening(frame));
    }
    REQUIRE(rig_.engine().submit(QueueId{0}, jobs) == batch);
    (void)rig_.poll(batch);
    return jobs;
  }
  [[nodiscard]] std::vector<Bytes> next_bytes() const {
    std::vector<Bytes> out;
    for (std::size_t i = 0; i < batch; ++i) out.push_back(frames_[next_ + i].bytes());
    return out;
  }
  [[nodiscard]] std::vector<Trace> traces() {
    if (egress_) return {trace_of(rig_.slot(esp_out_)), trace_of(rig_.slot(macsec_out_))};
    return {trace_of(rig_.slot(esp_in_)), trace_of(rig_.slot(macsec_in_))};
  }
  // Bytes of the last result.
  [[nodiscard]] std::size_t result_bytes() const { return frames_[next_ - 1].packet.length; }
  CardRig& rig() { return rig_; }

  const std::size_t batch;

 private:
  Job* sealing(Frame& frame) {
    frame.with(esp_out_, Operation::esp_encapsulate);
    frame.job.stages[1] = {macsec_out_, Operation::macsec_protect};
    return &frame.job;
  }
  Job* opening(Frame& frame) {
    frame.with(macsec_in_, Operation::macsec_validate);
    frame.job.stages[1] = {esp_in_, Operation::esp_decapsulate};
    return &frame.job;
  }

  CardRig rig_;
  bool egress_;
  SaId esp_out_, macsec_out_, esp_in_, macsec_in_;
  std::deque<Frame> frames_;
  std::size_t next_ = 0;
};

// One batch with bytes left out. Lost, and without a trace; or nothing that was used was left out: then it is whole.
void check_cut(bool egress, std::size_t batch, std::size_t from, std::size_t to, bool must_be_lost) {
  CAPTURE(egress, batch, from, to);
  TwoStages stages(egress, batch);
  stages.prepare();
  const std::vector<Trace> before = stages.traces();
  const std::vector<Bytes> given = stages.next_bytes();
  FakeCard::Faults& faults = stages.rig().card().faults;
  faults.cut_from = from;
  faults.cut_to = to;
  faults.cut_transfers = static_cast<int>(batch);  // however many batches the jobs went in
  const std::vector<Job*> jobs = stages.run_batch();
  const bool lost = jobs.front()->verdict == Verdict::engine_lost;
  if (must_be_lost) REQUIRE(lost);
  if (!lost) {
    // What was left out is in no result.
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      REQUIRE(jobs[i]->verdict == Verdict::ok);
      const Bytes result(jobs[i]->source->data, jobs[i]->source->data + jobs[i]->source->length);
      if (!egress) REQUIRE(result == clear_frame(100 + i));
    }
    return;
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    REQUIRE(jobs[i]->verdict == Verdict::engine_lost);
    REQUIRE(Bytes(jobs[i]->source->data, jobs[i]->source->data + jobs[i]->source->length) == given[i]);
  }
  REQUIRE(stages.rig().engine().state() == card::CardState::lost);
  REQUIRE(stages.traces() == before);
}

}  // namespace

TEST_CASE("A transfer that ends anywhere in a batch loses the card and leaves no trace") {
  const bool egress = GENERATE(true, false);
  TwoStages probe(egress, 1);
  probe.prepare();
  // One packet: completion and result. Each place in its last line, which ends inside: no later line tells of it.
  const std::size_t end = 64 + probe.result_bytes();
  const std::size_t last_line = end / 64 * 64;
  REQUIRE(end - last_line > 8);
  for (std::size_t from = 1; from < end; from += from >= last_line || long_form() ? 1 : 19)
    check_cut(egress, 1, from, ~std::size_t{0}, true);
  // Several: the first one's place may be in a batch before the others'.
  for (std::size_t from = 5; from < end; from += long_form() ? 1 : 61)
    check_cut(egress, 3, from, ~std::size_t{0}, true);
}

TEST_CASE("A line that is left out inside a packet, or of a completion, loses the card and leaves no trace") {
  const bool egress = GENERATE(true, false);
  TwoStages probe(egress, 1);
  probe.prepare();
  for (std::size_t from = 0; from < 64 + probe.result_bytes(); from += 64) check_cut(egress, 1, from, from + 64, true);
  for (std::size_t from = 0; from < 1024; from += long_form() ? 64 : 192)
    check_cut(egress, 3, from, from + 64, from < 64);
}

TEST_CASE("An answer whose end did not come is no answer") {
  CardRig rig;
  const SaId out = rig.install(esp_sa(Direction::egress));
  REQUIRE(rig.engine().read_back(out).ok());
  rig.card().faults.cut_from = GENERATE(std::size_t{8}, std::size_t{32}, std::size_t{56}, std::size_t{63});
  rig.card().faults.cut_transfers = 1;
  const auto state = rig.engine().read_back(out);
  REQUIRE_FALSE(state.ok());
  CHECK(state.error().message.find("a response did not come whole") != std::string::npos);
  CHECK(rig.engine().state() == card::CardState::lost);
}
