// Raw AES-GCM and GMAC against OpenSSL. (DPDK's own suite has the known answers.)
#include <rte_mbuf.h>

#include <catch2/catch.hpp>
#include <optional>

#include "tests/driver/dpdk/crypto/ipsec.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// One op with its session's transform: offset bytes in front stay as they are.
struct Message {
  Bytes key;
  Bytes nonce = noise(12, 5);
  Bytes aad{};
  Bytes text{};
  Bytes tag = Bytes(16);
  std::uint32_t offset = 0;
  bool gmac = false;
};

struct Done {
  std::uint8_t status = 0;
  Bytes text{};
  Bytes tag;
  bool front_intact = false;
  Bytes memory;
};

Done run(const Device& device, const SymSession* session, const rte_crypto_sym_xform& xform, const Message& message,
         const Layout& layout) {
  const Bytes front = noise(message.offset, 3);
  const Bytes behind = noise(9, 4);
  const Mbuf source(front + message.text + behind, layout.source, layout.headroom);
  std::optional<Mbuf> apart;
  if (layout.apart) apart.emplace(front + Bytes(message.text.size()) + behind, layout.destination);
  Bytes aad = message.aad;
  Bytes tag = message.tag;
  const Op op;
  std::copy(message.nonce.begin(), message.nonce.end(), op.iv());
  if (session != nullptr) {
    op->sess_type = RTE_CRYPTO_OP_WITH_SESSION;
    op->sym->session = session->get();
  } else {
    op->sess_type = RTE_CRYPTO_OP_SESSIONLESS;
    op->sym->xform = const_cast<rte_crypto_sym_xform*>(&xform);
  }
  op->sym->m_src = source.get();
  op->sym->m_dst = apart ? apart->get() : nullptr;
  const auto length = static_cast<std::uint32_t>(message.text.size());
  if (message.gmac) {
    op->sym->auth.data = {message.offset, length};
    op->sym->auth.digest.data = tag.data();
  } else {
    op->sym->aead.data = {message.offset, length};
    op->sym->aead.aad.data = aad.data();
    op->sym->aead.digest.data = tag.data();
  }
  device.run(op);
  const Bytes all = (apart && !message.gmac ? *apart : source).bytes();
  Done done;
  done.status = op->status;
  done.tag = tag;
  const auto at = all.begin() + message.offset;
  done.text.assign(at, at + length);
  done.front_intact =
      std::equal(front.begin(), front.end(), all.begin()) && std::equal(behind.begin(), behind.end(), at + length);
  done.memory = apart ? source.memory() + apart->memory() : source.memory();
  return done;
}

const std::vector<Layout> layouts = {
    {},
    {.source = {}, .apart = true, .destination = {}},
    {.source = {7, 1, 0, 30}},
    {.source = {5, 5, 5}, .apart = true, .destination = {}},
    {.source = {}, .apart = true, .destination = {3, 60}},
    {.source = {11, 20}, .apart = true, .destination = {2, 2, 2, 50}},
};

}  // namespace

TEST_CASE("AES-GCM as OpenSSL has it: every length, key, layout, with and without a session") {
  const Device device;
  const std::size_t key_size = GENERATE(16U, 24U, 32U);
  const bool sessionless = GENERATE(false, true);
  if (sessionless && (device.info().feature_flags & RTE_CRYPTODEV_FF_SYM_SESSIONLESS) == 0) return;
  Message message{.key = noise(key_size, 8), .aad = noise(20)};
  const rte_crypto_sym_xform seal_xform = gcm_xform(true, message.key, 20);
  const rte_crypto_sym_xform open_xform = gcm_xform(false, message.key, 20);
  const SymSession sealing(device, seal_xform);
  const SymSession opening(device, open_xform);
  REQUIRE(sealing.get() != nullptr);
  REQUIRE(opening.get() != nullptr);
  for (std::uint32_t length = 0; length < 1700; length += length < 130 ? 1 : 111) {
    const Layout& layout = layouts[length % layouts.size()];
    INFO("length " << length << ", layout " << length % layouts.size());
    message.text = noise(length, length);
    message.offset = length % 5;
    Bytes text = message.text;
    Bytes tag;
    REQUIRE(gcm(true, message.key, message.nonce, message.aad, text, tag));
    const Done sealed = run(device, sessionless ? nullptr : &sealing, seal_xform, message, layout);
    CHECK(sealed.status == RTE_CRYPTO_OP_STATUS_SUCCESS);
    CHECK(sealed.text == text);
    CHECK(sealed.tag == tag);
    CHECK(sealed.front_intact);
    Message back = message;
    back.text = text;
    back.tag = tag;
    const Done opened = run(device, sessionless ? nullptr : &opening, open_xform, back, layout);
    CHECK(opened.status == RTE_CRYPTO_OP_STATUS_SUCCESS);
    CHECK(opened.text == message.text);
    CHECK(opened.front_intact);
    // A wrong tag, wrong associated data: refused, and no clear text anywhere.
    Message forged = back;
    (length % 2 == 0 ? forged.tag : forged.aad)[length % 16] ^= 4U;
    const Done refused = run(device, sessionless ? nullptr : &opening, open_xform, forged, layout);
    CHECK(refused.status == RTE_CRYPTO_OP_STATUS_AUTH_FAILED);
    CHECK_FALSE(shows(refused.memory, message.text));
    CHECK(refused.front_intact);
  }
}

TEST_CASE("GMAC as OpenSSL has it, over any segments, and the text stays") {
  const Device device;
  Message message{.key = noise(32, 9), .gmac = true};
  const rte_crypto_sym_xform making = gmac_xform(true, message.key);
  const rte_crypto_sym_xform checking = gmac_xform(false, message.key);
  const SymSession make(device, making);
  const SymSession check(device, checking);
  REQUIRE(make.get() != nullptr);
  REQUIRE(check.get() != nullptr);
  for (std::uint32_t length = 1; length < 400; length += 13) {
    const Layout layout{.source = layouts[length % layouts.size()].source};
    message.text = noise(length, length);
    message.offset = length % 3;
    Bytes nothing;
    Bytes tag;
    REQUIRE(gcm(true, message.key, message.nonce, message.text, nothing, tag));
    const Done made = run(device, &make, making, message, layout);
    CHECK(made.status == RTE_CRYPTO_OP_STATUS_SUCCESS);
    CHECK(made.tag == tag);
    CHECK(made.text == message.text);
    Message back = message;
    back.tag = tag;
    CHECK(run(device, &check, checking, back, layout).status == RTE_CRYPTO_OP_STATUS_SUCCESS);
    back.tag[3] ^= 1U;
    CHECK(run(device, &check, checking, back, layout).status == RTE_CRYPTO_OP_STATUS_AUTH_FAILED);
  }
}

TEST_CASE("Raw ops that ask for what is not there are errors, and raw sessions that are not done are refused") {
  const Device device;
  const Bytes key = noise(16);
  const SymSession session(device, gcm_xform(true, key, 8));
  REQUIRE(session.get() != nullptr);
  const Bytes text = noise(64);
  const Mbuf mbuf(text, {});
  Bytes aad(8);
  Bytes tag(16);
  const auto status_of = [&](auto&& change) {
    const Op op;
    op->sess_type = RTE_CRYPTO_OP_WITH_SESSION;
    op->sym->session = session.get();
    op->sym->m_src = mbuf.get();
    op->sym->aead.data = {0, 64};
    op->sym->aead.aad.data = aad.data();
    op->sym->aead.digest.data = tag.data();
    change(op);
    device.run(op);
    return op->status;
  };
  CHECK(status_of([](const Op& op) { op->sym->aead.data.length = 65; }) == RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  CHECK(status_of([](const Op& op) { op->sym->aead.data.offset = 1; }) == RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  CHECK(status_of([](const Op& op) { op->sym->aead.data.offset = 0xffffffff; }) == RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  CHECK(status_of([](const Op& op) { op->sym->aead.data.length = 0xffffffff; }) == RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  CHECK(status_of([](const Op& op) { op->sym->m_src = nullptr; }) == RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  CHECK(status_of([](const Op& op) { op->sym->aead.digest.data = nullptr; }) == RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  CHECK(status_of([](const Op& op) { op->sym->aead.aad.data = nullptr; }) == RTE_CRYPTO_OP_STATUS_INVALID_ARGS);
  CHECK(mbuf.bytes() == text);
  const auto refused = [&](auto&& change) {
    said();
    rte_crypto_sym_xform xform = gcm_xform(true, key, 8);
    change(xform);
    const SymSession none(device, xform);
    return none.get() == nullptr;
  };
  CHECK(refused([](auto& x) { x.aead.algo = RTE_CRYPTO_AEAD_CHACHA20_POLY1305; }));
  CHECK(refused([](auto& x) { x.aead.key.length = 15; }));
  CHECK(refused([](auto& x) { x.aead.iv.length = 16; }));
  CHECK_THAT(said(), Catch::Contains("iv.length: 16, allowed: 12"));
  CHECK(refused([](auto& x) { x.aead.digest_length = 12; }));
  CHECK(refused([](auto& x) { x.type = RTE_CRYPTO_SYM_XFORM_CIPHER; }));
}

TEST_CASE("As many raw sessions as the device says, and one more when one goes") {
  const Device device(engine_devargs() + ",max_sas=5");
  const Bytes key = noise(16);
  CHECK(device.info().sym.max_nb_sessions == 5);
  std::vector<std::unique_ptr<SymSession>> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back(std::make_unique<SymSession>(device, gcm_xform(true, key, 8)));
    REQUIRE(all.back()->get() != nullptr);
  }
  const auto one_more = [&] { return std::make_unique<SymSession>(device, gcm_xform(true, key, 8)); };
  CHECK(one_more()->get() == nullptr);
  CHECK_THAT(said(), Catch::Contains("all 5 sessions are in use"));
  all.pop_back();
  CHECK(one_more()->get() != nullptr);
}
