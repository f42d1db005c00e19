#include "driver/dpdk/crypto/aead_sessions.hpp"

#include <fmt/format.h>

#include <cerrno>

namespace linecrypt::dpdk {

int read_aead(const rte_crypto_sym_xform* xform, AeadSession& session, GcmTransform& gcm, std::string& why) {
  if (const int code = read_transform(xform, gcm, why); code != 0) return code;
  if (xform->next != nullptr) {
    why = "xform: AES_GMAC with a NULL cipher, allowed: alone";
    return -ENOTSUP;
  }
  if (gcm.iv_length != software::aead_iv_size) {
    why = fmt::format("iv.length: {}, allowed: {}", gcm.iv_length, software::aead_iv_size);
    return -ENOTSUP;
  }
  session.encrypt = gcm.encrypt;
  session.gmac = gcm.gmac;
  session.iv_offset = gcm.iv_offset;
  session.aad_length = gcm.aad_length;
  return 0;
}

AeadSessions::AeadSessions(std::unique_ptr<software::AeadProvider> provider, std::uint32_t count)
    : provider_(std::move(provider)),
      sessionless_(!provider_->name().starts_with("openssl")),
      keys_(provider_->context_size(), provider_->context_alignment()),
      sessions_(std::make_unique<AeadSession[]>(count)),
      count_(count) {
  free_.reserve(count);
  for (std::uint32_t i = count; i-- > 0;) free_.push_back(i);
}

Result<std::unique_ptr<AeadSessions>> AeadSessions::make(software::ProviderChoice choice, std::uint32_t count) {
  auto provider = software::make_provider(choice);
  if (!provider) return provider.error();
  std::unique_ptr<AeadSessions> sessions(new AeadSessions(std::move(provider).value(), count));
  if (auto reserved = sessions->keys_.reserve(count); !reserved) return reserved.error();
  return sessions;
}

AeadSessions::~AeadSessions() {
  for (std::uint32_t i = 0; i < count_; ++i)
    if (sessions_[i].generation.load(std::memory_order_relaxed) != 0) provider_->destroy(sessions_[i].key);
}

int AeadSessions::create(const rte_crypto_sym_xform* xform, AeadHandle& handle, std::string& why) {
  handle = {};
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    why = fmt::format("all {} sessions are in use; devarg max_sas allows more", count_);
    return -ENOMEM;
  }
  AeadSession& session = sessions_[free_.back()];
  GcmTransform gcm;
  if (const int code = read_aead(xform, session, gcm, why); code != 0) return code;
  auto key = keys_.allocate();
  if (!key) {
    why = key.error().message;
    return -ENOMEM;
  }
  if (auto expanded = provider_->expand({gcm.key, gcm.key_length}, *key); !expanded) {
    keys_.release(*key);
    why = expanded.error().message;
    return -ENOTSUP;
  }
  free_.pop_back();
  session.key = *key;
  session.queue.store(no_queue, std::memory_order_relaxed);
  if (++last_generation_ == 0) last_generation_ = 1;
  session.generation.store(last_generation_, std::memory_order_release);
  handle = {&session, last_generation_};
  return 0;
}

void AeadSessions::destroy(AeadHandle& handle) noexcept {
  const std::lock_guard lock(mutex_);
  AeadSession* const session = find(handle);
  handle = {};
  if (session == nullptr) return;
  session->generation.store(0, std::memory_order_release);
  provider_->destroy(session->key);
  keys_.release(session->key);
  session->key = nullptr;
  free_.push_back(static_cast<std::uint32_t>(session - sessions_.get()));
}

Result<void*> AeadSessions::take_context() {
  const std::lock_guard lock(mutex_);
  return keys_.allocate();
}

void AeadSessions::release_context(void* context) noexcept {
  const std::lock_guard lock(mutex_);
  keys_.release(context);
}

}  // namespace linecrypt::dpdk
