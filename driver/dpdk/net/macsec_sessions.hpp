// MacsecSessions: a device's SAs, SCs, sessions and rules of inline MACsec, as rte_security and rte_flow know them.
//
// rte_security makes an SA (a key), then an SC (which SAs, by AN), then a session (the SecY: suite, SCI, what to do
// with frames). Only then all is known that an engine asks for: the SAs are installed with the session, and leave with
// it. One session has an SC, one SC has an SA. Ids of SAs and SCs begin at 1; TX and RX share them.
//
// An SA may be destroyed and created anew under a live SC: the id is kept for an SA of the same direction and AN, which
// takes its place there. So a key is changed for as long as the SC lives. The SA that transmits cannot be destroyed.
//
// Threads: control calls come from any thread, a mutex makes them one at a time. Workers take no lock for looking up
// (macsec_readers.hpp).
#pragma once

#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_security.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "driver/dpdk/common/device_context.hpp"
#include "driver/dpdk/net/macsec_conf.hpp"
#include "driver/dpdk/net/macsec_readers.hpp"
#include "driver/dpdk/net/macsec_session.hpp"
#include "host/values/key_arena.hpp"

namespace linecrypt::dpdk {

inline constexpr std::uint32_t macsec_scs_most = 512;
inline constexpr std::uint32_t macsec_rules_most = 1024;

class MacsecSessions {
 public:
  // `device` ends first: until then it may tell of events. It ends the SAs.
  static Result<std::unique_ptr<MacsecSessions>> make(DeviceContext& device);
  ~MacsecSessions();
  MacsecSessions(const MacsecSessions&) = delete;
  MacsecSessions& operator=(const MacsecSessions&) = delete;

  // ---- control, any thread: 0 (create_sc, create_sa: the id) or a negative errno; refusals are told in the log ----
  int create_sc(const rte_security_macsec_sc& conf);
  int destroy_sc(std::uint16_t id);
  int create_sa(const rte_security_macsec_sa& conf);
  int destroy_sa(std::uint16_t id);
  int sc_stats(std::uint16_t id, rte_security_macsec_sc_stats& out);
  int sa_stats(std::uint16_t id, rte_security_macsec_sa_stats& out);
  int create(const rte_security_session_conf& conf, MacsecHandle& handle);
  int update(const rte_security_session_conf& conf, const MacsecHandle& handle);
  int destroy(MacsecHandle& handle);
  int stats(const MacsecHandle& handle, rte_security_macsec_secy_stats& out);

  // A rule whose session is gone matches nothing, and is still to be removed.
  struct Rule {
    rte_flow_attr attr;
    MacsecMatch match;
    MacsecHandle handle;
  };
  // None: refused, `error` (may be null) says why.
  Rule* add_rule(const rte_flow_attr& attr, const rte_flow_item* pattern, const MacsecHandle& handle,
                 rte_flow_error* error);
  int check_rule(const rte_flow_attr& attr, const rte_flow_item* pattern, const MacsecHandle& handle,
                 rte_flow_error* error);
  void remove_rule(Rule* rule);

  // Entries for rte_security_capabilities_get(), one a suite; none without MACsec.
  [[nodiscard]] static std::vector<rte_security_capability> capability_entries(const Capabilities& engine,
                                                                               std::uint32_t max_sas);

  // What DeviceContext::on_event tells, as the application's event. False: not of MACsec, or nothing to tell.
  bool event(const Event& event, rte_eth_event_macsec_desc& out);
  // What workers have raised since the last call; returns how many. Call it again while `out` was full.
  std::uint32_t take_events(std::span<rte_eth_event_macsec_desc> out);
  // Frames flagged for MACsec that no rule matched, and were dropped.
  [[nodiscard]] std::uint64_t unmatched() const noexcept { return unmatched_.get(); }

  // ---- workers ----
  using Rules = std::vector<MacsecRuleEntry>;
  [[nodiscard]] bool has_rx_rules() const noexcept { return rx_rules_.load(std::memory_order_relaxed) != nullptr; }
  [[nodiscard]] bool has_tx_rules() const noexcept { return tx_rules_.load(std::memory_order_relaxed) != nullptr; }
  // Between readers().enter() and leave(). None: no rule.
  [[nodiscard]] const Rules* rx_rules() const noexcept { return rx_rules_.load(std::memory_order_seq_cst); }
  [[nodiscard]] const Rules* tx_rules() const noexcept { return tx_rules_.load(std::memory_order_seq_cst); }
  [[nodiscard]] MacsecReaders& readers() noexcept { return readers_; }
  void count_unmatched() noexcept { unmatched_.add(); }

 private:
  // What SAs have counted, also those of which the engine knows nothing any more.
  struct Totals {
    std::uint64_t packets = 0, bytes = 0, unchecked = 0, delayed = 0, invalid = 0, late = 0, not_valid = 0;
    std::uint64_t validated_bytes = 0, decrypted_bytes = 0;
    void add(const SaCounters& from) noexcept;
    void add(const Totals& from) noexcept;
  };
  struct SaRecord {
    MacsecKeyed* keyed = nullptr;  // in keys_; none: there is no such SA
    Direction direction = Direction::egress;
    std::uint8_t an = 0;
    std::uint16_t sc =
        0;  // that it belongs to; 0: none. Without an SA: the id is kept for the one that takes its place
    std::uint32_t place = 0;  // there
    SaId installed{};
    Totals past;  // before it was installed as it is now
  };
  struct ScRecord {
    bool used = false;
    rte_security_macsec_sc conf{};
    std::unique_ptr<MacsecSettings> settings;  // of its session; none: no session
    MacsecHandle session{};
    Totals past;  // of SAs that are not installed any more
  };

  explicit MacsecSessions(DeviceContext& device);
  int refused(int code, const std::string& why) const;
  [[nodiscard]] ScRecord* sc_of(std::uint16_t id) noexcept;
  [[nodiscard]] ScRecord* sc_of(const MacsecHandle& handle) noexcept;
  [[nodiscard]] SaRecord* sa_of(std::uint16_t id) noexcept;
  // An SA that an SC names, and where.
  struct Named {
    std::uint16_t id;
    std::uint32_t place;
  };
  [[nodiscard]] static std::vector<Named> named_by(const rte_security_macsec_sc& conf);
  int check_sc(const rte_security_macsec_sc& conf, std::string& why);
  [[nodiscard]] std::uint16_t free_id(const MacsecKeyed& keyed) const noexcept;
  void fill(MacsecSession& session, const MacsecSettings& settings, const rte_security_macsec_sc& sc) const;
  int install(ScRecord& sc, SaRecord& sa, std::uint16_t id, std::string& why);
  void uninstall(SaRecord& sa);
  [[nodiscard]] Totals live(const SaRecord& sa);
  [[nodiscard]] Totals totals(const ScRecord& sc);
  void publish_rules();
  void publish(std::unique_ptr<const Rules>& current, std::atomic<const Rules*>& shown, bool egress);

  DeviceContext& device_;
  MacsecReaders readers_;
  std::mutex mutex_;
  KeyArena keys_;
  std::vector<SaRecord> sas_;                  // by id; [0] is none's
  std::vector<ScRecord> scs_;                  // likewise
  std::unique_ptr<MacsecSession[]> sessions_;  // by their SC's id
  std::vector<std::uint16_t> sa_of_slot_;      // by the engine's index; 0: not ours
  std::uint32_t last_generation_ = 0;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::unique_ptr<const Rules> rx_current_, tx_current_;
  std::atomic<const Rules*> rx_rules_{nullptr}, tx_rules_{nullptr};
  std::atomic<bool> any_notes_{false};
  SharedCounter unmatched_;
};

}  // namespace linecrypt::dpdk
