#include "tests/driver/dpdk/crypto/ipsec.hpp"

#include <rte_mbuf.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <stdexcept>

namespace linecrypt::test {
namespace {

rte_mempool* session_pool(const Device& device) {
  // One for all devices: each wants the same.
  static rte_mempool* const pool =
      rte_mempool_create("security sessions", 4096, rte_security_session_get_size(device.security()) + 128, 32, 0,
                         nullptr, nullptr, nullptr, nullptr, 0, 0);
  if (pool == nullptr) throw std::runtime_error("no memory for sessions");
  return pool;
}

Outcome outcome_of(const Op& op, const Mbuf& source, const Mbuf& destination) {
  Outcome one;
  one.status = op->status;
  one.flags = op->aux_flags;
  one.mbuf_flags = destination.get()->ol_flags;
  one.bytes = destination.bytes();
  one.source = source.bytes();
  one.memory = source.memory() + destination.memory();
  return one;
}

}  // namespace

EspSession::EspSession(const Device& device, const Esp& esp, Way way, const Change& change)
    : device_(device), esp_(esp) {
  const bool out = way == Way::out;
  xform_[0] = esp.gmac ? gmac_xform(out, esp_.key) : gcm_xform(out, esp_.key, esp.esn ? 12 : 8);
  (esp.gmac ? xform_[0].auth.iv.length : xform_[0].aead.iv.length) = 12;
  conf_.action_type = RTE_SECURITY_ACTION_TYPE_LOOKASIDE_PROTOCOL;
  conf_.protocol = RTE_SECURITY_PROTOCOL_IPSEC;
  conf_.crypto_xform = &xform_[0];
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
  session_ = rte_security_session_create(device.security(), &conf_, session_pool(device));
}

EspSession::~EspSession() {
  destroy();
}

int EspSession::destroy() {
  if (session_ == nullptr) return 0;
  return rte_security_session_destroy(device_.security(), std::exchange(session_, nullptr));
}

int EspSession::go_to(std::uint64_t number) {
  conf_.ipsec.esn.value = number;
  return rte_security_session_update(device_.security(), session_, &conf_);
}

rte_security_ipsec_stats EspSession::stats() const {
  rte_security_stats stats{};
  REQUIRE(rte_security_session_stats_get(device_.security(), session_, &stats) == 0);
  REQUIRE(stats.protocol == RTE_SECURITY_PROTOCOL_IPSEC);
  return stats.ipsec;
}

Outcome EspSession::run(const Bytes& packet, const Layout& layout) const {
  const Mbuf source(packet, layout.source, layout.headroom);
  std::optional<Mbuf> apart;
  if (layout.apart) apart.emplace(Bytes(), layout.destination, layout.headroom);
  const Op op;
  op->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
  op->sym->session = session_;
  op->sym->m_src = source.get();
  op->sym->m_dst = apart ? apart->get() : nullptr;
  device_.run(op);
  return outcome_of(op, source, apart ? *apart : source);
}

std::vector<Outcome> EspSession::run_all(const std::vector<Bytes>& packets, std::uint16_t queue_pair) const {
  std::vector<Mbuf> mbufs;
  std::vector<Op> ops;
  for (const Bytes& packet : packets) {
    mbufs.emplace_back(packet, Segments{});
    ops.emplace_back();
    ops.back()->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
    ops.back()->sym->session = session_;
    ops.back()->sym->m_src = mbufs.back().get();
  }
  device_.run(ops, queue_pair);
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < packets.size(); ++i) outcomes.push_back(outcome_of(ops[i], mbufs[i], mbufs[i]));
  return outcomes;
}

}  // namespace linecrypt::test
