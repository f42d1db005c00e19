#include "host/keys/hmac.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "linecrypt/wire/endian.hpp"

namespace linecrypt::keys {

namespace {

constexpr std::size_t block_size = 64;  // of SHA-256
constexpr std::uint8_t inner_pad = 0x36;
constexpr std::uint8_t outer_pad = 0x5c;

// Fetched once: OpenSSL looks an algorithm up by name each time that it is not given one.
const EVP_MD* sha256() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return md;
}

// SHA-256 itself cannot fail; what can is the memory for it. A name that is not the key's would let two users have one
// number space, so nobody goes on without.
void must(int done) {
  if (done != 1) throw std::bad_alloc();
}

// The text of an HMAC on its way into a digest: gathered, for each call of OpenSSL costs as much as hashing a block.
class Text {
 public:
  explicit Text(EVP_MD_CTX* context) : context_(context) {}
  ~Text() { cleanse(gathered_.data(), gathered_.size()); }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  void put(const void* bytes, std::size_t size) {
    std::array<std::uint8_t, 4> length{};
    wire::store32(length.data(), static_cast<std::uint32_t>(size));
    append(length.data(), length.size());
    append(bytes, size);
  }
  void finish() {
    must(EVP_DigestUpdate(context_, gathered_.data(), size_));
    size_ = 0;
  }

 private:
  void append(const void* bytes, std::size_t size) {
    if (size > gathered_.size() - size_) finish();
    if (size > gathered_.size()) {
      must(EVP_DigestUpdate(context_, bytes, size));
    } else if (size != 0) {
      std::memcpy(gathered_.data() + size_, bytes, size);
      size_ += size;
    }
  }

  EVP_MD_CTX* context_;
  std::array<std::uint8_t, 2 * block_size> gathered_{};
  std::size_t size_ = 0;
};

}  // namespace

void Hmac::Free::operator()(evp_md_ctx_st* context) const noexcept {
  EVP_MD_CTX_free(context);
}

Hmac::Context Hmac::begin(const Secret<32>& key, std::uint8_t pad) {
  std::array<std::uint8_t, block_size> block{};
  std::ranges::copy(key.bytes(), block.begin());
  for (std::uint8_t& byte : block) byte ^= pad;
  Context context(EVP_MD_CTX_new());
  if (!context) throw std::bad_alloc();
  must(EVP_DigestInit_ex2(context.get(), sha256(), nullptr));
  must(EVP_DigestUpdate(context.get(), block.data(), block.size()));
  cleanse(block.data(), block.size());
  return context;
}

Hmac::Hmac(const Secret<32>& key) : inner_(begin(key, inner_pad)), outer_(begin(key, outer_pad)) {}

Digest Hmac::operator()(std::string_view purpose, std::initializer_list<std::span<const std::uint8_t>> parts) const {
  // To make one and to free it would cost as much as hashing.
  static thread_local const Context context(EVP_MD_CTX_new());
  if (!context) throw std::bad_alloc();
  Digest digest{};
  unsigned int size = 0;
  must(EVP_MD_CTX_copy_ex(context.get(), inner_.get()));
  Text text(context.get());
  text.put(purpose.data(), purpose.size());
  for (const auto part : parts) text.put(part.data(), part.size());
  text.finish();
  must(EVP_DigestFinal_ex(context.get(), digest.data(), &size));
  must(EVP_MD_CTX_copy_ex(context.get(), outer_.get()));
  must(EVP_DigestUpdate(context.get(), digest.data(), digest.size()));
  must(EVP_DigestFinal_ex(context.get(), digest.data(), &size));
  return digest;
}

Digest hmac(const Secret<32>& key, std::string_view purpose,
            std::initializer_list<std::span<const std::uint8_t>> parts) {
  return Hmac(key)(purpose, parts);
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
