// What the driver loads into the card: expanded keys, an SA's commands, where hash entries stand, what is claimed.
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include "driver/card/records/capabilities.hpp"
#include "driver/card/records/commands.hpp"
#include "driver/card/records/hash_placement.hpp"
#include "driver/card/records/key_expansion.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/hex.hpp"

using namespace linecrypt;
using namespace linecrypt::card;
using test::Bytes;
using test::from_hex;

namespace {

Bytes bytes_of(const std::uint8_t (&block)[16]) {
  return {block, block + 16};
}

// Serial multiplication by the textbook, on bits (SP 800-38D 6.3).
Bytes multiply(const Bytes& x, const Bytes& y) {
  Bytes z(16);
  Bytes v = y;
  for (std::size_t i = 0; i < 128; ++i) {
    if ((x[i / 8] >> (7 - i % 8) & 1) != 0)
      for (std::size_t j = 0; j < 16; ++j) z[j] ^= v[j];
    const bool carry = (v[15] & 1) != 0;
    for (std::size_t j = 15; j > 0; --j) v[j] = static_cast<std::uint8_t>(v[j] >> 1 | v[j - 1] << 7);
    v[0] = static_cast<std::uint8_t>(v[0] >> 1);
    if (carry) v[0] ^= 0xe1;
  }
  return z;
}

}  // namespace

TEST_CASE("Round keys are those of FIPS 197 appendix A") {
  abi::KeyEntry entry{};
  expand_key(from_hex("2b7e151628aed2a6abf7158809cf4f3c"), entry);
  CHECK(entry.rounds == 10);
  CHECK(bytes_of(entry.round_key[0]) == from_hex("2b7e151628aed2a6abf7158809cf4f3c"));
  CHECK(bytes_of(entry.round_key[1]) == from_hex("a0fafe1788542cb123a339392a6c7605"));
  CHECK(bytes_of(entry.round_key[10]) == from_hex("d014f9a8c9ee2589e13f0cc8b6630ca6"));
  CHECK(bytes_of(entry.round_key[11]) == Bytes(16));
  expand_key(from_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"), entry);
  CHECK(entry.rounds == 14);
  CHECK(bytes_of(entry.round_key[2]) == from_hex("9ba354118e6925afa51a8b5f2067fcde"));
  CHECK(bytes_of(entry.round_key[14]) == from_hex("fe4890d1e6188d0b046df344706c631e"));
}

TEST_CASE("The table holds H and its powers") {
  abi::KeyEntry entry{};
  const std::size_t size = GENERATE(16U, 32U);
  expand_key(size == 16 ? Bytes(16) : Bytes(32), entry);
  const Bytes h = bytes_of(entry.power[0]);
  // SP 800-38D's first test case, and its counterpart of 256 bits.
  CHECK(h == from_hex(size == 16 ? "66e94bd4ef8a2c3b884cfa59ca342b2e" : "dc95c078a2408989ad48a21492842087"));
  Bytes power = h;
  std::uint32_t exponent = 1;
  for (std::uint32_t i = 0; i < abi::ghash_powers; ++i) {
    for (; exponent < abi::ghash_exponent(i); ++exponent) power = multiply(power, h);
    CHECK(bytes_of(entry.power[i]) == power);
  }
}

TEST_CASE("The CPU's instructions and the text without them expand every key alike") {
  if (!cpu_expands_keys()) return;
  std::mt19937 random(1);
  for (std::uint32_t i = 0; i < 400; ++i) {
    Bytes key(i % 2 == 0 ? 16 : 32);
    for (std::uint8_t& byte : key) byte = static_cast<std::uint8_t>(random());
    abi::KeyEntry by_cpu{};
    abi::KeyEntry by_hand{};
    expand_key_by_cpu(key, by_cpu);
    expand_key_by_hand(key, by_hand);
    REQUIRE(std::memcmp(&by_cpu, &by_hand, sizeof by_cpu) == 0);
  }
}

TEST_CASE("An SA's commands load each table in order and end with its commit") {
  const bool egress = GENERATE(true, false);
  EspSa sa = test::esp_sa(egress ? Direction::egress : Direction::ingress);
  const CommandList list = install_commands({7, 42}, sa, {1, 100}, 5);
  std::map<abi::Table, std::uint32_t> words;
  for (std::size_t i = 0; i + 1 < list.size(); ++i) {
    const abi::Command& one = list.commands()[i];
    CHECK(one.op == abi::CommandOp::load);
    CHECK(one.block == block_of(sa));
    CHECK(one.index == 7);
    CHECK(one.respond == 0);
    CHECK(one.word == words[one.table]++);
  }
  CHECK(words[abi::Table::key] == abi::key_entry_words);
  CHECK(words[abi::Table::record] == (egress ? 1 : abi::record_words));
  CHECK(words[abi::Table::number] == abi::number_words);
  const abi::Command& last = list.commands().back();
  CHECK(last.op == abi::CommandOp::commit);
  CHECK(last.generation == 42);
  CHECK(last.respond == 1);
}

TEST_CASE("No key byte stays in a list that was moved from or has gone") {
  alignas(CommandList) static std::uint8_t memory[sizeof(CommandList)];
  const Bytes key = test::test_key(32);
  const auto holds_key = [&] {
    return std::search(std::begin(memory), std::end(memory), key.begin(), key.begin() + 16) != std::end(memory);
  };
  auto* list = new (memory) CommandList(install_commands({0, 1}, test::esp_sa(Direction::egress), {1, 2}, 0));
  REQUIRE(holds_key());
  {
    const CommandList taken = std::move(*list);
    CHECK_FALSE(holds_key());
    CHECK(list->size() == 0);
    *list = install_commands({0, 1}, test::esp_sa(Direction::egress), {1, 2}, 0);
    REQUIRE(holds_key());
  }
  list->~CommandList();
  CHECK_FALSE(holds_key());
}

TEST_CASE("Hash entries are found at each moment, also while others come, move and go") {
  constexpr std::uint32_t buckets = 64;
  HashPlacement placement(abi::Block::esp_decapsulate, buckets);
  // What the card would have: buckets as loaded so far.
  std::vector<std::array<abi::HashEntry, abi::hash_slots>> card(buckets);
  std::map<std::uint64_t, SaId> present;
  const auto look = [&](std::uint64_t key) {
    SaId found{};
    for (std::uint32_t way = 0; way < abi::hash_ways; ++way)
      for (const abi::HashEntry& entry : card[abi::hash_bucket(key, 0, way, buckets)])
        if (entry.generation != 0 && entry.key == key) found = {entry.index, entry.generation};
    return found;
  };
  const auto apply = [&](const std::vector<abi::Command>& commands) {
    for (const abi::Command& command : commands) {
      REQUIRE(command.index < buckets);
      std::memcpy(card[command.index].data(), command.payload, abi::word_bytes);
      for (const auto& [key, id] : present) REQUIRE(look(key) == id);
    }
  };
  std::mt19937_64 random(5);
  std::size_t moved = 0;
  for (int step = 0; step < 3000; ++step) {
    const bool add = present.size() < buckets * 3 / 4 || (present.size() < buckets && random() % 2 == 0);
    if (add) {
      const std::uint64_t key = 256 + random() % 100'000;
      const SaId id{static_cast<std::uint32_t>(step % buckets), static_cast<std::uint32_t>(step + 1)};
      auto commands = placement.insert({key, 0}, id);
      if (!commands.ok()) continue;
      moved += commands->size() - 1;
      present.erase(key);
      apply(*commands);
      present[key] = id;
      REQUIRE(look(key) == id);
    } else {
      auto victim = present.begin();
      std::advance(victim, static_cast<long>(random() % present.size()));
      const std::uint64_t key = victim->first;
      present.erase(victim);
      apply(placement.erase({key, 0}));
      REQUIRE_FALSE(look(key).valid());
    }
    REQUIRE(placement.size() == present.size());
  }
  CHECK(moved > 20);
}

TEST_CASE("As many SAs as the card has slots find a place in its hash table") {
  constexpr std::uint32_t buckets = 1024;
  HashPlacement placement(abi::Block::macsec_validate, buckets);
  std::mt19937_64 random(9);
  for (std::uint32_t i = 0; i < buckets; ++i) {
    INFO(i);
    REQUIRE(placement.insert({random(), i % 4}, {i, 1}).ok());
  }
}

TEST_CASE("A full hash table says so and stays as it was") {
  HashPlacement placement(abi::Block::esp_decapsulate, 2);
  std::uint32_t placed = 0;
  for (std::uint32_t spi = 256; spi < 300; ++spi) {
    auto commands = placement.insert({spi, 0}, {0, spi});
    if (commands.ok()) {
      ++placed;
      continue;
    }
    CHECK(commands.error().message.find("hash table") == 0);
    CHECK(placement.size() == placed);
  }
  CHECK(placed <= 4);
  CHECK(placement.erase({1, 0}).empty());
}

TEST_CASE("What the card does not do is refused by name") {
  const Capabilities can = card_capabilities(abi::CardMode::both, 64);
  const auto refusal = [&](const auto& sa) {
    auto checked = check(can, sa);
    return checked.ok() ? std::string() : checked.error().message;
  };
  CHECK(refusal(test::esp_sa(Direction::ingress)).empty());
  CHECK(refusal(test::macsec_sa(Direction::ingress)).empty());
  EspSa esp = test::esp_sa(Direction::egress);
  esp.algorithm = EspAlgorithm::aes_gcm_192;
  esp.key = Secret<32>(test::test_key(24));
  CHECK(refusal(esp).find("AES-192") != std::string::npos);
  EspSa udp6 = test::esp_sa(Direction::egress);
  udp6.udp = UdpEncapsulation{};
  CHECK(refusal(udp6).empty());
  udp6.source = udp6.destination = IpAddress{Family::ipv6, {0x20, 1}};
  CHECK(refusal(udp6).find("udp") == 0);
  EspSa many = test::esp_sa(Direction::ingress);
  many.selectors.resize(abi::selectors_per_sa);
  CHECK(refusal(many).empty());
  many.selectors.resize(abi::selectors_per_sa + 1);
  CHECK(refusal(many).find("selectors: asked 5") == 0);
  MacsecSa offset = test::macsec_sa(Direction::egress, CipherSuite::gcm_aes_128);
  offset.secy.confidentiality_offset = 30;
  CHECK(refusal(offset).find("confidentiality_offset") != std::string::npos);
  CHECK_FALSE(check(card_capabilities(abi::CardMode::macsec, 64), test::esp_sa(Direction::egress)).ok());
  CHECK_FALSE(check(card_capabilities(abi::CardMode::esp, 64), test::macsec_sa(Direction::egress)).ok());
}
