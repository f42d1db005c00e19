// What is not a whole, fitting xclbin is refused in words, and what runs stays untouched.
#include <sys/mman.h>
#include <xclbin.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "tests/driver/card/model/rig.hpp"

namespace linecrypt::test {
namespace {

// The running card: whatever is offered, its register keeps its value, nothing is downloaded, and the refusal has the
// words. No compute unit is open meanwhile: that alone would be a reason to refuse.
struct Running {
  Running() {
    rig.ip.write_register(copier::scratch, 0xabcdef);
    rig.ip = xrt::ip();
    downloads = model_state().downloads;
  }
  // Through XRT, which hands the file to the card as it is.
  void refuses(const std::vector<char>& bytes, const std::string& words) {
    const auto refused = model_state().refused;
    CHECK_THROWS(rig.device.load_xclbin(reinterpret_cast<const axlf*>(bytes.data())));
    untouched(refused, words);
  }
  // At the card's own door: XRT's copy of the file follows the header's length and would crash before.
  void card_refuses(const char* bytes, const std::string& words) {
    auto* load = reinterpret_cast<int (*)(void*, const axlf*)>(dlsym(RTLD_DEFAULT, "xclLoadXclBin"));
    REQUIRE(load != nullptr);
    const auto refused = model_state().refused;
    CHECK(load(static_cast<void*>(rig.device), reinterpret_cast<const axlf*>(bytes)) == -EINVAL);
    untouched(refused, words);
  }
  void untouched(std::uint64_t refused, const std::string& words) {
    CHECK(model_state().refused == refused + 1);
    CHECK_THAT(last_refusal(), Catch::Contains(words));
    CHECK(model_state().downloads == downloads);
    CHECK(model_state().loaded == 1);
    // XRT's device object takes a refused xclbin for the loaded one; another opening sees what the card has.
    xrt::device again(0);
    const auto uuid = again.load_xclbin(xrt::xclbin(copier_xclbin()));
    CHECK(xrt::ip(again, uuid, "copier").read_register(copier::scratch) == 0xabcdef);
    CHECK(model_state().downloads == downloads);
  }
  CopierRig rig;
  std::uint64_t downloads = 0;
};

axlf_section_header* section_of(std::vector<char>& bytes, axlf_section_kind kind) {
  auto* top = reinterpret_cast<axlf*>(bytes.data());
  for (std::uint32_t i = 0; i < top->m_header.m_numSections; ++i)
    if (top->m_sections[i].m_sectionKind == static_cast<std::uint32_t>(kind)) return &top->m_sections[i];
  return nullptr;
}

// Another uuid, so that the card does not take it for the loaded one.
std::vector<char> renamed() {
  auto bytes = copier_xclbin();
  reinterpret_cast<axlf*>(bytes.data())->m_header.uuid[3] ^= 0x5a;
  return bytes;
}

}  // namespace

TEST_CASE("an xclbin without one of the sections a card needs is refused") {
  Running running;
  const auto [kind, name] = GENERATE(table<axlf_section_kind, std::string>({{BITSTREAM, "BITSTREAM"},
                                                                            {EMBEDDED_METADATA, "EMBEDDED_METADATA"},
                                                                            {MEM_TOPOLOGY, "MEM_TOPOLOGY"},
                                                                            {IP_LAYOUT, "IP_LAYOUT"},
                                                                            {CONNECTIVITY, "CONNECTIVITY"}}));
  auto bytes = renamed();
  section_of(bytes, kind)->m_sectionKind = DESIGN_CHECK_POINT;
  running.refuses(bytes, "missing sections: " + name);
}

TEST_CASE("an xclbin whose header or sections point outside it, or that is for a real card, is refused") {
  Running running;
  const std::string what = GENERATE("begins outside", "ends outside", "wraps", "length 0", "length enormous",
                                    "more sections than room", "for a real card");
  INFO(what);
  auto bytes = renamed();
  auto* top = reinterpret_cast<axlf*>(bytes.data());
  axlf_section_header* kernels = section_of(bytes, BITSTREAM);
  std::string words = "section 0 (BITSTREAM): ";
  if (what == "begins outside") kernels->m_sectionOffset = bytes.size() + 8;
  if (what == "ends outside") kernels->m_sectionSize += 4096;
  if (what == "wraps") kernels->m_sectionOffset = ~std::uint64_t{0} - 7;
  if (what == "length 0") {
    top->m_header.m_length = 0;
    words = "says that it has 0 bytes";
  }
  if (what == "length enormous") {
    top->m_header.m_length = ~std::uint64_t{0};
    words = "says that it has 18446744073709551615 bytes";
  }
  if (what == "more sections than room") {
    top->m_header.m_numSections = 60'000;
    words = "60000";
  }
  if (what == "for a real card") {
    top->m_header.m_mode = XCLBIN_PR;
    words = "for a real card";
  }
  running.card_refuses(bytes.data(), words);
}

TEST_CASE("an xclbin that was cut says so, and nothing behind its end is touched") {
  Running running;
  const auto whole = renamed();
  for (const std::size_t length : {std::size_t{4096}, std::size_t{8192}, whole.size() / 4096 * 4096}) {
    // The page behind the cut cannot be read.
    auto* area =
        static_cast<char*>(mmap(nullptr, length + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(mprotect(area + length, 4096, PROT_NONE) == 0);
    std::memcpy(area, whole.data(), length);
    running.card_refuses(area, "ends before its");
    munmap(area, length + 4096);
  }
}

TEST_CASE("an xclbin whose length follows the cut is refused by its sections") {
  Running running;
  auto bytes = renamed();
  const std::size_t cut = GENERATE(std::size_t{1}, std::size_t{64}, std::size_t{3000}, std::size_t{10'000});
  bytes.resize(bytes.size() - cut);
  reinterpret_cast<axlf*>(bytes.data())->m_header.m_length = bytes.size();
  running.card_refuses(bytes.data(), "the file has " + std::to_string(bytes.size()) + " bytes");
}

TEST_CASE("kernels that are no whole shared object are refused before the dynamic loader sees them") {
  Running running;
  const std::string what = GENERATE("text", "a real card's bits", "cut in the middle", "cut by one byte",
                                    "a damaged section table", "for another machine", "a program");
  INFO(what);
  auto image = file_bytes(LINECRYPT_COPY_IMAGE);
  std::string words = "not a shared object";
  if (what == "text") image.assign(5000, 'x');
  if (what == "for another machine") image.at(18) = 0xb7;
  if (what == "a real card's bits") {
    image.assign({0x00, 0x09, 0x0f, 0xf0, 0x0f, 0xf0, 0x0f, 0xf0});
    words = "too short for a shared object";
  }
  if (what == "cut in the middle" || what == "cut by one byte") {
    image.resize(what == "cut by one byte" ? image.size() - 1 : image.size() / 2);
    words = "was cut short";
  }
  if (what == "a damaged section table") {
    std::fill(image.end() - 640, image.end(), std::uint8_t{0xee});
    words = "section table is damaged";
  }
  if (what == "a program") {
    image = file_bytes("/proc/self/exe");
    words = "section BITSTREAM: ";  // then the dynamic loader's own words
  }
  running.refuses(make_xclbin(copier_text(), image), words);
}

TEST_CASE("an xclbin that names a kernel its image does not have is refused") {
  Running running;
  running.refuses(make_xclbin(copier_text("imposter"), file_bytes(LINECRYPT_COPY_IMAGE)),
                  "imposter:imposter_0 is not in its card image, which has copier:copier_0 loop:loop_0");
  running.refuses(make_xclbin(copier_text("copier"), file_bytes(LINECRYPT_PLAIN_KERNELS)),
                  "neither linecrypt_card_image nor linecrypt_plain_copier");
}

TEST_CASE("another layout of memory is refused while buffers are alive, and taken when they are gone") {
  Running running;
  const auto other = make_xclbin(copier_text("copier", memory_text(0x8000000000)), file_bytes(LINECRYPT_COPY_IMAGE));
  {
    const xrt::bo alive(running.rig.device, 4096, 0);
    CHECK_THROWS(running.rig.device.load_xclbin(xrt::xclbin(other)));
    CHECK_THAT(last_refusal(), Catch::Contains("memory banks differ"));
    CHECK(model_state().downloads == running.downloads);
  }
  CHECK_NOTHROW(running.rig.device.load_xclbin(xrt::xclbin(other)));
  CHECK(xrt::bo(running.rig.device, 4096, 2).address() >= 0x8000000000);
}

TEST_CASE("loading and unloading images many times keeps nothing of the old ones") {
  xrt::device device = open_fresh();
  const auto mapped = [] {
    std::ifstream maps("/proc/self/maps");
    std::string line;
    unsigned count = 0;
    while (std::getline(maps, line)) count += line.find("linecrypt-card-image") != std::string::npos ? 1 : 0;
    return count;
  };
  device.load_xclbin(xrt::xclbin(copier_xclbin()));
  const unsigned one = mapped();
  CHECK(one > 0);
  for (int i = 0; i < 50; ++i) {
    device.load_xclbin(xrt::xclbin(plain_xclbin()));
    device.load_xclbin(xrt::xclbin(copier_xclbin()));
  }
  // The last thread of a plain kernel's unit lets go of its image as it ends.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (mapped() > one && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  CHECK(mapped() == one);
}

}  // namespace linecrypt::test
