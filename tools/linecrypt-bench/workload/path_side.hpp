// PathSide: bursts of packets through an engine, ESP, MACsec or both, on one SA or a million.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/linecrypt-bench/measure/side.hpp"
#include "tools/linecrypt-bench/workload/engine_rig.hpp"
#include "tools/linecrypt-bench/workload/packet_block.hpp"

namespace linecrypt::bench {

// both: ESP, and MACsec around it, in one trip.
enum class Protocols : std::uint8_t { esp, macsec, both };

struct PathSettings {
  Protocols protocols = Protocols::esp;
  Direction direction = Direction::egress;
  std::uint32_t key_bits = 128;
  // Of the packets of a burst, in turn: an IP packet where ESP is in it, else a frame without FCS.
  std::vector<std::uint32_t> sizes = {64};
  std::uint32_t burst = 32;
  std::uint32_t sas = 1;       // of each protocol, that packets take in turn
  std::uint32_t first_sa = 0;  // the number of the first one: each has a key and an SPI or SCI by its number
  bool spoil_result = false;   // a planted fault: one bit of one packet, for the second check() to find
};

class PathSide final : public Side {
 public:
  // Both engines are closed. `engine` is what is measured; `helper` has the SAs of the other direction, to make what an
  // ingress SA takes and to open what an egress SA made. An error names what did not fit: memory, an engine's SAs.
  static Result<std::unique_ptr<PathSide>> make(std::unique_ptr<Engine> engine, std::unique_ptr<Engine> helper,
                                                const PathSettings& settings);
  // On engines that other sides share, each with a queue and SAs of its own; `queue` is this one's.
  static Result<std::unique_ptr<PathSide>> make_on(std::shared_ptr<EngineRig> egress,
                                                   std::shared_ptr<EngineRig> ingress, const PathSettings& settings,
                                                   QueueId queue = QueueId{0});
  // Other sizes from now on, none above the largest of PathSettings.
  void set_sizes(const std::vector<std::uint32_t>& sizes);

  [[nodiscard]] std::uint32_t packets() const noexcept override { return settings_.burst; }
  // Bytes of a burst, by PathSettings::sizes.
  [[nodiscard]] std::uint64_t clear_bytes() const noexcept { return clear_bytes_; }
  void prepare() override;
  void run() override { rig(settings_.direction).run(packets_.pointers(), queue_); }
  [[nodiscard]] std::string check() override;
  // ESP egress: from the ESP header on, for outer headers are not alike everywhere. Ingress: without an Ethernet
  // header.
  [[nodiscard]] std::span<const std::uint8_t> result(std::uint32_t i) const override;

 private:
  PathSide(const PathSettings& settings, QueueId queue);
  [[nodiscard]] EngineRig& rig(Direction direction) noexcept { return *rigs_[static_cast<std::size_t>(direction)]; }
  Result<void> install();
  // Job i, through the SAs of `direction` that stand at `sa`.
  void ask(PacketBlock& block, std::uint32_t i, Direction direction, std::uint32_t sa);
  [[nodiscard]] std::string wrong_verdict(PacketBlock& block) const;
  [[nodiscard]] std::string compare_with_clear(PacketBlock& block) const;

  PathSettings settings_;
  QueueId queue_;
  std::uint32_t checks_ = 0;
  std::shared_ptr<EngineRig> rigs_[2];  // by direction
  std::vector<SaId> esp_[2];            // by direction
  std::vector<SaId> macsec_[2];         // by direction
  std::vector<Bytes> clear_;
  std::uint64_t clear_bytes_ = 0;
  PacketBlock packets_;
  PacketBlock opened_;  // what check() opens again
  std::vector<std::uint32_t> sa_of_packet_;
  std::uint32_t sa_at_ = 0;
  std::uint32_t sa_step_ = 1;
};

// SA slots that `settings` need on an engine.
[[nodiscard]] constexpr std::uint32_t slots_of(const PathSettings& settings) noexcept {
  return settings.protocols == Protocols::both ? 2 * settings.sas : settings.sas;
}

// Bytes that an IPv4 tunnel SA encrypts of an inner packet: it, its padding and the trailer.
[[nodiscard]] constexpr std::uint32_t esp_text_size(std::uint32_t inner) noexcept {
  return (inner + 2 + 3) / 4 * 4;
}

}  // namespace linecrypt::bench
