// SAs and directories that the registry's tests use.
#pragma once

#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "linecrypt/esp_sa.hpp"
#include "linecrypt/macsec.hpp"

namespace linecrypt::test {

// Removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    // Memory where there is one: these tests sync often and prove nothing of the disk.
    const char* const base = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    std::string name = std::string(base) + "/linecrypt-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <std::size_t N>
Secret<N> secret(std::size_t size, std::uint8_t first) {
  std::array<std::uint8_t, N> bytes{};
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return Secret<N>(std::span<const std::uint8_t>(bytes).first(size));
}

inline EspSa esp_sa(Direction direction, std::uint8_t key, std::uint8_t salt = 0, bool esn = true) {
  EspSa sa;
  sa.spi = 0x1000U + key;
  sa.direction = direction;
  sa.key = secret<32>(32, key);
  sa.salt = secret<4>(4, salt);
  sa.esn = esn;
  sa.source = {Family::ipv4, {192, 0, 2, 1}};
  sa.destination = {Family::ipv4, {192, 0, 2, 2}};
  return sa;
}

inline MacsecSa macsec_sa(Direction direction, std::uint8_t key, std::uint16_t port,
                          CipherSuite suite = CipherSuite::gcm_aes_256) {
  MacsecSa sa;
  sa.secy.suite = suite;
  sa.direction = direction;
  sa.sci = {{{2, 0, 0, 0, 0, 1}}, port};
  sa.key = secret<32>(key_size(suite), key);
  if (is_xpn(suite)) {
    sa.salt = secret<12>(12, key);
    sa.ssci = port;
  }
  return sa;
}

}  // namespace linecrypt::test
