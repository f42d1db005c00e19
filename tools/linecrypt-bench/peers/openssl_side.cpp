// OpenSSL as its documentation tells an application to use it for many messages under one key.
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "tools/linecrypt-bench/peers/aead_messages.hpp"

namespace linecrypt::bench {
namespace {

struct ContextFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

class OpensslSide final : public AeadMessages {
 public:
  explicit OpensslSide(const AeadSettings& settings) : AeadMessages(settings), context_(EVP_CIPHER_CTX_new()) {}

  Result<void> set_up() {
    const EVP_CIPHER* cipher = settings().key_bits == 128 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
    if (!context_ || EVP_CipherInit_ex(context_.get(), cipher, nullptr, key().data(), nullptr, seals() ? 1 : 0) != 1)
      return Error{"OpenSSL did not take the AES-GCM key"};
    return make_answers();
  }

  void run() override {
    EVP_CIPHER_CTX* const context = context_.get();
    const auto text = static_cast<int>(settings().text_size);
    const auto aad = static_cast<int>(settings().aad_size);
    constexpr int tag = software::aead_tag_size;
    for (Message& message : messages_) {
      int size = 0;
      bool good = EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, message.iv.data(), -1) == 1 &&
                  EVP_CipherUpdate(context, nullptr, &size, message.aad.data(), aad) == 1 &&
                  EVP_CipherUpdate(context, message.text, &size, message.text, text) == 1;
      if (!seals()) good = good && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag, message.text + text) == 1;
      good = good && EVP_CipherFinal_ex(context, message.text + text, &size) == 1;
      if (seals()) good = good && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag, message.text + text) == 1;
      message.good = good;
    }
  }

 private:
  std::unique_ptr<EVP_CIPHER_CTX, ContextFree> context_;
};

}  // namespace

Result<std::unique_ptr<Side>> make_openssl_side(const AeadSettings& settings) {
  auto side = std::make_unique<OpensslSide>(settings);
  if (auto ready = side->set_up(); !ready) return ready.error();
  return std::unique_ptr<Side>(std::move(side));
}

std::string openssl_version() {
  return std::string("OpenSSL ") + OpenSSL_version(OPENSSL_VERSION_STRING);
}

}  // namespace linecrypt::bench
