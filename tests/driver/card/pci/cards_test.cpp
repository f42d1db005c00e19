// Discovery over a dump in the form of `lspci -x` and a folder in place of /sys and /dev.
#include "driver/card/pci/cards.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <fstream>

#include "driver/card/pci/device_node.hpp"
#include "driver/card/pci/platform.hpp"

using namespace linecrypt;
namespace fs = std::filesystem;

namespace {

struct Machine {
  Machine() {
    std::string pattern = (fs::temp_directory_path() / "linecrypt_pci_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    root = pattern;
    std::ofstream(root / "dump");
  }
  ~Machine() { fs::remove_all(root); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // A function whose configuration space has a PCI Express capability with this link; `speed` 0: 64 bytes only.
  void add(const std::string& address, std::uint16_t device, std::uint32_t speed = 3, std::uint32_t width = 16,
           std::uint16_t vendor = 0x10ee) {
    std::array<std::uint8_t, 256> space{};
    space[0] = static_cast<std::uint8_t>(vendor);
    space[1] = static_cast<std::uint8_t>(vendor >> 8U);
    space[2] = static_cast<std::uint8_t>(device);
    space[3] = static_cast<std::uint8_t>(device >> 8U);
    space[6] = 0x10;  // capabilities list
    space[0x34] = 0x70;
    space[0x70] = 0x10;  // PCI Express
    space[0x72] = 0x02;
    const std::uint32_t can = 3 | 16U << 4U;
    const std::uint32_t is = speed | width << 4U;
    space[0x7c] = static_cast<std::uint8_t>(can);
    space[0x7d] = static_cast<std::uint8_t>(can >> 8U);
    space[0x82] = static_cast<std::uint8_t>(is);
    space[0x83] = static_cast<std::uint8_t>(is >> 8U);
    write(address, space, speed == 0 ? 64 : 256);
    fs::create_directories(folder(address));
    std::ofstream(folder(address) / "vendor") << fmt::format("{:#06x}\n", vendor);
    std::ofstream(folder(address) / "device") << fmt::format("{:#06x}\n", device);
    std::ofstream(folder(address) / "numa_node") << "1\n";
  }
  // What sysfs still knows of a function whose configuration space reads ones.
  void lose(const std::string& address, std::uint16_t device) {
    std::array<std::uint8_t, 256> space{};
    space.fill(0xff);
    write(address, space, 64);
    fs::create_directories(folder(address));
    std::ofstream(folder(address) / "vendor") << "0x10ee\n";
    std::ofstream(folder(address) / "device") << fmt::format("{:#06x}\n", device);
  }
  void bind(const std::string& address, const std::string& driver) const {
    fs::create_directories(root / "sys/bus/pci/drivers" / driver);
    fs::create_symlink(root / "sys/bus/pci/drivers" / driver, folder(address) / "driver");
  }
  void shell(const std::string& address, const std::string& name) const {
    fs::create_directories(folder(address) / "rom.u.1");
    std::ofstream(folder(address) / "rom.u.1/VBNV") << name << "\n";
  }
  void node(const std::string& address, mode_t mode) const {
    fs::create_directories(folder(address) / "drm/renderD128");
    fs::create_directories(root / "dev/dri");
    std::ofstream(root / "dev/dri/renderD128");
    REQUIRE(chmod((root / "dev/dri/renderD128").c_str(), mode) == 0);
  }
  [[nodiscard]] fs::path folder(const std::string& address) const { return root / "sys/bus/pci/devices" / address; }
  [[nodiscard]] card::PciSources sources() const { return {root / "dump", root / "sys", root / "dev"}; }
  [[nodiscard]] std::vector<card::FoundCard> find() const {
    auto found = card::find_cards(sources());
    INFO((found ? "" : found.error().message));
    REQUIRE(found.ok());
    return *found;
  }

  fs::path root;

 private:
  void write(const std::string& address, const std::array<std::uint8_t, 256>& space, std::size_t bytes) const {
    std::ofstream dump(root / "dump", std::ios::app);
    dump << address << " Processing accelerators: Xilinx\n";
    for (std::size_t i = 0; i < bytes; i += 16) {
      dump << fmt::format("{:02x}:", i);
      for (std::size_t k = 0; k < 16; ++k) dump << fmt::format(" {:02x}", space[i + k]);
      dump << "\n";
    }
    dump << "\n";
  }
};

constexpr const char* mgmt = "0000:3b:00.0";
constexpr const char* user = "0000:3b:00.1";

}  // namespace

TEST_CASE("A card with shell, driver and node is usable; its link, capability and NUMA node are told") {
  Machine machine;
  machine.add(mgmt, 0x5020);
  machine.add(user, 0x5021);
  machine.add("0000:00:02.0", 0x1234, 3, 16, 0x8086);
  machine.bind(user, "xocl");
  machine.shell(user, "xilinx_u50_gen3x16_xdma_base_5");
  machine.node(user, 0660);
  const auto cards = machine.find();
  REQUIRE(cards.size() == 1);
  const card::FoundCard& card = cards[0];
  CHECK(card.card == "u50");
  CHECK(card.name == "Alveo U50");
  CHECK(card.management == mgmt);
  CHECK(card.user == user);
  CHECK(card.driver == "xocl");
  CHECK(card.shell == "xilinx_u50_gen3x16_xdma_base_5");
  CHECK(card.numa_node == 1);
  CHECK(card::numa_node_of(user, machine.sources().sysfs) == 1);
  CHECK(card::numa_node_of("0000:ff:00.0", machine.sources().sysfs) == -1);
  CHECK(card.link == card::PcieLink{3, 16});
  CHECK(card.capability == card::PcieLink{3, 16});
  CHECK(card.problem == card::CardProblem::none);
  CHECK(card.why.empty());
  CHECK(card.note.empty());
}

TEST_CASE("Each card is found by its ids") {
  struct Row {
    const char* card;
    std::uint16_t management, user;
  };
  const Row row = GENERATE(values<Row>({{"u50", 0x5020, 0x5021},
                                        {"u55c", 0x505c, 0x505d},
                                        {"u200", 0x5000, 0x5001},
                                        {"u250", 0x5004, 0x5005},
                                        {"u280", 0x500c, 0x500d}}));
  Machine machine;
  machine.add(mgmt, row.management);
  machine.add(user, row.user);
  machine.add("0000:5e:00.0", row.management);
  machine.add("0000:5e:00.1", row.user);
  const auto cards = machine.find();
  REQUIRE(cards.size() == 2);
  CHECK(cards[0].card == row.card);
  CHECK(cards[1].user == "0000:5e:00.1");
  CHECK(cards[0].problem == card::CardProblem::no_driver);
}

TEST_CASE("What is in the way of a card is said in words, with what to do") {
  Machine machine;
  card::CardProblem problem{};
  std::string says;
  SECTION("off the bus") {
    machine.add(mgmt, 0x5020);
    machine.lose(user, 0x5021);
    problem = card::CardProblem::lost;
    says = "0000:3b:00.1 reads 0xffffffff";
  }
  SECTION("factory image") {
    machine.add(mgmt, 0xd020);
    problem = card::CardProblem::no_shell;
    says = "flash an XDMA shell";
  }
  SECTION("no user function") {
    machine.add(mgmt, 0x5020);
    problem = card::CardProblem::wrong_shell;
    says = "no user function";
  }
  SECTION("no driver") {
    machine.add(mgmt, 0x5020);
    machine.add(user, 0x5021);
    problem = card::CardProblem::no_driver;
    says = "modprobe xocl";
  }
  SECTION("another driver") {
    machine.add(mgmt, 0x5020);
    machine.add(user, 0x5021);
    machine.bind(user, "vfio-pci");
    problem = card::CardProblem::wrong_driver;
    says = "bound to vfio-pci, allowed: xocl";
  }
  SECTION("a shell of another kind") {
    machine.add(mgmt, 0x5020);
    machine.add(user, 0x5021);
    machine.bind(user, "xocl");
    machine.shell(user, "xilinx_u50_gen3x4_qdma_base_2");
    problem = card::CardProblem::wrong_shell;
    says = "xilinx_u50_gen3x4_qdma_base_2, allowed: an XDMA one";
  }
  const auto cards = machine.find();
  REQUIRE(cards.size() == 1);
  INFO(cards[0].why);
  CHECK(cards[0].problem == problem);
  CHECK(cards[0].why.find(says) != std::string::npos);
}

TEST_CASE("A slower link and an open node are worth a note") {
  Machine machine;
  machine.add(mgmt, 0x5000, 2, 8);
  machine.add(user, 0x5001, 2, 8);
  machine.bind(user, "xocl");
  machine.node(user, 0666);
  const auto cards = machine.find();
  REQUIRE(cards.size() == 1);
  CHECK(cards[0].problem == card::CardProblem::none);
  CHECK(cards[0].note.find("Gen2 x8, it can do Gen3 x16") != std::string::npos);
  CHECK(cards[0].note.find("may be opened by every user (mode 666)") != std::string::npos);
}

TEST_CASE("Without the extended space the link is unknown, and no card at all is no error") {
  Machine machine;
  CHECK(machine.find().empty());
  machine.add(mgmt, 0x5020, 0);
  const auto cards = machine.find();
  REQUIRE(cards.size() == 1);
  CHECK_FALSE(cards[0].link.has_value());
}

TEST_CASE("A dump that is not there is an error in words") {
  const auto found = card::find_cards({"/nonexistent/dump", "/sys", "/dev"});
  REQUIRE_FALSE(found.ok());
  CHECK(found.error().message.find("/nonexistent/dump cannot be read") != std::string::npos);
}

TEST_CASE("Platform names tell the card") {
  CHECK(card::card_of_platform("xilinx_u55c_gen3x16_xdma_base_3") == "u55c");
  CHECK(card::card_of_platform("xilinx_u250_gen3x16_xdma_shell_4_1") == "u250");
  CHECK_FALSE(card::card_of_platform("xilinx_vck5000_gen4x8_qdma_base_2").has_value());
}
