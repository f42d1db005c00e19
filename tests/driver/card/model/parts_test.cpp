// The model's parts alone: memory, the plan of faults, the configuration.
#include <map>
#include <random>

#include "driver/card/model/configuration.hpp"
#include "driver/card/model/faults.hpp"
#include "driver/card/model/memory.hpp"
#include "tests/driver/card/model/rig.hpp"

namespace linecrypt::card_model {

TEST_CASE("memory gives out pages that never overlap, inside the bank, and takes them back") {
  CardMemory memory;
  const std::vector<Bank> banks{{"A", 0, 64 * page_bytes}, {"B", 1U << 20U, 16 * page_bytes}};
  memory.arrange(banks);
  std::mt19937 random(3);
  std::map<std::uint64_t, std::uint64_t> mine;
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 2 == 0) {
      const std::uint32_t bank = random() % 2;
      const std::uint64_t size = 1 + random() % (5 * page_bytes);
      const auto address = memory.allocate(bank, size);
      if (!address) continue;
      REQUIRE(*address % page_bytes == 0);
      REQUIRE(*address >= banks[bank].base);
      REQUIRE(*address + size <= banks[bank].base + banks[bank].size);
      for (const auto& [begin, bytes] : mine) REQUIRE((*address + size <= begin || begin + bytes <= *address));
      mine[*address] = size;
    } else if (!mine.empty()) {
      const auto victim = std::next(mine.begin(), static_cast<long>(random() % mine.size()));
      memory.release(victim->first);
      CHECK(memory.live(victim->first, 1) == nullptr);
      mine.erase(victim);
    }
  }
  CHECK(memory.buffers() == mine.size());
}

TEST_CASE("only bytes inside one live buffer are reached") {
  CardMemory memory;
  memory.arrange({{"A", 0x1000, 8 * page_bytes}});
  const std::uint64_t first = *memory.allocate(0, page_bytes);
  const std::uint64_t second = *memory.allocate(0, page_bytes);
  REQUIRE(second == first + page_bytes);
  CHECK(memory.live(first, page_bytes) != nullptr);
  CHECK(memory.live(first, page_bytes + 1) == nullptr);
  CHECK(memory.live(first + 1, page_bytes) == nullptr);
  CHECK(memory.live(first - 1, 2) == nullptr);
  CHECK(memory.live(second + page_bytes - 1, 1) != nullptr);
  CHECK(memory.live(second + page_bytes, 1) == nullptr);
  CHECK(memory.live(first, ~std::uint64_t{0}) == nullptr);
  CHECK(memory.live(~std::uint64_t{0}, 2) == nullptr);
  memory.release(first);
  CHECK(memory.live(first, 1) == nullptr);
  CHECK(memory.chips(first, page_bytes) != nullptr);
  CHECK(memory.chips(second, page_bytes + 1) == nullptr);
}

TEST_CASE("banks that overlap share their bytes") {
  CardMemory memory;
  memory.arrange({{"A", 0, 4 * page_bytes}, {"B", 4 * page_bytes, 4 * page_bytes}, {"A+B", 0, 8 * page_bytes}});
  const std::uint64_t across = *memory.allocate(2, 5 * page_bytes);
  CHECK(across == 0);
  const std::uint64_t in_b = *memory.allocate(1, page_bytes);
  CHECK(in_b == 5 * page_bytes);
  CHECK_FALSE(memory.allocate(0, page_bytes).ok());
  memory.live(across, 5 * page_bytes)[4 * page_bytes] = 42;
  memory.release(across);
  CHECK(*memory.live(*memory.allocate(1, page_bytes), 1) == 42);
}

TEST_CASE("the plan gives faults in the order of their moments, never early") {
  FaultPlan plan;
  plan.add({FaultKind::kill, 30, 0});
  plan.add({FaultKind::hang, 10, 1});
  plan.add({FaultKind::slow, 10, 2});
  CHECK(plan.next() == 10);
  CHECK_FALSE(plan.take(9).has_value());
  CHECK(plan.take(10)->kind == FaultKind::hang);
  CHECK(plan.take(50)->kind == FaultKind::slow);
  CHECK_FALSE(plan.take(29).has_value());
  CHECK(plan.take(30)->kind == FaultKind::kill);
  CHECK(plan.next() == FaultPlan::never);
  for (int kind = 0; kind <= static_cast<int>(FaultKind::recover); ++kind)
    CHECK(fault_named(name_of(static_cast<FaultKind>(kind))) == static_cast<FaultKind>(kind));
}

TEST_CASE("the configuration of README.md reads as it says") {
  const auto read = read_configuration(R"(
seed = 5
log = "info"
[[card]]
name = "one"
bank_mib = 64
slow = 1000
[card.pci]
address = "0000:5e:00.1"
device = 0x5001
numa_node = 1
[[card.port]]
index = 1
attach = "pcap:a.pcap,b.pcap"
[[card.port]]
index = 0
attach = "packet:veth0"
[[card.fault]]
name = "lost"
at = [100, 200]
argument = 1
[[card]]
name = "two"
)",
                                       "cards.toml");
  INFO((read.ok() ? "" : read.error().message));
  REQUIRE(read.ok());
  CHECK(read->seed == 5);
  CHECK(read->log == LogLevel::info);
  REQUIRE(read->cards.size() == 2);
  const CardConfiguration& card = read->cards[0];
  CHECK(card.bank_bytes == 64U << 20U);
  CHECK(card.slow == 1000);
  CHECK(card.pci.device == 0x5001);
  CHECK(card.pci.vendor == 0x10ee);
  CHECK(card.pci.numa_node == 1);
  CHECK(card.ports.at(0).name == "a.pcap");
  CHECK(card.ports.at(0).write == "b.pcap");
  CHECK(card.ports.at(1).kind == PortConfiguration::Kind::packet);
  CHECK(card.faults.at(0).kind == FaultKind::lost);
  CHECK(card.faults.at(0).at >= 100);
  CHECK(card.faults.at(0).at <= 200);
  CHECK(card.faults.at(0).argument == 1);
}

TEST_CASE("each mistake in the configuration is refused with its line and what is allowed") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"seeds = 1", "line 1: 'seeds' is not a key here; allowed: seed, log, card"},
      {"seed = -1", "line 1: 'seed' must be a number"},
      {"log = \"loud\"", "allowed: error, info"},
      {"card = 3", "'card' must be written as [[...card]]"},
      {"[[card]]\nbanks = 2", "line 2: card[0].'banks' is not a key here"},
      {"[[card]]\nname = 7", "line 2: card[0].'name' must be a text"},
      {"[[card]]\n[[card.port]]\nindex = 2", "'index' must be a number from 0 to 1"},
      {"[[card]]\n[[card.port]]\nattach = \"usb:x\"", "allowed: tap:<interface>"},
      {"[[card]]\n[[card.port]]\nattach = \"tap:a-name-that-is-too-long\"", "1 to 15 characters"},
      {"[[card]]\n[[card.port]]\nattach = \"socket:\"", "a socket's path has 1 to 107 characters"},
      {"[[card]]\n[[card.port]]\nattach = \"tap:a\"\nplugged = 1", "'plugged' must be true or false"},
      {"[[card]]\n[[card.port]]\nattach = \"pcap:one\"", "the file to read, a comma"},
      {"[[card]]\n[[card.port]]\nattach=\"tap:a\"\n[[card.port]]\nattach=\"tap:b\"", "port 0 is there twice"},
      {"[[card]]\n[[card.fault]]\nname = \"burn\"", "allowed: hang, slow"},
      {"[[card]]\n[[card.fault]]\nname = \"hang\"\nat = [5, 4]", "'at' must be a cycle, or [lowest, highest]"},
      {"[[card]]\n[card.pci]\nvendor = 0x10000", "line 3: card[0].pci.'vendor' must be a number from 0 to 65535"},
      {"seed = ", "line 1"},
  }));
  const auto read = read_configuration(text, "cards.toml");
  INFO(text);
  REQUIRE_FALSE(read.ok());
  INFO(read.error().message);
  CHECK(read.error().message.find("cards.toml: ") == 0);
  CHECK(read.error().message.find(expected) != std::string::npos);
}

}  // namespace linecrypt::card_model
