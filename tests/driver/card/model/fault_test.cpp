// Each fault at many moments of the virtual clock: it strikes at exactly that cycle, does what README.md says, and no
// more.
#include <chrono>
#include <cstring>
#include <random>
#include <thread>

#include "tests/driver/card/model/rig.hpp"

namespace linecrypt::test {
namespace {

constexpr std::uint32_t copy_beats = 1024;
constexpr std::size_t copy_bytes = std::size_t{copy_beats} * 64;

std::uint32_t draw(std::mt19937& random) {
  return static_cast<std::uint32_t>(random());
}

int moments() {
  return std::getenv("LINECRYPT_LONG") != nullptr ? 1000 : 60;
}

// A copy of 1024 different beats, with a fault planned `after` cycles from its start.
struct FaultyCopy {
  explicit FaultyCopy(std::uint32_t seed) {
    std::mt19937 random(seed);
    for (std::size_t i = 0; i < copy_bytes / 4; ++i) from.map<std::uint32_t*>()[i] = draw(random) | 1U;
    std::memset(to.map<char*>(), 0, copy_bytes);
    from.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    to.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    rig.point(from, to);
    rig.ip.write_register(copier::scratch, 77);
  }
  void start(const char* name, std::uint64_t after, std::uint64_t argument = 0) {
    struck = model_state().faults + 1;
    fault(name, model_now() + after, argument);
    rig.ip.write_register(copier::beats, copy_beats);
  }
  void wait_for_fault() const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (model_state().faults < struck && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    REQUIRE(model_state().faults == struck);
  }
  void wait_for_end() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (rig.ip.read_register(copier::done) != copy_beats && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
    REQUIRE(rig.ip.read_register(copier::done) == copy_beats);
  }
  // Beats that arrived, counted from the front; every byte after them must be zero.
  [[nodiscard]] std::size_t arrived() {
    std::vector<char> chips(copy_bytes);
    REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_read)(0, to.address(), chips.data(), chips.size()) == 0);
    std::size_t beats = 0;
    while (beats < copy_beats && std::memcmp(&chips[beats * 64], from.map<char*>() + beats * 64, 64) == 0) ++beats;
    for (std::size_t i = beats * 64; i < copy_bytes; ++i) REQUIRE(chips[i] == 0);
    return beats;
  }

  CopierRig rig;
  xrt::bo from{rig.device, copy_bytes, 0};
  xrt::bo to{rig.device, copy_bytes, 1};
  std::uint64_t struck = 0;
};

}  // namespace

TEST_CASE("hang: at each moment the copy stops at that beat, registers and memory answer, and recover ends it") {
  std::mt19937 random(11);
  for (int i = 0; i < moments(); ++i) {
    FaultyCopy copy(draw(random));
    const std::uint32_t after = draw(random) % copy_beats;
    copy.start("hang", after);
    copy.wait_for_fault();
    REQUIRE(copy.rig.ip.read_register(copier::done) == after);
    REQUIRE(copy.arrived() == after);
    REQUIRE(copy.rig.ip.read_register(copier::scratch) == 77);
    REQUIRE_NOTHROW(copy.to.sync(XCL_BO_SYNC_BO_FROM_DEVICE));
    if (i % 2 == 0) {
      fault("recover");
      copy.wait_for_end();
      REQUIRE(copy.arrived() == copy_beats);
    }
  }
}

TEST_CASE(
    "lost: registers read all ones, writes vanish, transfers and loads fail, nothing moves; recover goes on from "
    "there") {
  std::mt19937 random(12);
  for (int i = 0; i < moments(); ++i) {
    FaultyCopy copy(draw(random));
    const std::uint32_t after = draw(random) % copy_beats;
    copy.start("lost", after);
    copy.wait_for_fault();
    for (const std::uint32_t offset : {copier::done, copier::scratch, copier::source})
      REQUIRE(copy.rig.ip.read_register(offset) == 0xffffffff);
    copy.rig.ip.write_register(copier::scratch, 1);
    REQUIRE_THROWS(copy.to.sync(XCL_BO_SYNC_BO_FROM_DEVICE));
    REQUIRE_THROWS(copy.to.sync(XCL_BO_SYNC_BO_TO_DEVICE));
    REQUIRE_THROWS(copy.rig.device.load_xclbin(xrt::xclbin(plain_xclbin())));
    REQUIRE_THROWS(xrt::device(0));
    REQUIRE(copy.arrived() == after);
    fault("recover");
    copy.wait_for_end();
    REQUIRE(copy.arrived() == copy_beats);
    REQUIRE(copy.rig.ip.read_register(copier::scratch) == 77);
  }
}

TEST_CASE("lost with argument 1: transfers from the card succeed and bring all ones") {
  FaultyCopy copy(1);
  fault("lost", 0, 1);
  CHECK_NOTHROW(copy.to.sync(XCL_BO_SYNC_BO_FROM_DEVICE));
  for (std::size_t i = 0; i < copy_bytes; ++i) REQUIRE(copy.to.map<unsigned char*>()[i] == 0xff);
  CHECK_THROWS(copy.to.sync(XCL_BO_SYNC_BO_TO_DEVICE));
}

TEST_CASE("reset: at each moment registers are zero, the work in flight is gone, and memory stays") {
  std::mt19937 random(13);
  for (int i = 0; i < moments(); ++i) {
    FaultyCopy copy(draw(random));
    const std::uint32_t after = 1 + draw(random) % (copy_beats - 1);  // at 0 it would strike before the start
    copy.start("reset", after, i % 2);
    copy.wait_for_fault();
    REQUIRE(copy.rig.ip.read_register(copier::done) == 0);
    REQUIRE(copy.rig.ip.read_register(copier::beats) == 0);
    REQUIRE(copy.rig.ip.read_register(copier::scratch) == 0);
    REQUIRE(copy.arrived() == (i % 2 == 0 ? after : 0));
    copy.rig.point(copy.from, copy.to);
    copy.from.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    copy.rig.ip.write_register(copier::beats, copy_beats);
    copy.wait_for_end();
    REQUIRE(copy.arrived() == copy_beats);
  }
}

TEST_CASE(
    "kill: at each moment units stop, memory, registers and bitstream are gone, and a load brings the card back "
    "empty") {
  std::mt19937 random(14);
  for (int i = 0; i < moments(); ++i) {
    FaultyCopy copy(draw(random));
    const std::uint32_t after = draw(random) % copy_beats;
    const std::uint64_t begin = model_now();
    copy.start("kill", after);
    copy.wait_for_fault();
    REQUIRE(model_state().now >= begin + after);
    REQUIRE(copy.rig.ip.read_register(copier::scratch) == 0xffffffff);
    REQUIRE_THROWS(copy.to.sync(XCL_BO_SYNC_BO_FROM_DEVICE));
    REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_find)(0, copy.from.map<char*>(), 64) == 0);
    REQUIRE(model_state().loaded == 0);
    copy.rig.ip = xrt::ip();
    xrt::device again(0);
    const auto uuid = again.load_xclbin(xrt::xclbin(copier_xclbin()));
    REQUIRE(xrt::ip(again, uuid, "copier").read_register(copier::scratch) == 0);
    copy.to.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
    for (std::size_t byte = 0; byte < copy_bytes; ++byte) REQUIRE(copy.to.map<char*>()[byte] == 0);
  }
}

TEST_CASE("flip: exactly one bit of the next transfer, on the side where it arrives") {
  std::mt19937_64 random(15);
  for (int i = 0; i < moments(); ++i) {
    FaultyCopy copy(static_cast<std::uint32_t>(i));
    const bool drawn = i % 3 == 0;
    const std::uint64_t bit = random() % (copy_bytes * 8);
    fault("flip", 0, drawn ? ~std::uint64_t{0} : bit);
    const bool to_card = i % 2 == 0;
    if (to_card) copy.from.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    std::vector<unsigned char> sent(copy_bytes), got(copy_bytes);
    if (to_card) {
      std::memcpy(sent.data(), copy.from.map<char*>(), copy_bytes);
      REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_read)(0, copy.from.address(), got.data(), copy_bytes) == 0);
    } else {
      REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_read)(0, copy.from.address(), sent.data(), copy_bytes) == 0);
      copy.from.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
      std::memcpy(got.data(), copy.from.map<char*>(), copy_bytes);
    }
    int wrong = 0;
    for (std::size_t byte = 0; byte < copy_bytes; ++byte) wrong += __builtin_popcount(sent[byte] ^ got[byte]);
    REQUIRE(wrong == 1);
    if (!drawn) REQUIRE((sent[bit / 8] ^ got[bit / 8]) == 1 << (bit % 8));
    copy.from.sync(XCL_BO_SYNC_BO_TO_DEVICE);  // the next one is whole
    REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_read)(0, copy.from.address(), got.data(), copy_bytes) == 0);
    REQUIRE(std::memcmp(got.data(), copy.from.map<char*>(), copy_bytes) == 0);
  }
}

TEST_CASE("partial: only the first bytes of the next transfer from the card arrive, and nobody says so") {
  FaultyCopy copy(3);
  const std::size_t bytes = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{65'537});
  const std::size_t arrive = bytes == 0 ? copy_bytes / 2 : std::min(bytes, copy_bytes);
  std::vector<char> sent(copy_bytes);
  std::memcpy(sent.data(), copy.from.map<char*>(), copy_bytes);
  fault("partial", 0, bytes);
  copy.from.sync(XCL_BO_SYNC_BO_TO_DEVICE);  // this way is whole
  std::memset(copy.from.map<char*>(), 0, copy_bytes);
  REQUIRE_NOTHROW(copy.from.sync(XCL_BO_SYNC_BO_FROM_DEVICE));
  CHECK(std::memcmp(copy.from.map<char*>(), sent.data(), arrive) == 0);
  for (std::size_t i = arrive; i < copy_bytes; ++i) REQUIRE(copy.from.map<char*>()[i] == 0);
  REQUIRE_NOTHROW(copy.from.sync(XCL_BO_SYNC_BO_FROM_DEVICE));
  CHECK(std::memcmp(copy.from.map<char*>(), sent.data(), copy_bytes) == 0);
}

TEST_CASE("fail: as many transfers as said fail, and the next is right") {
  FaultyCopy copy(4);
  fault("fail", 0, 3);
  for (int i = 0; i < 3; ++i) CHECK_THROWS(copy.from.sync(XCL_BO_SYNC_BO_TO_DEVICE));
  CHECK_NOTHROW(copy.from.sync(XCL_BO_SYNC_BO_TO_DEVICE));
}

TEST_CASE("slow: the clock gives only so many cycles in a millisecond") {
  FaultyCopy copy(5);
  const auto begin = std::chrono::steady_clock::now();
  copy.start("slow", 0, 50);  // 1024 beats: at least 20 ms
  copy.wait_for_end();
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(19));
  REQUIRE(copy.arrived() == copy_beats);
}

TEST_CASE("wrong_tag: reaches the image at its cycle with its argument") {
  FaultyCopy copy(6);
  copy.start("wrong_tag", 100, 9);
  copy.wait_for_end();
  CHECK(copy.rig.ip.read_register(copier::wrong_tags) == 9);
}

TEST_CASE("faults strike in the order of their moments, those forgotten never, and unknown names are refused") {
  FaultyCopy copy(7);
  auto* step = LINECRYPT_MODEL_CALL(linecrypt_model_step);
  REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_hold)(0) == 0);
  const auto now = model_now();
  fault("reset", now + 900);
  fault("wrong_tag", now + 300, 3);
  fault("wrong_tag", now + 200, 2);
  copy.start("hang", 950);
  CHECK(step(0, 250) == 250);
  CHECK(copy.rig.ip.read_register(copier::wrong_tags) == 2);
  CHECK(step(0, 51) == 51);
  CHECK(copy.rig.ip.read_register(copier::wrong_tags) == 3);
  REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_forget_faults)(0) == 0);
  CHECK(step(0, 5000) == copy_beats - 301);
  REQUIRE(copy.arrived() == copy_beats);
  CHECK(model_state().link == LINECRYPT_MODEL_WELL);
  auto* plan = LINECRYPT_MODEL_CALL(linecrypt_model_fault);
  CHECK(plan(0, "explode", 0, 0) == -EINVAL);
  CHECK(plan(9, "hang", 0, 0) == -ENODEV);
}

TEST_CASE("a plain kernel hangs too: its run ends only after recovery, and as aborted after a reset") {
  xrt::device device = open_fresh();
  const auto uuid = device.load_xclbin(xrt::xclbin(plain_xclbin()));
  const xrt::kernel kernel(device, uuid, "slow_scale");
  const xrt::bo values(device, 4096, kernel.group_id(0));
  xrt::run run(kernel);
  run.set_arg(0, values);
  run.set_arg(1, 0U);
  run.set_arg(2, 1.0F);
  run.set_arg(3, 1U);
  fault("hang");
  run.start();
  CHECK(run.wait(std::chrono::milliseconds(50)) == ERT_CMD_STATE_TIMEOUT);
  SECTION("recover") {
    fault("recover");
    CHECK(run.wait(std::chrono::milliseconds(2000)) == ERT_CMD_STATE_COMPLETED);
  }
  SECTION("reset") {
    fault("reset");
    CHECK(run.wait(std::chrono::milliseconds(2000)) == ERT_CMD_STATE_ABORT);
    xrt::run again(kernel);
    again.set_arg(0, values);
    again.set_arg(1, 0U);
    again.set_arg(2, 1.0F);
    again.set_arg(3, 1U);
    again.start();
    CHECK(again.wait(std::chrono::milliseconds(2000)) == ERT_CMD_STATE_COMPLETED);
  }
}

}  // namespace linecrypt::test
