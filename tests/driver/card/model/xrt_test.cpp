// XRT's native C++ API on the emulated card, with plain kernels: what XRT's own sample programs do.
#include <dirent.h>

#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>

#include "tests/driver/card/model/rig.hpp"

namespace linecrypt::test {
namespace {

struct PlainRig {
  xrt::device device{open_fresh()};
  xrt::uuid uuid{device.load_xclbin(xrt::xclbin(plain_xclbin()))};
};

struct Vectors {
  Vectors(const xrt::device& device, const xrt::kernel& kernel, unsigned count)
      : n(count),
        a(device, bytes(), kernel.group_id(0)),
        b(device, bytes(), kernel.group_id(1)),
        c(device, bytes(), kernel.group_id(2)) {
    std::iota(a.map<int*>(), a.map<int*>() + n, 5);
    std::iota(b.map<int*>(), b.map<int*>() + n, -3);
    std::fill_n(c.map<int*>(), n, -1);
    a.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    b.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  }
  [[nodiscard]] std::size_t bytes() const { return (n * sizeof(int) + 4095) / 4096 * 4096; }
  [[nodiscard]] bool right() {
    for (unsigned i = 0; i < n; ++i)
      if (c.map<int*>()[i] != static_cast<int>(2 * i + 2)) return false;
    return true;
  }
  unsigned n;
  xrt::bo a, b, c;
};

unsigned open_files() {
  unsigned count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

}  // namespace

TEST_CASE("the runtime is Debian's libxrt_coreutil, and the only HAL in the process is the model") {
  const xrt::device device(0);
  std::ifstream maps("/proc/self/maps");
  std::string line;
  bool coreutil = false, model = false;
  while (std::getline(maps, line)) {
    if (line.find("/libxrt") == std::string::npos) continue;
    INFO(line);
    const bool is_coreutil = line.find("/usr/lib/x86_64-linux-gnu/libxrt_coreutil.so.2") != std::string::npos;
    const bool is_model = line.find("/libxrt_linecrypt_model.so.2") != std::string::npos;
    CHECK((is_coreutil || is_model));
    coreutil = coreutil || is_coreutil;
    model = model || is_model;
  }
  CHECK(coreutil);
  CHECK(model);
}

TEST_CASE("there are as many devices as configured, with their name and a bus address made of their number") {
  for (const unsigned index : {0U, 1U}) {
    const xrt::device device(index);
    CHECK(device.get_info<xrt::info::device::name>() == "xilinx_u55c_gen3x16_xdma_base_3");
    CHECK(device.get_info<xrt::info::device::bdf>() == "0000:00:0" + std::to_string(index) + ".0");
  }
  CHECK_THROWS(xrt::device(2));
}

TEST_CASE("sensors are not there, and say so") {
  const auto thermal = xrt::device(0).get_info<xrt::info::device::thermal>();
  CHECK(thermal.find("\"is_present\": \"false\"") != std::string::npos);
  CHECK(thermal.find("\"is_present\": \"true\"") == std::string::npos);
}

TEST_CASE("a plain kernel adds vectors of many lengths on either unit, and a missing sync is noticed") {
  PlainRig rig;
  const std::string unit = GENERATE("vadd", "vadd:{vadd_1}", "vadd:{vadd_2}");
  const unsigned n = GENERATE(1U, 77U, 1024U, 100'000U);
  xrt::kernel kernel(rig.device, rig.uuid, unit);
  Vectors vectors(rig.device, kernel, n);
  auto run = kernel(vectors.a, vectors.b, vectors.c, n);
  CHECK(run.wait() == ERT_CMD_STATE_COMPLETED);
  CHECK(vectors.c.map<int*>()[0] == -1);
  CHECK_FALSE(vectors.right());
  vectors.c.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  CHECK(vectors.right());
}

TEST_CASE("what the host writes after a sync does not reach the card") {
  PlainRig rig;
  xrt::kernel kernel(rig.device, rig.uuid, "vadd");
  Vectors vectors(rig.device, kernel, 16);
  vectors.a.map<int*>()[3] = 1'000'000;
  kernel(vectors.a, vectors.b, vectors.c, 16U).wait();
  vectors.c.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  CHECK(vectors.right());
}

TEST_CASE("buffers lie in the bank that the kernel's argument is connected to") {
  PlainRig rig;
  xrt::kernel kernel(rig.device, rig.uuid, "vadd");
  const Vectors vectors(rig.device, kernel, 16);
  CHECK(vectors.a.address() < 0x10000000);
  CHECK(vectors.b.address() >= 0x10000000);
  CHECK(vectors.b.address() < 0x20000000);
  CHECK(vectors.c.address() >= 0x4000000000);
  CHECK_THROWS(xrt::bo(rig.device, 4096, 17));                      // no such bank
  CHECK_THROWS(xrt::bo(rig.device, 300ULL << 20U, 0));              // longer than the bank
  CHECK_THROWS(xrt::bo(rig.device, 4096, xrt::bo::flags::p2p, 0));  // not emulated, and said so
}

TEST_CASE("forty runs over two units all end right") {
  PlainRig rig;
  xrt::kernel kernel(rig.device, rig.uuid, "vadd");
  std::vector<Vectors> vectors;
  std::vector<xrt::run> runs;
  for (unsigned i = 0; i < 40; ++i) vectors.emplace_back(rig.device, kernel, 1000 + i);
  const auto before = model_state().runs;
  for (Vectors& one : vectors) runs.push_back(kernel(one.a, one.b, one.c, one.n));
  for (xrt::run& run : runs) CHECK(run.wait() == ERT_CMD_STATE_COMPLETED);
  for (Vectors& one : vectors) {
    one.c.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
    CHECK(one.right());
  }
  CHECK(model_state().runs == before + 40);
}

TEST_CASE("waiting ends with a time-out while the kernel works, and with its end later") {
  PlainRig rig;
  xrt::kernel kernel(rig.device, rig.uuid, "slow_scale");
  xrt::bo values(rig.device, 4096, kernel.group_id(0));
  values.map<float*>()[7] = 1.5F;
  values.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  const auto begin = std::chrono::steady_clock::now();
  auto run = kernel(values, 1024U, 2.5F, 300U);
  CHECK(run.wait(std::chrono::milliseconds(50)) == ERT_CMD_STATE_TIMEOUT);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(290));
  CHECK(run.wait() == ERT_CMD_STATE_COMPLETED);
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(300));
  values.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  CHECK(values.map<float*>()[7] == 3.75F);
}

TEST_CASE("a kernel that is given a buffer that is gone does not run, and its run ends in an error") {
  PlainRig rig;
  xrt::kernel kernel(rig.device, rig.uuid, "vadd:{vadd_1}");
  Vectors vectors(rig.device, kernel, 16);
  xrt::run run(kernel);
  {
    const xrt::bo gone(rig.device, 4096, kernel.group_id(0));
    run.set_arg(0, gone);
  }
  run.set_arg(1, vectors.b);
  run.set_arg(2, vectors.c);
  run.set_arg(3, 16U);
  run.start();
  CHECK(run.wait(std::chrono::milliseconds(2000)) == ERT_CMD_STATE_ERROR);
  vectors.c.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  CHECK(vectors.c.map<int*>()[0] != 2);
}

TEST_CASE("a kernel is started and watched by its registers as well") {
  PlainRig rig;
  const xrt::kernel group(rig.device, rig.uuid, "vadd:{vadd_2}");
  Vectors vectors(rig.device, group, 100);
  xrt::kernel kernel(rig.device, rig.uuid, "vadd:{vadd_1}", xrt::kernel::cu_access_mode::exclusive);
  std::uint32_t offset = 0;
  for (const std::uint64_t value : {std::uint64_t{vectors.a.address()}, std::uint64_t{vectors.b.address()},
                                    std::uint64_t{vectors.c.address()}, std::uint64_t{100}}) {
    offset = kernel.offset(value == 100 ? 3 : static_cast<int>(offset == 0 ? 0 : (offset - 0x10) / 12 + 1));
    kernel.write_register(offset, static_cast<std::uint32_t>(value));
    if (value != 100) kernel.write_register(offset + 4, static_cast<std::uint32_t>(value >> 32U));
  }
  CHECK(kernel.read_register(0) == 4);  // idle
  kernel.write_register(0, 1);
  std::uint32_t control = 0;
  for (int i = 0; i < 2000 && (control & 2U) == 0; ++i) {
    control = kernel.read_register(0);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  CHECK((control & 2U) != 0);
  CHECK((kernel.read_register(0) & 2U) == 0);  // done is cleared by reading
  vectors.c.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  CHECK(vectors.right());
}

TEST_CASE("a sub-buffer, the caller's own memory, and a copy on the card") {
  PlainRig rig;
  xrt::bo whole(rig.device, 3 * 4096, 0);
  xrt::bo part(whole, 4096, 4096);
  part.map<int*>()[5] = 99;
  part.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  part.map<int*>()[5] = 0;
  whole.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  CHECK(whole.map<int*>()[1024 + 5] == 99);
  CHECK(part.address() == whole.address() + 4096);

  alignas(4096) static int own[1024];
  own[9] = 1234;
  xrt::bo over(rig.device, own, sizeof own, 0);
  over.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  own[9] = 0;
  over.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  CHECK(own[9] == 1234);

  xrt::bo other(rig.device, 4096, 1);
  other.copy(over, 4096);
  other.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  CHECK(other.map<int*>()[9] == 1234);
}

TEST_CASE("a new buffer shows what the freed one before it left in the chips") {
  PlainRig rig;
  const std::string secret = "what the last one left behind";
  std::uint64_t address = 0;
  {
    xrt::bo first(rig.device, 4096, 0);
    address = first.address();
    std::memcpy(first.map<char*>(), secret.data(), secret.size());
    first.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  }
  CHECK(LINECRYPT_MODEL_CALL(linecrypt_model_find)(0, secret.data(), secret.size()) == 1);
  xrt::bo second(rig.device, 4096, 0);
  CHECK(second.address() == address);
  std::memset(second.map<char*>(), 0, 4096);
  second.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  CHECK(std::memcmp(second.map<char*>(), secret.data(), secret.size()) == 0);
  std::memset(second.map<char*>(), 0, 4096);
  second.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  CHECK(LINECRYPT_MODEL_CALL(linecrypt_model_find)(0, secret.data(), secret.size()) == 0);
}

TEST_CASE("thousands of buffers come and go, and a thousand live at once") {
  PlainRig rig;
  for (int i = 0; i < 3000; ++i) xrt::bo(rig.device, 4096, 0).map<int*>()[0] = i;
  CHECK(model_state().buffers == 0);
  std::vector<xrt::bo> many;
  for (int i = 0; i < 1000; ++i) {
    many.emplace_back(rig.device, 4096 * static_cast<std::size_t>(1 + i % 3), 0);
    many.back().map<int*>()[0] = i;
    many.back().sync(XCL_BO_SYNC_BO_TO_DEVICE);
    many.back().map<int*>()[0] = -1;
  }
  CHECK(model_state().buffers == 1000);
  for (int i = 0; i < 1000; ++i) {
    many[static_cast<std::size_t>(i)].sync(XCL_BO_SYNC_BO_FROM_DEVICE);
    REQUIRE(many[static_cast<std::size_t>(i)].map<int*>()[0] == i);
  }
}

TEST_CASE("thousands of openings leave nothing open") {
  open_fresh();
  const unsigned files = open_files();
  const auto before = model_state();
  const int times = std::getenv("LINECRYPT_LONG") != nullptr ? 20'000 : 2000;
  for (int i = 0; i < times; ++i) {
    xrt::device device(0);
    if (i % 8 != 0) continue;
    device.load_xclbin(xrt::xclbin(plain_xclbin()));
    const xrt::bo buffer(device, 4096, 0);
  }
  const auto after = model_state();
  CHECK(after.opens == before.opens + static_cast<unsigned>(times));
  CHECK(after.open_now == before.open_now);
  CHECK(after.buffers == 0);
  CHECK(after.downloads == before.downloads + 1);
  CHECK(open_files() <= files + 3);
}

}  // namespace linecrypt::test
