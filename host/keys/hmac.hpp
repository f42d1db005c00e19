// HMAC-SHA256 over a few parts, and random bytes: all the cryptography that the registry needs.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include "linecrypt/result.hpp"
#include "linecrypt/secret.hpp"

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace linecrypt::keys {

using Digest = std::array<std::uint8_t, 32>;

// HMAC-SHA256(key, purpose | each part behind its length), so that no two lists of parts give one text.
[[nodiscard]] Digest hmac(const Secret<32>& key, std::string_view purpose,
                          std::initializer_list<std::span<const std::uint8_t>> parts);

// The same under a key that is used again and again: what HMAC does with the key alone is done once. Any thread.
class Hmac {
 public:
  Hmac() = default;  // none yet
  explicit Hmac(const Secret<32>& key);
  [[nodiscard]] Digest operator()(std::string_view purpose,
                                  std::initializer_list<std::span<const std::uint8_t>> parts) const;

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  using Context = std::unique_ptr<evp_md_ctx_st, Free>;
  static Context begin(const Secret<32>& key, std::uint8_t pad);

  Context inner_;  // behind its first block, which is the padded key (RFC 2104 2)
  Context outer_;
};

Result<void> fill_random(std::span<std::uint8_t> bytes);

}  // namespace linecrypt::keys
