// AES-GCM by OpenSSL 3. A key context holds one EVP_CIPHER_CTX whose key was set once; a message sets only its IV.
//
// The round keys and powers of H inside the EVP_CIPHER_CTX live on OpenSSL's own heap: programs call
// protect_openssl_memory() first, so that that heap is locked and not dumped.
#include "host/software/aead/openssl.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <new>

#include "linecrypt/secret.hpp"

namespace linecrypt::software {
namespace {

struct KeyContext {
  EVP_CIPHER_CTX* cipher = nullptr;
};

struct CipherFree {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
};
using Cipher = std::unique_ptr<EVP_CIPHER, CipherFree>;

constexpr int encrypt = 1;
constexpr int decrypt = 0;

// 1. The IV starts a new message under the key that stands. 2. Associated data, its two pieces in order. 3. The
// payload.
bool run(const AeadOp& op, EVP_CIPHER_CTX* cipher, int direction) noexcept {
  int size = 0;
  // 1.
  if (EVP_CipherInit_ex2(cipher, nullptr, nullptr, op.iv, direction, nullptr) != 1) return false;
  // 2.
  if (op.aad_head_length != 0 &&
      EVP_CipherUpdate(cipher, nullptr, &size, op.aad_head, static_cast<int>(op.aad_head_length)) != 1)
    return false;
  if (op.aad_tail_length != 0 &&
      EVP_CipherUpdate(cipher, nullptr, &size, op.aad_tail, static_cast<int>(op.aad_tail_length)) != 1)
    return false;
  // 3.
  return op.length == 0 || EVP_CipherUpdate(cipher, op.out, &size, op.in, static_cast<int>(op.length)) == 1;
}

bool seal_one(const AeadOp& op) noexcept {
  EVP_CIPHER_CTX* cipher = static_cast<const KeyContext*>(op.key)->cipher;
  std::uint8_t none[1];
  int size = 0;
  return run(op, cipher, encrypt) && EVP_CipherFinal_ex(cipher, none, &size) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, aead_tag_size, op.tag) == 1;
}

// EVP_CipherFinal_ex compares the tag in constant time.
bool open_one(const AeadOp& op) noexcept {
  EVP_CIPHER_CTX* cipher = static_cast<const KeyContext*>(op.key)->cipher;
  std::uint8_t none[1];
  int size = 0;
  return run(op, cipher, decrypt) && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, aead_tag_size, op.tag) == 1 &&
         EVP_CipherFinal_ex(cipher, none, &size) == 1;
}

class OpensslProvider final : public AeadProvider {
 public:
  OpensslProvider(Cipher aes_128, Cipher aes_192, Cipher aes_256)
      : ciphers_{std::move(aes_128), std::move(aes_192), std::move(aes_256)},
        name_(fmt::format("openssl {}", OpenSSL_version(OPENSSL_VERSION_STRING))) {}

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] std::size_t context_size() const noexcept override { return sizeof(KeyContext); }
  [[nodiscard]] std::size_t context_alignment() const noexcept override { return alignof(KeyContext); }

  Result<void> expand(std::span<const std::uint8_t> key, void* context) override {
    if (key.size() != 16 && key.size() != 24 && key.size() != 32)
      return Error{fmt::format("AES-GCM key of {} bytes; allowed: 16, 24, 32", key.size())};
    EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
    const EVP_CIPHER* algorithm = ciphers_[key.size() / 8 - 2].get();
    if (cipher == nullptr || EVP_CipherInit_ex2(cipher, algorithm, key.data(), nullptr, encrypt, nullptr) != 1) {
      EVP_CIPHER_CTX_free(cipher);
      return Error{"OpenSSL did not take the AES-GCM key"};
    }
    new (context) KeyContext{cipher};
    return {};
  }

  void destroy(void* context) noexcept override {
    // Cleanses its key schedule.
    EVP_CIPHER_CTX_free(static_cast<KeyContext*>(context)->cipher);
    cleanse(context, sizeof(KeyContext));
  }

  // A failure other than a wrong tag is one of OpenSSL itself: nothing of the clear text may stay in `out` then.
  void seal(std::span<AeadOp> ops) noexcept override {
    for (AeadOp& op : ops) {
      op.good = seal_one(op);
      if (op.good) continue;
      if (op.length != 0) cleanse(op.out, op.length);
      cleanse(op.tag, aead_tag_size);
    }
  }

  void open(std::span<AeadOp> ops) noexcept override {
    for (AeadOp& op : ops) {
      op.good = open_one(op);
      if (!op.good && op.length != 0) cleanse(op.out, op.length);
    }
  }

 private:
  Cipher ciphers_[3];
  std::string name_;
};

}  // namespace

Result<std::unique_ptr<AeadProvider>> make_openssl_provider() {
  Cipher ciphers[3];
  constexpr const char* names[] = {"AES-128-GCM", "AES-192-GCM", "AES-256-GCM"};
  for (int i = 0; i < 3; ++i) {
    ciphers[i].reset(EVP_CIPHER_fetch(nullptr, names[i], nullptr));
    if (!ciphers[i]) return Error{fmt::format("OpenSSL has no {}; is a provider with it loaded?", names[i])};
  }
  return std::unique_ptr<AeadProvider>(
      std::make_unique<OpensslProvider>(std::move(ciphers[0]), std::move(ciphers[1]), std::move(ciphers[2])));
}

}  // namespace linecrypt::software
