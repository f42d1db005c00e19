// The control kernel and the movers, through registers and memory: what a host may get wrong, and what an earlier
// session may have left.
#include <algorithm>
#include <functional>

#include "tests/firmware_hls/model/opened_card.hpp"

namespace linecrypt::firmware_test {
namespace {

constexpr auto egress = abi::Direction::egress;
constexpr auto ingress = abi::Direction::ingress;

TEST_CASE("a slot that changes hands while a batch runs never pairs one SA's number with another's key") {
  Opened opened;
  CardHost& host = opened.host;
  std::uint32_t generation = 1;
  std::uint64_t ok[2] = {0, 0};
  std::uint64_t stale[2] = {0, 0};
  // The change begins at each cycle of the batch, from its doorbell to where the card rests again.
  bool rests = false;
  std::uint64_t offset = 0;
  for (; !rests; offset += test::long_form() ? 1 : 11) {
    INFO("offset " << offset);
    // Egress slot 20 belongs to the first SA, then to the second; each has its receiver.
    const SaId first{20, generation};
    const SaId second{20, generation + 1};
    const SaId receivers[2] = {{21, generation}, {22, generation}};
    const EspSa sas[2] = {make_sa({}, Direction::egress, generation), make_sa({}, Direction::egress, generation + 1)};
    REQUIRE(host.install(card::install_commands(first, sas[0], {1, 100}, 0)));
    for (std::uint32_t i = 0; i < 2; ++i)
      REQUIRE(
          host.install(card::install_commands(receivers[i], make_sa({}, Direction::ingress, generation + i), {}, 0)));
    std::vector<JobIn> jobs;
    for (std::uint32_t i = 0; i < 60; ++i) {
      jobs.push_back(opened.job(60 + i));
      jobs.back().stage[0] = {20, i % 3 == 1 ? second.generation : first.generation};
    }
    const std::uint64_t mark = opened.memory.allocate(0);
    const Slabs slabs = host.lay(jobs);
    host.post(egress, host.batch_of(slabs));
    opened.card->run(offset, rests);
    host.put(card::remove_command(first, abi::Block::esp_encapsulate));
    const auto list = card::install_commands(second, sas[1], {500, 600}, 0);
    for (const abi::Command& one : list.commands()) host.put(one);
    host.ring();
    host.settle();
    for (const abi::Response& response : host.responses()) REQUIRE(response.kind == abi::ResponseKind::done);
    std::vector<JobIn> back;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const JobOut out = host.result(slabs, i);
      const std::size_t whose = i % 3 == 1 ? 1 : 0;
      if (out.completion.verdict == code(Verdict::stale_sa)) {
        REQUIRE(out.completion.length == 0);
        ++stale[whose];
        continue;
      }
      REQUIRE(out.completion.verdict == code(Verdict::ok));
      REQUIRE((out.completion.number[0] >= 500) == (whose == 1));
      ++ok[whose];
      JobIn job;
      job.packet = out.packet;
      job.operation[0] = abi::Operation::esp_decapsulate;
      job.stage[0] = {receivers[whose].index, receivers[whose].generation};
      back.push_back(job);
    }
    opened.memory.release_to(mark);
    if (!back.empty())
      for (const JobOut& out : host.work(ingress, back)) REQUIRE(out.completion.verdict == code(Verdict::ok));
    REQUIRE(host.run(std::vector<abi::Command>{card::remove_command(second, abi::Block::esp_encapsulate)}).size() == 1);
    for (const SaId id : receivers)
      REQUIRE(host.run(std::vector<abi::Command>{card::remove_command(id, abi::Block::esp_decapsulate)}).size() == 1);
    generation += 2;
  }
  INFO("offsets up to " << offset);
  CHECK(offset > 400);
  // Every case came up.
  CHECK(ok[0] != 0);
  CHECK(ok[1] != 0);
  CHECK(stale[0] != 0);
  CHECK(stale[1] != 0);
}

TEST_CASE("commands of another epoch and unknown ones are skipped and counted, those behind them are done") {
  Opened opened;
  CardHost& host = opened.host;
  host.put(card::drain_command(abi::Block::esp_encapsulate));
  opened.memory.as<abi::Command>(host.command_ring() + ((host.command_tail() - 1) % CardHost::entries) * 128).epoch ^=
      1;
  abi::Command unknown = card::drain_command(abi::Block::esp_encapsulate);
  unknown.op = static_cast<abi::CommandOp>(99);
  host.put(unknown);
  host.put(card::drain_command(abi::Block::esp_encapsulate));
  host.ring();
  host.settle();
  const auto out = host.responses();
  REQUIRE(out.size() == 1);
  CHECK(out[0].kind == abi::ResponseKind::done);
  CHECK(out[0].epoch == CardHost::epoch);
  CHECK(host.reg(abi::reg::bad_commands) == 2);
  CHECK((host.reg(abi::reg::status) & abi::status::bad_command) != 0);
  CHECK(host.reg(abi::reg::command_head) == host.command_tail());
}

TEST_CASE("a command of a block that no card has, or that its owner refuses, is answered as refused") {
  Opened opened;
  abi::Command nowhere = card::drain_command(abi::Block::esp_encapsulate);
  nowhere.op = abi::CommandOp::read;
  nowhere.block = static_cast<abi::Block>(77);
  auto out = opened.host.run(std::vector<abi::Command>{nowhere});
  REQUIRE(out.size() == 1);
  CHECK(out[0].kind == abi::ResponseKind::refused);
  out =
      opened.host.run(std::vector<abi::Command>{card::read_command({opened.id.index, 8}, abi::Block::esp_encapsulate)});
  REQUIRE(out.size() == 1);
  CHECK(out[0].kind == abi::ResponseKind::refused);
}

TEST_CASE("an SA's state and the counts of verdicts can be read back") {
  Opened opened;
  CardHost& host = opened.host;
  host.work(egress, {opened.job(), opened.job(), opened.job()});
  auto out = host.run(std::vector<abi::Command>{card::read_command(opened.id, abi::Block::esp_encapsulate)});
  REQUIRE(out.size() == 1);
  CHECK(out[0].kind == abi::ResponseKind::state);
  CHECK(out[0].next_number == 4);
  CHECK(out[0].lease_end == 100'000);
  CHECK(out[0].packets == 3);
  // A response has room for five of a word's eight counts: `word` says which is the first.
  abi::Command counts = card::read_command({0, 0}, abi::Block::esp_encapsulate);
  counts.table = abi::Table::verdicts;
  counts.index = code(Verdict::ok) / 8 * 8;
  counts.word = code(Verdict::ok) % 8;
  out = host.run(std::vector<abi::Command>{counts});
  REQUIRE(out.size() == 1);
  CHECK(out[0].next_number == 3);
}

TEST_CASE("more responses than the ring has room for wait for the host, and none is lost") {
  Opened opened;
  CardHost& host = opened.host;
  std::size_t seen = 0;
  for (std::uint32_t round = 0; round < 4; ++round) {
    for (std::uint32_t i = 0; i < CardHost::entries; ++i) host.put(card::drain_command(abi::Block::macsec_validate));
    host.ring();
    bool idle = false;
    opened.card->run(200'000, idle);
    REQUIRE(host.reg(abi::reg::response_tail) - static_cast<std::uint32_t>(seen) <= CardHost::entries + 1);
    while (seen < (round + 1) * CardHost::entries + 1U) {
      const std::size_t before = seen;
      seen += host.responses().size() + (seen == 0 ? 1U : 0U);
      opened.card->run(200'000, idle);
      if (before == seen) break;
    }
  }
  CHECK(seen == 4 * CardHost::entries + 1U);
}

TEST_CASE("events that find no room in the response ring are dropped and counted, and packets go on") {
  Opened opened;
  CardHost& host = opened.host;
  // 80 SAs, each of whose only packet uses up its lease: an event each (lease_low), for a ring of 64.
  constexpr std::uint32_t sas = 80;
  for (std::uint32_t i = 0; i < sas; ++i)
    REQUIRE(host.install(card::install_commands({100 + i, 1}, make_sa({}, Direction::egress, i), {1, 2}, 0)));
  (void)host.responses();
  std::vector<JobIn> jobs;
  for (std::uint32_t i = 0; i < sas; ++i) {
    jobs.push_back(opened.job());
    jobs.back().stage[0] = {100 + i, 1};
  }
  CHECK(host.reg(abi::reg::events_dropped) == 0);
  for (const JobOut& out : host.work(egress, jobs)) REQUIRE(out.completion.verdict == code(Verdict::ok));
  const std::uint32_t dropped = host.reg(abi::reg::events_dropped);
  const auto told = host.responses();
  CHECK(told.size() == CardHost::entries);
  CHECK(dropped == sas - CardHost::entries);
  // With room again, events come again; behind a reset the count begins anew.
  REQUIRE(host.install(card::install_commands({99, 1}, make_sa({}, Direction::egress, 200), {1, 2}, 0)));
  JobIn one = opened.job();
  one.stage[0] = {99, 1};
  host.work(egress, {one});
  const auto more = host.responses();
  REQUIRE(more.size() == 1);
  CHECK(more[0].kind == abi::ResponseKind::event);
  CHECK(host.reg(abi::reg::events_dropped) == dropped);
  host.reset();
  CHECK(host.reg(abi::reg::events_dropped) == 0);
}

TEST_CASE("a bad batch is refused and counted, and the next one is done") {
  Opened opened;
  CardHost& host = opened.host;
  const Slabs slabs = host.lay({opened.job(), opened.job()});
  const abi::Batch good = host.batch_of(slabs);
  std::vector<abi::Batch> bad(9, good);
  bad[0].epoch ^= 1;
  bad[1].jobs = 0;
  bad[2].jobs = abi::batch_jobs + 1;
  bad[3].input += 64;
  bad[4].output += 64;
  bad[5].input_bytes = 64;
  bad[6].output_bytes = 64;
  bad[7].input = ~std::uint64_t{0} - 4095;
  bad[7].input_bytes = 8192;
  bad[8].epoch = 0;
  std::uint32_t count = 0;
  for (const abi::Batch& one : bad) {
    host.post(egress, one);
    host.settle();
    ++count;
    INFO("batch " << count);
    CHECK(host.head(egress) == count);
    CHECK(host.bad_work(egress) == count);
  }
  CHECK((host.reg(abi::reg::status) & abi::status::bad_work) != 0);
  CHECK(all_zero(opened.memory.at(slabs.output, 128), 128));
  const auto out = host.work(egress, {opened.job()});
  CHECK(out[0].completion.verdict == code(Verdict::ok));
  CHECK(out[0].completion.number[0] == 1);
  CHECK(host.bad_work(ingress) == 0);
}

TEST_CASE("a bad descriptor ends under a verdict, and its neighbours are done") {
  Opened opened;
  CardHost& host = opened.host;
  const std::function<void(abi::JobDescriptor&)> spoil[] = {
      [](abi::JobDescriptor& d) { d.length = 0; },
      [](abi::JobDescriptor& d) { d.length = 10'000; },
      [](abi::JobDescriptor& d) { d.input_offset += 1; },
      [](abi::JobDescriptor& d) { d.input_offset = 0; },
      [](abi::JobDescriptor& d) { d.input_offset = 0xffffffc0; },
      [](abi::JobDescriptor& d) { d.output_offset = 64; },
      [](abi::JobDescriptor& d) { d.output_offset = 0xffffffc0; },
      [](abi::JobDescriptor& d) { d.output_room = 0xffff; },
      [](abi::JobDescriptor& d) { d.l2_length = 0xffff; },
  };
  std::uint32_t bad = 0;
  std::uint64_t number = 0;
  for (const auto& change : spoil) {
    Slabs slabs = host.lay({opened.job(), opened.job(), opened.job()});
    change(slabs.descriptors[1]);
    host.write_descriptors(slabs);
    host.post(egress, host.batch_of(slabs));
    host.settle();
    ++bad;
    INFO("change " << bad);
    CHECK(host.bad_work(egress) == bad);
    const JobOut refused = host.result(slabs, 1);
    CHECK(refused.completion.verdict == code(Verdict::unsupported));
    CHECK(refused.completion.length == 0);
    CHECK(refused.completion.cookie == slabs.descriptors[1].cookie);
    CHECK(host.result(slabs, 0).completion.number[0] == ++number);
    CHECK(host.result(slabs, 2).completion.number[0] == ++number);
  }
}

TEST_CASE("a descriptor of another epoch leaves a completion of zeros") {
  Opened opened;
  Slabs slabs = opened.host.lay({opened.job(), opened.job()});
  slabs.descriptors[0].epoch ^= 0x80;
  opened.host.write_descriptors(slabs);
  opened.host.post(egress, opened.host.batch_of(slabs));
  opened.host.settle();
  CHECK(all_zero(opened.memory.at(slabs.output, 64), 64));
  CHECK(opened.host.result(slabs, 1).completion.verdict == code(Verdict::ok));
  CHECK(opened.host.bad_work(egress) == 1);
}

TEST_CASE("operations that a direction does not have, or in another order, are wrong_operation") {
  Opened opened;
  using abi::Operation;
  const Operation wrong[][2] = {{Operation::none, Operation::none},
                                {Operation::esp_decapsulate, Operation::none},
                                {Operation::macsec_protect, Operation::esp_encapsulate},
                                {Operation::esp_encapsulate, Operation::esp_encapsulate},
                                {Operation::none, Operation::macsec_protect},
                                {static_cast<Operation>(9), Operation::none}};
  for (const auto& pair : wrong) {
    JobIn job = opened.job();
    job.operation[0] = pair[0];
    job.operation[1] = pair[1];
    const auto out = opened.host.work(egress, {job});
    CHECK(out[0].completion.verdict == code(Verdict::wrong_operation));
    CHECK(out[0].completion.length == 0);
  }
}

TEST_CASE("a result larger than its room is not written, and its number stays spent") {
  Opened opened;
  const auto out = opened.host.work(egress, {opened.job(200), opened.job(10)}, 128);
  CHECK(out[0].completion.verdict == code(Verdict::no_buffer));
  CHECK(out[0].completion.length == 0);
  CHECK(out[1].completion.verdict == code(Verdict::ok));
  CHECK(out[1].completion.number[0] == 2);
}

TEST_CASE("memory that is not there is reported, and the card goes on") {
  Opened opened;
  CardHost& host = opened.host;
  const Slabs slabs = host.lay({opened.job()});
  abi::Batch nowhere = host.batch_of(slabs);
  nowhere.input = 0x4000'0000;
  host.post(egress, nowhere);
  host.settle();
  CHECK(host.head(egress) == 1);
  CHECK(host.bad_work(egress) != 0);
  nowhere = host.batch_of(slabs);
  nowhere.output = 0x4000'0000;
  host.post(egress, nowhere);
  host.settle();
  CHECK(host.head(egress) == 2);
  CHECK(host.bad_work(egress) >= 3);
  CHECK(host.work(egress, {opened.job()})[0].completion.verdict == code(Verdict::ok));
}

TEST_CASE("a nonsense doorbell takes nothing") {
  Opened opened;
  opened.host.set(abi::reg::work_tail, 0x80000000);
  opened.host.set(abi::reg::command_tail, 0x80000000);
  opened.host.settle();
  CHECK(opened.host.head(egress) == 0);
  CHECK(opened.host.bad_work(egress) == 1);
  CHECK((opened.host.reg(abi::reg::status) & abi::status::bad_command) != 0);
  CHECK(opened.host.reg(abi::reg::command_head) == opened.host.command_tail());
}

TEST_CASE("the input slab is never written, and output only where it was given") {
  Opened opened;
  CardHost& host = opened.host;
  std::vector<JobIn> jobs;
  for (std::size_t size = 1; size < 300; size += 7) jobs.push_back(opened.job(size));
  const Slabs slabs = host.lay(jobs);
  const abi::Batch batch = host.batch_of(slabs);
  const Bytes before(opened.memory.at(slabs.input, batch.input_bytes),
                     opened.memory.at(slabs.input, batch.input_bytes) + batch.input_bytes);
  std::memset(opened.memory.at(slabs.output, batch.output_bytes), 0xee, batch.output_bytes);
  host.post(egress, batch);
  host.settle();
  CHECK(std::equal(before.begin(), before.end(), opened.memory.at(slabs.input, before.size())));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const JobOut out = host.result(slabs, i);
    REQUIRE(out.completion.verdict == code(Verdict::ok));
    const unsigned char* room = opened.memory.at(slabs.output + slabs.descriptors[i].output_offset, 1);
    REQUIRE(room[out.completion.length] == 0xee);
  }
}

TEST_CASE("the ring's head never runs ahead of its data") {
  Opened opened;
  CardHost& host = opened.host;
  const Slabs slabs = host.lay(std::vector<JobIn>(20, opened.job(700)));
  host.post(egress, host.batch_of(slabs));
  bool idle = false;
  bool partly = false;
  while (!idle) {
    opened.card->run(1, idle);
    const bool last = opened.memory.as<abi::Completion>(slabs.output + 19 * 64).epoch != 0;
    const bool first = opened.memory.as<abi::Completion>(slabs.output).epoch != 0;
    partly = partly || (first && !last);
    if (host.head(egress) == 1) {
      REQUIRE(last);
      for (std::size_t i = 0; i < 20; ++i) REQUIRE(host.result(slabs, i).completion.verdict == code(Verdict::ok));
    }
  }
  CHECK(partly);
  CHECK(host.head(egress) == 1);
}

TEST_CASE("halt finishes what was taken and takes no more; enable goes on") {
  Opened opened;
  CardHost& host = opened.host;
  std::vector<Slabs> slabs;
  for (int i = 0; i < 8; ++i) {
    slabs.push_back(host.lay(std::vector<JobIn>(30, opened.job(1200))));
    host.post(egress, host.batch_of(slabs.back()));
  }
  bool idle = false;
  opened.card->run(500, idle);
  host.command(abi::CardCommand::halt);
  const std::uint32_t taken = host.head(egress);
  CHECK(taken > 0);
  CHECK(taken < 8);
  CHECK((host.reg(abi::reg::status) & abi::status::enabled) == 0);
  for (std::uint32_t i = 0; i < 8; ++i)
    CHECK((opened.memory.as<abi::Completion>(slabs[i].output + 29 * 64).epoch != 0) == (i < taken));
  host.command(abi::CardCommand::enable);
  host.settle();
  CHECK(host.head(egress) == 8);
  std::uint64_t number = 0;
  for (const Slabs& one : slabs)
    for (std::size_t i = 0; i < 30; ++i) REQUIRE(host.result(one, i).completion.number[0] == ++number);
}

TEST_CASE("a halted session does not go on under another epoch") {
  Opened opened;
  opened.host.command(abi::CardCommand::halt);
  opened.host.set(abi::reg::epoch, 0x777);
  opened.host.command(abi::CardCommand::enable);
  CHECK((opened.host.reg(abi::reg::status) & abi::status::enabled) == 0);
  CHECK((opened.host.reg(abi::reg::status) & abi::status::bad_command) != 0);
}

TEST_CASE("enable without an epoch or without rings is refused") {
  CardMemory memory;
  auto card = firmware::make_clocked_card(memory.host());
  CardHost host(memory, *card);
  host.start();
  host.reset();
  host.command(abi::CardCommand::enable);
  CHECK((host.reg(abi::reg::status) & abi::status::enabled) == 0);
  host.set(abi::reg::epoch, 5);
  host.command(abi::CardCommand::enable);
  CHECK((host.reg(abi::reg::status) & abi::status::enabled) == 0);
  host.enable();
}

TEST_CASE("behind a reset nothing of the session before is usable") {
  Opened opened;
  CardHost& host = opened.host;
  CHECK(host.work(egress, {opened.job()})[0].completion.verdict == code(Verdict::ok));
  host.reset();
  for (const std::uint32_t offset :
       {abi::reg::command_head, abi::reg::command_tail, abi::reg::response_tail, abi::reg::work_head,
        abi::reg::work_tail, abi::reg::epoch, abi::reg::bad_commands, abi::reg::command_ring})
    CHECK(host.reg(offset) == 0);
  host.enable();
  CHECK(host.work(egress, {opened.job()})[0].completion.verdict == code(Verdict::stale_sa));
  CHECK((host.reg(abi::reg::status) & abi::status::swept) != 0);
  REQUIRE(host.install(card::install_commands(opened.id, make_sa({}, Direction::egress), {50, 60}, 0)));
  CHECK((host.reg(abi::reg::status) & abi::status::swept) == 0);
  CHECK(host.work(egress, {opened.job()})[0].completion.number[0] == 50);
}

TEST_CASE("two stages in one trip, both directions, give the packet back") {
  Opened opened;
  CardHost& host = opened.host;
  const SaId ids[3] = {{11, 4}, {12, 4}, {13, 4}};
  MacsecSa macsec;
  macsec.sci.address.bytes = {2, 0, 0, 0, 0, 1};
  macsec.key = Secret<32>(test::noise(32, 5));
  macsec.salt = Secret<12>(test::noise(12, 6));
  macsec.ssci = 7;
  REQUIRE(host.install(card::install_commands(ids[0], macsec, {1, 1000}, 0)));
  macsec.direction = Direction::ingress;
  REQUIRE(host.install(card::install_commands(ids[1], macsec, {}, 0)));
  REQUIRE(host.install(card::install_commands(ids[2], make_sa({}, Direction::ingress), {}, 0)));
  std::vector<JobIn> out_jobs;
  std::vector<JobIn> in_jobs;
  for (const std::size_t size : {46U, 100U, 1400U, 9000U}) {
    JobIn job = opened.job(size);
    job.packet = test::ethernet(0x0800, job.packet);
    job.l2 = 14;
    job.operation[1] = abi::Operation::macsec_protect;
    job.stage[1] = {ids[0].index, ids[0].generation};
    out_jobs.push_back(job);
  }
  const auto out = host.work(egress, out_jobs);
  for (const JobOut& one : out) {
    REQUIRE(one.completion.verdict == code(Verdict::ok));
    REQUIRE(one.completion.flags == 3);
    JobIn job;
    job.packet = one.packet;
    job.l2 = 14;
    job.operation[0] = abi::Operation::macsec_validate;
    job.stage[0] = {ids[1].index, ids[1].generation};
    job.operation[1] = abi::Operation::esp_decapsulate;
    job.stage[1] = {ids[2].index, ids[2].generation};
    in_jobs.push_back(job);
  }
  const auto back = host.work(ingress, in_jobs);
  for (std::size_t i = 0; i < back.size(); ++i) {
    REQUIRE(back[i].completion.verdict == code(Verdict::ok));
    REQUIRE(back[i].completion.verdict_stage == 1);
    REQUIRE(back[i].packet == out_jobs[i].packet);
  }
}

}  // namespace
}  // namespace linecrypt::firmware_test
