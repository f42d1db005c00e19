#include "tests/driver/dpdk/crypto/rig.hpp"

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace linecrypt::test {
namespace {

constexpr std::uint32_t mbufs = 4095;
constexpr std::uint16_t data_room = 2048 + RTE_PKTMBUF_HEADROOM;
// A job that does not come back is lost: much longer than any engine's own limits.
constexpr std::uint64_t patience_seconds = 60;

struct Log {
  char* text = nullptr;
  std::size_t size = 0;
  FILE* stream = nullptr;
};

struct Eal {
  Log log;
  rte_mempool* packets = nullptr;
  rte_mempool* ops = nullptr;
  rte_mempool* sym_sessions = nullptr;

  Eal() {
    const std::string prefix = "linecrypt-test-" + std::to_string(::getpid());
    std::vector<std::string> words = {"test",
                                      "-l",
                                      "0",
                                      "--no-huge",
                                      "-m",
                                      "256",
                                      "--no-pci",
                                      "--no-telemetry",
                                      "--file-prefix",
                                      prefix,
                                      "-d",
                                      "librte_crypto_linecrypt.so"};
    std::vector<char*> arguments;
    cpu_set_t cpus;
    ::sched_getaffinity(0, sizeof cpus, &cpus);
    for (std::string& word : words) arguments.push_back(word.data());
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0)
      throw std::runtime_error("the EAL does not start; is the plug-in in LD_LIBRARY_PATH?");
    // The EAL ties this thread, and with it those that it starts, to one CPU.
    ::sched_setaffinity(0, sizeof cpus, &cpus);
    log.stream = ::open_memstream(&log.text, &log.size);
    rte_openlog_stream(log.stream);
    packets = rte_pktmbuf_pool_create("packets", mbufs, 0, 0, data_room, 0);
    ops = rte_crypto_op_pool_create("ops", RTE_CRYPTO_OP_TYPE_SYMMETRIC, mbufs, 0, 64, 0);
    sym_sessions = rte_cryptodev_sym_session_pool_create("sessions", 1024, 64, 0, 0, 0);
    if (packets == nullptr || ops == nullptr || sym_sessions == nullptr) throw std::runtime_error("no memory pools");
  }
  ~Eal() {
    rte_openlog_stream(nullptr);
    rte_eal_cleanup();
    std::fclose(log.stream);
    std::free(log.text);
  }
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;
};

Eal& eal() {
  static Eal the_eal;
  return the_eal;
}

}  // namespace

void start_eal() {
  eal();
}

std::string said() {
  Log& log = eal().log;
  std::fflush(log.stream);
  std::string text(log.text, log.size);
  std::fseek(log.stream, 0, SEEK_SET);
  return text;
}

std::string engine_devargs() {
  const char* const asked = std::getenv("LINECRYPT_DPDK_DEVARGS");
  return asked == nullptr ? "engine=software" : asked;
}

bool device_is_slow() {
  return engine_devargs().find("xclbin=") != std::string::npos;
}

// ---- mbufs ----

Mbuf::Mbuf(const Bytes& bytes, const Segments& segments, std::uint16_t headroom) : mbuf_(nullptr) {
  std::size_t at = 0;
  rte_mbuf* last = nullptr;
  for (std::size_t i = 0; i <= segments.size(); ++i) {
    const std::size_t size =
        i < segments.size() ? std::min<std::size_t>(segments[i], bytes.size() - at) : bytes.size() - at;
    rte_mbuf* const segment = rte_pktmbuf_alloc(eal().packets);
    if (segment == nullptr) throw std::runtime_error("no mbuf");
    // No clear text of an earlier test.
    std::memset(segment->buf_addr, 0, segment->buf_len);
    segment->data_off = headroom;
    if (size > static_cast<std::size_t>(segment->buf_len - segment->data_off))
      throw std::runtime_error("segment too big");
    if (size != 0) std::memcpy(rte_pktmbuf_mtod(segment, void*), bytes.data() + at, size);
    segment->data_len = static_cast<std::uint16_t>(size);
    segment->pkt_len = static_cast<std::uint32_t>(size);
    at += size;
    if (mbuf_ == nullptr) {
      mbuf_ = segment;
    } else {
      last->next = segment;
      ++mbuf_->nb_segs;
      mbuf_->pkt_len += segment->data_len;
    }
    last = segment;
  }
}

void Mbuf::refill(const Bytes& bytes) {
  rte_pktmbuf_reset(mbuf_);
  std::memcpy(rte_pktmbuf_append(mbuf_, static_cast<std::uint16_t>(bytes.size())), bytes.data(), bytes.size());
}

Mbuf::~Mbuf() {
  rte_pktmbuf_free(mbuf_);
}

Bytes Mbuf::bytes() const {
  Bytes all;
  for (const rte_mbuf* one = mbuf_; one != nullptr; one = one->next) {
    const auto* data = rte_pktmbuf_mtod(one, const std::uint8_t*);
    all.insert(all.end(), data, data + one->data_len);
  }
  if (all.size() != mbuf_->pkt_len) throw std::runtime_error("pkt_len is not the sum of the segments");
  std::uint16_t segments = 0;
  for (const rte_mbuf* one = mbuf_; one != nullptr; one = one->next) ++segments;
  if (segments != mbuf_->nb_segs) throw std::runtime_error("nb_segs is not the number of segments");
  return all;
}

Bytes Mbuf::memory() const {
  Bytes all;
  for (const rte_mbuf* one = mbuf_; one != nullptr; one = one->next) {
    const auto* data = static_cast<const std::uint8_t*>(one->buf_addr);
    all.insert(all.end(), data, data + one->buf_len);
  }
  return all;
}

// ---- ops ----

Op::Op() : op_(rte_crypto_op_alloc(eal().ops, RTE_CRYPTO_OP_TYPE_SYMMETRIC)) {
  if (op_ == nullptr) throw std::runtime_error("no op");
}

Op::~Op() {
  rte_crypto_op_free(op_);
}

// ---- devices ----

int Device::try_probe(const std::string& devargs) {
  start_eal();
  const int code = rte_vdev_init("crypto_linecrypt_try", devargs.c_str());
  if (code == 0) rte_vdev_uninit("crypto_linecrypt_try");
  return code;
}

Device::Device(const std::string& devargs, std::uint16_t queue_pairs, std::uint32_t descriptors) {
  start_eal();
  static int count = 0;
  name_ = "crypto_linecrypt" + std::to_string(count++);
  said();
  if (rte_vdev_init(name_.c_str(), devargs.c_str()) != 0) FAIL("no device: " << said());
  id_ = static_cast<std::uint8_t>(rte_cryptodev_get_dev_id(name_.c_str()));
  rte_cryptodev_config config{};
  config.nb_queue_pairs = queue_pairs;
  REQUIRE(rte_cryptodev_configure(id_, &config) == 0);
  rte_cryptodev_qp_conf pair{};
  pair.nb_descriptors = descriptors;
  for (std::uint16_t i = 0; i < queue_pairs; ++i) REQUIRE(rte_cryptodev_queue_pair_setup(id_, i, &pair, 0) == 0);
  start();
}

Device::~Device() {
  stop();
  rte_vdev_uninit(name_.c_str());
}

void Device::start() {
  REQUIRE(rte_cryptodev_start(id_) == 0);
}

void Device::stop() {
  rte_cryptodev_stop(id_);
}

rte_security_ctx* Device::security() const {
  return static_cast<rte_security_ctx*>(rte_cryptodev_get_sec_ctx(id_));
}

rte_cryptodev_info Device::info() const {
  rte_cryptodev_info info{};
  rte_cryptodev_info_get(id_, &info);
  return info;
}

rte_cryptodev_stats Device::stats() const {
  rte_cryptodev_stats stats{};
  rte_cryptodev_stats_get(id_, &stats);
  return stats;
}

const rte_security_capability* Device::capability(rte_security_ipsec_sa_mode mode,
                                                  rte_security_ipsec_sa_direction direction) const {
  rte_security_capability_idx wanted{};
  wanted.action = RTE_SECURITY_ACTION_TYPE_LOOKASIDE_PROTOCOL;
  wanted.protocol = RTE_SECURITY_PROTOCOL_IPSEC;
  wanted.ipsec.proto = RTE_SECURITY_IPSEC_SA_PROTO_ESP;
  wanted.ipsec.mode = mode;
  wanted.ipsec.direction = direction;
  return rte_security_capability_get(security(), &wanted);
}

bool Device::takes_key(std::size_t size) const {
  const rte_security_capability* const can =
      capability(RTE_SECURITY_IPSEC_SA_MODE_TUNNEL, RTE_SECURITY_IPSEC_SA_DIR_EGRESS);
  if (can == nullptr) return false;
  const rte_crypto_param_range& keys = can->crypto_capabilities[0].sym.aead.key_size;
  return size >= keys.min && size <= keys.max && (keys.increment == 0 || (size - keys.min) % keys.increment == 0);
}

void Device::run(const std::vector<Op>& ops, std::uint16_t queue_pair) const {
  std::vector<rte_crypto_op*> in;
  for (const Op& op : ops) in.push_back(op.get());
  std::vector<rte_crypto_op*> out(in.size());
  std::size_t sent = 0;
  std::size_t got = 0;
  const std::uint64_t give_up = rte_get_timer_cycles() + patience_seconds * rte_get_timer_hz();
  while (got < in.size()) {
    if (sent < in.size())
      sent += rte_cryptodev_enqueue_burst(id_, queue_pair, in.data() + sent,
                                          static_cast<std::uint16_t>(std::min<std::size_t>(in.size() - sent, 1024)));
    got += rte_cryptodev_dequeue_burst(id_, queue_pair, out.data() + got,
                                       static_cast<std::uint16_t>(std::min<std::size_t>(in.size() - got, 1024)));
    if (rte_get_timer_cycles() > give_up) FAIL("only " << got << " of " << in.size() << " ops came back");
  }
  CHECK(out == in);
}

void Device::run(const Op& op) const {
  rte_crypto_op* in = op.get();
  rte_crypto_op* out = nullptr;
  const std::uint64_t give_up = rte_get_timer_cycles() + patience_seconds * rte_get_timer_hz();
  while (rte_cryptodev_enqueue_burst(id_, 0, &in, 1) == 0)
    if (rte_get_timer_cycles() > give_up) FAIL("the op is not taken");
  while (rte_cryptodev_dequeue_burst(id_, 0, &out, 1) == 0)
    if (rte_get_timer_cycles() > give_up) FAIL("the op does not come back");
  CHECK(out == in);
}

// ---- raw sessions ----

SymSession::SymSession(const Device& device, const rte_crypto_sym_xform& xform)
    : device_(device),
      session_(rte_cryptodev_sym_session_create(device.id(), const_cast<rte_crypto_sym_xform*>(&xform),
                                                eal().sym_sessions)) {}

SymSession::~SymSession() {
  if (session_ != nullptr) rte_cryptodev_sym_session_free(device_.id(), session_);
}

rte_crypto_sym_xform gcm_xform(bool encrypt, const Bytes& key, std::uint16_t aad_length) {
  rte_crypto_sym_xform xform{};
  xform.type = RTE_CRYPTO_SYM_XFORM_AEAD;
  xform.aead.op = encrypt ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT;
  xform.aead.algo = RTE_CRYPTO_AEAD_AES_GCM;
  xform.aead.key.data = key.data();
  xform.aead.key.length = static_cast<std::uint16_t>(key.size());
  xform.aead.iv.offset = Op::iv_offset;
  xform.aead.iv.length = 12;
  xform.aead.digest_length = 16;
  xform.aead.aad_length = aad_length;
  return xform;
}

rte_crypto_sym_xform gmac_xform(bool generate, const Bytes& key) {
  rte_crypto_sym_xform xform{};
  xform.type = RTE_CRYPTO_SYM_XFORM_AUTH;
  xform.auth.op = generate ? RTE_CRYPTO_AUTH_OP_GENERATE : RTE_CRYPTO_AUTH_OP_VERIFY;
  xform.auth.algo = RTE_CRYPTO_AUTH_AES_GMAC;
  xform.auth.key.data = key.data();
  xform.auth.key.length = static_cast<std::uint16_t>(key.size());
  xform.auth.iv.offset = Op::iv_offset;
  xform.auth.iv.length = 12;
  xform.auth.digest_length = 16;
  return xform;
}

}  // namespace linecrypt::test
