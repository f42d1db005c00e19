#include "tests/firmware_hls/gcm/reference.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace linecrypt::test {
namespace {

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
using Block = std::array<std::uint8_t, 16>;

void must(int result, const char* what) {
  if (result != 1) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

Block encrypt(const Bytes& key, const Block& block) {
  const Context context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  const EVP_CIPHER* cipher = key.size() == 16 ? EVP_aes_128_ecb() : EVP_aes_256_ecb();
  must(EVP_EncryptInit_ex(context.get(), cipher, nullptr, key.data(), nullptr), "ECB key");
  must(EVP_CIPHER_CTX_set_padding(context.get(), 0), "padding");
  Block out{};
  int length = 0;
  must(EVP_EncryptUpdate(context.get(), out.data(), &length, block.data(), 16), "ECB");
  return out;
}

// The S-box by its definition: the inverse in GF(2^8), then the affine map (FIPS 197 5.1.1).
std::uint8_t times(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if ((b >> i & 1U) != 0) product ^= static_cast<unsigned>(a) << i;
  }
  for (unsigned i = 15; i >= 8; --i) {
    if ((product >> i & 1U) != 0) product ^= 0x11bU << (i - 8);
  }
  return static_cast<std::uint8_t>(product);
}
std::uint8_t s_box(std::uint8_t x) {
  unsigned inverse = 0;
  for (unsigned y = 1; y < 256; ++y) {
    if (times(x, static_cast<std::uint8_t>(y)) == 1) inverse = y;
  }
  unsigned result = 0x63;
  for (unsigned turn = 0; turn < 5; ++turn) result ^= ((inverse << turn) | (inverse >> (8 - turn))) & 0xffU;
  return static_cast<std::uint8_t>(result);
}

// SP 800-38D 6.3, algorithm 1.
Block multiply(const Block& x, Block v) {
  Block z{};
  for (unsigned i = 0; i < 128; ++i) {
    if ((x[i / 8] >> (7 - i % 8) & 1U) != 0) {
      for (std::size_t j = 0; j < 16; ++j) z[j] = static_cast<std::uint8_t>(z[j] ^ v[j]);
    }
    const bool carry = (v[15] & 1U) != 0;
    for (std::size_t j = 15; j > 0; --j) v[j] = static_cast<std::uint8_t>((v[j] >> 1U) | (v[j - 1] << 7U));
    v[0] = static_cast<std::uint8_t>((v[0] >> 1U) ^ (carry ? 0xe1U : 0U));
  }
  return z;
}

}  // namespace

Sealed seal(const Bytes& key, const Bytes& iv, const Bytes& aad, const Bytes& text) {
  const Context context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  const EVP_CIPHER* cipher = key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
  must(EVP_EncryptInit_ex(context.get(), cipher, nullptr, key.data(), iv.data()), "GCM key");
  int length = 0;
  if (!aad.empty())
    must(EVP_EncryptUpdate(context.get(), nullptr, &length, aad.data(), static_cast<int>(aad.size())),
         "associated data");
  Sealed sealed{Bytes(text.size()), Bytes(16)};
  if (!text.empty())
    must(EVP_EncryptUpdate(context.get(), sealed.text.data(), &length, text.data(), static_cast<int>(text.size())),
         "text");
  Bytes rest(16);
  must(EVP_EncryptFinal_ex(context.get(), rest.data(), &length), "end");
  must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, 16, sealed.tag.data()), "tag");
  return sealed;
}

abi::KeyEntry expand(const Bytes& key) {
  abi::KeyEntry entry{};
  const std::size_t words = key.size() / 4;
  entry.rounds = static_cast<std::uint8_t>(words + 6);
  std::array<std::uint8_t, std::size_t{4} * 60> schedule{};
  std::copy(key.begin(), key.end(), schedule.begin());
  std::uint8_t constant = 1;
  for (std::size_t i = words; i < 4 * (std::size_t{entry.rounds} + 1); ++i) {
    std::array<std::uint8_t, 4> word{};
    std::copy_n(schedule.begin() + static_cast<long>(4 * (i - 1)), 4, word.begin());
    if (i % words == 0) {
      std::rotate(word.begin(), word.begin() + 1, word.end());
      for (auto& byte : word) byte = s_box(byte);
      word[0] = static_cast<std::uint8_t>(word[0] ^ constant);
      constant = times(constant, 2);
    } else if (words > 6 && i % words == 4) {
      for (auto& byte : word) byte = s_box(byte);
    }
    for (std::size_t j = 0; j < 4; ++j)
      schedule[4 * i + j] = static_cast<std::uint8_t>(schedule[4 * (i - words) + j] ^ word[j]);
  }
  std::memcpy(entry.round_key, schedule.data(), sizeof entry.round_key);
  const Block h = encrypt(key, Block{});
  Block power = h;
  for (std::uint32_t exponent = 1, i = 0; i < abi::ghash_powers; ++exponent, power = multiply(power, h)) {
    if (exponent == abi::ghash_exponent(i)) std::memcpy(entry.power[i++], power.data(), power.size());
  }
  return entry;
}

}  // namespace linecrypt::test
