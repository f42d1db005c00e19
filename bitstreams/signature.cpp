#include "bitstreams/signature.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "bitstreams/digest.hpp"

namespace linecrypt::bitstreams {
namespace {

constexpr std::size_t signature_bytes = 64;
constexpr std::size_t signature_text = 88;  // its base64

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDeleter>;

// An encrypted key would make OpenSSL ask on the terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Result<std::string> id_of(EVP_PKEY* key, const std::string& file) {
  if (EVP_PKEY_base_id(key) != EVP_PKEY_ED25519)
    return Error{fmt::format("{}: not an Ed25519 key; only those are allowed", file)};
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key, &der);
  if (length <= 0) return Error{fmt::format("{}: the public key cannot be encoded", file)};
  const auto digest = sha256({der, static_cast<std::size_t>(length)});
  OPENSSL_free(der);
  return hex_text(digest).substr(0, 16);
}

}  // namespace

void KeyDeleter::operator()(evp_pkey_st* key) const noexcept {
  EVP_PKEY_free(key);
}

Result<PublicKey> PublicKey::read(const std::string& pem_file) {
  const File file(std::fopen(pem_file.c_str(), "re"));
  if (!file) return Error{fmt::format("{}: cannot be opened", pem_file)};
  KeyHandle key(PEM_read_PUBKEY(file.get(), nullptr, no_passphrase, nullptr));
  if (!key) return Error{fmt::format("{}: holds no public key in PEM form", pem_file)};
  auto id = id_of(key.get(), pem_file);
  if (!id) return id.error();
  return PublicKey(std::shared_ptr<evp_pkey_st>(std::move(key)), *id);
}

bool PublicKey::verifies(std::string_view text, std::string_view signature_base64) const {
  if (signature_base64.size() != signature_text) return false;
  std::array<unsigned char, signature_text / 4 * 3> signature{};
  const int decoded =
      EVP_DecodeBlock(signature.data(), raw(signature_base64), static_cast<int>(signature_base64.size()));
  if (decoded != static_cast<int>(signature.size())) return false;
  const Context context(EVP_MD_CTX_new());
  return context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature_bytes, raw(text), text.size()) == 1;
}

Result<PrivateKey> PrivateKey::read(const std::string& pem_file) {
  const File file(std::fopen(pem_file.c_str(), "re"));
  if (!file) return Error{fmt::format("{}: cannot be opened", pem_file)};
  struct stat status {};
  if (fstat(fileno(file.get()), &status) != 0) return Error{fmt::format("{}: cannot be examined", pem_file)};
  if ((status.st_mode & 077U) != 0)
    return Error{fmt::format("{}: mode {:04o}, a signing key may be readable by its owner only (0600)", pem_file,
                             status.st_mode & 07777U)};
  KeyHandle key(PEM_read_PrivateKey(file.get(), nullptr, no_passphrase, nullptr));
  if (!key) return Error{fmt::format("{}: holds no private key in PEM form without a passphrase", pem_file)};
  auto id = id_of(key.get(), pem_file);
  if (!id) return id.error();
  return PrivateKey(std::move(key), *id);
}

Result<std::string> PrivateKey::sign(std::string_view text) const {
  std::array<unsigned char, signature_bytes> signature{};
  std::size_t length = signature.size();
  const Context context(EVP_MD_CTX_new());
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &length, raw(text), text.size()) != 1)
    return Error{"OpenSSL could not sign with Ed25519"};
  std::array<unsigned char, signature_text + 1> text_form{};
  EVP_EncodeBlock(text_form.data(), signature.data(), static_cast<int>(length));
  return std::string(reinterpret_cast<const char*>(text_form.data()), signature_text);
}

Result<std::vector<PublicKey>> read_trusted_keys(const std::string& directory) {
  std::error_code failed;
  std::vector<std::string> files;
  for (std::filesystem::directory_iterator entry(directory, failed), end; !failed && entry != end;
       entry.increment(failed))
    if (entry->path().extension() == ".pem") files.push_back(entry->path().string());
  if (failed) return Error{fmt::format("{}: cannot be read: {}", directory, failed.message())};
  std::sort(files.begin(), files.end());
  std::vector<PublicKey> keys;
  for (const auto& file : files) {
    auto key = PublicKey::read(file);
    if (!key) return key.error();
    keys.push_back(std::move(*key));
  }
  return keys;
}

}  // namespace linecrypt::bitstreams
