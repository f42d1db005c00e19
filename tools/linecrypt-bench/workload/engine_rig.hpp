// EngineRig: an open engine, its slots, and SAs that come in pairs: what the egress one makes, the ingress one takes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/software/aead/provider.hpp"
#include "host/tables/slot_table.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::bench {

enum class Protocol : std::uint8_t { esp, macsec };

[[nodiscard]] constexpr Operation operation_of(Protocol protocol, Direction direction) noexcept {
  const bool egress = direction == Direction::egress;
  if (protocol == Protocol::esp) return egress ? Operation::esp_encapsulate : Operation::esp_decapsulate;
  return egress ? Operation::macsec_protect : Operation::macsec_validate;
}

// ESP: tunnel mode IPv4, ESN, window of 1024. MACsec: XPN, explicit SCI, strict, replay window 0 with a bitmap of 1024
// for duplicates. `key_bits` is 128 or 256; `number` gives the SA its own key, salt, SPI or SCI.
[[nodiscard]] EspSa make_esp_sa(Direction direction, std::uint32_t key_bits, std::uint32_t number);
[[nodiscard]] MacsecSa make_macsec_sa(Direction direction, std::uint32_t key_bits, std::uint32_t number);
[[nodiscard]] Sa make_sa(Protocol protocol, Direction direction, std::uint32_t key_bits, std::uint32_t number);
// The key that make_sa() gives SA `number`.
[[nodiscard]] std::vector<std::uint8_t> key_of(std::uint32_t key_bits, std::uint32_t number);

// Each provider of software::ProviderChoice by the name it has there, in that order.
[[nodiscard]] std::vector<std::string> provider_names();
[[nodiscard]] software::ProviderChoice provider_of(std::string_view name);

class EngineRig {
 public:
  // Opens `engine` over `sas` slots, with a queue for each worker.
  static Result<std::unique_ptr<EngineRig>> make(std::unique_ptr<Engine> engine, std::uint32_t sas,
                                                 std::uint32_t queues = 1);
  static Result<std::unique_ptr<EngineRig>> software(software::ProviderChoice provider, std::uint32_t sas);
  ~EngineRig();
  EngineRig(const EngineRig&) = delete;
  EngineRig& operator=(const EngineRig&) = delete;

  // In a free slot. An egress SA has a lease that no run comes to the end of.
  Result<SaId> install(const Sa& sa);
  Result<void> remove(SaId id);
  [[nodiscard]] Engine& engine() noexcept { return *engine_; }
  [[nodiscard]] std::span<const SaSlot> slots() const noexcept { return slots_.slots(); }

  // Takes the jobs through the engine, waits for the last one. One thread a queue.
  void run(std::span<Job* const> jobs, QueueId queue = QueueId{0}) noexcept;

 private:
  EngineRig(std::unique_ptr<Engine> engine, std::uint32_t sas) : slots_(sas), engine_(std::move(engine)) {}

  tables::SlotTable slots_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace linecrypt::bench
