// Every size through both directions, each packet compared with a second ESP written from the RFCs (reference.cpp).
#include <algorithm>

#include "tests/host/software/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

constexpr std::uint32_t largest = 9216;

// Takes one packet out and back, and compares both ways.
void round_trip(EspBench& bench, const Shape& shape, const EspSa& sa, SaId out, SaId in, std::uint32_t length,
                std::uint16_t l2) {
  const std::uint32_t header = shape.inner == Family::ipv4 ? 20 : 40;
  const Bytes clear = sized_packet(shape.inner, std::max(length, header));
  const Bytes front = l2 == 0 ? Bytes{} : ethernet(shape.inner == Family::ipv4 ? 0x0800 : 0x86dd, {}, l2 == 18);
  const Outcome sealed = bench.encapsulate(out, front + clear, l2, {.head = 72, .tail = 21});
  if (sealed.verdict != Verdict::ok) FAIL(describe(shape) << ", " << length << " bytes: " << name(sealed.verdict));
  // What the RFCs say the packet is.
  const bool tunnel = shape.mode == EspMode::tunnel;
  const auto split = clear.begin() + static_cast<std::ptrdiff_t>(tunnel ? 0 : header);
  const std::uint8_t next =
      tunnel ? (shape.inner == Family::ipv4 ? 4 : 41) : clear[shape.inner == Family::ipv4 ? 9 : 6];
  const Bytes text = with_trailer(Bytes(split, clear.end()), next);
  const Bytes esp = reference_seal(sa, sealed.number, text);
  if (!std::equal(esp.rbegin(), esp.rend(), sealed.packet.rbegin()))
    FAIL(describe(shape) << ", " << length << " bytes: ESP differs from the reference");
  if (sealed.packet.size() != text_offset(sa, l2) + text.size() + 16)
    FAIL(describe(shape) << ", " << length << " bytes: outer headers have the wrong size");
  // And back, byte for byte.
  const Outcome opened = bench.decapsulate(in, sealed.packet, l2, {.head = 0, .tail = 0});
  if (opened.verdict != Verdict::ok) FAIL(describe(shape) << ", " << length << " bytes: " << name(opened.verdict));
  if (opened.packet != front + clear) FAIL(describe(shape) << ", " << length << " bytes: not the packet that went in");
}

}  // namespace

TEST_CASE("every size from 1 to 9216 passes both ways and equals the reference", "[esp][sweep]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const Shape shape =
      GENERATE(Shape{}, Shape{.mode = EspMode::transport, .outer = Family::ipv6, .inner = Family::ipv6});
  INFO(choice.name);
  EspBench bench(choice);
  const EspSa sa = make_sa(shape, Direction::egress);
  const SaId out = bench.install(sa);
  const SaId in = bench.install(make_sa(shape, Direction::ingress));
  // A step that meets every remainder of blocks and beats.
  const std::uint32_t step = sampled_form() ? 13 : 1;
  for (std::uint32_t length = 1; length <= largest; length += step) round_trip(bench, shape, sa, out, in, length, 14);
}

// Short form: the edges of each combination, on every engine. LINECRYPT_LONG=1: every size of each, on both providers
// (some minutes).
TEST_CASE("every combination of mode, families, algorithm, ESN and UDP passes both ways", "[esp][sweep]") {
  const auto choice = GENERATE(from_range(engines(long_form())));
  INFO(choice.name);
  for (const Shape& shape : shapes()) {
    EspBench bench(choice);
    const EspSa sa = make_sa(shape, Direction::egress);
    const SaId out = bench.install(sa);
    const SaId in = bench.install(make_sa(shape, Direction::ingress));
    if (long_form()) {
      for (std::uint32_t length = 1; length <= largest; ++length) round_trip(bench, shape, sa, out, in, length, 14);
    } else {
      for (const std::uint32_t length : {1U, 20U, 21U, 40U, 41U, 47U, 48U, 49U, 63U, 64U, 65U, 127U, 1438U, 9216U})
        round_trip(bench, shape, sa, out, in, length, length % 3 == 0 ? 18 : length % 3 == 1 ? 14 : 0);
    }
  }
}
