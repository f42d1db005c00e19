// A specification, an xclbin made of it and ways to damage one, for the tests of this folder.
#pragma once

#include <xrt/xclbin.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "bitstreams/digest.hpp"
#include "bitstreams/manifest.hpp"

namespace linecrypt::bitstreams::test {

inline std::string specification_text(const std::string& mode = "esp") {
  std::ifstream file(std::string(LINECRYPT_TEST_DATA) + "/../bitstreams/specs/emulated-" + mode + ".json");
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Specification specification(const std::string& mode = "esp") {
  auto spec = read_specification(specification_text(mode), "spec.json");
  INFO((spec ? "" : spec.error().message));
  REQUIRE(spec.ok());
  return *spec;
}

inline Bytes xclbin_bytes(std::string_view image = "an image") {
  auto bytes = write_xclbin(specification(), {reinterpret_cast<const std::uint8_t*>(image.data()), image.size()});
  REQUIRE(bytes.ok());
  return *bytes;
}

template <typename T>
void poke(Bytes& bytes, std::size_t at, T value) {
  REQUIRE(at + sizeof(T) <= bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

template <typename T>
T peek(const Bytes& bytes, std::size_t at) {
  T value{};
  REQUIRE(at + sizeof(T) <= bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

inline std::size_t header_of(std::uint32_t section) {
  return offsetof(axlf, m_sections) + section * sizeof(axlf_section_header);
}

// The header's place of the section of this kind.
inline std::size_t header_of_kind(const Bytes& bytes, axlf_section_kind kind) {
  for (std::uint32_t i = 0; i < 9; ++i)
    if (peek<std::uint32_t>(bytes, header_of(i)) == static_cast<std::uint32_t>(kind)) return header_of(i);
  FAIL("no such section");
  return 0;
}

inline std::size_t body_of_kind(const Bytes& bytes, axlf_section_kind kind) {
  return peek<std::uint64_t>(bytes, header_of_kind(bytes, kind) + offsetof(axlf_section_header, m_sectionOffset));
}

inline std::string refusal(const Bytes& bytes) {
  const auto read = read_xclbin(bytes, "a.xclbin");
  return read ? "" : read.error().message;
}

inline Manifest manifest_of(const Bytes& bytes) {
  const auto xclbin = read_xclbin(bytes, "a.xclbin");
  REQUIRE(xclbin.ok());
  Manifest m;
  m.card = "emulated";
  m.shell = xclbin->platform;
  m.wiring = "look-aside";
  m.mode = "esp";
  m.abi_major = abi::version_major;
  m.abi_minor = abi::version_minor;
  m.xclbin_sha256 = hex_text(sha256(bytes));
  m.xclbin_uuid = uuid_text(xclbin->uuid);
  m.tool = "g++ 12";
  m.kernel_clock_mhz = 300;
  m.forwarding.declared = 8;
  return m;
}

// The same file as v++ would make it for a card: only what check() looks at differs.
inline Bytes hardware_bytes(std::uint16_t clock_mhz) {
  Bytes bytes = xclbin_bytes();
  poke(bytes, offsetof(axlf, m_header) + offsetof(axlf_header, m_mode), static_cast<std::uint16_t>(XCLBIN_PR));
  poke(bytes, body_of_kind(bytes, CLOCK_FREQ_TOPOLOGY) + 2, clock_mhz);
  return bytes;
}

inline Manifest hardware_manifest(const Bytes& bytes, std::uint32_t clock_mhz) {
  Manifest m = manifest_of(bytes);
  m.card = "u55c";
  m.kernel_clock_mhz = clock_mhz;
  m.forwarding.reported = 6;
  return m;
}

inline Requirements requirements(const std::string& card = "emulated") {
  Requirements asked;
  asked.card = card;
  asked.shell = "linecrypt_emulated_1_0";
  return asked;
}

// A directory of this process's own, gone afterwards.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "linecrypt-bitstreams-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void write(const std::string& file, const void* data, std::size_t size) {
  std::ofstream out(file, std::ios::binary);
  out.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  REQUIRE(out.good());
}

}  // namespace linecrypt::bitstreams::test
