// SaStore: the control thread's side of the software engine: what is installed in each slot, in which memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

#include "host/software/aead/provider.hpp"
#include "host/values/key_arena.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::software {

// Memory of an SA beside its slot: a context of 128 bytes, the provider's key context, and for ingress a window of up
// to 1024 numbers in 128 bytes; a larger one lies on the heap. Nothing else is kept: where the last lease ended stands
// in the slot's mailbox, the rest in the context.
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

  // Frees what was removed and no worker can hold any more. Never waits.
  void reclaim();
  // No worker can hold anything of the slot's last SA any more. Waits only where reclaim() cannot know it.
  void settle(std::uint32_t index);
  // SAs and contexts of moved peers that are removed and not freed yet.
  [[nodiscard]] std::size_t retired() const noexcept { return retired_.size(); }

  struct Footprint {
    std::size_t per_egress_sa = 0;   // bytes beside the slot
    std::size_t per_ingress_sa = 0;  // with a window of at most 1024
    std::size_t taken = 0;           // from the system, by all arenas
    std::size_t huge = 0;            // of that, asked for on huge pages
  };
  [[nodiscard]] Footprint footprint() const noexcept;

 private:
  // Waits for a moment behind which no worker holds it.
  struct Retired {
    std::uint64_t moment = 0;
    void* context = nullptr;  // a moved peer's old one; none: the whole SA of the slot
    std::uint32_t index = 0;
  };

  Result<void> find(SaId id) const;
  Result<void*> make(const Sa& sa);
  Result<void> make_window(SaSlot& slot, std::uint32_t bits);
  Result<void*> expand(std::span<const std::uint8_t> key);
  void free(SaSlot& slot) noexcept;
  void free_context(void* context, SaProtocol protocol, Direction direction) noexcept;
  void free(const Retired& retired) noexcept;
  void retire(Retired retired);
  void wait_for_workers() const;

  Result<void> set_peer(SaSlot& slot, const SetPeer& peer);

  AeadProvider& provider_;
  const Capabilities& capabilities_;
  std::span<SaSlot> slots_;
  Reclamation reclamation_;
  KeyArena contexts_;
  KeyArena keys_;
  KeyArena windows_;
  std::deque<Retired> retired_;  // in order of their moments
};

}  // namespace linecrypt::software
