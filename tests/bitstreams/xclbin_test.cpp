#include <experimental/xrt_xclbin.h>
#include <catch2/catch.hpp>

#include "tests/bitstreams/support.hpp"

using namespace linecrypt;
using namespace linecrypt::bitstreams;
using namespace linecrypt::bitstreams::test;
using Catch::Matchers::Contains;

TEST_CASE("what was written is read back") {
  const std::string mode = GENERATE("esp", "macsec", "both");
  const Specification spec = specification(mode);
  const std::string image = "the image of " + mode;
  const auto bytes = write_xclbin(spec, {reinterpret_cast<const std::uint8_t*>(image.data()), image.size()});
  REQUIRE(bytes.ok());
  const auto xclbin = read_xclbin(*bytes, "a.xclbin");
  REQUIRE(xclbin.ok());
  CHECK(xclbin->platform == spec.platform);
  CHECK(xclbin->emulation);
  CHECK(xclbin->kernel_clock_mhz == 300);
  REQUIRE(xclbin->units.size() == 4);
  CHECK(xclbin->units[0].kernel == "linecrypt_control");
  CHECK(xclbin->units[0].name == "control_0");
  CHECK(xclbin->units[0].base == 0x1800000U);
  CHECK(xclbin->units[0].protocol == ControlProtocol::ap_ctrl_hs);
  CHECK(xclbin->units[2].kernel == "linecrypt_egress");
  CHECK(xclbin->units[2].protocol == ControlProtocol::ap_ctrl_none);
  CHECK_FALSE(xclbin->units[2].base.has_value());
  CHECK(xclbin->bank_of("control_0", 0) == 0U);
  CHECK(xclbin->bank_of("dma_0", 1) == 2U);
  CHECK_FALSE(xclbin->bank_of("dma_0", 2).has_value());
  CHECK_FALSE(xclbin->bank_of("egress_0", 0).has_value());
  REQUIRE(xclbin->sections[0].kind == BITSTREAM);
  const ByteSpan body = section_bytes(*bytes, xclbin->sections[0]);
  CHECK(std::string(body.begin(), body.end()) == image);
}

TEST_CASE("the same content gives the same file, another one another uuid") {
  CHECK(xclbin_bytes() == xclbin_bytes());
  const auto one = read_xclbin(xclbin_bytes("one"), "a"), other = read_xclbin(xclbin_bytes("two"), "b");
  REQUIRE((one.ok() && other.ok()));
  CHECK(one->uuid != other->uuid);
}

TEST_CASE("XRT itself reads the same from it") {
  const Bytes bytes = xclbin_bytes();
  const auto ours = read_xclbin(bytes, "a.xclbin");
  REQUIRE(ours.ok());
  const xrt::xclbin theirs(std::vector<char>(bytes.begin(), bytes.end()));
  CHECK(theirs.get_xsa_name() == ours->platform);
  CHECK(theirs.get_uuid().to_string() == uuid_text(ours->uuid));
  const auto banks = theirs.get_mems();
  REQUIRE(banks.size() == ours->memory.size());
  for (std::size_t i = 0; i < banks.size(); ++i) {
    CHECK(banks[i].get_tag() == ours->memory[i].tag);
    CHECK(banks[i].get_base_address() == ours->memory[i].base);
    CHECK(banks[i].get_size_kb() == ours->memory[i].size_kib);
    CHECK(banks[i].get_type() == xrt::xclbin::mem::memory_type::hbm);
  }
  std::vector<std::string> found;
  for (const auto& ip : theirs.get_ips()) {
    found.push_back(ip.get_name());
    const bool hs =
        ip.get_name().find("control") != std::string::npos || ip.get_name().find("dma") != std::string::npos;
    CHECK((ip.get_control_type() == xrt::xclbin::ip::control_type::hs) == hs);
    if (ip.get_name() == "linecrypt_dma:dma_0") {
      REQUIRE(ip.get_args().size() == 2);
      REQUIRE(ip.get_arg(1).get_mems().size() == 1);
      CHECK(ip.get_arg(1).get_mems()[0].get_tag() == "HBM[2]");
    }
  }
  CHECK(std::find(found.begin(), found.end(), "linecrypt_control:control_0") != found.end());
  CHECK(std::find(found.begin(), found.end(), "linecrypt_dma:dma_0") != found.end());
}

TEST_CASE("a file cut at any length is refused") {
  const Bytes whole = xclbin_bytes();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    REQUIRE_THAT(refusal(cut), Contains("truncated"));
  }
  CHECK(refusal(whole).empty());
}

TEST_CASE("a missing section is named") {
  const auto kind = GENERATE(BITSTREAM, EMBEDDED_METADATA, MEM_TOPOLOGY, CONNECTIVITY, IP_LAYOUT, ASK_GROUP_TOPOLOGY,
                             ASK_GROUP_CONNECTIVITY);
  Bytes bytes = xclbin_bytes();
  poke(bytes, header_of_kind(bytes, kind), static_cast<std::uint32_t>(USER_METADATA));
  CHECK(refusal(bytes) == "a.xclbin: missing sections: " + std::string(section_name(kind)));
}

TEST_CASE("a section that is there twice is named") {
  Bytes bytes = xclbin_bytes();
  poke(bytes, header_of_kind(bytes, BUILD_METADATA), static_cast<std::uint32_t>(IP_LAYOUT));
  CHECK_THAT(refusal(bytes), Contains("(IP_LAYOUT): is there twice"));
}

TEST_CASE("sections outside the file, in the headers, over another one or empty are refused") {
  Bytes bytes = xclbin_bytes();
  const std::size_t header = header_of_kind(bytes, IP_LAYOUT);
  const std::size_t offset = header + offsetof(axlf_section_header, m_sectionOffset),
                    size = header + offsetof(axlf_section_header, m_sectionSize);
  std::string says;
  SECTION("beyond the end") {
    poke(bytes, offset, std::uint64_t{bytes.size() + 8});
    says = "the file has";
  }
  SECTION("a sum that wraps") {
    poke(bytes, size, ~std::uint64_t{0} - 4);
    says = "the file has";
  }
  SECTION("in the headers") {
    poke(bytes, offset, std::uint64_t{456});
    says = "lies in the headers";
  }
  SECTION("not at a multiple of 8") {
    poke(bytes, offset, peek<std::uint64_t>(bytes, offset) + 1);
    poke(bytes, size, peek<std::uint64_t>(bytes, size) - 1);
    says = "multiple of 8";
  }
  SECTION("over the one before") {
    poke(bytes, offset, peek<std::uint64_t>(bytes, offset) - 8);
    says = "begins inside";
  }
  SECTION("empty") {
    poke(bytes, size, std::uint64_t{0});
    says = "is empty";
  }
  CHECK_THAT(refusal(bytes), Contains("IP_LAYOUT") && Contains(says));
}

TEST_CASE("what a section holds is checked against its bytes and against the others") {
  Bytes bytes = xclbin_bytes();
  std::string says;
  SECTION("more entries than bytes") {
    poke(bytes, body_of_kind(bytes, MEM_TOPOLOGY), std::int32_t{4});
    says = "MEM_TOPOLOGY: count 4, its 128 bytes have room for 3";
  }
  SECTION("a negative count") {
    poke(bytes, body_of_kind(bytes, IP_LAYOUT), std::int32_t{-1});
    says = "IP_LAYOUT: count -1";
  }
  SECTION("a name without its end") {
    const std::size_t name = body_of_kind(bytes, IP_LAYOUT) + 8 + offsetof(ip_data, m_name);
    std::memset(bytes.data() + name, 'x', 64);
    says = "entry 0: its name is not a text";
  }
  SECTION("a name with terminal codes") {
    poke(bytes, body_of_kind(bytes, IP_LAYOUT) + 8 + offsetof(ip_data, m_name), '\x1b');
    says = "entry 0: its name is not a text";
  }
  SECTION("a unit given twice") {
    const std::size_t at = body_of_kind(bytes, IP_LAYOUT) + 8;
    std::memcpy(bytes.data() + at + sizeof(ip_data), bytes.data() + at, sizeof(ip_data));
    says = "'linecrypt_control:control_0' is there twice";
  }
  SECTION("an unknown control protocol") {
    poke(bytes, body_of_kind(bytes, IP_LAYOUT) + 8 + offsetof(ip_data, properties), std::uint32_t{7U << 8U});
    says = "control protocol 7";
  }
  SECTION("a connection to a unit that is not there") {
    poke(bytes, body_of_kind(bytes, ASK_GROUP_CONNECTIVITY) + 4 + offsetof(connection, m_ip_layout_index),
         std::int32_t{4});
    says = "GROUP_CONNECTIVITY: entry 0: compute unit 4, 0 to 3 are there";
  }
  SECTION("a connection to a bank that is not there") {
    poke(bytes, body_of_kind(bytes, CONNECTIVITY) + 4 + offsetof(connection, mem_data_index), std::int32_t{-1});
    says = "CONNECTIVITY: entry 0: memory bank -1, 0 to 2 are there";
  }
  SECTION("another format") {
    poke(bytes, 6, '0');
    says = "is no xclbin";
  }
  SECTION("no section at all") {
    poke(bytes, offsetof(axlf, m_header) + offsetof(axlf_header, m_numSections), std::uint32_t{0});
    says = "0 sections";
  }
  SECTION("more sections than a file has room for") {
    poke(bytes, offsetof(axlf, m_header) + offsetof(axlf_header, m_numSections), std::uint32_t{0xffffffff});
    says = "4294967295 sections";
  }
  CHECK_THAT(refusal(bytes), Contains(says));
}

TEST_CASE("no damaged byte makes the reader leave the file") {
  const Bytes whole = xclbin_bytes();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const std::uint8_t value : {std::uint8_t{0}, std::uint8_t{0x7f}, std::uint8_t{0xff}}) {
      Bytes bytes = whole;
      bytes[at] = value;
      const auto read = read_xclbin(bytes, "a.xclbin");
      if (!read) {
        ++refused;
        continue;
      }
      for (const auto& section : read->sections) REQUIRE(section.offset + section.size <= bytes.size());
      for (const auto& c : read->connections) REQUIRE((c.unit < read->units.size() && c.bank < read->memory.size()));
    }
  }
  CHECK(refused > 500);
}
