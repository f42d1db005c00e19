// Known answers. GCM and GMAC: NIST CAVP (gcmEncryptExtIV128/192/256.rsp). ESP and MACsec: computed from RFC 4303, 4106
// and IEEE 802.1AE-2018 with Python's "cryptography", which shares no code with us.
#include "host/software/self_test.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "host/software/software_engine.hpp"
#include "host/values/hex.hpp"
#include "host/values/key_arena.hpp"

namespace linecrypt::software {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct GcmAnswer {
  SelfTestFault fault;  // the fault that spoils this one
  std::string_view name;
  std::string_view key;
  std::string_view iv;
  std::string_view clear;
  std::string_view aad;
  std::string_view sealed;
  std::string_view tag;
};

constexpr GcmAnswer gcm_answers[] = {
    {SelfTestFault::gcm_128_answer, "AES-128-GCM", "4f66f21817d1865c2fb62d4de344e085", "4c780a2707f56747b24a4aa0",
     "04eade2d68dc3c5d83f2d3f1c44240bf86127c9f6b3966085ef41ef50107d042b18bbe80bd43cdd1585fc5a99df8271b9b8767",
     "4c0ec2531542bc801b3ddf593c2e1ba4afeb603e",
     "dcdf8d2b0d388072ce273ad3502dea5122bac0020a7ae3b97705d3a2bb49a5cb4f95e6cbd74183758c2eabc9ea38155c7ef647",
     "2558c59cc7d71a2fcedd13f1c6659a63"},
    {SelfTestFault::gcm_192_answer, "AES-192-GCM", "910368f7839f6dccec9c733ebb6af4e59508a9af821356e6",
     "ad0a76ed563a1a5cc9ceb27b",
     "06c34b29f60fb0e7631310ee1c2703d3f5c97940b0637042ce9212dd25527435cff36b2b6b6f528645e05862387eccd567a977",
     "16ccf22ab7bbabca34c4b649cb25f4b775103bc0",
     "e2680def23bc6584ee7da55123213605c51ebfd30c4369c05fad8a047cf10dfcfca19c6ab53676c7489844d28f6c494fc5471a",
     "d43bcfffc69fc6f95d5f98c508fbe043"},
    {SelfTestFault::gcm_256_answer, "AES-256-GCM", "2426e2d1cd9545ec2fb7ab9137ad852734333925bfc5674763d6ee906e81c091",
     "49a094a71d393b36daa4a591",
     "7cbe7982d365a55d147c954583f9760a09948ab73ebbe1b2c1d69ed58e092a347392192cfe8bce18ca43ee19af7652331bd92c",
     "177309cfc913e3f5c093e8b1319ba81826d43ce5",
     "cab992e17cf6ec69fd3c67ea0424bcd67475a7f1f16e6733c4419d1b5a755f78d6eda8e368360d403800a08f0d52b4bc0aa0ab",
     "b125f8caee9e54b9f9414b1c09021ed8"},
    {SelfTestFault::gmac_answer, "AES-256-GMAC", "24a92b24e85903cd4aaabfe07c310df5a4f8f459e03a63cbd1b47855b09c0be8",
     "22e756dc898d4cf122080612", "",
     "2e01b2536dbe376be144296f5c38fb099e008f962b9f0e896334b6408393bff1020a0e442477abfdb1727213b6ccc577f5e16cb057c8945a"
     "07e307264b65979aed96b5995f40250ffbaaa1a1f0eccf394015f6290f5e64dfe5ca",
     "", "0d7f1aed4708a03b0c80b2a18785c96d"},
};

constexpr std::string_view engine_key = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";

// Tunnel mode, AES-256-GCM, ESN, SPI 0x00010203, salt a0a1a2a3, number 1.
constexpr std::string_view esp_clear =
    "4500002d00010000401166bb0a0100010a020001c0000009001900006c696e6563727970742073656c66746573";
constexpr std::string_view esp_sealed =
    "000102030000000100000000000000015c0c882109460458b479e3480e97d8b2e3525f9f7252d71f42b28dba807f867e9c2e86cbfbd89cba"
    "c5546456aeeb2cb43680feca3cda6746c9fe9fce716e9d02";

// GCM-AES-XPN-256, SCI in the tag, AN 1, PN 1, salt b0..bb, SSCI 0x01020304.
constexpr std::string_view macsec_clear =
    "0200000000020200000000010800000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829"
    "2a2b2c2d";
constexpr std::string_view macsec_sealed =
    "02000000000202000000000188e52d00000000010200000000010001bd18d95c1c61bd6b6e968135ff67005e3cb363695a9b90e496a36fd2"
    "0217e3ed8b82af972f73f89482871334c05462284dd723a76242d8665c3ce5ac7762a27e";

Error wrong(const AeadProvider& provider, std::string_view what, std::string_view where) {
  return {fmt::format("self-test of {}: {} {}: wrong answer", provider.name(), what, where)};
}

// A known answer, one bit off when its fault is planted.
Bytes answer(std::string_view hex, bool spoiled) {
  Bytes bytes = from_hex(hex);
  if (spoiled) bytes.back() ^= 1U;
  return bytes;
}

// 1. Sealing gives the known text and tag. 2. Opening gives the clear text back. 3. A tag with one wrong bit is refused
// and leaves zeros.
Result<void> check_gcm(AeadProvider& provider, const GcmAnswer& known, bool spoiled) {
  const Bytes clear = from_hex(known.clear);
  const Bytes aad = from_hex(known.aad);
  const Bytes sealed = from_hex(known.sealed);
  const Bytes expected_tag = answer(known.tag, spoiled);
  KeyArena arena(provider.context_size(), provider.context_alignment(), 1);
  auto context = arena.allocate();
  if (!context) return context.error();
  if (auto expanded = provider.expand(from_hex(known.key), *context); !expanded) return expanded;

  Bytes out(clear.size());
  std::array<std::uint8_t, aead_tag_size> tag{};
  AeadOp op;
  op.key = *context;
  std::ranges::copy(from_hex(known.iv), op.iv);
  op.aad_head_length = static_cast<std::uint32_t>(std::min<std::size_t>(aad.size(), 7));
  op.aad_head = aad.data();
  op.aad_tail_length = static_cast<std::uint32_t>(aad.size()) - op.aad_head_length;
  op.aad_tail = aad.data() + op.aad_head_length;
  op.length = static_cast<std::uint32_t>(clear.size());
  op.in = clear.data();
  op.out = out.data();
  op.tag = tag.data();
  // 1.
  provider.seal({&op, 1});
  const bool sealed_right = out == sealed && std::ranges::equal(tag, expected_tag);
  // 2.
  op.in = sealed.data();
  provider.open({&op, 1});
  const bool opened_right = op.good && out == clear;
  // 3.
  tag[15] ^= 0x80U;
  provider.open({&op, 1});
  const bool refused_right = !op.good && std::ranges::all_of(out, [](std::uint8_t byte) { return byte == 0; });
  provider.destroy(*context);
  if (!sealed_right) return wrong(provider, known.name, "seal");
  if (!opened_right) return wrong(provider, known.name, "open");
  if (!refused_right) return wrong(provider, known.name, "open of a wrong tag");
  return {};
}

// One packet through an engine, with room around it.
struct Trial {
  static constexpr std::size_t room = 128;
  Bytes memory;
  Packet packet;
  Job job;

  explicit Trial(const Bytes& bytes) : memory(bytes.size() + 2 * room) {
    std::ranges::copy(bytes, memory.begin() + room);
    packet = {memory.data() + room, static_cast<std::uint32_t>(bytes.size()), room, room, nullptr};
  }
  Verdict run(Engine& engine, SaId sa, Operation operation) {
    job.source = job.destination = &packet;
    job.stages[0] = {sa, operation};
    job.l2_length = 0;
    Job* jobs[] = {&job};
    engine.submit(QueueId{0}, jobs);
    return job.verdict;
  }
  [[nodiscard]] Bytes result(std::size_t skip = 0) const {
    return {packet.data + skip, packet.data + std::max<std::size_t>(skip, packet.length)};
  }
};

// An SA both ways: 1. clear to known, 2. known to clear, 3. known with a wrong bit in its tag: refused, no clear byte
// left. `skip` bytes stand before the known part of a sealed packet (the outer IP header).
Result<void> check_engine(const AeadProvider& provider, Engine& engine, std::string_view name, const Sa& egress,
                          const Sa& ingress, Operation seal, Operation open, std::size_t skip,
                          std::string_view clear_hex, const Bytes& expected) {
  const SaId out{0, 1};
  const SaId in{1, 1};
  if (auto good = engine.install(out, egress, Lease{1, 2}, 0); !good) return good;
  if (auto good = engine.install(in, ingress, Lease{}, 0); !good) return good;
  const Bytes clear = from_hex(clear_hex);
  // 1.
  Trial sealing(clear);
  if (sealing.run(engine, out, seal) != Verdict::ok || sealing.result(skip) != expected)
    return wrong(provider, name, name == "ESP" ? "encapsulate" : "protect");
  // 3. First, for the window would refuse it after 2.
  Bytes forged = sealing.result();
  if (forged.empty()) return wrong(provider, name, "left nothing");
  forged.back() ^= 1U;
  Trial forging(forged);
  const Verdict refused = forging.run(engine, in, open);
  const auto found = std::search(forging.memory.begin(), forging.memory.end(), clear.end() - 16, clear.end());
  if (!is_drop(refused) || found != forging.memory.end()) return wrong(provider, name, "with a wrong ICV");
  // 2.
  Trial opening(sealing.result());
  if (opening.run(engine, in, open) != Verdict::ok || opening.result() != clear)
    return wrong(provider, name, name == "ESP" ? "decapsulate" : "validate");
  return {};
}

EspSa esp_sa(Direction direction) {
  EspSa sa;
  sa.spi = 0x00010203;
  sa.direction = direction;
  sa.key = Secret<32>(from_hex(engine_key));
  sa.salt = Secret<4>(from_hex("a0a1a2a3"));
  sa.source.bytes = {192, 0, 2, 1};
  sa.destination.bytes = {192, 0, 2, 2};
  return sa;
}

MacsecSa macsec_sa(Direction direction) {
  MacsecSa sa;
  sa.direction = direction;
  sa.sci.address.bytes = {2, 0, 0, 0, 0, 1};
  sa.an = 1;
  sa.key = Secret<32>(from_hex(engine_key));
  sa.salt = Secret<12>(from_hex("b0b1b2b3b4b5b6b7b8b9babb"));
  sa.ssci = 0x01020304;
  return sa;
}

// An engine of its own: the one under test may be carrying packets.
Result<void> check_protocols(const std::shared_ptr<AeadProvider>& provider, SelfTestFault fault) {
  const auto slots = std::make_unique<SaSlot[]>(2);
  EngineSetup setup;
  setup.slots = {slots.get(), 2};
  SoftwareEngine engine(provider);
  if (auto good = engine.open(setup); !good) return good;
  constexpr std::size_t outer_header = 20;
  if (auto good = check_engine(*provider, engine, "ESP", esp_sa(Direction::egress), esp_sa(Direction::ingress),
                               Operation::esp_encapsulate, Operation::esp_decapsulate, outer_header, esp_clear,
                               answer(esp_sealed, fault == SelfTestFault::esp_answer));
      !good)
    return good;
  engine.close();
  if (auto good = engine.open(setup); !good) return good;
  return check_engine(*provider, engine, "MACsec", macsec_sa(Direction::egress), macsec_sa(Direction::ingress),
                      Operation::macsec_protect, Operation::macsec_validate, 0, macsec_clear,
                      answer(macsec_sealed, fault == SelfTestFault::macsec_answer));
}

}  // namespace

Result<void> run_self_test(const std::shared_ptr<AeadProvider>& provider, SelfTestFault fault) {
  for (const GcmAnswer& known : gcm_answers)
    if (auto good = check_gcm(*provider, known, fault == known.fault); !good) return good;
  return check_protocols(provider, fault);
}

}  // namespace linecrypt::software
