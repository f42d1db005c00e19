// IPsec sessions of a test, and ESP made and opened by OpenSSL alone: the second opinion on every packet.
#pragma once

#include <functional>

#include "tests/driver/dpdk/crypto/rig.hpp"

namespace linecrypt::test {

// One SA, as both sides know it.
struct Esp {
  bool tunnel = true;
  Family outer = Family::ipv4;
  bool esn = false;
  bool gmac = false;
  std::uint32_t spi = 0x1234'5678;
  Bytes key = noise(16, 77);
  Bytes salt = from_hex("cafebabe");
  std::uint32_t window = 1024;
  bool udp = false;
  std::string source = "192.0.2.1";
  std::string destination = "192.0.2.2";
  std::string source6 = "2001:db8:f::1";
  std::string destination6 = "2001:db8:f::2";
};

enum class Way : std::uint8_t { out, in };

class EspSession {
 public:
  // `change`: the last word on what is asked.
  using Change = std::function<void(rte_security_session_conf& conf)>;
  EspSession(const Device& device, const Esp& esp, Way way, const Change& change = nullptr);
  ~EspSession();
  EspSession(const EspSession&) = delete;
  EspSession& operator=(const EspSession&) = delete;

  // It was refused.
  [[nodiscard]] bool none() const { return session_ == nullptr; }
  [[nodiscard]] void* get() const { return session_; }
  // 0 or a negative errno.
  int go_to(std::uint64_t number);
  int destroy();
  [[nodiscard]] rte_security_ipsec_stats stats() const;

  // One packet through the device.
  [[nodiscard]] Outcome run(const Bytes& packet, const Layout& layout = {}) const;
  // Many at once; in place.
  [[nodiscard]] std::vector<Outcome> run_all(const std::vector<Bytes>& packets, std::uint16_t queue_pair = 0) const;

 private:
  const Device& device_;
  Esp esp_;
  rte_crypto_sym_xform xform_[2]{};
  rte_security_session_conf conf_{};
  void* session_ = nullptr;
};

// Keys that no other test has used: numbers belong to a key for as long as the process lives.
Bytes fresh_key(std::size_t size = 16);

// ---- the second opinion ----

// AES-GCM by OpenSSL, `text` in place. False: the tag is wrong.
bool gcm(bool encrypt, const Bytes& key, const Bytes& nonce, const Bytes& data, Bytes& text, Bytes& tag);

// `inner` protected as packet `number`, by RFC 4303, 4106, 4543. `next_header`: 0: what the inner packet is.
Bytes seal(const Esp& esp, const Bytes& inner, std::uint64_t number, std::uint8_t next_header = 0);

struct Opened {
  std::uint64_t iv = 0;
  std::uint32_t sequence = 0;
  std::uint32_t spi = 0;
  Bytes inner;         // tunnel: the packet; transport: header and payload again as one packet
  Bytes outer_header;  // IP, and UDP
};
// None: it is no ESP packet of this SA as number `high` << 32 | what it says.
std::optional<Opened> open(const Esp& esp, const Bytes& packet, std::uint32_t high = 0);

// ---- memory ----

// 16 bytes in a row of `clear` are somewhere in `memory`.
bool shows(const Bytes& memory, const Bytes& clear);

}  // namespace linecrypt::test
