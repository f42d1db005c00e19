// SaControl: puts keys, leases, slots, tables and one engine together: the only way SAs come to life and end.
//
// Used by the gateway's control thread, by linecryptctl pcap and by the C interface. Not thread safe: one control
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/keys/registry.hpp"
#include "host/tables/slot_table.hpp"
#include "host/tables/spi_table.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::control {

// One SA as people list it. No key material.
struct SaListing {
  SaId id;
  std::string label;      // "tunnel site-b out", "macsec circuit tx an 0"
  std::string protocol;   // "esp", "macsec"
  std::string direction;  // "egress", "ingress"
  std::string engine;
  std::string algorithm;
  std::uint32_t spi = 0;
  std::string sci;
  std::uint8_t an = 0;
  SaState state;
  std::uint64_t age_seconds = 0;
  std::uint32_t replay_window = 0;
  bool static_key = false;
};

struct SaControlOptions {
  Engine* engine = nullptr;               // opened by SaControl, closed by its destructor; outlives it
  keys::KeyRegistry* registry = nullptr;  // outlives it
  std::uint32_t max_sas = 1024;
  std::uint32_t queues = 1;
  Reclamation reclamation{};
  Clock clock{};  // none: the system's monotonic clock
};

class SaControl {
 public:
  static Result<std::unique_ptr<SaControl>> open(const SaControlOptions& options);
  // Ends all SAs. No job may be in flight.
  ~SaControl();

  // Steps: check, claim the key, lease or ingress mark, slot, engine install, SPI table (ingress ESP). On failure all
  // is undone, but for the lease: its numbers stay spent.
  Result<SaId> add(const EspSa& sa, keys::KeyLife life, const std::string& label);
  Result<SaId> add(const MacsecSa& sa, keys::KeyLife life, const std::string& label);
  // Its key is free for another user once service(), add() or the destructor has recorded where it stood.
  Result<void> remove(SaId id);

  // Called at least every 10 ms: engine events -> leases (batched, ahead of need) and listings; lifetimes in seconds;
  // ingress marks each second. Errors are kept for `problems()` and told once as messages; they never stop the others.
  // May wait for the disk.
  void service();

  // Events for the log, moved out: one sentence each, rate-limited per SA and kind.
  [[nodiscard]] std::vector<std::string> take_messages();
  // What is wrong now, one sentence each: leases refused, marks not recorded.
  [[nodiscard]] std::vector<std::string> problems() const;
  [[nodiscard]] std::vector<SaListing> list() const;
  [[nodiscard]] const SaSlot* slot(SaId id) const noexcept;  // none: not live
  [[nodiscard]] std::span<const SaSlot> slots() const noexcept;
  [[nodiscard]] const tables::SpiTable& spi_table() const noexcept;
  [[nodiscard]] Engine& engine() noexcept;

 private:
  SaControl();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linecrypt::control
