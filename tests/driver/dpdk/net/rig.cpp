#include "tests/driver/dpdk/net/rig.hpp"

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_log.h>
#include <rte_pause.h>
#include <sched.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace linecrypt::test {
namespace {

constexpr unsigned mbufs = 8191;
constexpr std::uint16_t data_room = 2048 + RTE_PKTMBUF_HEADROOM;
constexpr std::uint64_t patience_seconds = 60;

struct Eal {
  char* text = nullptr;
  std::size_t size = 0;
  FILE* stream = nullptr;
  rte_mempool* frames = nullptr;
  rte_mempool* sessions = nullptr;

  Eal() {
    const std::string prefix = "linecrypt-test-" + std::to_string(::getpid());
    std::vector<std::string> words = {"test",
                                      "-l",
                                      "0",
                                      "--no-huge",
                                      "-m",
                                      "512",
                                      "--no-pci",
                                      "--no-telemetry",
                                      "--file-prefix",
                                      prefix,
                                      "-d",
                                      "librte_net_linecrypt.so"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    cpu_set_t cpus;
    ::sched_getaffinity(0, sizeof cpus, &cpus);
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0)
      throw std::runtime_error("the EAL does not start; is the plug-in in LD_LIBRARY_PATH?");
    // The EAL ties this thread, and with it those that it starts, to one CPU.
    ::sched_setaffinity(0, sizeof cpus, &cpus);
    stream = ::open_memstream(&text, &size);
    rte_openlog_stream(stream);
    // Without a cache: what is out is out of the pool.
    frames = rte_pktmbuf_pool_create("frames", mbufs, 0, 0, data_room, 0);
    if (frames == nullptr) throw std::runtime_error("no memory pool");
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

int on_event(std::uint16_t /*port*/, rte_eth_event_type event, void* argument, void* result) {
  auto& events = *static_cast<Port::Events*>(argument);
  if (event == RTE_ETH_EVENT_INTR_RMV) ++events.removals;
  if (event == RTE_ETH_EVENT_INTR_LSC) ++events.links;
  if (event == RTE_ETH_EVENT_IPSEC) {
    const std::lock_guard lock(events.mutex);
    events.ipsec.push_back(*static_cast<rte_eth_event_ipsec_desc*>(result));
  }
  return 0;
}

Received received_of(rte_mbuf* mbuf) {
  Received one;
  one.frame = bytes_of(mbuf);
  one.flags = mbuf->ol_flags;
  one.port = mbuf->port;
  if (one.secured()) one.userdata = *rte_security_dynfield(mbuf);
  for (const rte_mbuf* part = mbuf; part != nullptr; part = part->next) {
    const auto* const data = static_cast<const std::uint8_t*>(part->buf_addr);
    one.memory.insert(one.memory.end(), data, data + part->buf_len);
  }
  rte_pktmbuf_free(mbuf);
  return one;
}

}  // namespace

void start_eal() {
  eal();
}

std::string said() {
  Eal& it = eal();
  std::fflush(it.stream);
  std::string text(it.text, it.size);
  std::fseek(it.stream, 0, SEEK_SET);
  return text;
}

std::string engine_devargs() {
  const char* const asked = std::getenv("LINECRYPT_DPDK_DEVARGS");
  return asked == nullptr ? "engine=software" : asked;
}

bool device_is_slow() {
  return engine_devargs().find("xclbin=") != std::string::npos;
}

bool wait_until(const std::function<bool()>& holds) {
  const std::uint64_t give_up = rte_get_timer_cycles() + patience_seconds * rte_get_timer_hz();
  while (!holds()) {
    if (rte_get_timer_cycles() > give_up) return false;
    ::usleep(100);
  }
  return true;
}

// ---- mbufs ----

rte_mempool* frame_pool() {
  return eal().frames;
}

unsigned frames_out() {
  return rte_mempool_in_use_count(frame_pool());
}

rte_mbuf* make_mbuf(rte_mempool* pool, const Bytes& frame, std::uint32_t segments, std::uint16_t headroom) {
  rte_mbuf* first = nullptr;
  rte_mbuf* last = nullptr;
  std::size_t at = 0;
  do {
    rte_mbuf* const segment = rte_pktmbuf_alloc(pool);
    if (segment == nullptr) {
      rte_pktmbuf_free(first);
      return nullptr;
    }
    std::memset(segment->buf_addr, 0, segment->buf_len);
    segment->data_off = headroom;
    const std::size_t left = frame.size() - at;
    const std::size_t room = static_cast<std::size_t>(segment->buf_len - headroom);
    const std::size_t size = std::min(segments == 0 ? left : std::min<std::size_t>(segments, left), room);
    if (size != 0) std::memcpy(rte_pktmbuf_mtod(segment, void*), frame.data() + at, size);
    segment->data_len = static_cast<std::uint16_t>(size);
    at += size;
    if (first == nullptr) {
      first = segment;
      first->pkt_len = static_cast<std::uint32_t>(frame.size());
    } else {
      last->next = segment;
      ++first->nb_segs;
    }
    last = segment;
  } while (at < frame.size());
  return first;
}

Bytes bytes_of(const rte_mbuf* mbuf) {
  Bytes all;
  const std::uint32_t length = mbuf->pkt_len;
  std::uint16_t segments = mbuf->nb_segs;
  for (; mbuf != nullptr; mbuf = mbuf->next, --segments) {
    const auto* const data = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
    all.insert(all.end(), data, data + mbuf->data_len);
  }
  if (all.size() != length || segments != 0) throw std::runtime_error("the mbuf's lengths do not fit together");
  return all;
}

Bytes frame_of(const Bytes& packet) {
  return ethernet(packet.empty() || packet[0] >> 4U == 4 ? 0x0800 : 0x86dd, packet);
}

std::vector<Bytes> frames_of(const std::vector<Bytes>& packets) {
  std::vector<Bytes> frames;
  for (const Bytes& packet : packets) frames.push_back(frame_of(packet));
  return frames;
}

// ---- ports ----

int Port::try_probe(const std::string& devargs) {
  start_eal();
  const int code = rte_vdev_init("net_linecrypt_try", devargs.c_str());
  if (code == 0) rte_vdev_uninit("net_linecrypt_try");
  return code;
}

Port::Port(const std::string& devargs, std::uint16_t rx_queues, std::uint16_t tx_queues, const std::string& engine)
    : events_(std::make_unique<Events>()) {
  start_eal();
  static int count = 0;
  name_ = "net_linecrypt" + std::to_string(count++);
  said();
  if (rte_vdev_init(name_.c_str(), (devargs + "," + engine).c_str()) != 0) FAIL("no port: " << said());
  REQUIRE(rte_eth_dev_get_port_by_name(name_.c_str(), &id_) == 0);
  for (const auto event : {RTE_ETH_EVENT_IPSEC, RTE_ETH_EVENT_INTR_RMV, RTE_ETH_EVENT_INTR_LSC})
    rte_eth_dev_callback_register(id_, event, on_event, events_.get());
  rte_eth_conf conf{};
  conf.intr_conf.rmv = 1;
  conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_SECURITY | RTE_ETH_RX_OFFLOAD_SCATTER;
  conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_SECURITY | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  REQUIRE(rte_eth_dev_configure(id_, rx_queues, tx_queues, &conf) == 0);
  for (std::uint16_t i = 0; i < rx_queues; ++i)
    REQUIRE(rte_eth_rx_queue_setup(id_, i, 512, 0, nullptr, frame_pool()) == 0);
  for (std::uint16_t i = 0; i < tx_queues; ++i) REQUIRE(rte_eth_tx_queue_setup(id_, i, 512, 0, nullptr) == 0);
  start();
}

Port::~Port() {
  if (rte_eth_dev_is_valid_port(id_)) {
    rte_eth_dev_stop(id_);
    for (const auto event : {RTE_ETH_EVENT_IPSEC, RTE_ETH_EVENT_INTR_RMV, RTE_ETH_EVENT_INTR_LSC})
      rte_eth_dev_callback_unregister(id_, event, on_event, events_.get());
    rte_eth_dev_close(id_);
  }
  rte_vdev_uninit(name_.c_str());
}

void Port::start() const {
  REQUIRE(rte_eth_dev_start(id_) == 0);
}

void Port::stop() const {
  REQUIRE(rte_eth_dev_stop(id_) == 0);
}

rte_security_ctx* Port::security() const {
  return static_cast<rte_security_ctx*>(rte_eth_dev_get_sec_ctx(id_));
}

rte_eth_stats Port::stats() const {
  rte_eth_stats stats{};
  REQUIRE(rte_eth_stats_get(id_, &stats) == 0);
  return stats;
}

std::uint64_t Port::xstat(const std::string& name) const {
  std::uint64_t id = 0;
  std::uint64_t value = 0;
  if (rte_eth_xstats_get_id_by_name(id_, name.c_str(), &id) != 0 || rte_eth_xstats_get_by_id(id_, &id, &value, 1) != 1)
    FAIL("no xstat " << name);
  return value;
}

const rte_security_capability* Port::capability(rte_security_ipsec_sa_mode mode,
                                                rte_security_ipsec_sa_direction direction) const {
  rte_security_capability_idx wanted{};
  wanted.action = RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL;
  wanted.protocol = RTE_SECURITY_PROTOCOL_IPSEC;
  wanted.ipsec.proto = RTE_SECURITY_IPSEC_SA_PROTO_ESP;
  wanted.ipsec.mode = mode;
  wanted.ipsec.direction = direction;
  return rte_security_capability_get(security(), &wanted);
}

void Port::send(const std::vector<rte_mbuf*>& frames, std::uint16_t queue) const {
  std::vector<rte_mbuf*> all = frames;
  std::size_t done = 0;
  const bool good = wait_until([&] {
    done += rte_eth_tx_burst(id_, queue, all.data() + done, static_cast<std::uint16_t>(all.size() - done));
    return done == all.size();
  });
  if (!good) FAIL("only " << done << " of " << all.size() << " frames were taken");
}

std::vector<Received> Port::receive(std::size_t count, std::uint16_t queue) const {
  std::vector<Received> all;
  const bool good = wait_until([&] {
    rte_mbuf* got[32];
    const auto most = static_cast<std::uint16_t>(std::min<std::size_t>(32, count - all.size()));
    const std::uint16_t some = rte_eth_rx_burst(id_, queue, got, most);
    for (std::uint16_t i = 0; i < some; ++i) all.push_back(received_of(got[i]));
    return all.size() == count;
  });
  if (!good) FAIL("only " << all.size() << " of " << count << " frames came");
  return all;
}

std::vector<Received> Port::receive_some(std::uint16_t queue) const {
  std::vector<Received> all;
  for (int i = 0; i < (device_is_slow() ? 300 : 20); ++i) {
    rte_mbuf* got[32];
    const std::uint16_t some = rte_eth_rx_burst(id_, queue, got, 32);
    for (std::uint16_t k = 0; k < some; ++k) all.push_back(received_of(got[k]));
    ::usleep(100);
  }
  return all;
}

// ---- sessions ----

rte_mempool* session_pool(const Port& port) {
  static rte_mempool* const pool =
      rte_mempool_create("security sessions", 4096, rte_security_session_get_size(port.security()) + 128, 32, 0,
                         nullptr, nullptr, nullptr, nullptr, 0, 0);
  if (pool == nullptr) throw std::runtime_error("no memory for sessions");
  return pool;
}

Session::Session(const Port& port, const Esp& esp, Way way, const Change& change) : port_(port), esp_(esp) {
  const bool out = way == Way::out;
  if (esp.gmac) {
    xform_.type = RTE_CRYPTO_SYM_XFORM_AUTH;
    xform_.auth.op = out ? RTE_CRYPTO_AUTH_OP_GENERATE : RTE_CRYPTO_AUTH_OP_VERIFY;
    xform_.auth.algo = RTE_CRYPTO_AUTH_AES_GMAC;
    xform_.auth.key.data = esp_.key.data();
    xform_.auth.key.length = static_cast<std::uint16_t>(esp_.key.size());
    xform_.auth.iv.length = 12;
    xform_.auth.digest_length = 16;
  } else {
    xform_.type = RTE_CRYPTO_SYM_XFORM_AEAD;
    xform_.aead.op = out ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT;
    xform_.aead.algo = RTE_CRYPTO_AEAD_AES_GCM;
    xform_.aead.key.data = esp_.key.data();
    xform_.aead.key.length = static_cast<std::uint16_t>(esp_.key.size());
    xform_.aead.iv.length = 12;
    xform_.aead.digest_length = 16;
    xform_.aead.aad_length = esp.esn ? 12 : 8;
  }
  conf_.action_type = RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL;
  conf_.protocol = RTE_SECURITY_PROTOCOL_IPSEC;
  conf_.crypto_xform = &xform_;
  conf_.userdata = this;
  auto& ipsec = conf_.ipsec;
  ipsec.spi = esp.spi;
  std::memcpy(&ipsec.salt, esp.salt.data(), 4);
  ipsec.options.esn = esp.esn;
  ipsec.options.udp_encap = esp.udp;
  ipsec.options.stats = 1;
  ipsec.options.tunnel_hdr_verify = !out && esp.tunnel ? RTE_SECURITY_IPSEC_TUNNEL_VERIFY_SRC_DST_ADDR : 0U;
  ipsec.direction = out ? RTE_SECURITY_IPSEC_SA_DIR_EGRESS : RTE_SECURITY_IPSEC_SA_DIR_INGRESS;
  ipsec.proto = RTE_SECURITY_IPSEC_SA_PROTO_ESP;
  ipsec.mode = esp.tunnel ? RTE_SECURITY_IPSEC_SA_MODE_TUNNEL : RTE_SECURITY_IPSEC_SA_MODE_TRANSPORT;
  ipsec.replay_win_sz = out ? 0 : esp.window;
  if (esp.outer == Family::ipv4) {
    ipsec.tunnel.type = RTE_SECURITY_IPSEC_TUNNEL_IPV4;
    std::memcpy(&ipsec.tunnel.ipv4.src_ip, address(esp.source).bytes.data(), 4);
    std::memcpy(&ipsec.tunnel.ipv4.dst_ip, address(esp.destination).bytes.data(), 4);
  } else {
    ipsec.tunnel.type = RTE_SECURITY_IPSEC_TUNNEL_IPV6;
    std::memcpy(&ipsec.tunnel.ipv6.src_addr, address(esp.source6).bytes.data(), 16);
    std::memcpy(&ipsec.tunnel.ipv6.dst_addr, address(esp.destination6).bytes.data(), 16);
  }
  if (change) change(conf_);
  session_ = rte_security_session_create(port.security(), &conf_, session_pool(port));
}

Session::~Session() {
  destroy();
}

int Session::destroy() {
  if (session_ == nullptr) return 0;
  return rte_security_session_destroy(port_.security(), std::exchange(session_, nullptr));
}

int Session::go_to(std::uint64_t number) {
  conf_.ipsec.esn.value = number;
  return rte_security_session_update(port_.security(), session_, &conf_);
}

rte_security_ipsec_stats Session::stats() const {
  rte_security_stats stats{};
  REQUIRE(rte_security_session_stats_get(port_.security(), session_, &stats) == 0);
  return stats.ipsec;
}

rte_mbuf* Session::mbuf_of(const Bytes& packet, std::uint32_t segments, std::uint16_t headroom) const {
  rte_mbuf* const mbuf = make_mbuf(frame_pool(), frame_of(packet), segments, headroom);
  if (mbuf == nullptr) FAIL("no mbuf");
  mbuf->ol_flags |= RTE_MBUF_F_TX_SEC_OFFLOAD;
  mbuf->l2_len = 14;
  REQUIRE(rte_security_set_pkt_metadata(port_.security(), session_, mbuf, nullptr) == 0);
  return mbuf;
}

// ---- rules ----

EspRule::EspRule(const Port& port) : port_(port) {
  rte_flow_attr attr{};
  attr.ingress = 1;
  rte_flow_item pattern[2]{};
  pattern[0].type = RTE_FLOW_ITEM_TYPE_ESP;
  rte_flow_action actions[2]{};
  actions[0].type = RTE_FLOW_ACTION_TYPE_SECURITY;
  rte_flow_error error{};
  flow_ = rte_flow_create(port.id(), &attr, pattern, actions, &error);
  if (flow_ == nullptr) FAIL("no rule: " << (error.message == nullptr ? "" : error.message));
}

EspRule::~EspRule() {
  rte_flow_destroy(port_.id(), flow_, nullptr);
}

}  // namespace linecrypt::test
