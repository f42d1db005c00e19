// SaStore: the control thread's side of the software engine: what is installed in each slot, in which memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host/software/aead/provider.hpp"
#include "host/values/key_arena.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::software {

class SaStore {
 public:
  // `provider` and `capabilities` outlive this. All slots are free afterwards, whoever used them before.
  SaStore(AeadProvider& provider, const Capabilities& capabilities, const EngineSetup& setup);
  // Retires every SA.
  ~SaStore();
  SaStore(const SaStore&) = delete;
  SaStore& operator=(const SaStore&) = delete;

  // EngineSetup::reserve.
  Result<void> reserve();

  // As Engine has them.
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top);
  Result<void> update(SaId id, const SaUpdate& update);
  Result<void> remove(SaId id);
  [[nodiscard]] Result<SaState> read(SaId id) const;

 private:
  // What one slot holds beside its SaSlot.
  struct Installed {
    void* context = nullptr;    // the protocol's, in contexts_
    void* key = nullptr;        // the provider's, in keys_
    EspSa* esp = nullptr;       // settings of an ESP SA without its key, in settings_ (they hold the salt)
    std::uint64_t granted = 0;  // egress: end of the last lease
    std::unique_ptr<std::uint64_t[]> window;
  };

  Result<void> find(SaId id) const;
  Result<void> make(Installed& installed, const EspSa& sa);
  Result<void> make(Installed& installed, const MacsecSa& sa);
  Result<void> expand(Installed& installed, std::span<const std::uint8_t> key);
  void free(Installed& installed, SaProtocol protocol) noexcept;
  void free_context(void* context, SaProtocol protocol) noexcept;
  void wait_for_workers() const;

  Result<void> grant(SaSlot& slot, Installed& installed, Lease lease);
  Result<void> set_peer(SaSlot& slot, Installed& installed, const SetPeer& peer);

  AeadProvider& provider_;
  const Capabilities& capabilities_;
  std::span<SaSlot> slots_;
  Reclamation reclamation_;
  KeyArena contexts_;
  KeyArena keys_;
  KeyArena settings_;
  std::vector<Installed> installed_;
};

}  // namespace linecrypt::software
