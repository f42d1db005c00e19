// Ed25519 signatures over manifests. Keys are PEM files, as `openssl genpkey -algorithm ed25519` makes them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "linecrypt/result.hpp"

struct evp_pkey_st;

namespace linecrypt::bitstreams {

struct KeyDeleter {
  void operator()(evp_pkey_st* key) const noexcept;
};
using KeyHandle = std::unique_ptr<evp_pkey_st, KeyDeleter>;

// Whose signatures are good here.
class PublicKey {
 public:
  static Result<PublicKey> read(const std::string& pem_file);

  // First 16 hexadecimal digits of the SHA-256 of the key's DER text: names the key, proves nothing.
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] bool verifies(std::string_view text, std::string_view signature_base64) const;

 private:
  friend class PrivateKey;
  PublicKey(std::shared_ptr<evp_pkey_st> key, std::string id) : key_(std::move(key)), id_(std::move(id)) {}
  std::shared_ptr<evp_pkey_st> key_;
  std::string id_;
};

class PrivateKey {
 public:
  // Refuses a file that others may read. OpenSSL cleanses the key when this goes away.
  static Result<PrivateKey> read(const std::string& pem_file);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] Result<std::string> sign(std::string_view text) const;  // base64

 private:
  PrivateKey(KeyHandle key, std::string id) : key_(std::move(key)), id_(std::move(id)) {}
  KeyHandle key_;
  std::string id_;
};

// Every *.pem of a directory, in the order of names. A file that is no Ed25519 public key is an error.
Result<std::vector<PublicKey>> read_trusted_keys(const std::string& directory);

}  // namespace linecrypt::bitstreams
