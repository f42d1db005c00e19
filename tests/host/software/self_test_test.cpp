#include "host/software/self_test.hpp"

#include <catch2/catch.hpp>

#include "tests/support/aead.hpp"
#include "tests/support/engines.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
using software::SelfTestFault;

TEST_CASE("The self-test passes on every provider, and each planted fault is caught by name") {
  const auto& provider = all_providers()[GENERATE(range(std::size_t{0}, all_providers().size()))];
  const std::string prefix = "self-test of " + std::string(provider->name()) + ": ";
  CHECK(software::run_self_test(provider).ok());
  const std::pair<SelfTestFault, std::string> faults[] = {
      {SelfTestFault::gcm_128_answer, "AES-128-GCM seal: wrong answer"},
      {SelfTestFault::gcm_192_answer, "AES-192-GCM seal: wrong answer"},
      {SelfTestFault::gcm_256_answer, "AES-256-GCM seal: wrong answer"},
      {SelfTestFault::gmac_answer, "AES-256-GMAC seal: wrong answer"},
      {SelfTestFault::esp_answer, "ESP encapsulate: wrong answer"},
      {SelfTestFault::macsec_answer, "MACsec protect: wrong answer"},
  };
  for (const auto& [fault, message] : faults) {
    const auto result = software::run_self_test(provider, fault);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message == prefix + message);
  }
}

namespace {

// A provider with one thing broken.
enum class Broken { seal, accepts_any_tag, keeps_text_of_wrong_tag, drops_aad_tail };

class BrokenProvider final : public software::AeadProvider {
 public:
  explicit BrokenProvider(Broken broken) : broken_(broken), inner_(all_providers().front()) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "broken"; }
  [[nodiscard]] std::size_t context_size() const noexcept override { return inner_->context_size(); }
  [[nodiscard]] std::size_t context_alignment() const noexcept override { return inner_->context_alignment(); }
  Result<void> expand(std::span<const std::uint8_t> key, void* context) override {
    return inner_->expand(key, context);
  }
  void destroy(void* context) noexcept override { inner_->destroy(context); }
  void seal(std::span<software::AeadOp> ops) noexcept override {
    cut(ops);
    inner_->seal(ops);
    if (broken_ == Broken::seal)
      for (auto& op : ops) op.tag[0] ^= 1U;
  }
  void open(std::span<software::AeadOp> ops) noexcept override {
    cut(ops);
    inner_->open(ops);
    for (auto& op : ops) {
      if (broken_ == Broken::accepts_any_tag) op.good = true;
      if (broken_ == Broken::keeps_text_of_wrong_tag && !op.good && op.length != 0) op.out[op.length / 2] = 0x5a;
    }
  }

 private:
  void cut(std::span<software::AeadOp> ops) const {
    if (broken_ == Broken::drops_aad_tail)
      for (auto& op : ops) op.aad_tail_length = 0;
  }
  Broken broken_;
  std::shared_ptr<software::AeadProvider> inner_;
};

}  // namespace

TEST_CASE("A provider that really is broken does not pass") {
  const auto broken =
      GENERATE(Broken::seal, Broken::accepts_any_tag, Broken::keeps_text_of_wrong_tag, Broken::drops_aad_tail);
  const auto result = software::run_self_test(std::make_shared<BrokenProvider>(broken));
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message.find("self-test of broken: AES-128-GCM ") == 0);
}

TEST_CASE("A live engine tests itself without touching its SAs") {
  Rig rig(engine_kinds()[GENERATE(range(std::size_t{0}, engine_kinds().size()))]);
  const SaId id = rig.install(esp_sa(Direction::egress), {7, 9});
  CHECK(rig.engine().self_test().ok());
  CHECK(rig.engine().read(id)->next_number == 7);
  Frame frame(clear_frame());
  CHECK(rig.run(frame.with(id, Operation::esp_encapsulate)) == Verdict::ok);
}
