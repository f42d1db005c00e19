// What an SA costs in memory, and which of it a packet touches. From real allocations, not from words.
#include <catch2/catch.hpp>
#include <cstddef>
#include <fstream>
#include <string>

#include "host/software/aead/vaes/key_context.hpp"
#include "host/software/esp/sa_context.hpp"
#include "host/software/macsec/sa_context.hpp"
#include "host/software/software_engine.hpp"
#include "host/tables/slot_table.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/long_form.hpp"
#include "tests/support/memory_flags.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

constexpr std::size_t line = 64;

template <typename Object, typename Member>
std::size_t end_of(const Object& object, const Member& member, std::size_t size = sizeof(Member)) {
  return static_cast<std::size_t>(reinterpret_cast<const char*>(&member) - reinterpret_cast<const char*>(&object)) +
         size;
}

// One whose key contexts lie in the engine's arena as a whole: OpenSSL keeps its own on its heap. With AVX-512 IPsec-MB
// keeps 48 powers of H, which is 1024 bytes and said in the README; ours is at hand there.
std::unique_ptr<software::AeadProvider> compact_provider() {
  for (const auto choice : {software::ProviderChoice::vaes, software::ProviderChoice::ipsec_mb})
    if (auto made = software::make_provider(choice); made && (*made)->context_size() <= 512)
      return std::move(made).value();
  return nullptr;
}

bool kernel_has_huge_pages() {
  return std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled").good();
}

}  // namespace

TEST_CASE("An SA with a window of 1024 costs at most 1 KiB, key schedule and counters included") {
  const std::uint32_t count = long_form() ? 1'000'000 : 65'536;
  tables::SlotTable table(count);
  auto provider = compact_provider();
  if (provider == nullptr) {
    WARN("this CPU has neither VAES nor AES-NI: nothing to measure");
    return;
  }
  software::SoftwareEngine engine(std::move(provider));
  EngineSetup setup;
  setup.slots = table.slots();
  setup.reserve = true;
  REQUIRE(engine.open(setup).ok());

  // 1. What one takes, all in: slot, ids, events, context, window, key.
  const auto footprint = engine.footprint();
  const std::size_t shared = tables::SlotTable::bytes_per_slot + EventFlags::bytes_per_slot;
  const std::size_t ingress = shared + footprint.per_ingress_sa;
  CHECK(ingress == 974);  // as the README says
  CHECK(ingress <= 1024);
  CHECK(footprint.per_egress_sa < footprint.per_ingress_sa);

  // 2. That is what the arenas took for all of them, but for the last huge page of each; and it is enough.
  CHECK(footprint.taken <= footprint.per_ingress_sa * count + 3 * HugeMemory::huge_page);
  Sa sa = esp_sa(Direction::ingress);
  REQUIRE(std::get<EspSa>(sa).replay_window == 1024);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto id = table.allocate();
    if (!id || !engine.install(*id, sa, {}, 0)) FAIL("SA " << i);
  }
  CHECK(engine.footprint().taken == footprint.taken);

  // 3. On huge pages, as far as the kernel has them.
  if (kernel_has_huge_pages()) {
    CHECK(footprint.huge == footprint.taken);
    CHECK(memory_flags(table.slots().data()).find(" hg ") != std::string::npos);
    CHECK(memory_flags(table.slots()[0].context).find(" hg ") != std::string::npos);
  }
  engine.close();
}

TEST_CASE("A larger window lies apart and works") {
  Rig rig({"software", software::ProviderChoice::automatic, false});
  EspSa sa = esp_sa(Direction::ingress);
  sa.replay_window = 4096;
  const SaId in = rig.install(std::move(sa));
  CHECK(rig.slot(in).window.size() == 4096);
  const SaId out = rig.install(esp_sa(Direction::egress));
  Frame frame(clear_frame());
  REQUIRE(rig.run(frame.with(out, Operation::esp_encapsulate)) == Verdict::ok);
  CHECK(rig.run(frame.with(in, Operation::esp_decapsulate)) == Verdict::ok);
  REQUIRE(rig.engine().remove(in).ok());
}

TEST_CASE("A packet over IPv4 touches at most 640 bytes of its SA") {
  const std::size_t key = offsetof(software::vaes::KeyContext, rounds) + sizeof(software::vaes::KeyContext::rounds);
  const SaSlot slot;
  // Ingress: the slot's first line, the context's first, one word of the window.
  CHECK(2 * line + sizeof(std::uint64_t) + key <= 640);
  CHECK(end_of(slot, slot.window) <= line);
  CHECK(end_of(slot, slot.limited) <= line);
  CHECK(end_of(slot, slot.counters.packets) <= line);
  CHECK(end_of(slot, slot.counters.bytes) <= line);
  const software::esp::IngressContext in;
  CHECK(end_of(in, in.key) <= line);
  CHECK(end_of(in, in.failures) <= line);
  CHECK(end_of(in, in.run_needed) <= line);
  CHECK(end_of(in, in.outer_family) <= line);
  CHECK(end_of(in, in.selectors) <= line);
  CHECK(end_of(in, in.ends, 2 * 4) <= line);
  // Egress: the slot's first without the window, its third with the numbers, the context's first with the IPv4 header.
  const std::size_t numbers = sizeof slot.next_number + sizeof slot.lease_end;
  CHECK(line - sizeof slot.window + numbers + line + key <= 640);
  CHECK(end_of(slot, slot.next_number) - 1 >= 2 * line);
  CHECK(end_of(slot, slot.lease_end) <= 3 * line);
  const software::esp::EgressContext out;
  CHECK(end_of(out, out.key) <= line);
  CHECK(end_of(out, out.outer_size) <= line);
  CHECK(end_of(out, out.header_sum) <= line);
  CHECK(end_of(out, out.header, wire::ipv4_size) <= line);
}
