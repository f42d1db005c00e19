// The received tag is taken out of a packet at every offset, and the packet passes unchanged, a beat a cycle.
#include "firmware_hls/tables/tap.hpp"

#include <catch2/catch.hpp>

#include "tests/support/ip_packets.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware;
using test::Bytes;

TEST_CASE("A tag is found at every offset, with and without padding behind it") {
  Clock clock;
  Stream<TapCommand> commands(clock, 4);
  Stream<Beat> in(clock, 64);
  Stream<Beat> out(clock, 64);
  Stream<ap_uint<128>> tags(clock, 4);
  Tap tap(commands, in, out, tags);
  for (std::uint16_t offset = 0; offset < 200; ++offset) {
    for (const std::size_t behind : {0U, 1U, 47U, 64U}) {
      INFO("offset " << offset << ", " << behind << " bytes behind");
      const bool wanted = (offset + behind) % 5 != 0;
      Bytes packet = test::noise(offset + 16 + behind, offset + 1U);
      const Bytes tag(packet.begin() + offset, packet.begin() + offset + 16);
      commands.write({offset, wanted});
      packet.resize((packet.size() + 63) / 64 * 64);
      const std::size_t beats = packet.size() / 64;
      for (std::size_t i = 0; i < beats; ++i) in.write({from_bytes<512>(packet.data() + 64 * i), 64, i + 1 == beats});
      clock.tick();
      for (std::size_t i = 0; i < beats; ++i) {
        tap.tick();
        clock.tick();
      }
      REQUIRE_FALSE(tap.busy());
      for (std::size_t i = 0; i < beats; ++i) REQUIRE(out.read().data == from_bytes<512>(packet.data() + 64 * i));
      REQUIRE(tags.empty() != wanted);
      if (!wanted) continue;
      std::uint8_t got[16];
      to_bytes(tags.read(), got);
      REQUIRE(Bytes(got, got + 16) == tag);
    }
  }
}
