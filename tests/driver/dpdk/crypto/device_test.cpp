// Devices come, work and go; what they are told is checked.
#include <rte_bus_vdev.h>
#include <rte_eal.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/driver/dpdk/crypto/ipsec.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

TEST_CASE("A wrong devarg is named with what is allowed, and leaves no device") {
  struct Wrong {
    const char* devargs;
    const char* words;
  };
  const std::vector<Wrong> all = {
      {"engine=fpga", "engine=fpga; allowed: software, auto, card"},
      {"engin=software", "unknown key engin; allowed: engine, card, xclbin"},
      {"queues=0", "queues=0; allowed: 1 to 64"},
      {"queues=65", "queues=65; allowed: 1 to 64"},
      {"queues=two", "queues=two; allowed: 1 to 64"},
      {"max_sas=0", "max_sas=0; allowed: 1 to 1048576"},
      {"max_sas=99999999", "max_sas=99999999; allowed: 1 to 1048576"},
      {"provider=quick", "provider=quick; allowed: automatic, vaes, ipsec_mb, openssl"},
      {"key_reuse=yes", "key_reuse=yes; allowed: refuse, allow"},
      {"test_iv=2", "test_iv=2; allowed: 0, 1"},
      {"reserved_spi=1", "reserved_spi=1; allowed: refuse, allow"},
      {"inner_ip_csum=1", "inner_ip_csum=1; allowed: keep, write, carry"},
      {"test_dec_ttl=2", "test_dec_ttl=2; allowed: 0, 1"},
      {"shared_node=1", "shared_node=1; allowed: refuse, allow"},
      {"socket_id=-1", "socket_id=-1; allowed: 0 to 31"},
      {"engine=card,card=0000:65:00,xclbin=/x", "card=0000:65:00; allowed: a PCI address"},
      {"xclbin=here.xclbin", "xclbin=here.xclbin; allowed: an absolute path"},
      {"trusted_keys=keys", "trusted_keys=keys; allowed: an absolute path"},
      {"engine=software,engine=auto", "engine is given twice"},
      {"engine", "\"engine\", allowed: key=value"},
      {"engine=card", "need xclbin=<path>"},
      {"engine=software,card=1", "card is given with engine=software"},
      {"engine=software,xclbin=/x", "xclbin is given with engine=software"},
      {"engine=card,xclbin=/nowhere/x.xclbin", "engine=card and there is none to use"},
  };
  for (const Wrong& wrong : all) {
    start_eal();
    said();
    const std::uint8_t before = rte_cryptodev_count();
    CHECK(Device::try_probe(wrong.devargs) != 0);
    CHECK_THAT(said(), Catch::Contains(wrong.words));
    CHECK(rte_cryptodev_count() == before);
  }
  CHECK(Device::try_probe("engine=software,queues=64,max_sas=3,provider=openssl,socket_id=0") == 0);
}

TEST_CASE("engine=auto without a card is software, and says so once") {
  start_eal();
  said();
  const Device device("engine=auto,xclbin=/nowhere/x.xclbin");
  const Esp esp{.key = fresh_key()};
  const EspSession out(device, esp, Way::out);
  CHECK(out.run(packet({}, noise(50))).ok());
  CHECK((device.info().feature_flags & RTE_CRYPTODEV_FF_HW_ACCELERATED) == 0);
}

TEST_CASE("A device is stopped, set up anew and started again; its sessions live on") {
  Device device(engine_devargs(), 2);
  const Esp esp{.key = fresh_key()};
  const EspSession out(device, esp, Way::out);
  const Bytes clear = packet({}, noise(50));
  CHECK(open(esp, out.run(clear).bytes)->sequence == 1);
  device.stop();
  rte_cryptodev_config config{};
  config.nb_queue_pairs = 1;
  REQUIRE(rte_cryptodev_configure(device.id(), &config) == 0);
  rte_cryptodev_qp_conf pair{};
  pair.nb_descriptors = 70'000;
  CHECK(rte_cryptodev_queue_pair_setup(device.id(), 0, &pair, 0) < 0);
  pair.nb_descriptors = 128;
  REQUIRE(rte_cryptodev_queue_pair_setup(device.id(), 0, &pair, 0) == 0);
  device.start();
  CHECK(open(esp, out.run(clear).bytes)->sequence == 2);
  config.nb_queue_pairs = 65;
  device.stop();
  CHECK(rte_cryptodev_configure(device.id(), &config) < 0);
}

TEST_CASE("A device goes away with sessions and undelivered ops in it") {
  start_eal();
  REQUIRE(rte_vdev_init("crypto_linecrypt_gone", engine_devargs().c_str()) == 0);
  const auto id = static_cast<std::uint8_t>(rte_cryptodev_get_dev_id("crypto_linecrypt_gone"));
  rte_cryptodev_config config{};
  config.nb_queue_pairs = 1;
  REQUIRE(rte_cryptodev_configure(id, &config) == 0);
  rte_cryptodev_qp_conf pair{};
  pair.nb_descriptors = 64;
  REQUIRE(rte_cryptodev_queue_pair_setup(id, 0, &pair, 0) == 0);
  REQUIRE(rte_cryptodev_start(id) == 0);
  Bytes key = noise(16);
  rte_mempool* const pool = rte_cryptodev_sym_session_pool_create("gone", 4, 64, 0, 0, 0);
  rte_crypto_sym_xform xform = gcm_xform(true, key, 8);
  void* const session = rte_cryptodev_sym_session_create(id, &xform, pool);
  REQUIRE(session != nullptr);
  const Mbuf mbuf(noise(64), {});
  Bytes aad(8);
  Bytes tag(16);
  const Op op;
  op->sess_type = RTE_CRYPTO_OP_WITH_SESSION;
  op->sym->session = session;
  op->sym->m_src = mbuf.get();
  op->sym->aead.data = {0, 64};
  op->sym->aead.aad.data = aad.data();
  op->sym->aead.digest.data = tag.data();
  rte_crypto_op* one = op.get();
  REQUIRE(rte_cryptodev_enqueue_burst(id, 0, &one, 1) == 1);
  // Running, too.
  CHECK(rte_vdev_uninit("crypto_linecrypt_gone") == 0);
  CHECK(rte_cryptodev_get_dev_id("crypto_linecrypt_gone") < 0);
  rte_mempool_free(pool);
}

TEST_CASE("A full queue pair takes no more, and loses nothing") {
  const Device device(engine_devargs(), 1, 64);
  const Esp esp{.key = fresh_key()};
  const EspSession out(device, esp, Way::out);
  std::vector<Mbuf> mbufs;
  std::vector<Op> ops;
  std::vector<rte_crypto_op*> in;
  const Bytes clear = packet({}, noise(90));
  for (int i = 0; i < 200; ++i) {
    mbufs.emplace_back(clear, i % 4 == 0 ? Segments{40} : Segments{});
    ops.emplace_back();
    ops.back()->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
    ops.back()->sym->session = out.get();
    ops.back()->sym->m_src = mbufs.back().get();
    in.push_back(ops.back().get());
  }
  const std::uint16_t first = rte_cryptodev_enqueue_burst(device.id(), 0, in.data(), 200);
  CHECK(first > 0);
  CHECK(first <= 64);
  std::vector<rte_crypto_op*> got(200);
  std::size_t count = 0;
  while (count < first) count += rte_cryptodev_dequeue_burst(device.id(), 0, got.data() + count, 64);
  CHECK(count == first);
  std::vector<Op> rest(std::make_move_iterator(ops.begin() + first), std::make_move_iterator(ops.end()));
  device.run(rest);
  // Numbers in order without a gap: what was not taken was not encrypted.
  for (std::uint32_t i = 0; i < 200; ++i) {
    const auto opened = open(esp, mbufs[i].bytes());
    REQUIRE(opened);
    CHECK(opened->sequence == i + 1);
    CHECK(opened->inner == clear);
  }
  CHECK(device.stats().enqueued_count == 200);
  CHECK(device.stats().dequeued_count == 200);
  CHECK(device.stats().enqueue_err_count >= 136);
}

TEST_CASE("Many threads use one session each and one session together, while others come and go") {
  constexpr std::uint16_t threads = 4;
  const std::uint32_t rounds = device_is_slow() ? 6 : 60;
  constexpr std::uint32_t burst = 16;
  const Device device(engine_devargs(), threads);
  const Esp shared_esp{.key = fresh_key(), .window = 4096};
  const EspSession shared(device, shared_esp, Way::out);
  std::vector<Esp> own_esps(threads);
  std::vector<std::unique_ptr<EspSession>> own;
  for (Esp& esp : own_esps) {
    esp.key = fresh_key();
    own.push_back(std::make_unique<EspSession>(device, esp, Way::out));
  }
  const Bytes clear = packet({}, noise(100));
  std::vector<std::vector<Bytes>> made(threads);
  std::atomic<bool> failed{false};
  std::atomic<std::uint32_t> running{threads};
  // At half time the threads wait until control has done its part beside them, however late it gets the CPU.
  constexpr std::uint32_t least_sessions = 3;
  std::atomic<std::uint32_t> sessions{0};
  const auto work = [&](std::uint16_t pair) {
    std::vector<Mbuf> mbufs;
    std::vector<Op> ops;
    for (std::uint32_t i = 0; i < burst; ++i) {
      mbufs.emplace_back(clear, Segments{});
      ops.emplace_back();
    }
    for (std::uint32_t round = 0; round < rounds && !failed; ++round) {
      while (round == rounds / 2 && sessions < least_sessions && !failed) std::this_thread::yield();
      rte_crypto_op* in[burst];
      rte_crypto_op* out[burst];
      for (std::uint32_t i = 0; i < burst; ++i) {
        mbufs[i].refill(clear);
        ops[i]->status = RTE_CRYPTO_OP_STATUS_NOT_PROCESSED;
        ops[i]->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
        ops[i]->sym->session = i % 2 == 0 ? shared.get() : own[pair]->get();
        ops[i]->sym->m_src = mbufs[i].get();
        in[i] = ops[i].get();
      }
      std::uint32_t sent = 0;
      std::uint32_t got = 0;
      while (got < burst) {
        sent += rte_cryptodev_enqueue_burst(device.id(), pair, in + sent, static_cast<std::uint16_t>(burst - sent));
        got += rte_cryptodev_dequeue_burst(device.id(), pair, out + got, static_cast<std::uint16_t>(burst - got));
      }
      for (std::uint32_t i = 0; i < burst; ++i) {
        if (out[i] != in[i] || out[i]->status != RTE_CRYPTO_OP_STATUS_SUCCESS) failed = true;
        made[pair].push_back(mbufs[i].bytes());
      }
    }
    --running;
  };
  std::vector<std::thread> all;
  for (std::uint16_t i = 0; i < threads; ++i) all.emplace_back(work, i);
  // Control beside them.
  while (running != 0) {
    const Esp esp{.key = fresh_key()};
    EspSession one(device, esp, Way::out);
    if (one.none() || one.stats().opackets != 0 || one.destroy() != 0) failed = true;
    ++sessions;
  }
  for (std::thread& one : all) one.join();
  CHECK_FALSE(failed);
  CHECK(sessions >= least_sessions);
  std::vector<std::uint32_t> numbers;
  for (std::uint16_t i = 0; i < threads; ++i) {
    std::uint32_t last = 0;
    for (std::size_t k = 0; k < made[i].size(); ++k) {
      const auto opened = open(k % 2 == 0 ? shared_esp : own_esps[i], made[i][k]);
      REQUIRE(opened);
      CHECK(opened->inner == clear);
      if (k % 2 == 0)
        numbers.push_back(opened->sequence);
      else
        CHECK(opened->sequence == ++last);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  CHECK(numbers.size() == threads * rounds * burst / 2);
  for (std::size_t i = 0; i < numbers.size(); ++i) REQUIRE(numbers[i] == i + 1);
  CHECK(shared.stats().opackets == numbers.size());
}

TEST_CASE("A session goes on over the ends of its leases") {
  // 2^16 numbers a lease without ESN: three of them.
  if (device_is_slow()) return;
  const Device device;
  const Esp esp{.key = fresh_key()};
  const EspSession out(device, esp, Way::out);
  const Bytes clear = packet({}, noise(20));
  std::vector<Mbuf> mbufs;
  std::vector<Op> ops;
  for (int i = 0; i < 512; ++i) {
    mbufs.emplace_back(clear, Segments{});
    ops.emplace_back();
    ops.back()->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
    ops.back()->sym->session = out.get();
    ops.back()->sym->m_src = mbufs.back().get();
  }
  constexpr std::uint32_t rounds = 3 * 65536 / 512 + 2;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    for (Mbuf& mbuf : mbufs) mbuf.refill(clear);
    device.run(ops);
    for (const Op& op : ops) REQUIRE(op->status == RTE_CRYPTO_OP_STATUS_SUCCESS);
  }
  CHECK(open(esp, mbufs.back().bytes())->sequence == rounds * 512);
  CHECK(out.stats().oerrors == 0);
}
