// A table that the host loads and packets read.
#include "firmware_hls/tables/loaded.hpp"

#include <catch2/catch.hpp>
#include <memory>

using namespace linecrypt;
using namespace linecrypt::firmware;

namespace {

struct Rig {
  Clock clock;
  Loaded<2, 4, 3> table{clock, abi::Table::key};

  static PacketInfo info(abi::CommandOp op, std::uint32_t generation, std::uint8_t word = 0, unsigned payload = 0) {
    PacketInfo out{};
    out.kind = Kind::command;
    out.config.op = op;
    out.config.table = abi::Table::key;
    out.config.index = 1;
    out.config.word = word;
    out.config.generation = generation;
    out.config.payload = ap_uint<512>(payload);
    return out;
  }
  // Waits as the owner does; how many cycles that took.
  int apply(const PacketInfo& one, bool expected = true) {
    int waited = 0;
    for (table.tick(); !table.allows(one); table.tick()) {
      clock.tick();
      ++waited;
    }
    CHECK(table.configure(one.config) == expected);
    clock.tick();
    return waited;
  }
  void settle() {
    for (int i = 0; i < 4; ++i) {
      table.tick();
      clock.tick();
    }
  }
};

}  // namespace

TEST_CASE("A commit waits for its words, and what follows waits for the commit") {
  Rig rig;
  CHECK(rig.apply(Rig::info(abi::CommandOp::load, 0, 0, 17)) == 0);
  CHECK(rig.apply(Rig::info(abi::CommandOp::load, 0, 1, 18)) == 0);
  CHECK(rig.apply(Rig::info(abi::CommandOp::commit, 5)) == 2);
  PacketInfo packet{};
  int waited = 0;
  for (rig.table.tick(); !rig.table.allows(packet); rig.table.tick()) {
    rig.clock.tick();
    ++waited;
  }
  CHECK(waited == 2);
  CHECK(rig.table.generation(1) == 5);
  CHECK(rig.table.row(1).byte[0] == 17);
  CHECK(rig.table.row(1).byte[64] == 18);
}

TEST_CASE("A removed entry is zero") {
  Rig rig;
  rig.apply(Rig::info(abi::CommandOp::load, 0, 0, 17));
  rig.apply(Rig::info(abi::CommandOp::load, 0, 1, 18));
  rig.apply(Rig::info(abi::CommandOp::commit, 5));
  rig.settle();
  REQUIRE(rig.table.row(1).byte[0] == 17);
  rig.settle();
  rig.apply(Rig::info(abi::CommandOp::commit, 0));
  rig.settle();
  for (const std::uint8_t byte : rig.table.row(1).byte) CHECK(byte == 0);
  CHECK(rig.table.generation(1) == 0);
}

TEST_CASE("Words out of order, missing or for a live entry are refused") {
  Rig rig;
  rig.apply(Rig::info(abi::CommandOp::load, 0, 1, 18), false);
  rig.apply(Rig::info(abi::CommandOp::load, 0, 0, 17));
  rig.apply(Rig::info(abi::CommandOp::commit, 5), false);
  rig.apply(Rig::info(abi::CommandOp::load, 0, 2, 19), false);
  rig.apply(Rig::info(abi::CommandOp::load, 0, 1, 18));
  rig.apply(Rig::info(abi::CommandOp::commit, 5));
  rig.apply(Rig::info(abi::CommandOp::load, 0, 0, 20), false);
  rig.apply(Rig::info(abi::CommandOp::commit, 6), false);
  rig.settle();
  CHECK(rig.table.generation(1) == 5);
  CHECK(rig.table.generation(4) == 0);
}
