#include "driver/dpdk/common/esp_sessions.hpp"

#include <cerrno>

#include "driver/dpdk/common/log.hpp"

namespace linecrypt::dpdk {

EspSessions::EspSessions(DeviceContext& device)
    : device_(device), sessions_(std::make_unique<EspSession[]>(device.max_sas())) {}

EspSessions::~EspSessions() {
  if (given_iv_ == nullptr) return;
  for (std::uint32_t i = 0; i < device_.max_sas(); ++i)
    given_iv_->remove(const_cast<GivenIv::Key*>(sessions_[i].iv_key));
}

Result<std::unique_ptr<EspSessions>> EspSessions::make(DeviceContext& device) {
  std::unique_ptr<EspSessions> sessions(new EspSessions(device));
  if (device.options().test_iv) {
    auto provider = software::make_provider(device.options().provider);
    if (!provider) return provider.error();
    sessions->given_iv_ = std::make_unique<GivenIv>(std::move(provider).value());
  }
  return sessions;
}

int EspSessions::refused(int code, const std::string& why) const {
  log(Severity::notice, "{}: session refused: {}", device_.name(), why);
  return code;
}

// 1. What is asked. 2. The SA. 3. The session, published last.
int EspSessions::create(const rte_security_session_conf& conf, rte_security_session_action_type action,
                        EspHandle& handle) {
  handle = {};
  // 1.
  IpsecConf asked;
  std::string why;
  if (const int code = convert(conf, {action, &device_.options()}, asked, why); code != 0) return refused(code, why);
  const Sa sa(std::move(asked.sa));
  const EspSa& esp = std::get<EspSa>(sa);
  // 2.
  auto id = device_.add(sa, asked.number);
  if (!id) return refused(-ENOTSUP, id.error().message);
  // 3.
  const std::lock_guard lock(mutex_);
  EspSession& session = sessions_[id->index];
  session.iv_key = nullptr;
  if (asked.extras.given_iv) {
    auto key = given_iv_->add(esp);
    if (!key) {
      (void)device_.remove(*id);
      return refused(-ENOMEM, key.error().message);
    }
    session.iv_key = *key;
  }
  session.sa_index = id->index;
  session.sa_generation.store(id->generation, std::memory_order_relaxed);
  session.egress = esp.direction == Direction::egress;
  session.tunnel = esp.mode == EspMode::tunnel;
  session.wide = esp.esn;
  session.extras = asked.extras;
  session.destination = esp.destination;
  session.udp_port = esp.udp ? esp.udp->destination_port : std::uint16_t{0};
  session.soft = esp.lifetime.soft;
  session.hard = esp.lifetime.hard;
  session.userdata = reinterpret_cast<std::uint64_t>(conf.userdata);
  session.queue.store(no_queue, std::memory_order_relaxed);
  session.until_renewal = DeviceContext::renewal_distance(session.wide);
  session.soft_told = session.hard_told = false;
  session.packets.reset();
  session.bytes.reset();
  session.errors.reset();
  if (++last_generation_ == 0) last_generation_ = 1;
  session.generation.store(last_generation_, std::memory_order_release);
  handle = {&session, last_generation_};
  return 0;
}

// Egress: the number of the next packet. Nothing else of a session can change.
int EspSessions::update(const rte_security_session_conf& conf, rte_security_session_action_type action,
                        const EspHandle& handle) {
  const std::lock_guard lock(mutex_);
  EspSession* const session = find(handle);
  if (session == nullptr) return refused(-EINVAL, "session_update: the session is gone");
  IpsecConf asked;
  std::string why;
  if (conf.crypto_xform != nullptr)
    if (const int code = convert(conf, {action, &device_.options()}, asked, why); code != 0) return refused(code, why);
  auto id = device_.restart(session->sa(), conf.ipsec.esn.value);
  if (!id) return refused(-EINVAL, "session_update: " + id.error().message);
  session->sa_generation.store(id->generation, std::memory_order_relaxed);
  // A lease of its own: its renewal is counted from here. (A session without a queue has sent nothing.)
  if (const std::uint32_t owner = session->queue.load(std::memory_order_relaxed); owner != no_queue) {
    EngineQueue& queue = device_.queue(owner);
    queue.lock.lock();
    session->until_renewal = DeviceContext::renewal_distance(session->wide);
    queue.lock.unlock();
  }
  return 0;
}

int EspSessions::destroy(EspHandle& handle) {
  const std::lock_guard lock(mutex_);
  EspSession* const session = find(handle);
  if (session == nullptr) return -EINVAL;
  // Workers that still hold it see the SA go stale; remove() waits for them.
  session->generation.store(0, std::memory_order_release);
  handle = {};
  // restart() may have lost it already.
  (void)device_.remove(session->sa());
  if (session->iv_key != nullptr) given_iv_->remove(const_cast<GivenIv::Key*>(session->iv_key));
  session->iv_key = nullptr;
  return 0;
}

int EspSessions::stats(const EspHandle& handle, rte_security_stats& out) const {
  const EspSession* const session = find(handle);
  if (session == nullptr) return -EINVAL;
  out = {};
  out.protocol = RTE_SECURITY_PROTOCOL_IPSEC;
  if (session->egress) {
    out.ipsec.opackets = session->packets.get();
    out.ipsec.obytes = session->bytes.get();
    out.ipsec.oerrors = session->errors.get();
  } else {
    out.ipsec.ipackets = session->packets.get();
    out.ipsec.ibytes = session->bytes.get();
    out.ipsec.ierrors = session->errors.get();
  }
  return 0;
}

EspSession* EspSessions::of_sa(SaId id) noexcept {
  if (id.index >= device_.max_sas()) return nullptr;
  EspSession& session = sessions_[id.index];
  return session.generation.load(std::memory_order_acquire) != 0 && session.sa() == id ? &session : nullptr;
}

}  // namespace linecrypt::dpdk
