// What must never be delivered, and what must never be made. Each of these tests is shown to see its fault: the drivers
// are run over an engine that has it (mutants.py), and the test named there must fail.
#include <catch2/catch.hpp>
#include <set>

#include "tests/driver/dpdk/crypto/ipsec.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

Esp fresh_esp() {
  Esp esp;
  esp.key = fresh_key();
  return esp;
}

Bytes clear_packet(std::uint32_t seed = 1, std::size_t length = 200) {
  const Ip ip{};
  return packet(ip, udp_segment(ip, 1000, 2000, noise(length, seed)));
}

// Refused, and nothing of the clear text is anywhere in the packet's memory.
void check_refused(const Outcome& outcome, const Bytes& clear) {
  CHECK(outcome.status == RTE_CRYPTO_OP_STATUS_ERROR);
  CHECK_FALSE(shows(outcome.memory, clear));
}

std::uint32_t high_of(std::uint64_t number) {
  return static_cast<std::uint32_t>(number >> 32U);
}

}  // namespace

TEST_CASE("A packet with a bit flipped anywhere is refused, shows nothing, and the good one behind it passes") {
  const Device device;
  const bool esn = GENERATE(false, true);
  const Layout layout = GENERATE(Layout{}, Layout{.source = {30, 40}}, Layout{.apart = true});
  Esp esp = fresh_esp();
  esp.esn = esn;
  const EspSession in(device, esp, Way::in);
  REQUIRE_FALSE(in.none());
  const Bytes clear = clear_packet();
  std::uint64_t refused = 0;
  std::uint64_t number = 0;
  const Bytes good = seal(esp, clear, ++number);
  for (std::size_t at = 20; at < good.size(); at += at < 40 || at + 20 > good.size() ? 1 : 9) {
    Bytes forged = good;
    forged[at] = static_cast<std::uint8_t>(forged[at] ^ 1U << at % 8);
    INFO("byte " << at);
    check_refused(in.run(forged, layout), clear);
    ++refused;
  }
  CHECK(in.stats().ierrors == refused);
  CHECK(in.stats().ipackets == 0);
  // Neither the window nor the statistics have moved.
  const Outcome fine = in.run(good, layout);
  REQUIRE(fine.ok());
  CHECK(fine.bytes == clear);
  CHECK(in.stats().ipackets == 1);
}

TEST_CASE("A forged number far ahead does not move the window") {
  const Device device;
  const Esp esp = fresh_esp();
  const EspSession in(device, esp, Way::in);
  const Bytes clear = clear_packet();
  REQUIRE(in.run(seal(esp, clear, 5)).ok());
  Bytes ahead = seal(esp, clear, 1'000'000);
  ahead.back() ^= 1U;
  check_refused(in.run(ahead), clear);
  CHECK(in.run(seal(esp, clear, 6)).ok());
}

TEST_CASE("A packet is accepted once, whatever the window, and late ones are not") {
  const Device device;
  const bool esn = GENERATE(false, true);
  for (const std::uint32_t window : {64U, 128U, 1024U, 2048U, 4096U}) {
    INFO("window " << window << ", esn " << esn);
    Esp esp = fresh_esp();
    esp.esn = esn;
    esp.window = window;
    const EspSession in(device, esp, Way::in);
    REQUIRE_FALSE(in.none());
    const Bytes clear = clear_packet();
    const auto ok = [&](std::uint64_t number) { return in.run(seal(esp, clear, number)).ok(); };
    const std::uint64_t top = 3 * window;
    CHECK(ok(1));
    CHECK_FALSE(ok(1));
    CHECK(ok(top));
    CHECK_FALSE(ok(top));
    CHECK_FALSE(ok(top - window));
    CHECK(ok(top - window + 1));
    CHECK_FALSE(ok(top - window + 1));
    CHECK(ok(top - window / 2));
    CHECK_FALSE(ok(top - window / 2));
    CHECK(ok(top + 1));
    CHECK_FALSE(ok(top + 1 - window));
    CHECK_FALSE(ok(0));
    CHECK(in.stats().ipackets == 5);
    CHECK(in.stats().ierrors == 7);
    // Twice in one burst.
    const auto twice = in.run_all({seal(esp, clear, top + 2), seal(esp, clear, top + 2)});
    CHECK(twice[0].ok());
    CHECK_FALSE(twice[1].ok());
    CHECK_FALSE(shows(twice[1].memory, clear));
  }
}

TEST_CASE("A packet between other tunnel ends is refused where the session compares them") {
  const Device device;
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  Esp esp = fresh_esp();
  esp.outer = family;
  const Bytes clear = clear_packet();
  Esp other_source = esp;
  other_source.source = "192.0.2.9";
  other_source.source6 = "2001:db8:f::9";
  Esp other_destination = esp;
  other_destination.destination = "192.0.2.9";
  other_destination.destination6 = "2001:db8:f::9";
  SECTION("both") {
    const EspSession in(device, esp, Way::in);
    check_refused(in.run(seal(other_source, clear, 1)), clear);
    check_refused(in.run(seal(other_destination, clear, 2)), clear);
    CHECK(in.run(seal(esp, clear, 3)).ok());
    CHECK(in.stats().ierrors == 2);
  }
  SECTION("the destination") {
    const EspSession in(device, esp, Way::in, [](rte_security_session_conf& conf) {
      conf.ipsec.options.tunnel_hdr_verify = RTE_SECURITY_IPSEC_TUNNEL_VERIFY_DST_ADDR;
    });
    CHECK(in.run(seal(other_source, clear, 1)).ok());
    check_refused(in.run(seal(other_destination, clear, 2)), clear);
    check_refused(in.run(seal(other_destination, clear, 2), {.source = {20}}), clear);
    CHECK(in.run(seal(esp, clear, 3)).ok());
    CHECK(in.stats().ierrors == 2);
  }
  SECTION("neither") {
    const EspSession in(device, esp, Way::in,
                        [](rte_security_session_conf& conf) { conf.ipsec.options.tunnel_hdr_verify = 0; });
    CHECK(in.run(seal(other_source, clear, 1)).ok());
    CHECK(in.run(seal(other_destination, clear, 2)).ok());
  }
}

TEST_CASE("UDP ports are compared where the session asks") {
  const Device device;
  Esp esp = fresh_esp();
  esp.udp = true;
  const EspSession in(device, esp, Way::in,
                      [](rte_security_session_conf& conf) { conf.ipsec.options.udp_ports_verify = 1; });
  REQUIRE_FALSE(in.none());
  const Bytes clear = clear_packet();
  for (const std::size_t at : {21U, 23U}) {
    Bytes other = seal(esp, clear, 1);
    other[at] ^= 1U;
    check_refused(in.run(other), clear);
  }
  CHECK(in.run(seal(esp, clear, 1)).ok());
}

TEST_CASE("No IV comes twice under a key: not in a session, not in the next one, not in two") {
  const Device device;
  // The numbers of a key are the process's, whatever engine uses them.
  const Device other("engine=software");
  Esp esp = fresh_esp();
  esp.esn = GENERATE(false, true);
  std::set<std::uint64_t> ivs;
  std::set<std::uint32_t> sequences;
  std::size_t made = 0;
  // As many as cross the ends of leases, in short; the session's own order in between.
  const auto use = [&](const Device& where, std::size_t count) {
    const EspSession out(where, esp, Way::out);
    REQUIRE_FALSE(out.none());
    // A second user of the key, and one in the other direction.
    CHECK(EspSession(device, esp, Way::out).none());
    CHECK(EspSession(other, esp, Way::out).none());
    CHECK(EspSession(where, esp, Way::in).none());
    for (std::size_t i = 0; i < count; i += 50) {
      for (const Outcome& one : out.run_all(std::vector<Bytes>(50, clear_packet(1, 40)))) {
        REQUIRE(one.ok());
        const auto opened = open(esp, one.bytes);
        REQUIRE(opened);
        ivs.insert(opened->iv);
        sequences.insert(opened->sequence);
        ++made;
      }
    }
  };
  use(device, 500);
  use(device, 100);
  use(other, 100);
  CHECK(ivs.size() == made);
  CHECK(sequences.size() == made);
  CHECK(said().find("encrypts with this key and salt") != std::string::npos);
}

TEST_CASE("Extended numbers go on over 2^32 in the ICV, out and in") {
  const Device device;
  Esp esp = fresh_esp();
  esp.esn = true;
  Esp in_esp = fresh_esp();
  in_esp.esn = true;
  const std::uint64_t start = (std::uint64_t{1} << 32U) - 3;
  const auto from_there = [&](rte_security_session_conf& conf) { conf.ipsec.esn.value = start; };
  const EspSession out(device, esp, Way::out, from_there);
  const EspSession in(device, in_esp, Way::in, from_there);
  REQUIRE_FALSE(out.none());
  REQUIRE_FALSE(in.none());
  const Bytes clear = clear_packet();
  for (std::uint64_t number = start; number < start + 8; ++number) {
    INFO("number " << number);
    const Outcome made = out.run(clear);
    REQUIRE(made.ok());
    const auto opened = open(esp, made.bytes, high_of(number));
    REQUIRE(opened);
    CHECK(opened->sequence == static_cast<std::uint32_t>(number));
    CHECK_FALSE(open(esp, made.bytes, high_of(number) + 1));
    // The high half is in the ICV and nowhere else.
    check_refused(in.run(seal(in_esp, clear, number + (std::uint64_t{1} << 32U))), clear);
    const Outcome back = in.run(seal(in_esp, clear, number));
    REQUIRE(back.ok());
    CHECK(back.bytes == clear);
  }
}

TEST_CASE("Numbers below the first expected one count as seen") {
  const Device device;
  const Esp esp = fresh_esp();
  const EspSession in(device, esp, Way::in, [](rte_security_session_conf& conf) { conf.ipsec.esn.value = 500; });
  const Bytes clear = clear_packet();
  check_refused(in.run(seal(esp, clear, 499)), clear);
  CHECK(in.run(seal(esp, clear, 500)).ok());
}

TEST_CASE("session_update moves an egress session's numbers forward, never back") {
  const Device device;
  Esp esp = fresh_esp();
  esp.esn = GENERATE(false, true);
  EspSession out(device, esp, Way::out);
  const auto next = [&] {
    const Outcome made = out.run(clear_packet());
    REQUIRE(made.ok());
    const auto opened = open(esp, made.bytes);
    REQUIRE(opened);
    return opened->sequence;
  };
  // A card takes its numbers by leases: what was lent to it counts as used. The refusal says where it ends.
  const auto forward = [&](std::uint32_t number) {
    said();
    if (out.go_to(number) == 0) return number;
    const std::string words = said();
    const std::size_t at = words.find("allowed: ");
    REQUIRE(at != std::string::npos);
    const auto allowed = static_cast<std::uint32_t>(std::stoul(words.substr(at + 9)));
    REQUIRE(allowed > number);
    REQUIRE(out.go_to(allowed) == 0);
    return allowed;
  };
  CHECK(next() == 1);
  const std::uint32_t there = forward(1000);
  CHECK(next() == there);
  CHECK(next() == there + 1);
  for (const std::uint32_t back : {0U, 1U, 999U, there - 1, there + 1}) CHECK(out.go_to(back) < 0);
  CHECK(said().find("allowed: ") != std::string::npos);
  CHECK(next() == there + 2);
  // To the last numbers of what was lent, and over its end.
  const std::uint32_t near_end = forward((1U << 16U) - 3);
  for (std::uint32_t i = 0; i < 8; ++i) CHECK(next() == near_end + i);
  // Far ahead, beyond what was lent.
  REQUIRE(out.go_to(50'000'000) == 0);
  CHECK(next() == 50'000'000);
  CHECK(out.go_to(49'999'999) < 0);
  EspSession in(device, fresh_esp(), Way::in);
  CHECK(in.go_to(7) < 0);
}

TEST_CASE("32-bit numbers end; they do not begin again") {
  const Device device;
  const Esp esp = fresh_esp();
  const EspSession out(device, esp, Way::out,
                       [](rte_security_session_conf& conf) { conf.ipsec.esn.value = 0xfffffffe; });
  REQUIRE_FALSE(out.none());
  const Bytes clear = clear_packet();
  CHECK(out.run(clear).ok());
  const Outcome last = out.run(clear);
  REQUIRE(last.ok());
  CHECK(open(esp, last.bytes)->sequence == 0xffffffff);
  for (int i = 0; i < 3; ++i) {
    const Outcome none = out.run(clear);
    CHECK(none.status == RTE_CRYPTO_OP_STATUS_ERROR);
    CHECK(none.bytes == clear);
  }
}

TEST_CASE("Soft limits are told of, hard ones end a session") {
  const Device device;
  const bool bytes = GENERATE(false, true);
  const Bytes clear = clear_packet();
  const auto limits = [&](rte_security_session_conf& conf) {
    auto& life = conf.ipsec.life;
    (bytes ? life.bytes_soft_limit : life.packets_soft_limit) = bytes ? 3 * clear.size() : 3;
    (bytes ? life.bytes_hard_limit : life.packets_hard_limit) = bytes ? 5 * clear.size() : 5;
  };
  const Esp esp = fresh_esp();
  const Esp in_esp = fresh_esp();
  const EspSession out(device, esp, Way::out, limits);
  const EspSession in(device, in_esp, Way::in, limits);
  for (std::uint32_t i = 1; i <= 7; ++i) {
    INFO("packet " << i);
    const Outcome made = out.run(clear);
    const Outcome back = in.run(seal(in_esp, clear, i));
    CHECK(made.ok() == (i <= 5));
    CHECK(back.ok() == (i <= 5));
    const std::uint8_t flags = i >= 3 && i <= 5 ? RTE_CRYPTO_OP_AUX_FLAGS_IPSEC_SOFT_EXPIRY : 0;
    CHECK(made.flags == flags);
    CHECK(back.flags == flags);
    if (i > 5) check_refused(back, clear);
  }
  CHECK(out.stats().opackets == 5);
  CHECK(out.stats().obytes == 5 * clear.size());
  CHECK(out.stats().oerrors == 2);
  CHECK(in.stats().ibytes == 5 * clear.size());
}

TEST_CASE("What is no ESP packet, or no IP packet, comes back as an error at every length") {
  const Device device;
  const Esp esp = fresh_esp();
  const Esp out_esp = fresh_esp();
  const EspSession in(device, esp, Way::in);
  const EspSession out(device, out_esp, Way::out);
  const Bytes clear = clear_packet();
  const Bytes good = seal(esp, clear, 1);
  for (std::size_t length = 0; length < good.size(); length += length < 60 ? 1 : 17) {
    INFO("length " << length);
    Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
    CHECK(in.run(cut).status == RTE_CRYPTO_OP_STATUS_ERROR);
    // With a header that says so.
    if (length >= 20) {
      put16(cut, 2, static_cast<std::uint16_t>(length));
      fix_ipv4_checksum(cut);
      CHECK(in.run(cut).status == RTE_CRYPTO_OP_STATUS_ERROR);
    }
    if (length < clear.size()) {
      const Bytes part(clear.begin(), clear.begin() + static_cast<std::ptrdiff_t>(length));
      CHECK(out.run(part).status == RTE_CRYPTO_OP_STATUS_ERROR);
    }
  }
  CHECK(in.run(noise(300)).status == RTE_CRYPTO_OP_STATUS_ERROR);
  CHECK(in.run(good).ok());
  CHECK(out.run(clear).ok());
}

TEST_CASE("An authentic packet with nonsense inside is refused, and its clear text is gone") {
  const Device device;
  const Esp esp = fresh_esp();
  const EspSession in(device, esp, Way::in);
  const Bytes secret = noise(200, 99);
  const Layout layout = GENERATE(Layout{}, Layout{.source = {64}}, Layout{.apart = true});
  // No IP packet; a truncated one; one of another family than the trailer says.
  check_refused(in.run(seal(esp, secret, 1, 4), layout), secret);
  Bytes longer = clear_packet(3);
  put16(longer, 2, 2000);
  fix_ipv4_checksum(longer);
  check_refused(in.run(seal(esp, longer, 2, 4), layout), longer);
  check_refused(in.run(seal(esp, clear_packet(4), 3, 41), layout), clear_packet(4));
  check_refused(in.run(seal(esp, clear_packet(5), 4, 6), layout), clear_packet(5));
  CHECK(in.stats().ierrors == 4);
}

TEST_CASE("A session that is gone encrypts nothing, nor one that never was") {
  const Device device;
  const Esp esp = fresh_esp();
  EspSession out(device, esp, Way::out);
  void* const handle = out.get();
  const Bytes clear = clear_packet();
  REQUIRE(out.run(clear).ok());
  REQUIRE(out.destroy() == 0);
  const Mbuf mbuf(clear, {});
  const Op op;
  op->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
  op->sym->session = handle;
  op->sym->m_src = mbuf.get();
  device.run(op);
  CHECK(op->status == RTE_CRYPTO_OP_STATUS_INVALID_SESSION);
  CHECK(mbuf.bytes() == clear);
  // The slot's next owner is another session, under another handle.
  const EspSession next(device, fresh_esp(), Way::out);
  const Op none;
  none->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
  none->sym->session = next.get();
  none->sym->m_src = nullptr;
  device.run(none);
  CHECK(none->status == RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  const Op asymmetric;
  asymmetric->type = RTE_CRYPTO_OP_TYPE_ASYMMETRIC;
  device.run(asymmetric);
  CHECK(asymmetric->status == RTE_CRYPTO_OP_STATUS_INVALID_SESSION);
  asymmetric->type = RTE_CRYPTO_OP_TYPE_SYMMETRIC;
}

TEST_CASE("Each session that is not done is refused by the name of its field") {
  const Device device;
  struct Refusal {
    Way way;
    EspSession::Change change;
    const char* words;
  };
  const std::vector<Refusal> refusals = {
      {Way::out, [](auto& c) { c.ipsec.spi = 5; }, "ipsec.spi: 5, allowed: 256 and above"},
      {Way::out, [](auto& c) { c.ipsec.proto = RTE_SECURITY_IPSEC_SA_PROTO_AH; }, "ipsec.proto"},
      {Way::out, [](auto& c) { c.action_type = RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL; }, "action_type"},
      {Way::out, [](auto& c) { c.protocol = RTE_SECURITY_PROTOCOL_PDCP; }, "protocol"},
      {Way::out, [](auto& c) { c.crypto_xform->aead.algo = RTE_CRYPTO_AEAD_AES_CCM; }, "aead.algo"},
      {Way::out, [](auto& c) { c.crypto_xform->aead.key.length = 17; }, "key of 17 bytes, allowed: 16, 24, 32"},
      {Way::out, [](auto& c) { c.crypto_xform->aead.digest_length = 8; }, "digest_length: 8, allowed: 16"},
      {Way::out, [](auto& c) { c.crypto_xform = nullptr; }, "crypto_xform"},
      {Way::out, [](auto& c) { c.crypto_xform->aead.op = RTE_CRYPTO_AEAD_OP_DECRYPT; }, "its operation is not that"},
      {Way::out, [](auto& c) { c.ipsec.options.iv_gen_disable = 1; }, "options.iv_gen_disable: 1, allowed: 0"},
      {Way::out, [](auto& c) { c.ipsec.options.ip_reassembly_en = 1; }, "options.ip_reassembly_en"},
      {Way::in, [](auto& c) { c.ipsec.options.dec_ttl = 1; }, "options.dec_ttl"},
      {Way::in, [](auto& c) { c.ipsec.options.tunnel_hdr_verify = 3; }, "options.tunnel_hdr_verify: 3"},
      {Way::in, [](auto& c) { c.ipsec.options.udp_ports_verify = 1; }, "options.udp_ports_verify"},
      {Way::in, [](auto& c) { c.ipsec.replay_win_sz = 4097; }, "replay_win_sz: 4097, allowed: 0 to 4096"},
      {Way::in,
       [](auto& c) {
         c.ipsec.replay_win_sz = 0;
         c.ipsec.options.esn = 1;
       },
       "replay_win_sz: 0 with esn"},
      {Way::out, [](auto& c) { c.ipsec.esn.value = std::uint64_t{1} << 32U; }, "esn.value: 4294967296 without esn"},
      {Way::out, [](auto& c) { c.ipsec.tunnel.ipv4.dst_ip.s_addr = 0; }, "destination: asked 0.0.0.0"},
      {Way::out, [](auto& c) { c.ipsec.tunnel.ipv4.dscp = 64; }, "dscp: asked 64"},
      {Way::out,
       [](auto& c) {
         c.ipsec.life.packets_soft_limit = 5;
         c.ipsec.life.packets_hard_limit = 4;
       },
       "lifetime.soft.packets"},
      {Way::out, [](auto& c) { c.ipsec.options.reserved_opts = 1; }, "options.reserved_opts"},
      {Way::out,
       [](auto& c) {
         c.ipsec.mode = RTE_SECURITY_IPSEC_SA_MODE_TRANSPORT;
         c.ipsec.options.ip_csum_enable = 1;
       },
       "in transport mode"},
  };
  for (const Refusal& refusal : refusals) {
    said();
    const EspSession session(device, fresh_esp(), refusal.way, refusal.change);
    INFO(refusal.words);
    CHECK(session.none());
    CHECK_THAT(said(), Catch::Contains(refusal.words));
  }
}
