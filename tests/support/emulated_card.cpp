#include "tests/support/emulated_card.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <string>

namespace linecrypt::test {

bool emulated_card_here() {
  const char* const mode = std::getenv("XCL_EMULATION_MODE");
  return mode != nullptr && *mode != '\0' && std::getenv("LINECRYPT_BITSTREAMS") != nullptr;
}

bool only_card() {
  const char* const engines = std::getenv("LINECRYPT_ENGINES");
  return engines != nullptr && std::strcmp(engines, "card") == 0;
}

card::CardOptions emulated_card_options() {
  card::CardOptions options;
  options.xclbin = std::string(std::getenv("LINECRYPT_BITSTREAMS")) + "/linecrypt-emulated-both.xclbin";
  options.slab_bytes = 256U << 10U;
  options.slabs = 4;
  return options;
}

std::unique_ptr<Engine> make_emulated_card() {
  card::CardOptions options = emulated_card_options();
  // A card serves one session: a test with two engines takes two of the configured ones (four_cards.toml).
  auto made = card::make_card_engine(options);
  for (options.device = 1; !made && options.device < 4; ++options.device) {
    auto other = card::make_card_engine(options);
    if (other) made = std::move(other);
  }
  INFO((made.ok() ? std::string() : made.error().message));
  REQUIRE(made.ok());
  return std::move(made).value();
}

bool able(const Engine& engine, const Sa& sa) {
  return std::visit([&](const auto& one) { return check(engine.capabilities(), one).ok(); }, sa);
}

void skip_unless_able(const Engine& engine, const Sa& sa) {
  if (able(engine, sa)) return;
  const auto refused = std::visit([&](const auto& one) { return check(engine.capabilities(), one); }, sa);
  SUCCEED("left out: " << refused.error().message);
  // Catch2 has no way to skip: this is how it leaves a test case, and without a failed assertion the case has passed.
  throw Catch::TestFailureException();
}

}  // namespace linecrypt::test
