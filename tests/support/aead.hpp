// What tests of AES-GCM share: every provider that runs here, an expanded key, and one message as a caller has it.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "host/software/aead/ipsec_mb.hpp"
#include "host/software/aead/openssl.hpp"
#include "host/software/aead/provider.hpp"
#include "host/software/aead/vaes.hpp"
#include "host/software/aead/vaes/provider.hpp"
#include "host/values/key_arena.hpp"
#include "tests/support/hex.hpp"
#include "tests/support/vaes/bodies.hpp"

namespace linecrypt::test {

// LINECRYPT_VAES=emulated: only OpenSSL and the 256-bit body on emulated instructions. That is slow, and tests that go
// through thousands of sizes take fewer.
inline bool vaes_emulated() {
  static const bool emulated = [] {
    const char* asked = std::getenv("LINECRYPT_VAES");
    return asked != nullptr && std::string_view(asked) == "emulated";
  }();
  return emulated;
}

// OpenSSL, and IPsec-MB and ours at each level that this CPU has, and our source at each number of lanes that it can
// imitate. Test cases GENERATE over indexes of it.
inline const std::vector<std::shared_ptr<software::AeadProvider>>& all_providers() {
  static const auto providers = [] {
    using software::IpsecMbLevel;
    using software::VaesLevel;
    std::vector<std::shared_ptr<software::AeadProvider>> list;
    list.emplace_back(software::make_openssl_provider().value());
    if (vaes_emulated()) {
      list.emplace_back(software::vaes::make_provider_of(body_256_emulated));
      return list;
    }
    for (const auto level : {IpsecMbLevel::sse, IpsecMbLevel::avx, IpsecMbLevel::avx2, IpsecMbLevel::avx512})
      if (auto one = software::make_ipsec_mb_provider(level); one.ok()) list.emplace_back(std::move(one).value());
    for (const auto level : {VaesLevel::aesni_128, VaesLevel::vaes_256, VaesLevel::vaes_512})
      if (auto one = software::make_vaes_provider(level); one.ok()) list.emplace_back(std::move(one).value());
    if (software::make_vaes_provider(VaesLevel::aesni_128).ok() && __builtin_cpu_supports("avx2") != 0)
      for (const auto* body : {&body_of_halves, &body_of_four_lanes})
        list.emplace_back(software::vaes::make_provider_of(*body));
    return list;
  }();
  return providers;
}

class ExpandedKey {
 public:
  ExpandedKey(software::AeadProvider& provider, const Bytes& key)
      : provider_(&provider), arena_(provider.context_size(), provider.context_alignment(), 1) {
    context_ = *arena_.allocate();
    if (auto expanded = provider.expand(key, context_); !expanded.ok())
      throw std::runtime_error(expanded.error().message);
  }
  ~ExpandedKey() { provider_->destroy(context_); }
  ExpandedKey(const ExpandedKey&) = delete;
  ExpandedKey& operator=(const ExpandedKey&) = delete;
  [[nodiscard]] const void* get() const { return context_; }

 private:
  software::AeadProvider* provider_;
  KeyArena arena_;
  void* context_ = nullptr;
};

// An op over buffers of its own, each at an odd address and between canaries that must survive.
class Message {
 public:
  static constexpr std::size_t margin = 65;
  static constexpr std::uint8_t canary = 0xc5;

  Message(const Bytes& text, const Bytes& aad, std::size_t head, bool in_place)
      : text_(framed(text)),
        out_(framed(Bytes(text.size(), 0xee))),
        tag_(framed(Bytes(software::aead_tag_size))),
        head_(aad.begin(), aad.begin() + static_cast<long>(head)),
        tail_(aad.begin() + static_cast<long>(head), aad.end()),
        in_place_(in_place) {}

  software::AeadOp op(const void* key, const Bytes& iv) {
    software::AeadOp op;
    op.key = key;
    std::ranges::copy(iv, op.iv);
    op.aad_head = head_.data();
    op.aad_head_length = static_cast<std::uint32_t>(head_.size());
    op.aad_tail = tail_.data();
    op.aad_tail_length = static_cast<std::uint32_t>(tail_.size());
    op.length = static_cast<std::uint32_t>(text_.size() - 2 * margin);
    op.in = text_.data() + margin;
    op.out = in_place_ ? text_.data() + margin : out_.data() + margin;
    op.tag = tag_.data() + margin;
    return op;
  }
  void set_tag(const Bytes& tag) { std::ranges::copy(tag, tag_.begin() + margin); }
  [[nodiscard]] Bytes tag() const { return inner(tag_); }
  [[nodiscard]] Bytes output() const { return inner(in_place_ ? text_ : out_); }
  [[nodiscard]] bool intact() const {
    return std::ranges::all_of(std::vector{&text_, &out_, &tag_}, [](const Bytes* buffer) {
      return std::all_of(buffer->begin(), buffer->begin() + margin, [](auto byte) { return byte == canary; }) &&
             std::all_of(buffer->end() - margin, buffer->end(), [](auto byte) { return byte == canary; });
    });
  }

 private:
  static Bytes framed(const Bytes& text) {
    Bytes buffer(text.size() + 2 * margin, canary);
    std::ranges::copy(text, buffer.begin() + margin);
    return buffer;
  }
  static Bytes inner(const Bytes& buffer) { return {buffer.begin() + margin, buffer.end() - margin}; }

  Bytes text_;
  Bytes out_;
  Bytes tag_;
  Bytes head_;
  Bytes tail_;
  bool in_place_;
};

}  // namespace linecrypt::test
