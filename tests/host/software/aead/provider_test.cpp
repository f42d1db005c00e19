#include "host/software/aead/provider.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "tests/support/aead.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

TEST_CASE("A forced provider is the one that comes") {
  CHECK((*software::make_provider(software::ProviderChoice::openssl))->name().find("openssl 3.") == 0);
  const auto fast = software::make_provider(software::ProviderChoice::ipsec_mb);
  const auto automatic = software::make_provider(software::ProviderChoice::automatic);
  REQUIRE(automatic.ok());
  // Where this CPU can run it, automatic is the fast one; where not, forcing it is an error that says why.
  if (fast.ok()) {
    CHECK((*fast)->name().find("ipsec-mb 1.") == 0);
    CHECK((*automatic)->name() == (*fast)->name());
  } else {
    CHECK(fast.error().message == "ipsec-mb: this CPU lacks AES-NI or PCLMULQDQ");
    CHECK((*automatic)->name().find("openssl 3.") == 0);
  }
}

TEST_CASE("Only keys of 16, 24 and 32 bytes are expanded") {
  auto& provider = *all_providers()[GENERATE(range(std::size_t{0}, all_providers().size()))];
  KeyArena arena(provider.context_size(), provider.context_alignment(), 1);
  for (std::size_t size = 0; size <= 64; ++size) {
    void* context = *arena.allocate();
    const auto expanded = provider.expand(Bytes(size, 1), context);
    CHECK(expanded.ok() == (size == 16 || size == 24 || size == 32));
    if (expanded.ok())
      provider.destroy(context);
    else
      CHECK(expanded.error().message.find("allowed: 16, 24, 32") != std::string::npos);
    arena.release(context);
  }
}

TEST_CASE("Destroying a key leaves nothing of it in its context") {
  auto& provider = *all_providers()[GENERATE(range(std::size_t{0}, all_providers().size()))];
  const std::size_t size = provider.context_size();
  KeyArena arena(size, provider.context_alignment(), 1);
  auto* context = static_cast<std::uint8_t*>(*arena.allocate());
  REQUIRE(provider.expand(Bytes(32, 0x5a), context).ok());
  CHECK(std::any_of(context, context + size, [](auto byte) { return byte != 0; }));
  provider.destroy(context);
  CHECK(std::all_of(context, context + size, [](auto byte) { return byte == 0; }));
}
