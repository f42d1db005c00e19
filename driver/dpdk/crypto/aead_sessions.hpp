// AeadSessions: raw AES-GCM and GMAC of the cryptodev. The card has neither: they are the host's, by an AeadProvider.
#pragma once

#include <rte_crypto_sym.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver/dpdk/common/esp_sessions.hpp"
#include "driver/dpdk/common/ipsec_conf.hpp"
#include "host/software/aead/provider.hpp"
#include "host/values/key_arena.hpp"

namespace linecrypt::dpdk {

struct AeadSession {
  std::atomic<std::uint32_t> generation{0};    // 0: free
  std::atomic<std::uint32_t> queue{no_queue};  // a key context is for one thread at a time: it belongs to one queue
  void* key = nullptr;                         // the provider's
  bool encrypt = false;
  bool gmac = false;
  std::uint16_t iv_offset = 0;
  std::uint16_t aad_length = 0;

  [[nodiscard]] std::uint32_t queue_for(std::uint32_t mine) noexcept {
    std::uint32_t owner = queue.load(std::memory_order_relaxed);
    if (owner == no_queue && queue.compare_exchange_strong(owner, mine, std::memory_order_relaxed)) return mine;
    return owner;
  }
};

// What lies in an rte_cryptodev_sym_session of ours.
struct AeadHandle {
  AeadSession* session;
  std::uint32_t generation;
};

class AeadSessions {
 public:
  static Result<std::unique_ptr<AeadSessions>> make(software::ProviderChoice choice, std::uint32_t count);
  ~AeadSessions();

  // Any thread. 0 or a negative errno with a sentence.
  int create(const rte_crypto_sym_xform* xform, AeadHandle& handle, std::string& why);
  void destroy(AeadHandle& handle) noexcept;

  [[nodiscard]] static AeadSession* find(const AeadHandle& handle) noexcept {
    AeadSession* const session = handle.session;
    if (session == nullptr || session->generation.load(std::memory_order_acquire) != handle.generation) return nullptr;
    return session;
  }
  [[nodiscard]] software::AeadProvider& provider() noexcept { return *provider_; }

  // Sessionless ops expand their key where they are: only by a provider whose contexts take no memory.
  [[nodiscard]] bool sessionless() const noexcept { return sessionless_; }
  // A context of a queue pair's own, for that; any thread. Released by release_context().
  Result<void*> take_context();
  void release_context(void* context) noexcept;

 private:
  AeadSessions(std::unique_ptr<software::AeadProvider> provider, std::uint32_t count);

  std::unique_ptr<software::AeadProvider> provider_;
  bool sessionless_ = false;
  std::mutex mutex_;
  KeyArena keys_;
  std::unique_ptr<AeadSession[]> sessions_;
  std::uint32_t count_;
  std::vector<std::uint32_t> free_;
  std::uint32_t last_generation_ = 0;
};

// The transform as a session has it, but for the key.
int read_aead(const rte_crypto_sym_xform* xform, AeadSession& session, GcmTransform& gcm, std::string& why);

}  // namespace linecrypt::dpdk
