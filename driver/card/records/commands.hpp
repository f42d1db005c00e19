// What the driver writes into the command ring for one SA: EspSa and MacsecSa as table words, and the changes of a live
// SA. Pure: no card is touched here.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "linecrypt/abi/rings.hpp"
#include "linecrypt/abi/sa_record.hpp"
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/ids.hpp"
#include "linecrypt/lease.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/result.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::card {

// Commands in the order in which the ring must carry them, not mixed with others for the same block. Epoch and cookie
// are the writer's. Holds keys: cannot be copied, cleansed when it goes.
class CommandList {
 public:
  static constexpr std::size_t capacity = abi::key_entry_words + abi::record_words + abi::number_words + 1;

  CommandList() = default;
  CommandList(const CommandList&) = delete;
  CommandList& operator=(const CommandList&) = delete;
  CommandList(CommandList&& other) noexcept { take(other); }
  CommandList& operator=(CommandList&& other) noexcept {
    if (this != &other) take(other);
    return *this;
  }
  ~CommandList() { cleanse(commands_.data(), sizeof commands_); }

  [[nodiscard]] std::span<const abi::Command> commands() const noexcept { return {commands_.data(), size_}; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // A zeroed command behind the others. Precondition: size() < capacity.
  abi::Command& append() noexcept { return commands_[size_++]; }

 private:
  void take(CommandList& other) noexcept {
    commands_ = other.commands_;
    size_ = other.size_;
    cleanse(other.commands_.data(), sizeof other.commands_);
    other.size_ = 0;
  }

  std::array<abi::Command, capacity> commands_{};
  std::size_t size_ = 0;
};

[[nodiscard]] abi::Block block_of(const EspSa& sa) noexcept;
[[nodiscard]] abi::Block block_of(const MacsecSa& sa) noexcept;

// Everything a new SA needs: its words, and a commit that responds. `lease` is for egress, `window_top` (numbers up to
// it count as seen) for ingress; `ceiling` is the accept ceiling of in-line ingress, 0 on look-aside. Precondition:
// check() with the card's capabilities passed.
[[nodiscard]] CommandList install_commands(SaId id, const EspSa& sa, Lease lease, std::uint64_t window_top,
                                           std::uint64_t ceiling = 0);
[[nodiscard]] CommandList install_commands(SaId id, const MacsecSa& sa, Lease lease, std::uint64_t window_top,
                                           std::uint64_t ceiling = 0);

// One command each, which responds. The slot may be used again once the response of a drain behind remove is there.
[[nodiscard]] abi::Command remove_command(SaId id, abi::Block block) noexcept;
[[nodiscard]] abi::Command grant_command(SaId id, abi::Block block, Lease lease) noexcept;
[[nodiscard]] abi::Command raise_lowest_command(SaId id, abi::Block block, std::uint64_t lowest_pn) noexcept;
[[nodiscard]] abi::Command raise_ceiling_command(SaId id, abi::Block block, std::uint64_t ceiling) noexcept;
[[nodiscard]] abi::Command expire_command(SaId id, abi::Block block) noexcept;
[[nodiscard]] abi::Command read_command(SaId id, abi::Block block) noexcept;
[[nodiscard]] abi::Command drain_command(abi::Block block) noexcept;

}  // namespace linecrypt::card
