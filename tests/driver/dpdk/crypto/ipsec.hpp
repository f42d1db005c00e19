// IPsec sessions of a test.
#pragma once

#include <functional>

#include "tests/driver/dpdk/crypto/rig.hpp"
#include "tests/driver/dpdk/esp.hpp"

namespace linecrypt::test {

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

}  // namespace linecrypt::test
