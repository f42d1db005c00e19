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
  // Where this CPU can run it, it is the fast one; where not, forcing it is an error that says why.
  if (fast.ok())
    CHECK((*fast)->name().find("ipsec-mb 1.") == 0);
  else
    CHECK(fast.error().message == "ipsec-mb: this CPU lacks AES-NI or PCLMULQDQ");
  const auto ours = software::make_provider(software::ProviderChoice::vaes);
  const software::CpuFeatures cpu = software::cpu_features();
  if (cpu.vaes_256)
    CHECK((*ours)->name() == (cpu.avx_512 ? "vaes (vaes 512)" : "vaes (vaes 256)"));
  else if (cpu.aesni_avx)
    CHECK((*ours)->name() == "vaes (aesni 128)");
  else
    CHECK(ours.error().message == "vaes: this CPU lacks AES-NI, PCLMULQDQ or AVX");
}

TEST_CASE("Automatic takes ours where there is no AVX-512, then IPsec-MB, then OpenSSL") {
  using software::ProviderChoice;
  CHECK(software::automatic_choice({}) == ProviderChoice::ipsec_mb);
  CHECK(software::automatic_choice({.aesni_avx = true}) == ProviderChoice::vaes);
  CHECK(software::automatic_choice({.aesni_avx = true, .vaes_256 = true}) == ProviderChoice::vaes);
  CHECK(software::automatic_choice({.aesni_avx = true, .vaes_256 = true, .avx_512 = true}) == ProviderChoice::ipsec_mb);
  CHECK(software::automatic_choice({.aesni_avx = true, .avx_512 = true}) == ProviderChoice::ipsec_mb);
  // On this CPU.
  const auto automatic = software::make_provider(ProviderChoice::automatic);
  const auto first = software::make_provider(software::automatic_choice(software::cpu_features()));
  REQUIRE(automatic.ok());
  if (first.ok())
    CHECK((*automatic)->name() == (*first)->name());
  else
    CHECK((*automatic)->name().find("openssl 3.") == 0);
}

TEST_CASE("A body is refused by what the CPU lacks, and the widest comes first") {
  using software::VaesLevel;
  const auto says = [](VaesLevel level, const software::CpuFeatures& cpu) {
    const auto made = software::make_vaes_provider(level, cpu);
    return made.ok() ? std::string((*made)->name()) : made.error().message;
  };
  const software::CpuFeatures none;
  const software::CpuFeatures narrow{.aesni_avx = true};
  const software::CpuFeatures vaes{.aesni_avx = true, .vaes_256 = true};
  const software::CpuFeatures all{.aesni_avx = true, .vaes_256 = true, .avx_512 = true};
  CHECK(says(VaesLevel::aesni_128, none) == "vaes: this CPU lacks AES-NI, PCLMULQDQ or AVX");
  CHECK(says(VaesLevel::aesni_128, narrow) == "vaes (aesni 128)");
  CHECK(says(VaesLevel::vaes_256, narrow) == "vaes: this CPU lacks VAES, VPCLMULQDQ or AVX2");
  CHECK(says(VaesLevel::best, none) == "vaes: this CPU lacks AES-NI, PCLMULQDQ or AVX");
  CHECK(says(VaesLevel::best, narrow) == "vaes (aesni 128)");
  CHECK(says(VaesLevel::best, vaes) == "vaes (vaes 256)");
  CHECK(says(VaesLevel::vaes_512, vaes) == "vaes: this CPU lacks VAES, VPCLMULQDQ or AVX-512 (F, BW, VL)");
  CHECK(says(VaesLevel::best, all) == "vaes (vaes 512)");
  CHECK(says(VaesLevel::vaes_256, all) == "vaes (vaes 256)");
  // AVX-512 alone is not enough.
  CHECK(says(VaesLevel::vaes_512, {.aesni_avx = true, .avx_512 = true}).find("lacks VAES") != std::string::npos);
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
