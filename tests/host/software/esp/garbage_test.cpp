// Random, cut and twisted packets: no crash, no byte outside the packet (each lies in memory of exactly its size, so a
// sanitizer sees one), a verdict for each, and nothing opened that was not authentic.
#include <random>

#include "tests/host/software/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  std::uint32_t operator()() { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::mt19937 engine_;
};

std::vector<Shape> some_shapes() {
  return {Shape{}, Shape{.outer = Family::ipv6, .inner = Family::ipv6, .udp = true},
          Shape{.mode = EspMode::transport, .udp = true},
          Shape{.mode = EspMode::transport, .outer = Family::ipv6, .inner = Family::ipv6},
          Shape{.outer = Family::ipv6, .algorithm = EspAlgorithm::aes_gmac_128, .esn = false}};
}

Bytes authentic(const EspSa& sa, const Shape& shape, std::uint64_t number, std::uint32_t size) {
  const Bytes clear = sized_packet(shape.inner, size);
  const bool tunnel = shape.mode == EspMode::tunnel;
  const std::size_t header = tunnel ? 0 : shape.inner == Family::ipv4 ? 20 : 40;
  const std::uint8_t next = tunnel ? (shape.inner == Family::ipv4 ? 4 : 41) : clear[header == 20 ? 9 : 6];
  const Bytes text = with_trailer(Bytes(clear.begin() + static_cast<std::ptrdiff_t>(header), clear.end()), next);
  return in_outer(sa, reference_seal(sa, number, text));
}

}  // namespace

TEST_CASE("random bytes give a drop and nothing else, both ways", "[esp][garbage]") {
  const auto choice = GENERATE(from_range(engines(true)));
  Random random(3);
  for (const Shape& shape : some_shapes()) {
    EspBench bench(choice);
    const EspSa sa = make_sa(shape, Direction::ingress);
    const SaId in = bench.install(sa);
    const SaId out = bench.install(make_sa(shape, Direction::egress));
    for (int i = 0; i < (long_form() ? 100000 : 10000); ++i) {
      Bytes bytes = noise(random() % 200, random());
      // Most get further than the version nibble, some further than that.
      if (!bytes.empty() && random() % 8 != 0) bytes[0] = random() % 2 == 0 ? 0x45 : 0x60;
      if (bytes.size() >= 40 && random() % 2 == 0) {
        const bool six = bytes[0] == 0x60;
        put16(bytes, six ? 4 : 2, static_cast<std::uint16_t>(bytes.size() - (six ? 40 : 0)));
        if (six) {
          const std::uint8_t headers[] = {0, 43, 44, 60, 17, 50};
          bytes[6] = headers[random() % 6];
        } else {
          bytes[9] = random() % 2 == 0 ? 50 : 17;
          if (random() % 2 == 0) put16(bytes, 6, 0);
          fix_ipv4_checksum(bytes);
        }
      }
      const auto l2 = static_cast<std::uint16_t>(random() % 4 == 0 ? 14 : 0);
      const Outcome opened = bench.decapsulate(in, bytes, l2, {.head = 0, .tail = 0});
      REQUIRE((is_drop(opened.verdict) || opened.verdict == Verdict::keepalive));
      const Outcome sealed = bench.encapsulate(out, bytes, l2, {.head = random() % 80, .tail = random() % 40});
      REQUIRE(sealed.verdict != Verdict::pending);
    }
    REQUIRE(bench.slot(in).window.top() == 0);
    REQUIRE(bench.slot(in).counters.packets.get() == 0);
  }
}

TEST_CASE("an authentic packet cut at any length or twisted at random bytes is refused", "[esp][garbage]") {
  const auto choice = GENERATE(from_range(engines(true)));
  Random random(5);
  for (const Shape& shape : some_shapes()) {
    INFO(describe(shape));
    EspBench bench(choice);
    const EspSa sa = make_sa(shape, Direction::ingress);
    const SaId in = bench.install(sa);
    const Bytes good = authentic(sa, shape, 9, 120);
    for (std::size_t length = 0; length < good.size(); ++length) {
      Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
      REQUIRE(is_drop(bench.decapsulate(in, cut, 0, {.head = 0, .tail = 0}).verdict));
      // And with lengths that agree with the cut.
      const std::size_t header = sa.source.family == Family::ipv4 ? 20 : 40;
      if (length < header) continue;
      put16(cut, header == 20 ? 2 : 4, static_cast<std::uint16_t>(length - (header == 20 ? 0 : 40)));
      if (header == 20) fix_ipv4_checksum(cut);
      if (sa.udp && length >= header + 8) {
        put16(cut, header + 4, static_cast<std::uint16_t>(length - header));
        put16(cut, header + 6, 0);
      }
      REQUIRE(is_drop(bench.decapsulate(in, cut, 0, {.head = 0, .tail = 0}).verdict));
    }
    REQUIRE(bench.slot(in).window.top() == 0);
    for (int i = 0; i < (long_form() ? 20000 : 2000); ++i) {
      Bytes bytes = good;
      const std::size_t text = text_offset(sa) - 16;
      for (std::uint32_t k = 0; k < 1 + random() % 4; ++k)
        bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
      if (sa.source.family == Family::ipv4 && random() % 2 == 0) fix_ipv4_checksum(bytes);
      // Fields of the outer header that nothing protects may change.
      const auto esp = static_cast<std::ptrdiff_t>(text);
      if (std::equal(good.begin() + esp, good.end(), bytes.begin() + esp)) continue;
      REQUIRE(is_drop(bench.decapsulate(in, bytes, 0, {.head = 0, .tail = 0}).verdict));
    }
  }
}

TEST_CASE("authentic packets with random text give no more than their length says", "[esp][garbage]") {
  const auto choice = GENERATE(from_range(engines(true)));
  Random random(9);
  for (const Shape& shape : some_shapes()) {
    EspBench bench(choice);
    const EspSa sa = make_sa(shape, Direction::ingress);
    const SaId in = bench.install(sa);
    for (std::uint64_t number = 1; number <= (long_form() ? 50000U : 5000U); ++number) {
      Bytes text = noise(2 + random() % 120, random());
      // Most with a trailer and an inner header that get further.
      const std::uint8_t nexts[] = {4, 41, 17, 6, 0, 44, 60, 43};
      if (random() % 4 != 0) text[text.size() - 2] = 0;
      if (random() % 4 != 0) text[text.size() - 1] = nexts[random() % 8];
      if (text.size() > 44 && random() % 4 != 0) {
        const bool six = text.back() == 41;
        text[0] = six ? 0x60 : 0x45;
        put16(text, six ? 4 : 2, static_cast<std::uint16_t>(random() % (text.size() - (six ? 40 : 0))));
        if (six) text[6] = nexts[random() % 8];
        if (!six) fix_ipv4_checksum(text);
      }
      const Bytes bytes = in_outer(sa, reference_seal(sa, number, text));
      const Outcome out = bench.decapsulate(in, bytes, 0, {.head = 0, .tail = 0});
      if (out.verdict == Verdict::ok)
        REQUIRE(out.packet.size() <= text.size() + (shape.mode == EspMode::transport ? 40 : 0));
      else
        REQUIRE(zero_from(out.memory, text_offset(sa)));
    }
    REQUIRE(bench.slot(in).counters.bad_icv.get() == 0);
  }
}
