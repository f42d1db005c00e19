// What tests of the emulated card share: xclbins of the test kernels, and the model's control functions as a program
// finds them once XRT has loaded the library.
#pragma once

#include <dlfcn.h>
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

#include <experimental/xrt_ip.h>
#include <experimental/xrt_xclbin.h>
#include <catch2/catch.hpp>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "bitstreams/specification.hpp"
#include "bitstreams/xclbin.hpp"
#include "driver/card/model/control.h"

namespace linecrypt::test {

// Registers of the copying image (images/copy_image.cpp).
namespace copier {
constexpr std::uint32_t source = 0x10;
constexpr std::uint32_t destination = 0x18;
constexpr std::uint32_t beats = 0x20;
constexpr std::uint32_t done = 0x24;
constexpr std::uint32_t bad = 0x28;
constexpr std::uint32_t scratch = 0x2c;
constexpr std::uint32_t wrong_tags = 0x30;
}  // namespace copier

template <typename Function>
Function* model_function(const char* name) {
  auto* found = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
  INFO("the model's function " << name << "; XRT must have loaded the library");
  REQUIRE(found != nullptr);
  return found;
}
#define LINECRYPT_MODEL_CALL(name) linecrypt::test::model_function<decltype(name)>(#name)

inline struct linecrypt_model_state model_state(unsigned device = 0) {
  struct linecrypt_model_state state {};
  REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_report)(device, &state) == 0);
  return state;
}
inline void fault(const char* name, std::uint64_t at = 0, std::uint64_t argument = 0, unsigned device = 0) {
  REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_fault)(device, name, at, argument) == 0);
}
inline std::uint64_t model_now(unsigned device = 0) {
  return LINECRYPT_MODEL_CALL(linecrypt_model_now)(device);
}

inline std::string last_refusal(unsigned device = 0) {
  std::string words(512, '\0');
  REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_last_refusal)(device, words.data(), words.size()) == 0);
  return words.c_str();
}

// The card as it comes from the shop: well, blank, no fault planned.
inline void fresh_card(unsigned device = 0) {
  REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_forget_faults)(device) == 0);
  REQUIRE(LINECRYPT_MODEL_CALL(linecrypt_model_release)(device) == 0);
  fault("recover", 0, 0, device);
  fault("kill", 0, 0, device);
}

// Opens the card after making it fresh, whatever the test before left.
inline xrt::device open_fresh(unsigned index = 0) {
  static const bool loaded = (xrt::device(0), true);  // XRT loads the library at the first opening
  REQUIRE(loaded);
  fresh_card(index);
  return xrt::device(index);
}

inline bitstreams::Bytes file_bytes(const std::string& name) {
  std::ifstream stream(name, std::ios::binary);
  REQUIRE(stream);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline std::vector<char> make_xclbin(const std::string& specification, const bitstreams::Bytes& image) {
  const auto spec = bitstreams::read_specification(specification, "test");
  INFO((spec.ok() ? "" : spec.error().message));
  REQUIRE(spec.ok());
  const auto bytes = bitstreams::write_xclbin(*spec, image);
  INFO((bytes.ok() ? "" : bytes.error().message));
  REQUIRE(bytes.ok());
  return {bytes->begin(), bytes->end()};
}

inline std::string memory_text(std::uint64_t ddr_base = 0x4000000000) {
  return R"("memory": [{"tag": "HBM[0]", "type": "HBM", "base": 0, "size_kib": 262144},
                       {"tag": "HBM[1]", "type": "HBM", "base": 268435456, "size_kib": 262144},
                       {"tag": "DDR[0]", "type": "DDR4", "base": )" +
         std::to_string(ddr_base) + R"(, "size_kib": 1048576}])";
}

inline std::string plain_text() {
  return R"({"name": "plain", "platform": "linecrypt_test_1_0", "card": "emulated", "mode": "esp", "wiring": "look-aside",
    "kernel_clock_mhz": 300, )" +
         memory_text() + R"(, "kernels": [
      {"name": "vadd", "protocol": "ap_ctrl_hs", "range": 65536,
       "arguments": [{"name": "a", "type": "int*", "size": 8, "port": "M_AXI_A", "memory": ["HBM[0]"]},
                     {"name": "b", "type": "int*", "size": 8, "port": "M_AXI_B", "memory": ["HBM[1]"]},
                     {"name": "c", "type": "int*", "size": 8, "port": "M_AXI_C", "memory": ["DDR[0]"]},
                     {"name": "n", "type": "uint", "size": 4}],
       "units": [{"name": "vadd_1", "base": 8388608}, {"name": "vadd_2", "base": 8454144}]},
      {"name": "slow_scale", "protocol": "ap_ctrl_chain", "range": 65536,
       "arguments": [{"name": "values", "type": "float*", "size": 8, "port": "M_AXI_V", "memory": ["HBM[0]"]},
                     {"name": "n", "type": "uint", "size": 4}, {"name": "factor", "type": "float", "size": 4},
                     {"name": "milliseconds", "type": "uint", "size": 4}],
       "units": [{"name": "slow_scale_1", "base": 8519680}]}]})";
}

inline std::string copier_text(const std::string& name = "copier", const std::string& memory = memory_text()) {
  return R"({"name": "copy", "platform": "linecrypt_test_1_0", "card": "emulated", "mode": "esp", "wiring": "look-aside",
    "kernel_clock_mhz": 300, )" +
         memory + R"(, "kernels": [
      {"name": ")" +
         name + R"(", "protocol": "ap_ctrl_hs", "range": 4096,
       "arguments": [{"name": "from", "type": "ap_uint<512>*", "size": 8, "offset": 16, "port": "M_AXI", "memory": ["HBM[0]"]}],
       "units": [{"name": ")" +
         name + R"(_0", "base": 8388608}]},
      {"name": "loop", "protocol": "ap_ctrl_none", "arguments": [], "units": [{"name": "loop_0"}]}]})";
}

inline const std::vector<char>& plain_xclbin() {
  static const auto bytes = make_xclbin(plain_text(), file_bytes(LINECRYPT_PLAIN_KERNELS));
  return bytes;
}
inline const std::vector<char>& copier_xclbin() {
  static const auto bytes = make_xclbin(copier_text(), file_bytes(LINECRYPT_COPY_IMAGE));
  return bytes;
}

// A card with the copying image, opened as a driver does.
struct CopierRig {
  explicit CopierRig(unsigned index = 0) : device(open_fresh(index)) {
    uuid = device.load_xclbin(xrt::xclbin(copier_xclbin()));
    ip = xrt::ip(device, uuid, "copier:{copier_0}");
  }
  void point(const xrt::bo& from, const xrt::bo& to) {
    write_wide(copier::source, from.address());
    write_wide(copier::destination, to.address());
  }
  void write_wide(std::uint32_t offset, std::uint64_t value) {
    ip.write_register(offset, static_cast<std::uint32_t>(value));
    ip.write_register(offset + 4, static_cast<std::uint32_t>(value >> 32U));
  }

  xrt::device device;
  xrt::uuid uuid;
  xrt::ip ip;
};

}  // namespace linecrypt::test
