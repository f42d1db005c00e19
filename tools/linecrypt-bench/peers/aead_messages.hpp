// AeadMessages: the messages that every AEAD side works on, and what must come out.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "tools/linecrypt-bench/peers/aead_side.hpp"
#include "tools/linecrypt-bench/workload/packet_block.hpp"

namespace linecrypt::bench {

class AeadMessages : public Side {
 public:
  [[nodiscard]] std::uint32_t packets() const noexcept override { return settings_.burst; }
  void prepare() override;
  [[nodiscard]] std::string check() override;
  [[nodiscard]] std::span<const std::uint8_t> result(std::uint32_t i) const override;

 protected:
  struct Message {
    std::array<std::uint8_t, software::aead_iv_size> iv{};
    std::array<std::uint8_t, 32> aad{};
    std::uint8_t* text = nullptr;  // and the tag behind it
    bool good = true;              // open: the tag matched
  };

  explicit AeadMessages(const AeadSettings& settings);
  // Computes the results by OpenSSL's provider.
  Result<void> make_answers();

  [[nodiscard]] const AeadSettings& settings() const noexcept { return settings_; }
  [[nodiscard]] bool seals() const noexcept { return settings_.way == AeadWay::seal; }
  [[nodiscard]] std::vector<std::uint8_t> key() const { return key_of(settings_.key_bits, 0); }

  std::vector<Message> messages_;

 private:
  AeadSettings settings_;
  std::uint32_t checks_ = 0;
  PacketBlock block_;
  std::vector<Bytes> clear_;   // with 16 bytes behind it, for the tag
  std::vector<Bytes> sealed_;  // with its tag
};

}  // namespace linecrypt::bench
