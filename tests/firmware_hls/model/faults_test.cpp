// A card whose work is broken off, that computes wrong, or that stands still.
#include "tests/firmware_hls/model/opened_card.hpp"

namespace linecrypt::firmware_test {
namespace {

constexpr auto egress = abi::Direction::egress;
constexpr auto ingress = abi::Direction::ingress;

TEST_CASE("a reset in the middle of work ends, wherever each packet is") {
  for (std::uint64_t moment = 0; moment < 1200; moment += test::long_form() ? 7 : 171) {
    Opened opened;
    CardHost& host = opened.host;
    const Slabs slabs = host.lay(std::vector<JobIn>(40, opened.job(1000)));
    host.post(egress, host.batch_of(slabs));
    bool idle = false;
    opened.card->run(moment, idle);
    host.reset();
    host.enable();
    INFO("moment " << moment);
    REQUIRE(host.work(egress, {opened.job()})[0].completion.verdict == code(Verdict::stale_sa));
  }
}

TEST_CASE("a wrong tag is seen by the receiver, and only that one") {
  Opened opened;
  CardHost& host = opened.host;
  const SaId receiver{5, 2};
  REQUIRE(host.install(card::install_commands(receiver, make_sa({}, Direction::ingress), {}, 0)));
  const bool on_egress = GENERATE(true, false);
  if (on_egress) REQUIRE(opened.card->inject("wrong_tag", 2));
  const auto sealed = host.work(egress, {opened.job(), opened.job(), opened.job()});
  std::vector<JobIn> back;
  for (const JobOut& one : sealed) {
    JobIn job;
    job.packet = one.packet;
    job.operation[0] = abi::Operation::esp_decapsulate;
    job.stage[0] = {receiver.index, receiver.generation};
    back.push_back(job);
  }
  if (!on_egress) REQUIRE(opened.card->inject("wrong_tag", 2));
  const auto out = host.work(ingress, back);
  CHECK(out[0].completion.verdict == code(Verdict::ok));
  CHECK(out[1].completion.verdict == code(Verdict::esp_bad_icv));
  CHECK(out[1].completion.length == 0);
  CHECK(out[2].completion.verdict == code(Verdict::ok));
  CHECK(out[2].packet == opened.job().packet);
}

TEST_CASE("a stalled card stands still, its heartbeat too; a stopped one for ever; unknown faults are refused") {
  Opened opened;
  CardHost& host = opened.host;
  CHECK_FALSE(opened.card->inject("unknown", 1));
  const Slabs slabs = host.lay({opened.job()});
  REQUIRE(opened.card->inject("stall", 5000));
  host.post(egress, host.batch_of(slabs));
  bool idle = false;
  const std::uint32_t beat = host.reg(abi::reg::heartbeat);
  CHECK(opened.card->run(4999, idle) == 4999);
  CHECK_FALSE(idle);
  CHECK(host.reg(abi::reg::heartbeat) == beat);
  CHECK(host.head(egress) == 0);
  host.settle();
  CHECK(host.head(egress) == 1);
  REQUIRE(opened.card->inject("stop_after", 100));
  const Slabs more = host.lay(std::vector<JobIn>(20, opened.job(1000)));
  host.post(egress, host.batch_of(more));
  CHECK(host.settle() == 100);
  CHECK(host.head(egress) == 1);
  const std::uint32_t stopped = host.reg(abi::reg::heartbeat);
  CHECK(host.reg(abi::reg::heartbeat) == stopped);
}

}  // namespace
}  // namespace linecrypt::firmware_test
