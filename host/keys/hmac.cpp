#include "host/keys/hmac.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "linecrypt/wire/endian.hpp"

namespace linecrypt::keys {

Digest hmac(const Secret<32>& key, std::string_view purpose,
            std::initializer_list<std::span<const std::uint8_t>> parts) {
  // Sized before it is filled: growing would leave copies of key bytes behind.
  std::size_t size = 4 + purpose.size();
  for (const auto part : parts) size += 4 + part.size();
  std::vector<std::uint8_t> text(size);
  std::size_t at = 0;
  const auto put = [&](const void* bytes, std::size_t length) {
    wire::store32(text.data() + at, static_cast<std::uint32_t>(length));
    if (length != 0) std::memcpy(text.data() + at + 4, bytes, length);
    at += 4 + length;
  };
  put(purpose.data(), purpose.size());
  for (const auto part : parts) put(part.data(), part.size());
  Digest digest{};
  unsigned int digest_size = 0;
  HMAC(EVP_sha256(), key.bytes().data(), static_cast<int>(key.size()), text.data(), text.size(), digest.data(),
       &digest_size);
  cleanse(text.data(), text.size());
  return digest;
}

Result<void> fill_random(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::getrandom(bytes.data(), bytes.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error{fmt::format("no random bytes from the system (getrandom: {})", std::strerror(errno))};
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace linecrypt::keys
