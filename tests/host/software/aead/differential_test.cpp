// Random bursts of mixed keys, sizes and places: every provider must give OpenSSL's answers. The long form of this is
// the program aead_differential.
#include <catch2/catch.hpp>

#include "tests/support/aead.hpp"
#include "tests/support/aead_differential.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// One bit of the third message's text is wrong when the burst is sealed.
class Spoiling final : public software::AeadProvider {
 public:
  explicit Spoiling(std::shared_ptr<software::AeadProvider> inner) : inner_(std::move(inner)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "spoiling"; }
  [[nodiscard]] std::size_t context_size() const noexcept override { return inner_->context_size(); }
  [[nodiscard]] std::size_t context_alignment() const noexcept override { return inner_->context_alignment(); }
  Result<void> expand(std::span<const std::uint8_t> key, void* context) override {
    return inner_->expand(key, context);
  }
  void destroy(void* context) noexcept override { inner_->destroy(context); }
  void seal(std::span<software::AeadOp> ops) noexcept override {
    inner_->seal(ops);
    if (ops.size() > 2 && ops[2].length > 40) ops[2].out[40] ^= 1U;
  }
  void open(std::span<software::AeadOp> ops) noexcept override { inner_->open(ops); }

 private:
  std::shared_ptr<software::AeadProvider> inner_;
};

}  // namespace

TEST_CASE("Random bursts of mixed keys, sizes, places and faults give the same answers everywhere") {
  constexpr std::uint64_t seed = 20261130;
  DifferentialRig rig(all_providers(), seed);
  DifferentialSource source(seed);
  const std::size_t bursts = vaes_emulated() ? 60 : long_form() ? 20000 : 400;
  for (std::size_t i = 0; i < bursts; ++i) {
    if (i % 100 == 99) rig.rekey(seed + i);
    if (const std::string different = rig.check(source.next()); !different.empty())
      FAIL("burst " << i << ": " << different);
  }
}

TEST_CASE("One wrong bit in one message of a burst is found") {
  DifferentialRig rig({all_providers().front(), std::make_shared<Spoiling>(all_providers().front())}, 5);
  DifferentialSource source(5);
  std::string different;
  for (std::size_t i = 0; i < 50 && different.empty(); ++i) different = rig.check(source.next());
  CHECK(different.find("spoiling: seal: the text differs of message 2 of") == 0);
}
