#include "tools/linecrypt-bench/peers/aead_messages.hpp"

#include <fmt/format.h>

#include <cstring>

namespace linecrypt::bench {

using software::aead_tag_size;
using software::AeadOp;

AeadMessages::AeadMessages(const AeadSettings& settings)
    : messages_(settings.burst), settings_(settings), block_(settings.burst, settings.text_size + aead_tag_size) {
  for (std::uint32_t i = 0; i < settings.burst; ++i) {
    const Bytes filler = ethernet_frame(std::max<std::uint32_t>(settings.text_size, 64) + 64, i);
    Message& message = messages_[i];
    std::copy_n(filler.begin() + 14, message.iv.size(), message.iv.begin());
    std::copy_n(filler.begin() + 26, message.aad.size(), message.aad.begin());
    message.text = block_.packet(i).data;
    Bytes clear(filler.begin() + 60, filler.begin() + 60 + settings.text_size);
    clear.resize(settings.text_size + aead_tag_size);
    sealed_.push_back(clear);
    clear_.push_back(std::move(clear));
  }
}

Result<void> AeadMessages::make_answers() {
  auto oracle = software::make_provider(software::ProviderChoice::openssl);
  if (!oracle) return oracle.error();
  std::vector<std::uint64_t> context((*oracle)->context_size() / 8 + 1);
  if (auto expanded = (*oracle)->expand(key(), context.data()); !expanded) return expanded;
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    AeadOp op;
    op.key = context.data();
    std::copy(messages_[i].iv.begin(), messages_[i].iv.end(), op.iv);
    op.aad_head = messages_[i].aad.data();
    op.aad_head_length = settings_.aad_size;
    op.in = op.out = sealed_[i].data();
    op.length = settings_.text_size;
    op.tag = sealed_[i].data() + settings_.text_size;
    (*oracle)->seal({&op, 1});
  }
  (*oracle)->destroy(context.data());
  return {};
}

void AeadMessages::prepare() {
  const auto& from = seals() ? clear_ : sealed_;
  for (std::uint32_t i = 0; i < settings_.burst; ++i) std::memcpy(messages_[i].text, from[i].data(), from[i].size());
}

std::span<const std::uint8_t> AeadMessages::result(std::uint32_t i) const {
  return {messages_[i].text, settings_.text_size + (seals() ? aead_tag_size : 0)};
}

std::string AeadMessages::check() {
  if (settings_.spoil_result && checks_++ > 0) messages_[0].text[0] ^= 1U;
  const auto& right = seals() ? sealed_ : clear_;
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    if (!messages_[i].good) return fmt::format("message {}: its tag was taken for wrong", i);
    const auto found = result(i);
    if (!std::equal(found.begin(), found.end(), right[i].begin()))
      return fmt::format("message {} is not what OpenSSL makes of it", i);
  }
  return {};
}

}  // namespace linecrypt::bench
