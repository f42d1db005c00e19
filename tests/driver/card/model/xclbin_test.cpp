// What is not a whole, fitting xclbin is refused, and what runs stays untouched.
#include <sys/mman.h>
#include <xclbin.h>

#include <algorithm>
#include <cstring>

#include "tests/driver/card/model/rig.hpp"

namespace linecrypt::test {
namespace {

// The running card: its register must keep its value, and nothing be downloaded, whatever is offered.
struct Running {
  Running() {
    rig.ip.write_register(copier::scratch, 0xabcdef);
    downloads = model_state().downloads;
  }
  // Through XRT, which hands the file to the card as it is.
  void refuses(const std::vector<char>& bytes) {
    CHECK_THROWS(rig.device.load_xclbin(reinterpret_cast<const axlf*>(bytes.data())));
    untouched();
  }
  // At the card's own door: XRT's copy of the file follows the header's length and would crash before.
  void card_refuses(const char* bytes) {
    auto* load = reinterpret_cast<int (*)(void*, const axlf*)>(dlsym(RTLD_DEFAULT, "xclLoadXclBin"));
    REQUIRE(load != nullptr);
    const auto refused = model_state().refused;
    CHECK(load(static_cast<void*>(rig.device), reinterpret_cast<const axlf*>(bytes)) == -EINVAL);
    CHECK(model_state().refused == refused + 1);
    untouched();
  }
  void untouched() {
    CHECK(rig.ip.read_register(copier::scratch) == 0xabcdef);
    CHECK(model_state().downloads == downloads);
    CHECK(model_state().loaded == 1);
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
void rename(std::vector<char>& bytes) {
  reinterpret_cast<axlf*>(bytes.data())->m_header.uuid[3] ^= 0x5a;
}

}  // namespace

TEST_CASE("an xclbin without one of the sections a card needs is refused") {
  Running running;
  const auto kind = GENERATE(BITSTREAM, EMBEDDED_METADATA, MEM_TOPOLOGY, IP_LAYOUT, CONNECTIVITY);
  auto bytes = copier_xclbin();
  rename(bytes);
  section_of(bytes, kind)->m_sectionKind = DESIGN_CHECK_POINT;
  running.refuses(bytes);
}

TEST_CASE("an xclbin whose header or sections point outside it is refused") {
  Running running;
  auto bytes = copier_xclbin();
  rename(bytes);
  auto* top = reinterpret_cast<axlf*>(bytes.data());
  SECTION("section begins outside") {
    section_of(bytes, BITSTREAM)->m_sectionOffset = bytes.size() + 8;
  }
  SECTION("section ends outside") {
    section_of(bytes, BITSTREAM)->m_sectionSize += 4096;
  }
  SECTION("section wraps") {
    section_of(bytes, BITSTREAM)->m_sectionOffset = ~std::uint64_t{0} - 7;
  }
  SECTION("length zero") {
    top->m_header.m_length = 0;
  }
  SECTION("length enormous") {
    top->m_header.m_length = ~std::uint64_t{0};
  }
  SECTION("more sections than there is room for") {
    top->m_header.m_numSections = 60'000;
  }
  SECTION("for a real card") {
    top->m_header.m_mode = XCLBIN_PR;
  }
  running.card_refuses(bytes.data());
}

TEST_CASE("an xclbin that was cut says so, wherever it was cut") {
  // The memory behind the file ends where it was cut: reading past it would be a fault.
  Running running;
  auto whole = copier_xclbin();
  rename(whole);
  for (const std::size_t length : {std::size_t{4096}, std::size_t{8192}, whole.size() / 4096 * 4096}) {
    const std::size_t pages = length / 4096;
    auto* area = static_cast<char*>(
        mmap(nullptr, (pages + 1) * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(area + pages * 4096, 4096, PROT_NONE);
    std::memcpy(area, whole.data(), length);
    running.card_refuses(area);
    munmap(area, (pages + 1) * 4096);
  }
}

TEST_CASE("a file that was cut is refused by the time it reaches the card") {
  Running running;
  auto bytes = copier_xclbin();
  rename(bytes);
  // The file's own length follows the cut, so only the sections tell.
  const std::size_t cut = GENERATE(std::size_t{1}, std::size_t{64}, std::size_t{3000}, std::size_t{10'000});
  bytes.resize(bytes.size() - cut);
  reinterpret_cast<axlf*>(bytes.data())->m_header.m_length = bytes.size();
  running.card_refuses(bytes.data());
}

TEST_CASE("kernels that are no whole shared object are refused before the dynamic loader sees them") {
  Running running;
  auto image = file_bytes(LINECRYPT_COPY_IMAGE);
  SECTION("empty") {
    image.clear();
  }
  SECTION("text") {
    image.assign(5000, 'x');
  }
  SECTION("a real card's bits") {
    image.assign({0x00, 0x09, 0x0f, 0xf0, 0x0f, 0xf0, 0x0f, 0xf0});
  }
  SECTION("cut in the middle") {
    image.resize(image.size() / 2);
  }
  SECTION("cut by one byte") {
    image.pop_back();
  }
  SECTION("for another machine") {
    image.at(18) = 0xb7;
  }
  SECTION("without a card image or kernels") {
    image = file_bytes("/proc/self/exe");
  }
  if (image.empty()) return;  // the writer does not make such a file
  running.refuses(make_xclbin(copier_text(), image));
}

TEST_CASE("an xclbin that names a kernel its image does not have is refused") {
  Running running;
  running.refuses(make_xclbin(copier_text("imposter"), file_bytes(LINECRYPT_COPY_IMAGE)));
  running.refuses(make_xclbin(copier_text("vadd"), file_bytes(LINECRYPT_COPY_IMAGE)));
  running.refuses(make_xclbin(copier_text("copier"), file_bytes(LINECRYPT_PLAIN_KERNELS)));
}

TEST_CASE("another layout of memory is refused while buffers are alive, and taken when they are gone") {
  Running running;
  const auto other = make_xclbin(copier_text("copier", memory_text(0x8000000000)), file_bytes(LINECRYPT_COPY_IMAGE));
  running.rig.ip = xrt::ip();
  {
    const xrt::bo alive(running.rig.device, 4096, 0);
    CHECK_THROWS(running.rig.device.load_xclbin(xrt::xclbin(other)));
    CHECK(model_state().downloads == running.downloads);
  }
  CHECK_NOTHROW(running.rig.device.load_xclbin(xrt::xclbin(other)));
  CHECK(xrt::bo(running.rig.device, 4096, 2).address() >= 0x8000000000);
}

TEST_CASE("loading and unloading images many times keeps nothing of the old ones") {
  xrt::device device = open_fresh();
  const auto lines = [] {
    std::ifstream maps("/proc/self/maps");
    return std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
  };
  for (int i = 0; i < 4; ++i) {
    device.load_xclbin(xrt::xclbin(copier_xclbin()));
    device.load_xclbin(xrt::xclbin(plain_xclbin()));
  }
  const auto before = lines();
  for (int i = 0; i < 50; ++i) {
    device.load_xclbin(xrt::xclbin(copier_xclbin()));
    device.load_xclbin(xrt::xclbin(plain_xclbin()));
  }
  CHECK(lines() < before + 100);
}

}  // namespace linecrypt::test
