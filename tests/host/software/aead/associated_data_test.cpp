// Associated data in two pieces must be as one piece. The oracle is OpenSSL's one-shot use, written out here.
#include <openssl/evp.h>
#include <catch2/catch.hpp>
#include <memory>

#include "tests/support/aead.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

Bytes numbered(std::size_t size, unsigned seed) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + seed + (i >> 8U));
  return bytes;
}

struct Sealed {
  Bytes text;
  Bytes tag = Bytes(16);
};

Sealed oracle(const Bytes& key, const Bytes& iv, const Bytes& aad, const Bytes& clear) {
  const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  const EVP_CIPHER* cipher = key.size() == 16   ? EVP_aes_128_gcm()
                             : key.size() == 24 ? EVP_aes_192_gcm()
                                                : EVP_aes_256_gcm();
  Sealed sealed;
  sealed.text.resize(clear.size());
  int size = 0;
  Bytes none(16);
  const bool good = EVP_EncryptInit_ex(context.get(), cipher, nullptr, key.data(), iv.data()) == 1 &&
                    (aad.empty() ||
                     EVP_EncryptUpdate(context.get(), nullptr, &size, aad.data(), static_cast<int>(aad.size())) == 1) &&
                    (clear.empty() || EVP_EncryptUpdate(context.get(), sealed.text.data(), &size, clear.data(),
                                                        static_cast<int>(clear.size())) == 1) &&
                    EVP_EncryptFinal_ex(context.get(), none.data(), &size) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, 16, sealed.tag.data()) == 1;
  REQUIRE(good);
  return sealed;
}

const Bytes iv = numbered(12, 7);

}  // namespace

TEST_CASE("With a payload, associated data split anywhere gives the answer of one piece") {
  auto& provider = *all_providers()[GENERATE(range(std::size_t{0}, all_providers().size()))];
  const Bytes key = numbered(GENERATE(std::size_t{16}, std::size_t{24}, std::size_t{32}), 3);
  const ExpandedKey expanded(provider, key);
  INFO(provider.name());
  for (std::size_t total = 0; total <= 128; ++total) {
    const Bytes aad = numbered(total, 99);
    const Bytes clear = numbered(1 + total % 67, 50);
    const Sealed right = oracle(key, iv, aad, clear);
    // Both pieces of at most 64 bytes.
    for (std::size_t head = total > 64 ? total - 64 : 0; head <= std::min<std::size_t>(total, 64); ++head) {
      Message sealing(clear, aad, head, head % 2 == 0);
      software::AeadOp op = sealing.op(expanded.get(), iv);
      provider.seal({&op, 1});
      if (sealing.output() != right.text || sealing.tag() != right.tag || !sealing.intact())
        FAIL("seal of " << total << " bytes split at " << head);
      Message opening(right.text, aad, head, head % 2 != 0);
      opening.set_tag(right.tag);
      op = opening.op(expanded.get(), iv);
      provider.open({&op, 1});
      if (!op.good || opening.output() != clear || !opening.intact())
        FAIL("open of " << total << " bytes split at " << head);
    }
  }
}

TEST_CASE("Without a payload, associated data of any size and split gives the answer of one piece") {
  auto& provider = *all_providers()[GENERATE(range(std::size_t{0}, all_providers().size()))];
  const Bytes key = numbered(GENERATE(std::size_t{16}, std::size_t{24}, std::size_t{32}), 3);
  const ExpandedKey expanded(provider, key);
  INFO(provider.name());
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 300; ++size) sizes.push_back(size);
  for (const std::size_t size : {511U, 512U, 513U, 1500U, 4096U, 9000U, 9216U}) sizes.push_back(size);
  for (const std::size_t total : sizes) {
    const Bytes aad = numbered(total, 99);
    const Sealed right = oracle(key, iv, aad, {});
    for (std::size_t head = 0; head <= std::min<std::size_t>(total, 64); head += total > 200 ? 7 : 1) {
      Message message({}, aad, head, true);
      software::AeadOp op = message.op(expanded.get(), iv);
      provider.seal({&op, 1});
      if (message.tag() != right.tag || !message.intact()) FAIL("seal of " << total << " bytes split at " << head);
      provider.open({&op, 1});
      if (!op.good) FAIL("open of " << total << " bytes split at " << head);
      op.tag[head % 16] ^= 1U;
      provider.open({&op, 1});
      if (op.good) FAIL("a wrong tag of " << total << " bytes split at " << head);
    }
  }
}
