#include "driver/card/pci/cards.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <system_error>

extern "C" {
#include <pci/pci.h>
}

#include "driver/card/pci/alveo_ids.hpp"
#include "driver/card/pci/device_node.hpp"
#include "driver/card/pci/platform.hpp"

namespace linecrypt::card {
namespace {

namespace fs = std::filesystem;

constexpr const char* user_driver = "xocl";

// libpci reports errors by a function that may not return. Ours notes the text and jumps back to begin().
thread_local std::string pci_error;
thread_local std::jmp_buf pci_failed;
[[noreturn]] void on_error(char* format, ...) {
  std::array<char, 256> text{};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  pci_error = text.data();
  std::longjmp(pci_failed, 1);
}
void ignore(char* /*format*/, ...) {}

enum class Role : std::uint8_t { management, user, golden };

struct Function {
  const AlveoIds* ids = nullptr;
  Role role = Role::management;
  bool lost = false;
  std::uint32_t domain = 0, bus = 0, device = 0, function = 0;
  int numa_node = -1;
  std::optional<PcieLink> link, capability;
  [[nodiscard]] std::string address() const {
    return fmt::format("{:04x}:{:02x}:{:02x}.{}", domain, bus, device, function);
  }
};

const AlveoIds* ids_of(std::uint32_t device, Role& role) {
  for (const AlveoIds& ids : alveo_ids) {
    role = device == ids.management ? Role::management : device == ids.user ? Role::user : Role::golden;
    if (role != Role::golden || (device == ids.golden && ids.golden != 0)) return &ids;
  }
  return nullptr;
}

// The link registers of the PCI Express capability (PCIe base 7.5.3.6, 7.5.3.8). Unprivileged readers see 64 bytes
// only.
void read_link(pci_dev* device, Function& function) {
  const pci_cap* const express = pci_find_cap(device, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);
  if (express == nullptr) return;
  const std::uint32_t can = pci_read_long(device, static_cast<int>(express->addr) + PCI_EXP_LNKCAP);
  const std::uint32_t is = pci_read_word(device, static_cast<int>(express->addr) + PCI_EXP_LNKSTA);
  if (can == 0 || can == ~0U) return;
  function.capability = PcieLink{can & PCI_EXP_LNKCAP_SPEED, (can & PCI_EXP_LNKCAP_WIDTH) >> 4U};
  function.link = PcieLink{is & PCI_EXP_LNKSTA_SPEED, (is & PCI_EXP_LNKSTA_WIDTH) >> 4U};
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// The kernel keeps the id of a device that fell off the bus; its configuration space reads ones.
void add(std::vector<Function>& found, pci_dev* device, const PciSources& sources) {
  Function function;
  function.domain = static_cast<std::uint32_t>(device->domain);
  function.bus = device->bus;
  function.device = device->dev;
  function.function = device->func;
  std::uint32_t vendor = device->vendor_id;
  std::uint32_t id = device->device_id;
  const fs::path folder = sources.sysfs / "bus/pci/devices" / function.address();
  if (vendor == 0xffff) {
    // The dump, or a kernel that read anew: sysfs may still know who it was.
    try {
      vendor = static_cast<std::uint32_t>(std::stoul(read_text(folder / "vendor"), nullptr, 16));
      id = static_cast<std::uint32_t>(std::stoul(read_text(folder / "device"), nullptr, 16));
    } catch (const std::exception&) {
      return;  // nobody knows what was there
    }
  }
  if (vendor != xilinx_vendor) return;
  function.ids = ids_of(id, function.role);
  if (function.ids == nullptr) return;
  function.lost = pci_read_long(device, PCI_VENDOR_ID) == 0xffffffffU;
  if (!function.lost) read_link(device, function);
  function.numa_node = numa_node_of(function.address(), sources.sysfs);
  found.push_back(std::move(function));
}

// All that libpci may fail in. False: pci_error says how. Nothing with a destructor lies in the way of the jump.
bool begin(pci_access* access) {
  // NOLINTNEXTLINE(cert-err52-cpp): libpci leaves by this way or not at all.
  if (setjmp(pci_failed) != 0) return false;
  pci_init(access);
  pci_scan_bus(access);
  for (pci_dev* device = access->devices; device != nullptr; device = device->next)
    pci_fill_info(device, PCI_FILL_IDENT | PCI_FILL_CAPS);
  return true;
}

Result<std::vector<Function>> scan(const PciSources& sources) {
  pci_access* const access = pci_alloc();
  access->error = on_error;
  access->warning = ignore;
  access->debug = ignore;
  std::string dump = sources.dump.string();
  std::string parameter = "dump.name";
  if (!dump.empty()) {
    access->method = PCI_ACCESS_DUMP;
    pci_set_param(access, parameter.data(), dump.data());
  }
  if (!begin(access)) return Error{fmt::format("PCI bus: {}", pci_error)};
  std::vector<Function> found;
  for (pci_dev* device = access->devices; device != nullptr; device = device->next) add(found, device, sources);
  pci_cleanup(access);
  return found;
}

std::string driver_of(const fs::path& folder) {
  std::error_code none;
  const fs::path link = fs::read_symlink(folder / "driver", none);
  return none ? std::string() : link.filename().string();
}

// The platform that xocl names: a file of a subdevice of its own.
std::string shell_of(const fs::path& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string file = entry.path().filename().string();
    if (file.rfind("rom", 0) != 0) continue;
    if (std::string name = read_text(entry.path() / "VBNV"); !name.empty()) return name;
  }
  return {};
}

// Of the nodes that belong to the card, one that we may not open; empty: all may be opened, or there is none.
std::string closed_node(const fs::path& folder, const fs::path& dev) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder / "drm", none)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("render", 0) != 0) continue;
    const fs::path node = dev / "dri" / name;
    if (access(node.c_str(), R_OK | W_OK) != 0) return node.string();
  }
  return {};
}

void set(FoundCard& card, CardProblem problem, std::string why) {
  card.problem = problem;
  card.why = std::move(why);
}

// Why the card cannot be used: the first thing that is in the way.
void judge(FoundCard& card, const std::vector<Function>& functions, const PciSources& sources) {
  const auto with = [&](Role role) -> const Function* {
    const auto it = std::ranges::find_if(functions, [role](const Function& f) { return f.role == role; });
    return it == functions.end() ? nullptr : &*it;
  };
  const auto lost = std::ranges::find_if(functions, [](const Function& f) { return f.lost; });
  if (lost != functions.end())
    return set(
        card, CardProblem::lost,
        fmt::format("{} reads 0xffffffff: the card fell off the bus. Reset it (xbutil reset), or power the host off "
                    "and on",
                    lost->address()));
  if (const Function* golden = with(Role::golden))
    return set(
        card, CardProblem::no_shell,
        fmt::format("{} shows the image it left the factory with: flash an XDMA shell (xbmgmt program --base), then "
                    "power the host off and on",
                    golden->address()));
  const Function* const user = with(Role::user);
  if (user == nullptr)
    return set(
        card, CardProblem::wrong_shell,
        fmt::format("{} has a management function and no user function: its shell has no XDMA, or the user function "
                    "was given to a virtual machine. Flash an XDMA shell (xbmgmt program --base)",
                    card.management));
  const fs::path folder = sources.sysfs / "bus/pci/devices" / user->address();
  card.driver = driver_of(folder);
  if (card.driver.empty())
    return set(card, CardProblem::no_driver,
               fmt::format("{} is bound to no driver: load XRT's (modprobe {})", user->address(), user_driver));
  if (card.driver != user_driver)
    return set(card, CardProblem::wrong_driver,
               fmt::format("{} is bound to {}, allowed: {}; unbind it there first", user->address(), card.driver,
                           user_driver));
  card.shell = shell_of(folder);
  if (!card.shell.empty()) {
    const auto named = card_of_platform(card.shell);
    if (!named || *named != card.card || card.shell.find("xdma") == std::string::npos)
      return set(card, CardProblem::wrong_shell,
                 fmt::format("its shell is {}, allowed: an XDMA one of the {} (xilinx_{}_..._xdma_...)", card.shell,
                             card.name, card.card));
  }
  if (const std::string node = closed_node(folder, sources.dev); !node.empty())
    return set(card, CardProblem::no_permission,
               fmt::format("{} may not be opened by this user: run as one of its group, or as root", node));
  card.note = shared_device_node(user->address(), sources.sysfs, sources.dev);
}

FoundCard card_of(const std::vector<Function>& functions, const PciSources& sources) {
  FoundCard card;
  card.card = functions.front().ids->card;
  card.name = functions.front().ids->name;
  for (const Function& function : functions) {
    (function.role == Role::user ? card.user : card.management) = function.address();
    if (function.numa_node >= 0) card.numa_node = function.numa_node;
    // Function 0 has the link; what another shows is the same.
    if (function.link && !card.link) {
      card.link = function.link;
      card.capability = function.capability;
    }
  }
  judge(card, functions, sources);
  if (card.link && card.capability &&
      (card.link->speed < card.capability->speed || card.link->width < card.capability->width)) {
    if (!card.note.empty()) card.note += "; ";
    card.note += fmt::format("its link runs at Gen{} x{}, it can do Gen{} x{}: look at the slot", card.link->speed,
                             card.link->width, card.capability->speed, card.capability->width);
  }
  return card;
}

}  // namespace

const char* name(CardProblem problem) noexcept {
  constexpr const char* names[] = {"usable",    "lost",         "no shell",     "wrong shell",
                                   "no driver", "wrong driver", "no permission"};
  return names[static_cast<std::size_t>(problem)];
}

// Functions of one slot are one card.
Result<std::vector<FoundCard>> find_cards(const PciSources& sources) {
  if (!sources.dump.empty() && access(sources.dump.c_str(), R_OK) != 0)
    return Error{fmt::format("PCI bus: {} cannot be read", sources.dump.string())};
  auto functions = scan(sources);
  if (!functions) return functions.error();
  std::map<std::array<std::uint32_t, 3>, std::vector<Function>> slots;
  for (const Function& function : *functions)
    slots[{function.domain, function.bus, function.device}].push_back(function);
  std::vector<FoundCard> cards;
  for (const auto& slot : slots) cards.push_back(card_of(slot.second, sources));
  return cards;
}

}  // namespace linecrypt::card
