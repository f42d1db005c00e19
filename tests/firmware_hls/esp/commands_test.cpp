// Commands in the stream: a commit, a removal and the next use of a slot at every cycle between packets; leases,
// events, lifetimes; what is refused.
#include <map>
#include <set>

#include "tests/firmware_hls/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware_test;

namespace {

constexpr abi::Block out_block = abi::Block::esp_encapsulate;
constexpr abi::Block in_block = abi::Block::esp_decapsulate;

std::vector<std::string> texts(const std::vector<EventWord>& events) {
  static const char* names[] = {"lease_low",     "lease_exhausted", "soft_lifetime",
                                "hard_lifetime", "pn_threshold",    "number_exhausted"};
  std::vector<std::string> out;
  for (const EventWord& one : events) out.push_back(std::string(names[one.kind]) + " of " + std::to_string(one.index));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

TEST_CASE("A slot that changes hands at any cycle never pairs one SA's number with another's key") {
  // Two SAs, one slot: keys, salts and leases differ.
  EspSa first = make_sa({}, Direction::egress, 1);
  Shape small;
  small.algorithm = EspAlgorithm::aes_gcm_128;
  EspSa second = make_sa(small, Direction::egress, 2);
  const SaId first_id{3, 1};
  const SaId second_id{3, 2};
  // What opens them: software, one SA each.
  Oracle opener;
  const SaId open_first = opener.install(Sa(make_sa({}, Direction::ingress, 1)), {}, 0);
  const SaId open_second = opener.install(Sa(make_sa(small, Direction::ingress, 2)), {}, 0);
  const Bytes packet = test::sized_packet(Family::ipv4, 40);

  Bench<firmware::EspEncapsulate<bench_slots>> bench(abi::Operation::esp_encapsulate);
  std::map<Verdict, std::size_t> seen;
  std::set<std::uint64_t> first_numbers;
  std::set<std::uint64_t> second_numbers;
  std::uint64_t next_lease = 1;
  for (std::uint64_t gap = 0; gap < 3 * firmware::memory_distance + 12; ++gap) {
    INFO("pause of " << gap << " cycles");
    std::uint64_t at = bench.now();
    const auto packets = [&] {
      for (int i = 0; i < 2; ++i) {
        bench.packet({first_id, packet, 0, at});
        bench.packet({second_id, packet, 0, at});
      }
    };
    const auto commands = [&](std::span<const abi::Command> list) {
      for (const abi::Command& one : list) {
        bench.command(one);
        at += gap;
        packets();
      }
    };
    const auto one = card::install_commands(first_id, first, {next_lease, next_lease + 1000}, 0);
    const auto two = card::install_commands(second_id, second, {next_lease, next_lease + 1000}, 0);
    const abi::Command remove = card::remove_command(first_id, out_block);
    next_lease += 1000;
    packets();
    commands(one.commands());
    commands({&remove, 1});
    commands(two.commands());
    commands({&remove, 1});
    // The order of packets is the order of results; a result belongs to the SA it asked for.
    const auto outcomes = bench.run();
    bool wants_first = true;
    for (const Outcome& outcome : outcomes) {
      ++seen[outcome.verdict];
      if (outcome.verdict == Verdict::ok) {
        REQUIRE((wants_first ? first_numbers : second_numbers).insert(outcome.number).second);
        const Outcome opened =
            opener.run(Operation::esp_decapsulate, {wants_first ? open_first : open_second, outcome.packet, 0});
        REQUIRE(name(opened.verdict) == "ok");
        REQUIRE(opened.packet == packet);
        REQUIRE(opened.number == outcome.number);
      } else {
        REQUIRE(outcome.verdict == Verdict::stale_sa);
        REQUIRE(outcome.packet.empty());
      }
      wants_first = !wants_first;
    }
    REQUIRE_FALSE(bench.refused());
  }
  // Two of the first at its commit, and so with the second; all other packets met no SA of theirs.
  const std::size_t rounds = 3 * firmware::memory_distance + 12;
  CHECK(first_numbers.size() == 2 * rounds);
  CHECK(second_numbers.size() == 2 * rounds);
  CHECK(seen.size() == 2);
}

TEST_CASE("An ingress slot that changes hands opens only packets of the SA that is in it") {
  EspSa first = make_sa({}, Direction::ingress, 1);
  EspSa second = make_sa({}, Direction::ingress, 2);
  second.spi = first.spi;
  const SaId first_id{5, 7};
  const SaId second_id{5, 8};
  Bytes text = test::sized_packet(Family::ipv4, 30);
  text = text + Bytes{0, 4};
  Bench<firmware::EspDecapsulate<bench_slots>> bench(abi::Operation::esp_decapsulate);
  std::uint64_t number = 1;
  for (std::uint64_t gap = 0; gap < 3 * firmware::memory_distance + 12; ++gap) {
    INFO("pause of " << gap << " cycles");
    std::uint64_t at = bench.now();
    // Each key's packet under each id.
    const auto packets = [&] {
      bench.packet({first_id, seal_esp(first, number, text), 0, at});
      bench.packet({second_id, seal_esp(second, number, text), 0, at});
      bench.packet({first_id, seal_esp(second, number, text), 0, at});
      bench.packet({second_id, seal_esp(first, number, text), 0, at});
      ++number;
    };
    const abi::Command remove = card::remove_command(first_id, in_block);
    std::size_t accepted[2] = {};
    const auto commands = [&](const card::CommandList& list) {
      for (const abi::Command& one : list.commands()) {
        bench.command(one);
        at += gap;
        packets();
      }
      bench.command(remove);
      packets();
    };
    commands(card::install_commands(first_id, first, {}, number - 1));
    commands(card::install_commands(second_id, second, {}, number - 1));
    const auto outcomes = bench.run();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].verdict == Verdict::ok) {
        REQUIRE(i % 4 < 2);
        ++accepted[i % 4];
      } else {
        INFO("packet " << i << ": " << name(outcomes[i].verdict));
        REQUIRE(outcomes[i].packet.empty());
        // Where an SA is in, the other's packet has a number that was just taken; else it meets another key or none.
        const bool foreign = i % 4 >= 2 && (outcomes[i].verdict == Verdict::replay_duplicate ||
                                            outcomes[i].verdict == Verdict::esp_bad_icv);
        REQUIRE((outcomes[i].verdict == Verdict::stale_sa || foreign));
      }
    }
    REQUIRE(accepted[0] == 1);
    REQUIRE(accepted[1] == 1);
    REQUIRE_FALSE(bench.refused());
  }
}

TEST_CASE("A slot's next SA starts with an empty window and fresh counts") {
  EspSa first = make_sa({}, Direction::ingress, 1);
  Bytes text = test::sized_packet(Family::ipv4, 30);
  text = text + Bytes{0, 4};
  Bench<firmware::EspDecapsulate<bench_slots>> bench(abi::Operation::esp_decapsulate);
  for (std::uint32_t generation = 1; generation < 4; ++generation) {
    const SaId id{5, generation};
    bench.commands(card::install_commands(id, first, {}, 0));
    for (std::uint64_t number = 1; number < 100; ++number) bench.packet({id, seal_esp(first, number, text), 0});
    for (const Outcome& one : bench.run()) REQUIRE(one.verdict == Verdict::ok);
    const abi::SaState state = bench.read(id, in_block);
    CHECK(state.next_number == 99);
    CHECK(state.packets == 99);
    CHECK(state.bytes == 99 * 30);
    bench.command(card::remove_command(id, in_block));
  }
}

TEST_CASE("Numbers end with the lease, go on with the next, and events are the software engine's") {
  EspOutPair out;
  const EspSa sa = make_sa({}, Direction::egress);
  const SaId id = out.install(sa, {1, 11});
  const Bytes packet = test::sized_packet(Family::ipv4, 40);
  const auto send = [&](std::size_t count) {
    std::map<Verdict, std::size_t> seen;
    for (const Outcome& one : out.compare(std::vector<Asked>(count, Asked{id, packet, 0}))) ++seen[one.verdict];
    CHECK(texts(out.bench.events()) == out.oracle.rig().events());
    return seen;
  };
  CHECK(send(3) == std::map<Verdict, std::size_t>{{Verdict::ok, 3}});
  CHECK(send(4) == std::map<Verdict, std::size_t>{{Verdict::ok, 4}});
  CHECK(send(5) == std::map<Verdict, std::size_t>{{Verdict::ok, 3}, {Verdict::lease_exhausted, 2}});
  const auto grant = [&](Lease lease) {
    out.bench.command(card::grant_command(id, out_block, lease));
    out.bench.run();
    const bool refused = out.bench.refused();
    CHECK(out.oracle.rig().engine().update(id, GrantLease{lease}).ok() == !refused);
    return !refused;
  };
  CHECK(grant({100, 104}));
  CHECK_FALSE(grant({200, 204}));  // one waits at a time
  CHECK(send(3) == std::map<Verdict, std::size_t>{{Verdict::ok, 3}});
  CHECK(grant({200, 204}));
  CHECK(send(9) == std::map<Verdict, std::size_t>{{Verdict::ok, 5}, {Verdict::lease_exhausted, 4}});
  const abi::SaState state = out.bench.read(id, out_block);
  CHECK(state.next_number == 204);
  CHECK(state.lease_end == 204);
  CHECK(state.packets == 18);
}

TEST_CASE("A host that has no lease to grant yet is told again") {
  EspOutPair out;
  const SaId id = out.install(make_sa({}, Direction::egress), {1, 2});
  const Bytes packet = test::sized_packet(Family::ipv4, 40);
  std::size_t told = 0;
  for (int i = 0; i < 300; ++i) {
    out.bench.packet({id, packet, 0});
    out.bench.run();
    for (int j = 0; j < 1000; ++j) out.bench.step();
    for (const std::string& one : texts(out.bench.events())) told += one == "lease_exhausted of 0" ? 1 : 0;
  }
  CHECK(told >= 2);
  CHECK(told <= 5);
}

TEST_CASE("A lease granted at any cycle before its need leaves no packet behind") {
  const Bytes packet = test::sized_packet(Family::ipv4, 20);
  for (std::size_t at = 0; at < 20; ++at) {
    EspOutPair out;
    const SaId id = out.install(make_sa({}, Direction::egress), {1, 11});
    for (std::size_t i = 0; i < 20; ++i) {
      if (i == at) out.bench.command(card::grant_command(id, out_block, {11, 100}));
      out.bench.packet({id, packet, 0});
    }
    std::uint64_t next = 1;
    for (const Outcome& one : out.bench.run()) {
      const bool held = at > 10 && next == 11 && one.verdict == Verdict::lease_exhausted;
      if (held) continue;
      REQUIRE(one.verdict == Verdict::ok);
      REQUIRE(one.number == next++);
    }
    CHECK(next == 21 - (at > 10 ? at - 10 : 0));
  }
}

TEST_CASE("The number space ends for good without ESN, and goes on over 2^32 with it") {
  Shape shape;
  shape.esn = GENERATE(false, true);
  EspOutPair out;
  EspInPair in;
  const std::uint64_t first = (std::uint64_t{1} << 32U) - 5;
  const SaId id = out.install(make_sa(shape, Direction::egress), {first, shape.esn ? first + 100 : first + 5});
  const SaId ingress = in.install(make_sa(shape, Direction::ingress), {}, first - 1);
  const auto outcomes = out.compare(std::vector<Asked>(20, Asked{id, test::sized_packet(Family::ipv4, 40), 0}));
  CHECK(texts(out.bench.events()) == out.oracle.rig().events());
  std::vector<Asked> asked;
  for (const Outcome& one : outcomes) {
    if (one.verdict == Verdict::ok)
      asked.push_back({ingress, one.packet, 0});
    else
      CHECK(one.verdict == Verdict::number_exhausted);
  }
  CHECK(asked.size() == (shape.esn ? 20 : 5));
  for (const Outcome& one : in.compare(asked)) CHECK(one.verdict == Verdict::ok);
}

TEST_CASE("Lifetimes in packets and bytes stop an SA where software stops it, with the same events") {
  const bool by_bytes = GENERATE(false, true);
  EspSa sa = make_sa({}, Direction::egress);
  EspSa receive = make_sa({}, Direction::ingress);
  for (EspSa* one : {&sa, &receive}) {
    if (by_bytes) {
      one->lifetime.soft.bytes = 200;
      one->lifetime.hard.bytes = 390;
    } else {
      one->lifetime.soft.packets = 5;
      one->lifetime.hard.packets = 9;
    }
  }
  EspOutPair out;
  EspInPair in;
  const SaId id = out.install(sa);
  const SaId ingress = in.install(receive);
  out.compare(std::vector<Asked>(20, Asked{id, test::sized_packet(Family::ipv4, 40), 0}));
  CHECK(texts(out.bench.events()) == out.oracle.rig().events());
  Bytes text = test::sized_packet(Family::ipv4, 42);
  text = text + Bytes{0, 4};
  std::vector<Asked> asked;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    Bytes dummy = text;
    dummy.back() = 59;
    asked.push_back({ingress, seal_esp(receive, i, i % 4 == 0 ? dummy : text), 0});
  }
  in.compare(asked);
  CHECK(texts(in.bench.events()) == in.oracle.rig().events());
  const abi::SaState state = in.bench.read(ingress, in_block);
  CHECK(state.packets == in.oracle.rig().slot(ingress).counters.packets.get());
  CHECK(state.bytes == in.oracle.rig().slot(ingress).counters.bytes.get());
  CHECK(state.flags == 1);
}

TEST_CASE("An expired SA takes and opens nothing more") {
  EspOutPair out;
  EspInPair in;
  const EspSa receive = make_sa({}, Direction::ingress);
  const SaId id = out.install(make_sa({}, Direction::egress));
  const SaId ingress = in.install(receive);
  for (std::size_t i = 0; i < 10; ++i) {
    if (i == 5) out.bench.command(card::expire_command(id, out_block));
    out.bench.packet({id, test::sized_packet(Family::ipv4, 40), 0});
  }
  const auto outcomes = out.bench.run();
  for (std::size_t i = 0; i < 10; ++i) CHECK(outcomes[i].verdict == (i < 5 ? Verdict::ok : Verdict::hard_expired));
  CHECK(texts(out.bench.events()).empty());
  in.bench.packet({ingress, outcomes[0].packet, 0});
  in.bench.command(card::expire_command(ingress, in_block));
  in.bench.packet({ingress, outcomes[1].packet, 0});
  const auto opened = in.bench.run();
  CHECK(opened[0].verdict == Verdict::ok);
  CHECK(opened[1].verdict == Verdict::hard_expired);
}

TEST_CASE("What is not whole, not there or taken is refused, and packets find nothing") {
  Bench<firmware::EspEncapsulate<bench_slots>> bench(abi::Operation::esp_encapsulate);
  const EspSa sa = make_sa({}, Direction::egress);
  const SaId id{2, 9};
  const Bytes packet = test::sized_packet(Family::ipv4, 40);
  const auto stale = [&] {
    bench.packet({id, packet, 0});
    return bench.run().front().verdict == Verdict::stale_sa;
  };
  const auto list = card::install_commands(id, sa, {1, 100}, 0);
  SECTION("each word left out once") {
    for (std::size_t missing = 0; missing + 1 < list.size(); ++missing) {
      INFO("word " << missing);
      for (std::size_t i = 0; i < list.size(); ++i)
        if (i != missing) bench.command(list.commands()[i]);
      CHECK(stale());
      CHECK(bench.refused());
      bench.command(card::remove_command(id, out_block));
      bench.run();
      bench.refused();
    }
    bench.commands(list);
    CHECK_FALSE(stale());
  }
  SECTION("a live slot") {
    bench.commands(list);
    bench.run();
    CHECK_FALSE(bench.refused());
    bench.commands(card::install_commands({2, 10}, make_sa({}, Direction::egress, 2), {1, 100}, 0));
    bench.run();
    CHECK(bench.refused());
    bench.packet({id, packet, 0});
    bench.packet({{2, 10}, packet, 0});
    const auto outcomes = bench.run();
    CHECK(outcomes[0].verdict == Verdict::ok);
    CHECK(outcomes[1].verdict == Verdict::stale_sa);
  }
  SECTION("a slot that is not there") {
    bench.commands(card::install_commands({bench_slots, 1}, sa, {1, 100}, 0));
    bench.packet({{bench_slots, 1}, packet, 0});
    bench.packet({{0xffffffffU, 1}, packet, 0});
    bench.packet({{2, 0}, packet, 0});
    for (const Outcome& one : bench.run()) CHECK(one.verdict == Verdict::stale_sa);
    CHECK(bench.refused());
  }
  SECTION("another generation") {
    bench.commands(list);
    bench.command(card::grant_command({2, 8}, out_block, {200, 300}));
    bench.command(card::expire_command({2, 8}, out_block));
    bench.command(card::read_command({2, 8}, out_block));
    bench.run();
    const auto responses = bench.responses();
    for (std::size_t i = list.size(); i < responses.size(); ++i) CHECK(responses[i].refused);
    CHECK_FALSE(stale());
  }
  SECTION("an empty lease") {
    bench.commands(list);
    bench.command(card::grant_command(id, out_block, {200, 200}));
    bench.command(card::grant_command(id, out_block, {0, 5}));
    bench.run();
    const auto responses = bench.responses();
    CHECK(responses[responses.size() - 1].refused);
    CHECK(responses[responses.size() - 2].refused);
  }
}

TEST_CASE("No key word leaves the block that it was loaded into") {
  Bench<firmware::EspEncapsulate<bench_slots>> bench(abi::Operation::esp_encapsulate);
  bench.commands(card::install_commands({0, 1}, make_sa({}, Direction::egress), {1, 9}, 0));
  bench.run();
  for (const auto& response : bench.responses()) {
    if (response.table != abi::Table::key) continue;
    CHECK(response.payload == ap_uint<512>(0));
  }
}

TEST_CASE("Commands of other blocks and packets of other operations pass unchanged and in order") {
  Bench<firmware::EspEncapsulate<bench_slots>> bench(abi::Operation::macsec_protect);
  const auto list = card::install_commands({0, 1}, make_sa({}, Direction::ingress), {}, 0);
  std::vector<Bytes> sent;
  for (std::uint32_t size = 1; size < 300; size += 3) {
    sent.push_back(test::noise(size, size));
    bench.packet({{0, 1}, sent.back(), 14});
    bench.command(list.commands()[size % list.size()]);
  }
  const auto outcomes = bench.run();
  REQUIRE(outcomes.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    REQUIRE(outcomes[i].packet == sent[i]);
    REQUIRE(outcomes[i].verdict == Verdict::pending);
    REQUIRE(outcomes[i].cookie == i + 1);
  }
  std::size_t k = 0;
  for (const auto& response : bench.responses()) {
    const abi::Command& command = list.commands()[(1 + 3 * k++) % list.size()];
    CHECK(response.word == command.word);
    CHECK(response.payload == firmware::from_bytes<512>(command.payload));
    CHECK_FALSE(response.refused);
  }
}

TEST_CASE("Each verdict is counted once, and its count can be read") {
  EspOutPair out;
  const SaId id = out.install(make_sa({}, Direction::egress), {1, 6});
  out.compare(std::vector<Asked>(9, Asked{id, test::sized_packet(Family::ipv4, 40), 0}));
  out.bench.packet({{9, 9}, test::sized_packet(Family::ipv4, 40), 0});
  out.bench.run();
  std::map<Verdict, std::uint64_t> counts;
  for (std::uint32_t first = 0; first < verdict_count; first += 8) {
    abi::Command read = card::read_command({first, 0}, out_block);
    read.table = abi::Table::verdicts;
    out.bench.command(read);
    out.bench.run();
    const auto response = out.bench.responses().back();
    for (std::uint32_t i = 0; i < 8; ++i) {
      const std::uint64_t count = firmware::word_of(response.payload, static_cast<int>(i));
      if (count != 0) counts[static_cast<Verdict>(first + i)] = count;
    }
  }
  CHECK(counts ==
        std::map<Verdict, std::uint64_t>{{Verdict::ok, 5}, {Verdict::lease_exhausted, 4}, {Verdict::stale_sa, 1}});
}
