// What the MACsec tests share: frames in memory with room around them, an engine to run them through, SAs.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "linecrypt/wire/sectag.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/hex.hpp"
#include "tests/support/long_form.hpp"

namespace linecrypt::macsec_test {

using test::Bytes;
using test::EngineKind;
using test::from_hex;
using test::long_form;

template <std::size_t N>
Secret<N> secret(const Bytes& bytes) {
  return Secret<N>(std::span<const std::uint8_t>(bytes));
}

// SAs are not copied by accident; the tests do it on purpose.
inline MacsecSa copy(const MacsecSa& sa) {
  MacsecSa out;
  out.secy = sa.secy;
  out.direction = sa.direction;
  out.sci = sa.sci;
  out.an = sa.an;
  out.key = sa.key.duplicate();
  out.salt = sa.salt.duplicate();
  out.ssci = sa.ssci;
  out.lowest_pn = sa.lowest_pn;
  return out;
}

// A frame with head- and tailroom of its own, and the job that carries it. Stays where it is made.
struct Frame {
  explicit Frame(const Bytes& bytes, std::uint32_t headroom = 32, std::uint32_t tailroom = 32)
      : memory(headroom + bytes.size() + tailroom, 0xa5) {
    std::copy(bytes.begin(), bytes.end(), memory.begin() + headroom);
    packet = {memory.data() + headroom, static_cast<std::uint32_t>(bytes.size()), headroom, tailroom, nullptr};
    job.source = &packet;
    job.destination = &packet;
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  [[nodiscard]] Bytes bytes() const { return {packet.data, packet.data + packet.length}; }
  // Every octet from `from` to the end is zero, and there is one.
  [[nodiscard]] bool zero_from(std::uint32_t from) const {
    if (from >= packet.length) return false;
    for (std::uint32_t i = from; i < packet.length; ++i)
      if (packet.data[i] != 0) return false;
    return true;
  }

  Bytes memory;
  Packet packet;
  Job job;
};

// Both providers, synchronous and late. `fast` is the provider that this CPU gets by itself.
inline auto every_engine() {
  return GENERATE(from_range(test::engine_kinds()));
}
inline constexpr EngineKind fast{"fast", software::ProviderChoice::automatic, false};
inline constexpr EngineKind openssl{"openssl", software::ProviderChoice::openssl, false};

class Rig : public test::Rig {
 public:
  static constexpr std::uint32_t slot_count = 64;
  explicit Rig(const EngineKind& kind) : test::Rig(kind, slot_count) {}

  // In the next free slot. Egress starts at `first`, ingress with numbers up to `window_top` seen.
  SaId add(const MacsecSa& sa, std::uint64_t first = 1, std::uint64_t window_top = 0) {
    const bool egress = sa.direction == Direction::egress;
    return install(copy(sa), egress ? Lease{first, first + lease_largest} : Lease{}, window_top);
  }
  using test::Rig::run;
  Verdict run(Operation operation, SaId sa, Frame& frame) {
    frame.job.stages = {Stage{sa, operation}, Stage{}};
    frame.job.verdict = Verdict::pending;
    return run(&frame.job);
  }
  Verdict protect(SaId sa, Frame& frame) { return run(Operation::macsec_protect, sa, frame); }
  Verdict validate(SaId sa, Frame& frame) { return run(Operation::macsec_validate, sa, frame); }

  [[nodiscard]] std::span<SaSlot> slots() { return {&slot({0, 1}), slot_count}; }
  [[nodiscard]] const SaCounters& counters(SaId id) { return slot(id).counters; }
};

inline constexpr MacAddress peer_mac{{0x02, 0, 0, 0, 0, 0x01}};
inline constexpr MacAddress own_mac{{0x02, 0, 0, 0, 0, 0x02}};

// The two ends of one SA: same key, same SCI, different directions.
struct Pair {
  explicit Pair(CipherSuite suite = CipherSuite::gcm_aes_256) {
    for (MacsecSa* sa : {&transmit, &receive}) {
      sa->secy.suite = suite;
      sa->sci = {peer_mac, 1};
      sa->an = 1;
      Bytes key(key_size(suite));
      for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(0x40 + 3 * i);
      sa->key = secret<32>(key);
      if (is_xpn(suite)) {
        sa->salt = secret<12>(from_hex("e630e81a48de86a21c66fa6d"));
        sa->ssci = 0x7a30c118;
      }
    }
    transmit.direction = Direction::egress;
    receive.direction = Direction::ingress;
  }
  // A setting of the SecY, at both ends.
  template <typename Change>
  Pair with(Change change) && {
    change(transmit.secy);
    change(receive.secy);
    if (transmit.secy.sci_encoding == SciEncoding::scb) transmit.sci.port = receive.sci.port = 0;
    return std::move(*this);
  }
  MacsecSa transmit;
  MacsecSa receive;
};

inline const CipherSuite every_suite[] = {CipherSuite::gcm_aes_128, CipherSuite::gcm_aes_256,
                                          CipherSuite::gcm_aes_xpn_128, CipherSuite::gcm_aes_xpn_256};

// A clear frame from the peer: addresses, VLAN tags, EtherType IPv4, `payload` octets that are never zero.
inline Bytes clear_frame(std::uint32_t payload, const std::vector<ClearVlanTag>& tags = {}, std::uint8_t pcp = 0) {
  Bytes out(own_mac.bytes.begin(), own_mac.bytes.end());
  out.insert(out.end(), peer_mac.bytes.begin(), peer_mac.bytes.end());
  for (const ClearVlanTag& tag : tags) {
    const auto tci = static_cast<std::uint16_t>(tag.vid | (pcp << 13U));
    for (const std::uint16_t word : {tag.tpid, tci}) {
      out.push_back(static_cast<std::uint8_t>(word >> 8U));
      out.push_back(static_cast<std::uint8_t>(word));
    }
  }
  out.push_back(0x08);
  out.push_back(0x00);
  for (std::uint32_t i = 0; i < payload; ++i) out.push_back(static_cast<std::uint8_t>(1 + (i * 7 + payload) % 255));
  return out;
}

// A protected frame of `payload` octets; the transmitter's next number.
inline Bytes protected_frame(Rig& rig, SaId transmit, const Bytes& clear) {
  Frame frame(clear);
  REQUIRE(rig.protect(transmit, frame) == Verdict::ok);
  return frame.bytes();
}

// Deterministic numbers for tests.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t operator()() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return state_;
  }
  std::uint64_t below(std::uint64_t bound) { return (*this)() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace linecrypt::macsec_test
