#include "host/keys/hmac.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace linecrypt;
using namespace linecrypt::keys;

namespace {

// What hmac() promises, by OpenSSL's own HMAC: each part with its length before it.
Digest by_openssl(const Secret<32>& key, std::string_view purpose, const std::vector<std::string>& parts) {
  std::string text;
  const auto put = [&](std::string_view part) {
    for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<char>(part.size() >> shift));
    text += part;
  };
  put(purpose);
  for (const std::string& part : parts) put(part);
  Digest digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.bytes().data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return digest;
}

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_CASE("A prepared HMAC gives what OpenSSL's gives, as often as it is asked and for keys of any size") {
  for (const std::size_t key_size : {16U, 24U, 32U}) {
    std::vector<std::uint8_t> bytes(key_size);
    for (std::size_t i = 0; i < key_size; ++i) bytes[i] = static_cast<std::uint8_t>(7 * i + key_size);
    const Secret<32> key(bytes);
    const Hmac prepared(key);
    for (const std::size_t length : {0U, 1U, 47U, 48U, 64U, 106U, 107U, 108U, 111U, 112U, 127U, 128U, 129U, 1000U}) {
      const std::string first(length, 'a');
      const std::string second = "salt";
      const Digest expected = by_openssl(key, "a purpose", {first, second});
      CHECK(prepared("a purpose", {bytes_of(first), bytes_of(second)}) == expected);
      CHECK(hmac(key, "a purpose", {bytes_of(first), bytes_of(second)}) == expected);
      // Where a part ends is part of what is named.
      CHECK(prepared("a purpose", {bytes_of(first + second)}) != expected);
      CHECK(prepared("another", {bytes_of(first), bytes_of(second)}) != expected);
    }
  }
}
