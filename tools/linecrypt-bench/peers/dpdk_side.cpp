#include "tools/linecrypt-bench/peers/dpdk_side.hpp"

#include <fmt/format.h>
#include <rte_bus_vdev.h>
#include <rte_cryptodev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ipsec.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_version.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ipv4.hpp"
#include "tools/linecrypt-bench/workload/packet_block.hpp"

namespace linecrypt::bench {
namespace {

constexpr std::uint32_t outer_size = wire::ethernet_size + wire::ipv4_size;
constexpr std::uint16_t iv_offset = sizeof(rte_crypto_op) + sizeof(rte_crypto_sym_op);
constexpr std::uint16_t iv_size = 16;  // of the op's own memory; GCM takes 12 of it

Error dpdk_error(std::string_view what) {
  return {fmt::format("DPDK: {}: {}", what, rte_strerror(rte_errno))};
}

struct PoolFree {
  void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
};
using Pool = std::unique_ptr<rte_mempool, PoolFree>;

struct AlignedFree {
  void operator()(void* memory) const { std::free(memory); }
};

// Opened once a process, one queue each; sessions come and go.
Result<std::uint8_t> device_of(const std::string& driver) {
  static std::vector<std::pair<std::string, std::uint8_t>> opened;
  for (const auto& [name, id] : opened)
    if (name == driver) return id;
  if (const int error = rte_vdev_init(driver.c_str(), ""); error != 0)
    return Error{fmt::format("DPDK: {} cannot be opened here: {}", driver, rte_strerror(-error))};
  const int found = rte_cryptodev_get_dev_id(driver.c_str());
  if (found < 0) return Error{fmt::format("DPDK: {} was opened and is not there", driver)};
  const auto id = static_cast<std::uint8_t>(found);
  rte_cryptodev_config config{};
  config.socket_id = static_cast<int>(rte_socket_id());
  config.nb_queue_pairs = 1;
  if (rte_cryptodev_configure(id, &config) != 0) return dpdk_error(driver + " configure");
  rte_cryptodev_qp_conf queue{};
  queue.nb_descriptors = 1024;
  if (rte_cryptodev_queue_pair_setup(id, 0, &queue, config.socket_id) != 0) return dpdk_error(driver + " queue");
  if (rte_cryptodev_start(id) != 0) return dpdk_error(driver + " start");
  opened.emplace_back(driver, id);
  return id;
}

// As 22.11 has it; SA number 0 of make_esp_sa().
class DpdkSide final : public Side {
 public:
  explicit DpdkSide(const DpdkSettings& settings)
      : settings_(settings), made_(settings.burst, settings.size + 128), opened_(settings.burst, settings.size + 128) {}
  ~DpdkSide() override {
    if (!ops_.empty())
      rte_mempool_put_bulk(op_pool_.get(), reinterpret_cast<void**>(ops_.data()), static_cast<unsigned>(ops_.size()));
    if (!mbufs_.empty()) rte_pktmbuf_free_bulk(mbufs_.data(), static_cast<unsigned>(mbufs_.size()));
    if (session_ != nullptr) rte_cryptodev_sym_session_free(device_, session_);
  }
  DpdkSide(const DpdkSide&) = delete;
  DpdkSide& operator=(const DpdkSide&) = delete;

  Result<void> set_up() {
    for (const auto& step : {&DpdkSide::open_rig, &DpdkSide::make_memory, &DpdkSide::make_session})
      if (auto good = (this->*step)(); !good) return good;
    return {};
  }

  [[nodiscard]] std::uint32_t packets() const noexcept override { return settings_.burst; }
  void prepare() override;
  void run() override { settings_.device.synchronous ? run_synchronous() : run_queued(); }
  [[nodiscard]] std::string check() override;
  // As PathSide::result().
  [[nodiscard]] std::span<const std::uint8_t> result(std::uint32_t i) const override {
    const rte_mbuf* mbuf = mbufs_[i];
    const std::span<const std::uint8_t> bytes(rte_pktmbuf_mtod(mbuf, const std::uint8_t*), mbuf->data_len);
    return egress() ? bytes.subspan(outer_size) : bytes;
  }

 private:
  [[nodiscard]] bool egress() const noexcept { return settings_.direction == Direction::egress; }
  Result<void> open_rig();
  Result<void> make_memory();
  Result<void> make_session();
  void put(std::uint32_t i, std::span<const std::uint8_t> bytes);
  void run_queued() noexcept;
  void run_synchronous() noexcept;

  DpdkSettings settings_;
  std::uint8_t device_ = 0;
  std::vector<Bytes> clear_;
  // Ours: makes what this side opens, opens what it makes.
  std::unique_ptr<EngineRig> rig_;
  SaId egress_sa_;
  SaId ingress_sa_;
  PacketBlock made_;
  PacketBlock opened_;

  Pool mbuf_pool_;
  Pool op_pool_;
  Pool session_pool_;
  std::vector<rte_mbuf*> mbufs_;
  std::vector<rte_mbuf*> done_;
  std::vector<rte_crypto_op*> ops_;
  std::array<std::uint8_t, outer_size> header_{};
  std::unique_ptr<void, AlignedFree> sa_memory_;
  void* session_ = nullptr;
  rte_ipsec_session ipsec_{};
  std::uint32_t processed_ = 0;
  std::uint32_t checks_ = 0;
};

Result<void> DpdkSide::open_rig() {
  auto rig = EngineRig::software(software::ProviderChoice::automatic, 2);
  if (!rig) return rig.error();
  rig_ = std::move(rig).value();
  auto out = rig_->install(make_esp_sa(Direction::egress, settings_.key_bits, 0));
  auto in = rig_->install(make_esp_sa(Direction::ingress, settings_.key_bits, 0));
  if (!out || !in) return out ? in.error() : out.error();
  egress_sa_ = *out;
  ingress_sa_ = *in;
  for (std::uint32_t i = 0; i < settings_.burst; ++i) clear_.push_back(ipv4_packet(settings_.size, i));
  return {};
}

Result<void> DpdkSide::make_memory() {
  auto device = device_of(settings_.device.driver);
  if (!device) return device.error();
  device_ = *device;
  static std::uint32_t number = 0;
  const std::uint32_t own = ++number;
  const int socket = static_cast<int>(rte_socket_id());
  const auto room = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + settings_.size + 256);
  mbuf_pool_.reset(
      rte_pktmbuf_pool_create(fmt::format("mbufs{}", own).c_str(), 2 * settings_.burst, 0, 0, room, socket));
  op_pool_.reset(rte_crypto_op_pool_create(fmt::format("ops{}", own).c_str(), RTE_CRYPTO_OP_TYPE_SYMMETRIC,
                                           2 * settings_.burst, 0, iv_size, socket));
  session_pool_.reset(rte_cryptodev_sym_session_pool_create(
      fmt::format("sessions{}", own).c_str(), 4, rte_cryptodev_sym_get_private_session_size(device_), 0, 0, socket));
  if (!mbuf_pool_ || !op_pool_ || !session_pool_) return dpdk_error("memory");
  mbufs_.resize(settings_.burst);
  done_.resize(settings_.burst);
  if (rte_pktmbuf_alloc_bulk(mbuf_pool_.get(), mbufs_.data(), settings_.burst) != 0) {
    mbufs_.clear();
    return dpdk_error("mbufs");
  }
  ops_.resize(settings_.burst);
  if (rte_crypto_op_bulk_alloc(op_pool_.get(), RTE_CRYPTO_OP_TYPE_SYMMETRIC, ops_.data(),
                               static_cast<std::uint16_t>(settings_.burst)) == 0) {
    ops_.clear();
    return dpdk_error("crypto ops");
  }
  return {};
}

Result<void> DpdkSide::make_session() {
  const EspSa sa = make_esp_sa(settings_.direction, settings_.key_bits, 0);
  const bool out = egress();
  // 1. The outer header, Ethernet included.
  std::memcpy(header_.data(), clear_[0].data(), wire::ethernet_size);
  std::uint8_t* ip = header_.data() + wire::ethernet_size;
  ip[0] = 0x45;
  wire::store16(ip + wire::ipv4_fragment, wire::ipv4_flag_df);
  ip[wire::ipv4_ttl] = sa.hop_limit;
  ip[wire::ipv4_protocol] = wire::protocol_esp;
  std::memcpy(ip + wire::ipv4_source, sa.source.bytes.data(), 4);
  std::memcpy(ip + wire::ipv4_destination, sa.destination.bytes.data(), 4);
  // 2. AES-GCM.
  rte_crypto_sym_xform aead{};
  aead.type = RTE_CRYPTO_SYM_XFORM_AEAD;
  aead.aead.op = out ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT;
  aead.aead.algo = RTE_CRYPTO_AEAD_AES_GCM;
  aead.aead.key.data = sa.key.bytes().data();
  aead.aead.key.length = static_cast<std::uint16_t>(sa.key.size());
  aead.aead.iv.offset = iv_offset;
  aead.aead.iv.length = software::aead_iv_size;
  aead.aead.digest_length = software::aead_tag_size;
  aead.aead.aad_length = 12;
  // 3. The SA.
  rte_ipsec_sa_prm prm{};
  prm.ipsec_xform.spi = sa.spi;
  std::memcpy(&prm.ipsec_xform.salt, sa.salt.bytes().data(), 4);
  prm.ipsec_xform.direction = out ? RTE_SECURITY_IPSEC_SA_DIR_EGRESS : RTE_SECURITY_IPSEC_SA_DIR_INGRESS;
  prm.ipsec_xform.proto = RTE_SECURITY_IPSEC_SA_PROTO_ESP;
  prm.ipsec_xform.mode = RTE_SECURITY_IPSEC_SA_MODE_TUNNEL;
  prm.ipsec_xform.options.esn = 1;
  prm.ipsec_xform.tunnel.type = RTE_SECURITY_IPSEC_TUNNEL_IPV4;
  std::memcpy(&prm.ipsec_xform.tunnel.ipv4.src_ip, sa.source.bytes.data(), 4);
  std::memcpy(&prm.ipsec_xform.tunnel.ipv4.dst_ip, sa.destination.bytes.data(), 4);
  prm.ipsec_xform.replay_win_sz = sa.replay_window;
  prm.crypto_xform = &aead;
  prm.tun.hdr_len = outer_size;
  prm.tun.hdr_l3_off = wire::ethernet_size;
  prm.tun.next_proto = wire::protocol_ipip;
  prm.tun.hdr = header_.data();
  const int size = rte_ipsec_sa_size(&prm);
  if (size < 0) return Error{fmt::format("DPDK: librte_ipsec does not take the SA: {}", rte_strerror(-size))};
  const std::size_t rounded = (static_cast<std::size_t>(size) + 63) / 64 * 64;
  sa_memory_.reset(std::aligned_alloc(64, rounded));
  std::memset(sa_memory_.get(), 0, rounded);
  auto* made = static_cast<rte_ipsec_sa*>(sa_memory_.get());
  if (const int error = rte_ipsec_sa_init(made, &prm, static_cast<std::uint32_t>(size)); error < 0)
    return Error{fmt::format("DPDK: librte_ipsec does not take the SA: {}", rte_strerror(-error))};
  // 4. The session.
  session_ = rte_cryptodev_sym_session_create(device_, &aead, session_pool_.get());
  if (session_ == nullptr) return dpdk_error(settings_.device.driver + " session");
  ipsec_.sa = made;
  ipsec_.type = settings_.device.synchronous ? RTE_SECURITY_ACTION_TYPE_CPU_CRYPTO : RTE_SECURITY_ACTION_TYPE_NONE;
  ipsec_.crypto.ses = static_cast<rte_cryptodev_sym_session*>(session_);
  ipsec_.crypto.dev_id = device_;
  if (const int error = rte_ipsec_session_prepare(&ipsec_); error != 0)
    return Error{fmt::format("DPDK: {} session: {}", settings_.device.driver, rte_strerror(-error))};
  return {};
}

void DpdkSide::put(std::uint32_t i, std::span<const std::uint8_t> bytes) {
  rte_mbuf* mbuf = mbufs_[i];
  rte_pktmbuf_reset(mbuf);
  mbuf->data_len = static_cast<std::uint16_t>(bytes.size());
  mbuf->pkt_len = mbuf->data_len;
  mbuf->l2_len = wire::ethernet_size;
  mbuf->l3_len = wire::ipv4_size;
  std::memcpy(rte_pktmbuf_mtod(mbuf, std::uint8_t*), bytes.data(), bytes.size());
}

void DpdkSide::prepare() {
  if (egress()) {
    for (std::uint32_t i = 0; i < settings_.burst; ++i) put(i, clear_[i]);
    return;
  }
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    made_.put(i, clear_[i]);
    made_.ask(i, {egress_sa_, Operation::esp_encapsulate});
  }
  rig_->run(made_.pointers());
  for (std::uint32_t i = 0; i < settings_.burst; ++i) put(i, made_.bytes(i));
}

// prepare, enqueue, dequeue, group by session, process: as ipsec-secgw does, and the library's guide.
void DpdkSide::run_queued() noexcept {
  const auto burst = static_cast<std::uint16_t>(settings_.burst);
  const std::uint16_t prepared = rte_ipsec_pkt_crypto_prepare(&ipsec_, mbufs_.data(), ops_.data(), burst);
  std::uint16_t sent = 0;
  std::uint16_t back = 0;
  rte_crypto_op* returned[64];
  processed_ = 0;
  while (back < prepared) {
    if (sent < prepared)
      sent =
          static_cast<std::uint16_t>(sent + rte_cryptodev_enqueue_burst(device_, 0, ops_.data() + sent,
                                                                        static_cast<std::uint16_t>(prepared - sent)));
    const std::uint16_t got = rte_cryptodev_dequeue_burst(device_, 0, returned, 64);
    if (got == 0) continue;
    rte_ipsec_group groups[64];
    const std::uint16_t count =
        rte_ipsec_pkt_crypto_group(const_cast<const rte_crypto_op**>(returned), done_.data(), groups, got);
    for (std::uint16_t g = 0; g < count; ++g)
      processed_ += rte_ipsec_pkt_process(static_cast<const rte_ipsec_session*>(groups[g].id.ptr), groups[g].m,
                                          static_cast<std::uint16_t>(groups[g].cnt));
    back = static_cast<std::uint16_t>(back + got);
  }
}

void DpdkSide::run_synchronous() noexcept {
  const auto burst = static_cast<std::uint16_t>(settings_.burst);
  const std::uint16_t prepared = rte_ipsec_pkt_cpu_prepare(&ipsec_, mbufs_.data(), burst);
  processed_ = rte_ipsec_pkt_process(&ipsec_, mbufs_.data(), prepared);
}

std::string DpdkSide::check() {
  if (settings_.spoil_result && checks_++ > 0) {
    rte_mbuf* mbuf = mbufs_[0];
    rte_pktmbuf_mtod(mbuf, std::uint8_t*)[mbuf->data_len - 1] ^= 1U;
  }
  if (processed_ != settings_.burst)
    return fmt::format("librte_ipsec passed {} of {} packets", processed_, settings_.burst);
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    const std::span<const std::uint8_t> bytes(rte_pktmbuf_mtod(mbufs_[i], const std::uint8_t*), mbufs_[i]->data_len);
    if (!egress()) {
      if (!std::equal(bytes.begin(), bytes.end(), clear_[i].begin() + wire::ethernet_size, clear_[i].end()))
        return fmt::format("packet {} is not the clear one", i);
      continue;
    }
    // librte_ipsec leaves the outer checksum to the NIC.
    opened_.put(i, bytes);
    wire::ipv4_set_checksum(opened_.packet(i).data + wire::ethernet_size, wire::ipv4_size);
    opened_.ask(i, {ingress_sa_, Operation::esp_decapsulate});
  }
  if (!egress()) return {};
  rig_->run(opened_.pointers());
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    const auto bytes = opened_.bytes(i);
    if (opened_.job(i).verdict != Verdict::ok)
      return fmt::format("opened again, packet {} ended as {}", i, name(opened_.job(i).verdict));
    if (!std::equal(bytes.begin(), bytes.end(), clear_[i].begin(), clear_[i].end()))
      return fmt::format("opened again, packet {} is not the clear one", i);
  }
  return {};
}

}  // namespace

Result<void> start_dpdk(int core) {
  static bool started = false;
  if (started) return {};
  const std::string lcores = fmt::format("0@{}", core);
  std::vector<std::string> arguments{"linecrypt-bench",
                                     "--lcores",
                                     lcores,
                                     "--no-huge",
                                     "-m",
                                     "256",
                                     "--no-pci",
                                     "--no-shconf",
                                     "--no-telemetry",
                                     "--iova-mode=va",
                                     "--file-prefix",
                                     "linecrypt-bench",
                                     "--log-level",
                                     "error"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  rte_log_set_global_level(RTE_LOG_ERR);
  if (rte_eal_init(static_cast<int>(arguments.size()), argv.data()) < 0) return dpdk_error("its environment");
  started = true;
  return {};
}

std::string dpdk_version() {
  return rte_version();
}

Result<std::unique_ptr<Side>> make_dpdk_side(const DpdkSettings& settings) {
  auto side = std::make_unique<DpdkSide>(settings);
  if (auto ready = side->set_up(); !ready) return ready.error();
  return std::unique_ptr<Side>(std::move(side));
}

}  // namespace linecrypt::bench
