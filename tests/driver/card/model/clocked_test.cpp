// A card image on the emulated card: registers, memory, the virtual clock, what survives an opening.
#include <chrono>
#include <cstring>
#include <random>
#include <thread>

#include "tests/driver/card/model/rig.hpp"

namespace linecrypt::test {
namespace {

void wait_for_beats(const xrt::ip& ip, std::uint32_t beats) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (ip.read_register(copier::done) != beats && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  REQUIRE(ip.read_register(copier::done) == beats);
}

}  // namespace

TEST_CASE("an image copies between banks once it is told to, and sleeps when it has nothing to do") {
  CopierRig rig;
  const std::uint32_t beats = GENERATE(1U, 63U, 64U, 5000U);
  const std::size_t bytes = (std::size_t{beats} * 64 + 4095) / 4096 * 4096;
  xrt::bo from(rig.device, bytes, 0), to(rig.device, bytes, 2);
  std::mt19937 random(beats);
  for (std::size_t i = 0; i < bytes; ++i) from.map<unsigned char*>()[i] = static_cast<unsigned char>(random());
  from.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  to.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  rig.point(from, to);
  const auto before = model_now();
  rig.ip.write_register(copier::beats, beats);
  wait_for_beats(rig.ip, beats);
  CHECK(rig.ip.read_register(copier::bad) == 0);
  CHECK(model_now() == before + beats);  // one beat a cycle, and idle cycles do not count
  to.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  CHECK(std::memcmp(from.map<char*>(), to.map<char*>(), std::size_t{beats} * 64) == 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(model_now() == before + beats);
}

TEST_CASE("the card reaches only whole beats inside one live buffer") {
  CopierRig rig;
  xrt::bo from(rig.device, 4096, 0), to(rig.device, 4096, 0);
  rig.point(from, to);
  SECTION("past the end of the buffer") {
    rig.ip.write_register(copier::beats,
                          66);  // from's end is to's beginning: one buffer after another is still outside
    wait_for_beats(rig.ip, 66);
    CHECK(rig.ip.read_register(copier::bad) == 2);
  }
  SECTION("a buffer that is gone") {
    const std::uint64_t address = [&] { return xrt::bo(rig.device, 4096, 1).address(); }();
    rig.write_wide(copier::destination, address);
    rig.ip.write_register(copier::beats, 64);
    wait_for_beats(rig.ip, 64);
    CHECK(rig.ip.read_register(copier::bad) == 64);
  }
  SECTION("an address in no bank, and one that wraps") {
    rig.write_wide(copier::source, GENERATE(0x123456789000ULL, 0xffffffffffffffc0ULL, 0x4000000000ULL));
    rig.ip.write_register(copier::beats, 1);
    wait_for_beats(rig.ip, 1);
    CHECK(rig.ip.read_register(copier::bad) == 1);
  }
}

TEST_CASE("registers keep what is written, an IP belongs to one opener, and a kernel of the image is no xrt::kernel") {
  CopierRig rig;
  rig.ip.write_register(copier::scratch, 0xdeadbeef);
  CHECK(rig.ip.read_register(copier::scratch) == 0xdeadbeef);
  CHECK_THROWS(rig.ip.read_register(4096));                   // XRT refuses it: outside the range
  CHECK_THROWS(xrt::ip(rig.device, rig.uuid, "copier"));      // exclusive
  CHECK_THROWS(xrt::ip(xrt::device(0), rig.uuid, "copier"));  // from another opening too
  CHECK_THROWS(xrt::ip(rig.device, xrt::uuid(), "copier"));   // of another xclbin
  CHECK_THROWS(xrt::ip(rig.device, rig.uuid, "nobody"));
  rig.ip = xrt::ip();
  CHECK_NOTHROW(xrt::ip(rig.device, rig.uuid, "copier"));
}

TEST_CASE("the fabric outlives an opening, and the same xclbin is not downloaded again") {
  open_fresh();
  const auto before = model_state().downloads;
  {
    const CopierRig rig;
    xrt::ip ip = rig.ip;
    ip.write_register(copier::scratch, 4711);
  }
  xrt::device device(0);
  const auto uuid = device.load_xclbin(xrt::xclbin(copier_xclbin()));
  xrt::ip ip(device, uuid, "copier");
  CHECK(ip.read_register(copier::scratch) == 4711);
  CHECK(model_state().downloads == before + 1);
}

TEST_CASE("another xclbin is refused while the loaded one is in use, and takes its place afterwards") {
  CopierRig rig;
  rig.ip.write_register(copier::scratch, 5);
  CHECK_THROWS(rig.device.load_xclbin(xrt::xclbin(plain_xclbin())));
  CHECK_THAT(last_refusal(), Catch::Contains("are in use"));
  CHECK(rig.ip.read_register(copier::scratch) == 5);
  rig.ip = xrt::ip();
  CHECK_NOTHROW(rig.device.load_xclbin(xrt::xclbin(plain_xclbin())));
  CHECK_NOTHROW(rig.device.load_xclbin(xrt::xclbin(copier_xclbin())));
  rig.ip = xrt::ip(rig.device, rig.uuid, "copier");
  CHECK(rig.ip.read_register(copier::scratch) == 0);
}

TEST_CASE("a held clock moves by the steps it is told, one beat a cycle") {
  CopierRig rig;
  xrt::bo from(rig.device, 8192, 0), to(rig.device, 8192, 0);
  rig.point(from, to);
  REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_hold)(0) == 0);
  auto* step = LINECRYPT_MODEL_CALL(linecrypt_model_step);
  rig.ip.write_register(copier::beats, 100);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(rig.ip.read_register(copier::done) == 0);
  for (std::uint32_t i = 1; i <= 10; ++i) {
    CHECK(step(0, 1) == 1);
    REQUIRE(rig.ip.read_register(copier::done) == i);
  }
  CHECK(step(0, 1000) == 90);  // then nothing can move
  CHECK(rig.ip.read_register(copier::done) == 100);
}

TEST_CASE("many threads use the card at once and each gets its own bytes") {
  CopierRig rig;
  xrt::bo from(rig.device, 1U << 20U, 0), to(rig.device, 1U << 20U, 1);
  rig.point(from, to);
  std::vector<std::thread> threads;
  std::atomic<unsigned> wrong{0};
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned round = 0; round < 50; ++round) {
        xrt::bo own(rig.device, 4096 * (1 + t), 2);
        std::memset(own.map<char*>(), static_cast<int>(t + round), own.size());
        own.sync(XCL_BO_SYNC_BO_TO_DEVICE);
        std::memset(own.map<char*>(), 0, own.size());
        own.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
        for (std::size_t i = 0; i < own.size(); ++i)
          if (own.map<unsigned char*>()[i] != static_cast<unsigned char>(t + round)) ++wrong;
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    rig.ip.write_register(copier::beats, 1U << 14U);
    while (rig.ip.read_register(copier::done) != 1U << 14U) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("two cards know nothing of each other") {
  CopierRig first(0), second(1);
  first.ip.write_register(copier::scratch, 1);
  second.ip.write_register(copier::scratch, 2);
  CHECK(first.ip.read_register(copier::scratch) == 1);
  fault("lost", 0, 0, 1);
  CHECK(second.ip.read_register(copier::scratch) == 0xffffffff);
  CHECK(first.ip.read_register(copier::scratch) == 1);
  fault("recover", 0, 0, 1);
  CHECK_THROWS(xrt::bo(second.device, 2U << 20U, 0));  // its banks are configured to be 1 MiB
  CHECK_NOTHROW(xrt::bo(first.device, 2U << 20U, 0));
}

}  // namespace linecrypt::test
