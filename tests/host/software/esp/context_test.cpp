// ESP contexts on their own, and refusals that no engine's limits let through.
#include "host/software/esp/encapsulate.hpp"
#include "host/software/esp/sa_context.hpp"
#include "host/values/key_arena.hpp"
#include "tests/host/software/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
namespace esp = linecrypt::software::esp;

namespace {

struct Memory {
  Memory() : arena(software::context_size_largest, software::context_alignment, 1), block(*arena.allocate()) {}
  KeyArena arena;
  void* block;
};

}  // namespace

TEST_CASE("a context is refused by name for what has no meaning", "[esp][context]") {
  Memory memory;
  EspSa sa = make_sa({.mode = EspMode::transport}, Direction::egress);
  sa.decrement_ttl = true;
  const auto ttl = esp::make_context(sa, memory.block);
  REQUIRE_FALSE(ttl.ok());
  CHECK(ttl.error().message.find("decrement_ttl") != std::string::npos);
  sa.decrement_ttl = false;
  sa.salt = Secret<4>(noise(3));
  const auto salt = esp::make_context(sa, memory.block);
  REQUIRE_FALSE(salt.ok());
  CHECK(salt.error().message.find("salt: 3 bytes") != std::string::npos);
}

TEST_CASE("a packet that the outer length field cannot say is refused and takes no number", "[esp][context]") {
  const Shape shape = GENERATE(Shape{}, Shape{.outer = Family::ipv6}, Shape{.mode = EspMode::transport});
  const EspSa sa = make_sa(shape, Direction::egress);
  Memory memory;
  const auto context = esp::make_context(sa, memory.block);
  REQUIRE(context.ok());
  SaSlot slot;
  slot.next_number = 1;
  slot.lease_end = 100;
  EventFlags flags({&slot, 1});
  Events events(flags);
  const auto prepare = [&](std::uint32_t length) {
    const Bytes clear = sized_packet(Family::ipv4, length);
    Bytes bytes = Bytes(100) + clear + Bytes(100);
    Packet view{.data = bytes.data() + 100, .length = length, .headroom = 100, .tailroom = 100};
    Job job;
    job.source = job.destination = &view;
    job.l2_length = 0;
    software::Queue queue;
    queue.push(job);
    software::Queue further;
    software::BurstStage stage(queue, further, events, 0);
    const auto ops = std::make_unique<software::Ops>();
    software::Train train;
    train.slot = &slot;
    train.context = static_cast<software::ContextHead*>(*context);
    train.ops = ops.get();
    train.asked = job.stages[0];
    esp::prepare_encapsulate(train, stage);
    CHECK(ops->filled().size() == (job.verdict == Verdict::pending ? 1 : 0));
    return job.verdict;
  };
  // Text behind 20 + 16 bytes and before 16 of ICV, a multiple of 4, trailer included. IPv6 does not count its header.
  const std::uint32_t room = shape.outer == Family::ipv6 ? 65535 - 32 : 65535 - 52;
  const std::uint32_t most = room / 4 * 4 - 2 + (shape.mode == EspMode::transport ? 20 : 0);
  CHECK(prepare(most + 1) == Verdict::too_big);
  CHECK(slot.next_number == 1);
  CHECK(prepare(most) == Verdict::pending);
  CHECK(slot.next_number == 2);
  esp::destroy_context(*context, Direction::egress);
}

TEST_CASE("resynchronisation is on for ingress with ESN, counted, and can be switched off", "[esp][context]") {
  const auto on = GENERATE(true, false);
  const EspSa sa = make_sa({}, Direction::ingress);
  EspBench bench({"software", software::ProviderChoice::automatic, false});  // it is this engine's own
  const SaId in = bench.install(sa, 1, 1000000);
  void* context = bench.slot(in).context;
  esp::set_resynchronise(context, on);
  // Two laps ahead: one by inference, one by trying.
  for (std::uint64_t i = 0; i < 17; ++i) {
    const Bytes text = with_trailer(sized_packet(Family::ipv4, 40), 4);
    const Outcome out =
        bench.decapsulate(in, in_outer(sa, reference_seal(sa, (std::uint64_t{2} << 32U) + 7 + i, text)));
    CHECK(out.verdict == (on && i == 16 ? Verdict::ok : Verdict::esp_bad_icv));
  }
  CHECK(esp::resynchronisations(context).tried == (on ? 1 : 0));
  CHECK(esp::resynchronisations(context).succeeded == (on ? 1 : 0));
}
