// A cryptodev of ours inside this process, as any application has it: the EAL loads the plug-in, all calls go through
// DPDK's public functions.
//
// LINECRYPT_DPDK_DEVARGS: devargs of every device that a test does not ask for by name (CTest's tests named *_card).
#pragma once

#include <rte_crypto.h>
#include <rte_cryptodev.h>
#include <rte_security.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/ip_packets.hpp"

namespace linecrypt::test {

// Starts the EAL, once.
void start_eal();
// What the drivers have said since the last call.
std::string said();

// The devargs of this run: "engine=software", or a card's.
std::string engine_devargs();

// The emulated card takes a millisecond for a batch.
bool device_is_slow();

// How a packet lies in mbufs: sizes of all segments but the last, which has the rest.
using Segments = std::vector<std::uint32_t>;

struct Layout {
  Segments source{};
  bool apart = false;  // a destination of its own
  Segments destination{};
  std::uint16_t headroom = 128;
};

// An mbuf chain; freed.
class Mbuf {
 public:
  // Of `bytes` in `segments`, `spare` bytes of room in the last one at least.
  Mbuf(const Bytes& bytes, const Segments& segments, std::uint16_t headroom = 128);
  explicit Mbuf(rte_mbuf* mbuf) : mbuf_(mbuf) {}
  ~Mbuf();
  Mbuf(Mbuf&& other) noexcept : mbuf_(std::exchange(other.mbuf_, nullptr)) {}
  Mbuf& operator=(Mbuf&&) = delete;
  [[nodiscard]] rte_mbuf* get() const { return mbuf_; }
  // One segment: as it was when it was made.
  void refill(const Bytes& bytes);
  [[nodiscard]] Bytes bytes() const;
  // All memory of all segments, headroom and tailroom included: where a clear text must not be found.
  [[nodiscard]] Bytes memory() const;

 private:
  rte_mbuf* mbuf_;
};

struct Outcome {
  std::uint8_t status = RTE_CRYPTO_OP_STATUS_NOT_PROCESSED;
  std::uint8_t flags = 0;  // RTE_CRYPTO_OP_AUX_FLAGS_*
  std::uint64_t mbuf_flags = 0;
  Bytes bytes;   // of the destination
  Bytes memory;  // of source and destination
  Bytes source;  // where it is another mbuf
  [[nodiscard]] bool ok() const { return status == RTE_CRYPTO_OP_STATUS_SUCCESS; }
};

// An op; freed.
class Op {
 public:
  Op();
  ~Op();
  Op(Op&& other) noexcept : op_(std::exchange(other.op_, nullptr)) {}
  Op& operator=(Op&&) = delete;
  rte_crypto_op* get() const { return op_; }
  rte_crypto_op* operator->() const { return op_; }
  // Where an IV goes in it.
  static constexpr std::uint16_t iv_offset = sizeof(rte_crypto_op) + sizeof(rte_crypto_sym_op);
  [[nodiscard]] std::uint8_t* iv() const { return rte_crypto_op_ctod_offset(op_, std::uint8_t*, iv_offset); }

 private:
  rte_crypto_op* op_;
};

// Made, configured and started.
class Device {
 public:
  explicit Device(const std::string& devargs = engine_devargs(), std::uint16_t queue_pairs = 1,
                  std::uint32_t descriptors = 1024);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // 0, or what rte_vdev_init() said.
  static int try_probe(const std::string& devargs);

  [[nodiscard]] std::uint8_t id() const { return id_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] rte_security_ctx* security() const;
  [[nodiscard]] rte_cryptodev_info info() const;
  [[nodiscard]] rte_cryptodev_stats stats() const;
  [[nodiscard]] const rte_security_capability* capability(rte_security_ipsec_sa_mode mode,
                                                          rte_security_ipsec_sa_direction direction) const;
  // IPsec takes keys of that many bytes.
  [[nodiscard]] bool takes_key(std::size_t size) const;

  // All of `ops` in, all of them out: order is checked.
  void run(const std::vector<Op>& ops, std::uint16_t queue_pair = 0) const;
  void run(const Op& op) const;

  // Public for the tests that make their own traffic.
  void stop();
  void start();

 private:
  std::string name_;
  std::uint8_t id_ = 0;
};

// A raw AEAD or GMAC session, or none where it was refused.
class SymSession {
 public:
  SymSession(const Device& device, const rte_crypto_sym_xform& xform);
  ~SymSession();
  SymSession(const SymSession&) = delete;
  SymSession& operator=(const SymSession&) = delete;
  [[nodiscard]] void* get() const { return session_; }

 private:
  const Device& device_;
  void* session_;
};

rte_crypto_sym_xform gcm_xform(bool encrypt, const Bytes& key, std::uint16_t aad_length);
rte_crypto_sym_xform gmac_xform(bool generate, const Bytes& key);

}  // namespace linecrypt::test
