// EspSteering: which received ESP packets are decrypted, and under which session. Sessions are found by SPI; rules of
// rte_flow say which of them take packets: without a rule, ESP is delivered as it came.
//
// Threads: control calls come from any thread, a mutex makes them one at a time. Workers take no lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "driver/dpdk/common/esp_sessions.hpp"
#include "driver/dpdk/net/esp_header.hpp"
#include "host/tables/spi_table.hpp"

namespace linecrypt::dpdk {

// What a rule matches; what is not said matches all.
struct EspMatch {
  bool ipv4 = true;  // outer headers
  bool ipv6 = true;
  bool udp_only = false;
  std::optional<std::uint32_t> spi;
  EspHandle session{};  // the rule's own; none: all ingress sessions

  bool operator==(const EspMatch& other) const = default;
};

class EspSteering {
 public:
  // What a rule's packets come to: all of its sessions' since it was made.
  struct Hits {
    std::uint64_t packets = 0, bytes = 0;
  };
  struct Rule {
    EspMatch match;
    bool counts = false;  // with an action COUNT
    Hits before;          // of its sessions when it was made, or reset
    Hits gone;            // of its sessions that are gone
  };

  // `sessions` outlives it.
  explicit EspSteering(EspSessions& sessions);

  // ---- control ----
  // An ingress session comes (false: another one has its SPI) and goes.
  bool add_session(std::uint32_t spi, const EspHandle& handle);
  void remove_session(const EspHandle& handle);
  [[nodiscard]] bool has_spi(std::uint32_t spi);
  [[nodiscard]] std::optional<std::uint32_t> spi_of(const EspHandle& handle);

  Rule* add_rule(const EspMatch& match, bool counts);
  // False: it is none of ours.
  bool remove_rule(Rule* rule);
  [[nodiscard]] std::optional<Hits> hits(Rule* rule, bool reset);

  // ---- workers ----
  [[nodiscard]] bool active() const noexcept { return rules_count_.load(std::memory_order_relaxed) != 0; }
  // The session that is to decrypt it; none: nobody.
  [[nodiscard]] EspSession* session_for(const EspHeader& esp) noexcept;

 private:
  static constexpr std::uint32_t reserved_spis = 256;

  // Number of rules that give a session its packets, by the outer family.
  using Steered = std::array<std::atomic<std::uint32_t>, 2>;
  struct Known {
    EspHandle handle;
    std::uint32_t index = 0;
  };

  [[nodiscard]] bool matches(const EspMatch& match, std::uint32_t spi, const EspHandle& handle) const noexcept;
  void steer(const EspMatch& match, std::uint32_t index, std::uint32_t by) noexcept;
  template <typename Each>
  void for_sessions_of(const EspMatch& match, Each&& each);
  [[nodiscard]] Hits live_hits(const Rule& rule);
  [[nodiscard]] SaId find(std::uint32_t spi) const noexcept;

  EspSessions& sessions_;
  std::mutex mutex_;
  tables::SpiTable table_;                                  // SPI -> the session's SA index and generation
  std::unique_ptr<std::atomic<std::uint64_t>[]> reserved_;  // the same for SPIs 1 to 255
  std::unique_ptr<Steered[]> steered_;                      // by SA index
  std::unordered_map<std::uint32_t, Known> by_spi_;
  std::vector<std::uint32_t> spis_;  // by SA index
  std::vector<std::unique_ptr<Rule>> rules_;
  std::atomic<std::uint32_t> rules_count_{0};
};

}  // namespace linecrypt::dpdk
