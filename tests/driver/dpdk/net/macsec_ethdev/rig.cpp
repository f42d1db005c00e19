// The port of tests/driver/dpdk/net/macsec as an ethdev: the plug-in net_linecrypt over a loop, through DPDK's public
// functions. What goes out of one of its queues comes in at the same queue.
#include "tests/driver/dpdk/net/macsec/rig.hpp"

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "tests/support/waiting.hpp"

namespace linecrypt::test {
namespace {

constexpr std::uint16_t descriptors = 512;

struct Eal {
  char* text = nullptr;
  std::size_t size = 0;
  FILE* stream = nullptr;
  rte_mempool* mbufs = nullptr;
  rte_mempool* sessions = nullptr;

  Eal() {
    std::vector<std::string> words = {"test",
                                      "-l",
                                      "0",
                                      "--no-huge",
                                      "-m",
                                      "256",
                                      "--no-pci",
                                      "--no-telemetry",
                                      "-d",
                                      "librte_net_linecrypt.so",
                                      "--file-prefix",
                                      "linecrypt-macsec-" + std::to_string(::getpid())};
    std::vector<char*> arguments;
    cpu_set_t cpus;
    ::sched_getaffinity(0, sizeof cpus, &cpus);
    for (std::string& word : words) arguments.push_back(word.data());
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0)
      throw std::runtime_error("the EAL does not start; is the plug-in in LD_LIBRARY_PATH?");
    // The EAL ties this thread, and with it those that it starts, to one CPU.
    ::sched_setaffinity(0, sizeof cpus, &cpus);
    stream = ::open_memstream(&text, &size);
    rte_openlog_stream(stream);
    mbufs = rte_pktmbuf_pool_create("frames", 4095, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
    if (mbufs == nullptr) throw std::runtime_error("no mbufs");
  }
  ~Eal() {
    rte_openlog_stream(nullptr);
    rte_eal_cleanup();
    std::fclose(stream);
    std::free(text);
  }
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;
};

Eal& eal() {
  static Eal the_eal;
  return the_eal;
}

rte_mbuf* mbuf_of(const Bytes& bytes, const Layout& layout) {
  rte_mbuf* first = nullptr;
  rte_mbuf* last = nullptr;
  std::size_t at = 0;
  for (std::size_t i = 0; i <= layout.segments.size(); ++i) {
    const std::size_t left = bytes.size() - at;
    const std::size_t size = i < layout.segments.size() ? std::min<std::size_t>(layout.segments[i], left) : left;
    rte_mbuf* const segment = rte_pktmbuf_alloc(eal().mbufs);
    REQUIRE(segment != nullptr);
    std::memset(segment->buf_addr, 0, segment->buf_len);
    segment->data_off = layout.tight ? static_cast<std::uint16_t>(segment->buf_len - size) : layout.headroom;
    REQUIRE(size <= static_cast<std::size_t>(segment->buf_len - segment->data_off));
    std::memcpy(rte_pktmbuf_mtod(segment, void*), bytes.data() + at, size);
    segment->data_len = static_cast<std::uint16_t>(size);
    segment->pkt_len = static_cast<std::uint32_t>(size);
    at += size;
    if (first == nullptr) {
      first = segment;
    } else {
      last->next = segment;
      ++first->nb_segs;
      first->pkt_len += segment->data_len;
    }
    last = segment;
  }
  return first;
}

Came came_from(const rte_mbuf* mbuf) {
  Came came;
  came.flags = mbuf->ol_flags;
  for (const rte_mbuf* one = mbuf; one != nullptr; one = one->next) {
    const auto* const data = rte_pktmbuf_mtod(one, const std::uint8_t*);
    came.bytes.insert(came.bytes.end(), data, data + one->data_len);
    const auto* const memory = static_cast<const std::uint8_t*>(one->buf_addr);
    came.memory.insert(came.memory.end(), memory, memory + one->buf_len);
  }
  CHECK(came.bytes.size() == mbuf->pkt_len);
  return came;
}

const char* asked_devargs() {
  return std::getenv("LINECRYPT_DPDK_DEVARGS");
}

rte_flow_action* actions_of(Session* session, std::array<rte_flow_action, 2>& actions) {
  actions = {};
  actions[0].type = RTE_FLOW_ACTION_TYPE_SECURITY;
  actions[0].conf = session;
  actions[1].type = RTE_FLOW_ACTION_TYPE_END;
  return actions.data();
}

}  // namespace

std::string said() {
  Eal& log = eal();
  std::fflush(log.stream);
  std::string text(log.text, log.size);
  std::fseek(log.stream, 0, SEEK_SET);
  return text;
}

bool ports_are_slow() {
  return asked_devargs() != nullptr && std::string(asked_devargs()).find("xclbin=") != std::string::npos;
}

struct Port::Impl {
  std::string name;
  std::uint16_t id = 0;
  rte_security_ctx* security = nullptr;
  rte_mempool* sessions = nullptr;
  std::mutex mutex;
  std::vector<rte_eth_event_macsec_desc> told;

  ~Impl() {
    if (sessions == nullptr) return;
    rte_eth_dev_callback_unregister(id, RTE_ETH_EVENT_MACSEC, on_event, this);
    rte_eth_dev_stop(id);
    rte_eth_dev_close(id);
    rte_vdev_uninit(name.c_str());
    rte_mempool_free(sessions);
  }

  static int on_event(std::uint16_t /*port*/, rte_eth_event_type /*type*/, void* self, void* desc) {
    auto& impl = *static_cast<Impl*>(self);
    const std::lock_guard lock(impl.mutex);
    impl.told.push_back(*static_cast<rte_eth_event_macsec_desc*>(desc));
    return 0;
  }

  // Every frame leaves or is an error; what left comes back or is an error.
  std::vector<Came> run(const std::vector<Bytes>& frames, const Layout& layout, std::uint32_t queue, bool egress) {
    constexpr std::size_t burst = 32;
    const auto at = static_cast<std::uint16_t>(queue);
    std::vector<Came> out;
    for (std::size_t first = 0; first < frames.size(); first += burst) {
      const std::size_t count = std::min(burst, frames.size() - first);
      std::array<rte_mbuf*, burst> mbufs{};
      for (std::size_t i = 0; i < count; ++i) {
        mbufs[i] = mbuf_of(frames[first + i], layout);
        if (egress) mbufs[i]->ol_flags |= RTE_MBUF_F_TX_MACSEC;
      }
      rte_eth_stats before;
      REQUIRE(rte_eth_stats_get(id, &before) == 0);
      std::size_t sent = 0;
      std::size_t errors = 0;
      std::size_t came = 0;
      Waiting waiting;
      while (sent < count || errors + came < count) {
        const std::uint16_t taken =
            rte_eth_tx_burst(id, at, mbufs.data() + sent, static_cast<std::uint16_t>(count - sent));
        sent += taken;
        std::array<rte_mbuf*, burst> received{};
        const std::uint16_t some = rte_eth_rx_burst(id, at, received.data(), burst);
        for (std::uint16_t i = 0; i < some; ++i) {
          CHECK(received[i]->port == id);
          out.push_back(came_from(received[i]));
          rte_pktmbuf_free(received[i]);
        }
        came += some;
        rte_eth_stats now;
        REQUIRE(rte_eth_stats_get(id, &now) == 0);
        errors = now.oerrors - before.oerrors + now.ierrors - before.ierrors;
        REQUIRE(waiting.turn(taken != 0 || some != 0));
      }
      CHECK(errors + came == count);
    }
    return out;
  }
};

void Port::make(const std::string& devargs, std::uint32_t queues, Engine engine) {
  static int ports = 0;
  impl_->name = "net_linecrypt" + std::to_string(ports++);
  std::string text = engine == Engine::asked && asked_devargs() != nullptr ? asked_devargs() : "engine=software";
  text += ",lower=loopback,unprotected=pass,queues=" + std::to_string(2 * queues);
  if (!devargs.empty()) text += "," + devargs;
  const int made = rte_vdev_init(impl_->name.c_str(), text.c_str());
  INFO(said());
  REQUIRE(made == 0);
  REQUIRE(rte_eth_dev_get_port_by_name(impl_->name.c_str(), &impl_->id) == 0);
  const std::uint16_t id = impl_->id;
  rte_eth_conf conf{};
  conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_MACSEC_STRIP;
  conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MACSEC_INSERT | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  conf.lpbk_mode = 1;
  REQUIRE(rte_eth_dev_configure(id, static_cast<std::uint16_t>(queues), static_cast<std::uint16_t>(queues), &conf) ==
          0);
  for (std::uint16_t i = 0; i < queues; ++i) {
    REQUIRE(rte_eth_rx_queue_setup(id, i, descriptors, SOCKET_ID_ANY, nullptr, eal().mbufs) == 0);
    REQUIRE(rte_eth_tx_queue_setup(id, i, descriptors, SOCKET_ID_ANY, nullptr) == 0);
  }
  REQUIRE(rte_eth_dev_start(id) == 0);
  impl_->security = static_cast<rte_security_ctx*>(rte_eth_dev_get_sec_ctx(id));
  REQUIRE(impl_->security != nullptr);
  const std::string pool = "sessions" + impl_->name;
  impl_->sessions = rte_mempool_create(pool.c_str(), 511, rte_security_session_get_size(impl_->security) + 64, 0, 0,
                                       nullptr, nullptr, nullptr, nullptr, SOCKET_ID_ANY, 0);
  REQUIRE(impl_->sessions != nullptr);
  REQUIRE(rte_eth_dev_callback_register(id, RTE_ETH_EVENT_MACSEC, Impl::on_event, impl_.get()) == 0);
}

// ---- what is kept, and what a test leaves behind ----

std::pair<std::string, std::unique_ptr<Port::Impl>>& Port::kept() {
  eal();  // it ends later
  static std::pair<std::string, std::unique_ptr<Impl>> the_one;
  return the_one;
}

Port::Port(const std::string& devargs, std::uint32_t queues, Engine engine)
    : words_(devargs + " " + std::to_string(queues)), is_kept_(engine == Engine::asked && ports_are_slow()) {
  auto& [words, impl] = kept();
  if (is_kept_ && impl != nullptr && words == words_) {
    impl_ = std::move(impl);
    (void)said();
    return;
  }
  // A card serves one.
  if (is_kept_) impl.reset();
  impl_ = std::make_unique<Impl>();
  make(devargs, queues, engine);
}

Port::~Port() {
  if (!is_kept_) return;
  clear();
  kept() = {words_, std::move(impl_)};
}

void Port::clear() {
  while (!left_.sessions.empty()) destroy(*left_.sessions.begin());
  while (!left_.scs.empty()) destroy_sc(*left_.scs.begin());
  while (!left_.sas.empty()) destroy_sa(*left_.sas.begin());
  (void)events(0);
}

std::vector<rte_security_capability> Port::capabilities() const {
  std::vector<rte_security_capability> out;
  for (const auto* one = rte_security_capabilities_get(impl_->security);
       one != nullptr && one->action != RTE_SECURITY_ACTION_TYPE_NONE; ++one)
    if (one->protocol == RTE_SECURITY_PROTOCOL_MACSEC) out.push_back(*one);
  return out;
}
int Port::create_sa(const rte_security_macsec_sa& conf) {
  rte_security_macsec_sa copy = conf;
  const int id = rte_security_macsec_sa_create(impl_->security, &copy);
  if (id > 0) left_.sas.insert(id);
  return id;
}
int Port::destroy_sa(int id) {
  const int code = rte_security_macsec_sa_destroy(impl_->security, static_cast<std::uint16_t>(id));
  if (code != -EBUSY) left_.sas.erase(id);
  return code;
}
int Port::create_sc(const rte_security_macsec_sc& conf) {
  rte_security_macsec_sc copy = conf;
  const int id = rte_security_macsec_sc_create(impl_->security, &copy);
  if (id > 0) left_.scs.insert(id);
  return id;
}
int Port::destroy_sc(int id) {
  const int code = rte_security_macsec_sc_destroy(impl_->security, static_cast<std::uint16_t>(id));
  if (code != -EBUSY) left_.scs.erase(id);
  return code;
}
int Port::sa_stats(int id, rte_security_macsec_sa_stats& out) {
  return rte_security_macsec_sa_stats_get(impl_->security, static_cast<std::uint16_t>(id), &out);
}
int Port::sc_stats(int id, rte_security_macsec_sc_stats& out) {
  return rte_security_macsec_sc_stats_get(impl_->security, static_cast<std::uint16_t>(id), &out);
}
int Port::create(const rte_security_session_conf& conf, Session*& session) {
  rte_security_session_conf copy = conf;
  session = static_cast<Session*>(rte_security_session_create(impl_->security, &copy, impl_->sessions));
  if (session == nullptr) return -EINVAL;
  left_.sessions.insert(session);
  return 0;
}
int Port::update(const rte_security_session_conf& conf, Session* session) {
  rte_security_session_conf copy = conf;
  return rte_security_session_update(impl_->security, session, &copy);
}
int Port::destroy(Session* session) {
  left_.sessions.erase(session);
  return rte_security_session_destroy(impl_->security, session);
}
int Port::stats(Session* session, rte_security_macsec_secy_stats& out) {
  rte_security_stats all{};
  const int code = rte_security_session_stats_get(impl_->security, session, &all);
  out = all.macsec;
  return code;
}
Rule* Port::add_rule(const rte_flow_attr& attr, const rte_flow_item* pattern, Session* session, rte_flow_error* error) {
  std::array<rte_flow_action, 2> actions;
  const int checked = rte_flow_validate(impl_->id, &attr, pattern, actions_of(session, actions), error);
  auto* const rule = rte_flow_create(impl_->id, &attr, pattern, actions_of(session, actions), error);
  CHECK((checked == 0) == (rule != nullptr));
  return reinterpret_cast<Rule*>(rule);
}
void Port::remove_rule(Rule* rule) {
  CHECK(rte_flow_destroy(impl_->id, reinterpret_cast<rte_flow*>(rule), nullptr) == 0);
}

std::vector<Came> Port::transmit(const std::vector<Bytes>& frames, const Layout& layout, std::uint32_t queue) {
  return impl_->run(frames, layout, queue, true);
}
std::vector<Came> Port::receive(const std::vector<Bytes>& frames, const Layout& layout, std::uint32_t queue) {
  return impl_->run(frames, layout, queue, false);
}

std::vector<rte_eth_event_macsec_desc> Port::events(std::size_t count) {
  using Clock = std::chrono::steady_clock;
  const auto give_up = Clock::now() + std::chrono::seconds(10);
  std::vector<rte_eth_event_macsec_desc> all;
  const auto collect = [&] {
    const std::lock_guard lock(impl_->mutex);
    all.insert(all.end(), impl_->told.begin(), impl_->told.end());
    impl_->told.clear();
  };
  for (collect(); all.size() < count && Clock::now() < give_up; collect())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  collect();
  return all;
}

}  // namespace linecrypt::test
