// The card goes away under traffic. In the tests named *_card and *_auto; elsewhere there is none.
#include <dlfcn.h>
#include <rte_cycles.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <set>

#include "driver/card/model/control.h"
#include "tests/driver/dpdk/crypto/ipsec.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// The emulated card's own door for tests; it is in the process once XRT has opened a card.
template <typename Function>
Function model(const char* name) {
  void* const found = dlsym(RTLD_DEFAULT, name);
  if (found == nullptr) FAIL(name << ": not there; is this the emulated card?");
  return reinterpret_cast<Function>(found);
}
void fault(const char* name, std::uint64_t in_cycles) {
  const std::uint64_t now = model<decltype(&::linecrypt_model_now)>("linecrypt_model_now")(0);
  REQUIRE(model<decltype(&::linecrypt_model_fault)>("linecrypt_model_fault")(0, name, now + in_cycles, 0) == 0);
}

std::atomic<int> errors_told{0};
void on_error(std::uint8_t /*device*/, rte_cryptodev_event_type /*event*/, void* /*argument*/) {
  ++errors_told;
}

}  // namespace

TEST_CASE("Losing the card: each op comes back once, in order, done or as an error, and is counted; then it goes on") {
  if (!device_is_slow()) return;
  const bool alone = engine_devargs().find("engine=card") != std::string::npos;
  const char* const how = GENERATE("lost", "kill", "reset");
  INFO(how);
  const Device device;
  errors_told = 0;
  REQUIRE(rte_cryptodev_callback_register(device.id(), RTE_CRYPTODEV_EVENT_ERROR, on_error, nullptr) == 0);
  const Esp out_esp{.key = fresh_key()};
  const Esp in_esp{.key = fresh_key()};
  const EspSession out(device, out_esp, Way::out);
  const EspSession in(device, in_esp, Way::in);
  REQUIRE_FALSE(out.none());
  REQUIRE_FALSE(in.none());
  const Bytes clear = packet({}, noise(300));

  constexpr std::size_t window = 96;
  std::vector<Mbuf> mbufs;
  std::vector<Op> ops;
  for (std::size_t i = 0; i < window; ++i) {
    mbufs.emplace_back(clear, Segments{});
    ops.emplace_back();
    ops.back()->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
    ops.back()->sym->m_src = mbufs.back().get();
    ops.back()->sym->session = i % 2 == 0 ? out.get() : in.get();
  }
  std::uint64_t sent = 0;
  std::uint64_t got = 0;
  std::uint64_t bad = 0;
  std::uint64_t good_after_bad = 0;
  std::uint64_t in_number = 0;
  std::uint32_t last_sequence = 0;
  std::set<std::uint64_t> ivs;
  bool struck = false;
  const std::uint64_t give_up = rte_get_timer_cycles() + 60 * rte_get_timer_hz();
  // Until much has come back since the loss, and the last of it well.
  while (!struck || good_after_bad < 500) {
    if (rte_get_timer_cycles() > give_up) FAIL("no good op since the loss: " << good_after_bad << ", errors " << bad);
    while (sent - got < window) {
      const std::size_t at = sent % window;
      mbufs[at].refill(at % 2 == 0 ? clear : seal(in_esp, clear, ++in_number));
      ops[at]->status = RTE_CRYPTO_OP_STATUS_NOT_PROCESSED;
      rte_crypto_op* one = ops[at].get();
      if (rte_cryptodev_enqueue_burst(device.id(), 0, &one, 1) == 0) {
        if (at % 2 == 1) --in_number;
        break;
      }
      ++sent;
    }
    rte_crypto_op* done[32];
    const std::uint16_t count = rte_cryptodev_dequeue_burst(device.id(), 0, done, 32);
    for (std::uint16_t i = 0; i < count; ++i, ++got) {
      const std::size_t at = got % window;
      REQUIRE(done[i] == ops[at].get());
      if (done[i]->status == RTE_CRYPTO_OP_STATUS_ERROR) {
        ++bad;
        good_after_bad = 0;
        continue;
      }
      REQUIRE(done[i]->status == RTE_CRYPTO_OP_STATUS_SUCCESS);
      if (errors_told != 0) ++good_after_bad;
      if (at % 2 == 1) {
        REQUIRE(mbufs[at].bytes() == clear);
        continue;
      }
      const auto opened = open(out_esp, mbufs[at].bytes());
      REQUIRE(opened);
      REQUIRE(opened->inner == clear);
      REQUIRE(opened->sequence > last_sequence);
      REQUIRE(ivs.insert(opened->iv).second);
      last_sequence = opened->sequence;
    }
    if (!struck && got > 300) {
      fault(how, 1000);
      struck = true;
    }
    // Nobody else gives a card back that XRT calls lost.
    if (alone && errors_told != 0) fault("recover", 0);
  }
  while (got < sent)
    got += [&] {
      rte_crypto_op* done[32];
      return rte_cryptodev_dequeue_burst(device.id(), 0, done, 32);
    }();
  CHECK(errors_told > 0);
  CHECK(device.stats().enqueued_count == sent);
  CHECK(device.stats().dequeued_count == sent);
  CHECK(device.stats().dequeue_err_count >= bad);
  CHECK(out.stats().oerrors + in.stats().ierrors == device.stats().dequeue_err_count);
  // Software behind it takes over; at most what was held too long is lost.
  if (!alone) CHECK_THAT(said(), Catch::Contains("is lost") && Catch::Contains("go on in software"));
  rte_cryptodev_callback_unregister(device.id(), RTE_CRYPTODEV_EVENT_ERROR, on_error, nullptr);
  fault("recover", 0);
}
