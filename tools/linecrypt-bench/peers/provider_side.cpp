#include "host/values/key_arena.hpp"
#include "tools/linecrypt-bench/peers/aead_messages.hpp"

namespace linecrypt::bench {
namespace {

using software::AeadOp;
using software::AeadProvider;

class ProviderSide final : public AeadMessages {
 public:
  ProviderSide(std::unique_ptr<AeadProvider> provider, const AeadSettings& settings)
      : AeadMessages(settings),
        provider_(std::move(provider)),
        keys_(provider_->context_size(), provider_->context_alignment(), 1) {}
  ~ProviderSide() override {
    if (key_ != nullptr) provider_->destroy(key_);
  }
  ProviderSide(const ProviderSide&) = delete;
  ProviderSide& operator=(const ProviderSide&) = delete;

  Result<void> set_up() {
    auto memory = keys_.allocate();
    if (!memory) return memory.error();
    if (auto expanded = provider_->expand(key(), *memory); !expanded) return expanded;
    key_ = *memory;
    for (Message& message : messages_) {
      AeadOp op;
      op.key = key_;
      std::copy(message.iv.begin(), message.iv.end(), op.iv);
      op.aad_head = message.aad.data();
      op.aad_head_length = settings().aad_size;
      op.in = op.out = message.text;
      op.length = settings().text_size;
      op.tag = message.text + settings().text_size;
      ops_.push_back(op);
    }
    return make_answers();
  }

  void run() override { seals() ? provider_->seal(ops_) : provider_->open(ops_); }
  std::string check() override {
    for (std::size_t i = 0; i < ops_.size(); ++i) messages_[i].good = ops_[i].good;
    return AeadMessages::check();
  }

 private:
  std::unique_ptr<AeadProvider> provider_;
  KeyArena keys_;
  void* key_ = nullptr;
  std::vector<AeadOp> ops_;
};

}  // namespace

Result<std::unique_ptr<Side>> make_provider_side(std::unique_ptr<AeadProvider> provider, const AeadSettings& settings) {
  auto side = std::make_unique<ProviderSide>(std::move(provider), settings);
  if (auto ready = side->set_up(); !ready) return ready.error();
  return std::unique_ptr<Side>(std::move(side));
}

}  // namespace linecrypt::bench
