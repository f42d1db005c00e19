// The wire, or the card, goes away under traffic. Every mbuf is freed once.
#include <dlfcn.h>
#include <rte_cycles.h>

#include <catch2/catch.hpp>

#include "driver/card/model/control.h"
#include "tests/driver/dpdk/net/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

Esp fresh_esp() {
  static std::uint32_t spi = 0x9000;
  Esp esp;
  esp.key = fresh_key();
  esp.spi = ++spi;
  return esp;
}

// One round of traffic both ways: some frames out, some put on the wire and received. Returns what was received.
std::size_t traffic(Wire& wire, const Port& port, const Session& out, const Esp& in_esp, std::uint64_t& number,
                    const Bytes& clear) {
  rte_mbuf* burst[8];
  for (std::size_t i = 0; i < 8; ++i) burst[i] = out.mbuf_of(clear, i % 4 == 0 ? 50 : 0);
  const std::uint16_t taken = rte_eth_tx_burst(port.id(), 0, burst, 8);
  for (std::uint16_t i = taken; i < 8; ++i) rte_pktmbuf_free(burst[i]);
  wire.put(frames_of({seal(in_esp, clear, ++number), seal(in_esp, clear, ++number)}));
  rte_mbuf* got[16];
  const std::uint16_t came = rte_eth_rx_burst(port.id(), 0, got, 16);
  rte_pktmbuf_free_bulk(got, came);
  return came;
}

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

}  // namespace

TEST_CASE("The lower device goes under traffic: told once, bursts of 0 from then on, stopped, closed, nothing lost") {
  const bool detach_first = GENERATE(false, true);
  {
    auto wire = std::make_unique<Wire>();
    const Port port("lower=" + wire->name());
    const EspRule rule(port);
    const Esp out_esp = fresh_esp();
    const Esp in_esp = fresh_esp();
    const Session out(port, out_esp, Way::out);
    const Session in(port, in_esp, Way::in);
    const Bytes clear = packet({}, noise(300));
    std::uint64_t number = 0;
    for (int i = 0; i < 50; ++i) traffic(*wire, port, out, in_esp, number, clear);
    // Frames stand in the queues when it goes.
    wire->hold(true);
    for (int i = 0; i < 5; ++i) traffic(*wire, port, out, in_esp, number, clear);
    wire->pull();
    CHECK(port.events().removals == 1);
    CHECK(rte_eth_dev_is_removed(port.id()) == 1);
    wire->pull();
    CHECK(port.events().removals == 1);
    rte_mbuf* mbuf = out.mbuf_of(clear);
    CHECK(rte_eth_tx_burst(port.id(), 0, &mbuf, 1) == 0);
    rte_pktmbuf_free(mbuf);
    CHECK(rte_eth_rx_burst(port.id(), 0, &mbuf, 1) == 0);
    // Whoever takes the lower device away may be quicker than the application.
    if (detach_first) {
      rte_eth_dev_stop(port.id());
      wire.reset();
      rte_eth_link link{};
      rte_eth_link_get_nowait(port.id(), &link);
      CHECK(link.link_status == RTE_ETH_LINK_DOWN);
      rte_eth_stats stats{};
      rte_eth_stats_get(port.id(), &stats);
      CHECK(rte_eth_dev_start(port.id()) < 0);
    }
  }
  CHECK(frames_out() == 0);
}

TEST_CASE("A port goes away while frames are in it") {
  {
    Wire wire;
    const Port port("lower=" + wire.name());
    const Esp esp = fresh_esp();
    const Session out(port, esp, Way::out);
    wire.hold(true);
    std::vector<rte_mbuf*> burst;
    for (int i = 0; i < 100; ++i) burst.push_back(out.mbuf_of(packet({}, noise(100)), i % 4 == 0 ? 50 : 0));
    port.send(burst);
    // And started again in between.
    port.stop();
    CHECK(frames_out() == 0);
    wire.hold(false);
    port.start();
    port.send({out.mbuf_of(packet({}, noise(100)))});
    CHECK(wait_until([&] { return !wire.sent().empty(); }));
  }
  CHECK(frames_out() == 0);
}

TEST_CASE("The card is lost under traffic: with software behind it the port goes on, alone it is removed") {
  if (!device_is_slow()) return;
  const bool alone = engine_devargs().find("engine=card") != std::string::npos;
  {
    Wire wire;
    const Port port("lower=" + wire.name());
    const EspRule rule(port);
    const Esp out_esp = fresh_esp();
    const Esp in_esp = fresh_esp();
    const Session out(port, out_esp, Way::out);
    const Session in(port, in_esp, Way::in);
    const Bytes clear = packet({}, noise(300));
    std::uint64_t number = 0;
    std::size_t came = 0;
    std::uint32_t last = 0;
    const auto look = [&] {
      for (const Bytes& frame : wire.sent()) {
        const auto opened = open(out_esp, {frame.begin() + 14, frame.end()});
        REQUIRE(opened);
        REQUIRE(opened->inner == clear);
        REQUIRE(opened->sequence > last);
        last = opened->sequence;
      }
    };
    REQUIRE(wait_until([&] {
      came += traffic(wire, port, out, in_esp, number, clear);
      look();
      return came > 50;
    }));
    fault("lost", 1000);
    if (alone) {
      REQUIRE(wait_until([&] {
        traffic(wire, port, out, in_esp, number, clear);
        return port.events().removals != 0;
      }));
      CHECK(traffic(wire, port, out, in_esp, number, clear) == 0);
    } else {
      // Until it has failed over, and much has come since.
      std::string words;
      std::size_t since = 0;
      REQUIRE(wait_until([&] {
        const std::size_t now = traffic(wire, port, out, in_esp, number, clear);
        look();
        words += said();
        if (words.find("go on in software") != std::string::npos) since += now;
        return since > 100;
      }));
      CHECK(port.events().removals == 0);
    }
  }
  fault("recover", 0);
  CHECK(frames_out() == 0);
}
