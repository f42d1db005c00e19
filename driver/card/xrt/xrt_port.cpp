#include "driver/card/xrt/xrt_port.hpp"

#include <experimental/xrt_ip.h>
#include <experimental/xrt_xclbin.h>
#include <fmt/format.h>
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>

#include "bitstreams/manifest.hpp"
#include "driver/card/pci/device_node.hpp"
#include "driver/card/pci/platform.hpp"

namespace linecrypt::card {
namespace {

constexpr const char* control_kernel = "linecrypt_control";
constexpr const char* control_unit = "control_0";
constexpr const char* mover_unit = "dma_0";

class XrtMemory final : public CardMemory {
 public:
  XrtMemory(const xrt::device& device, std::size_t bytes, xrt::memory_group group)
      : bo_(device, bytes, xrt::bo::flags::normal, group),
        host_(bo_.map<std::uint8_t*>()),
        address_(bo_.address()),
        size_(bytes) {}

  [[nodiscard]] std::uint8_t* host() const noexcept override { return host_; }
  [[nodiscard]] std::uint64_t address() const noexcept override { return address_; }
  [[nodiscard]] std::size_t size() const noexcept override { return size_; }
  bool to_card(std::size_t offset, std::size_t bytes) noexcept override {
    return sync(XCL_BO_SYNC_BO_TO_DEVICE, offset, bytes);
  }
  bool from_card(std::size_t offset, std::size_t bytes) noexcept override {
    return sync(XCL_BO_SYNC_BO_FROM_DEVICE, offset, bytes);
  }

 private:
  bool sync(xclBOSyncDirection direction, std::size_t offset, std::size_t bytes) noexcept {
    try {
      bo_.sync(direction, bytes, offset);
      return true;
    } catch (...) {
      return false;
    }
  }

  xrt::bo bo_;
  std::uint8_t* host_;
  std::uint64_t address_;
  std::size_t size_;
};

// An info string that a card or its shell may not have.
template <xrt::info::device what>
std::string text_of(const xrt::device& device) {
  try {
    return device.get_info<what>();
  } catch (...) {
    return {};
  }
}

class XrtPort final : public CardPort {
 public:
  struct Banks {
    xrt::memory_group control, egress, ingress;
  };

  XrtPort(xrt::device device, const xrt::uuid& uuid, Banks banks, PortIdentity identity)
      : device_(std::move(device)),
        control_(std::make_shared<xrt::ip>(device_, uuid, fmt::format("{}:{{{}}}", control_kernel, control_unit))),
        banks_(banks),
        identity_(std::move(identity)) {}

  [[nodiscard]] const PortIdentity& identity() const noexcept override { return identity_; }

  std::uint32_t read_register(std::uint32_t offset) noexcept override {
    try {
      const std::shared_ptr<xrt::ip> control = control_.load(std::memory_order_acquire);
      return control ? control->read_register(offset) : abi::lost_value;
    } catch (...) {
      return abi::lost_value;
    }
  }
  void write_register(std::uint32_t offset, std::uint32_t value) noexcept override {
    try {
      const std::shared_ptr<xrt::ip> control = control_.load(std::memory_order_acquire);
      if (control) control->write_register(offset, value);
    } catch (...) {
      // A card that is gone shows at the next read.
    }
  }
  Result<std::unique_ptr<CardMemory>> allocate(MemoryUse use, std::size_t bytes) override {
    const xrt::memory_group group = use == MemoryUse::control  ? banks_.control
                                    : use == MemoryUse::egress ? banks_.egress
                                                               : banks_.ingress;
    try {
      return std::unique_ptr<CardMemory>(std::make_unique<XrtMemory>(device_, bytes, group));
    } catch (const std::exception& error) {
      return Error{fmt::format("card: no {} bytes in memory bank {}: {}", bytes, group, error.what())};
    }
  }
  CardHealth health() override {
    CardHealth health;
    health.thermal = text_of<xrt::info::device::thermal>(device_);
    health.electrical = text_of<xrt::info::device::electrical>(device_);
    health.memory = text_of<xrt::info::device::memory>(device_);
    health.pcie_info = text_of<xrt::info::device::pcie_info>(device_);
    health.numa_node = numa_node_of(text_of<xrt::info::device::bdf>(device_));
    try {
      if (device_.get_info<xrt::info::device::offline>()) health.offline = "XRT says that the card is offline";
    } catch (...) {
      // Not every shell tells.
    }
    return health;
  }
  void release() noexcept override {
    try {
      control_.store(nullptr, std::memory_order_release);
    } catch (...) {
      // XRT could not close it: the next port will say so.
    }
  }

 private:
  xrt::device device_;
  // A thread in the middle of an access keeps the kernel until it comes back.
  std::atomic<std::shared_ptr<xrt::ip>> control_;
  Banks banks_;
  PortIdentity identity_;
};

// XRT's emulation is chosen by its own variable; then the card is no U50, whatever its name says.
bool emulated() {
  const char* const mode = std::getenv("XCL_EMULATION_MODE");
  return mode != nullptr && *mode != '\0';
}

Result<xrt::device> open_device(const CardOptions& options) {
  try {
    return options.bdf.empty() ? xrt::device(options.device) : xrt::device(options.bdf);
  } catch (const std::exception& error) {
    return Error{
        fmt::format("card {}: XRT does not open it: {}; `linecryptctl card list` says which cards are there and "
                    "what is wrong with each",
                    options.bdf.empty() ? std::to_string(options.device) : options.bdf, error.what())};
  }
}

// What of the bitstream the host asks for, of this card.
Result<bitstreams::Requirements> requirements(const CardOptions& options, const std::string& platform) {
  bitstreams::Requirements asked;
  if (emulated()) {
    asked.card = bitstreams::emulated_card;
  } else {
    const auto card = card_of_platform(platform);
    if (!card)
      return Error{fmt::format("card: its shell is {}, allowed: one of U50, U55C, U200, U250, U280", platform)};
    asked.card = *card;
    asked.shell = platform;
  }
  if (options.mode != abi::CardMode::none) asked.mode = name(options.mode);
  asked.signature_required = !options.trusted_keys.empty();
  if (asked.signature_required) {
    auto keys = bitstreams::read_trusted_keys(options.trusted_keys.string());
    if (!keys) return keys.error();
    asked.trusted = std::move(*keys);
  }
  return asked;
}

Result<XrtPort::Banks> banks_of(const bitstreams::Xclbin& xclbin, const std::string& file) {
  const auto control = xclbin.bank_of(control_unit, 0);
  const auto egress = xclbin.bank_of(mover_unit, 0);
  const auto ingress = xclbin.bank_of(mover_unit, 1);
  if (!control || !egress || !ingress)
    return Error{
        fmt::format("{}: connects {} and {} to no memory; allowed: banks for control_0's memory and dma_0's two", file,
                    control_unit, mover_unit)};
  return XrtPort::Banks{*control, *egress, *ingress};
}

}  // namespace

// 1. The card.
// 2. Who else may open it: whoever can reach its node can read its memory.
// 3. The bitstream and its manifest, from one reading of the files. Nothing of the card is touched when it is refused.
// 4. Load: XRT leaves a bitstream that is there already.
// 5. The control kernel, for us alone.
Result<std::shared_ptr<CardPort>> open_port(const CardOptions& options) {
  // 1.
  if (options.xclbin.empty()) return Error{"card: no xclbin is named; name the file to load"};
  auto device = open_device(options);
  if (!device) return device.error();
  PortIdentity identity;
  identity.name = text_of<xrt::info::device::name>(*device);
  identity.bdf = text_of<xrt::info::device::bdf>(*device);
  // 2.
  if (!emulated()) {
    const std::string shared = shared_device_node(identity.bdf);
    if (!shared.empty() && !options.allow_shared_node)
      return Error{
          fmt::format("card {}: {}; allowed: no access for others, or allow_shared_node", identity.bdf, shared)};
    identity.note = shared;
  }
  // 3.
  const std::string file = options.xclbin.string();
  auto asked = requirements(options, identity.name);
  if (!asked) return asked.error();
  auto bitstream = bitstreams::open_bitstream(file, *asked);
  if (!bitstream) return bitstream.error();
  auto banks = banks_of(bitstream->xclbin, file);
  if (!banks) return banks.error();
  if (bitstream->signature != bitstreams::SignatureState::good) {
    if (!identity.note.empty()) identity.note += "; ";
    identity.note += fmt::format("bitstream's signature: {}", bitstreams::text_of(bitstream->signature));
  }
  try {
    // 4.
    const xrt::xclbin xclbin(std::vector<char>(bitstream->bytes.begin(), bitstream->bytes.end()));
    const xrt::uuid uuid = device->load_xclbin(xclbin);
    identity.xclbin_uuid = uuid.to_string();
    // 5.
    return std::shared_ptr<CardPort>(std::make_shared<XrtPort>(std::move(*device), uuid, *banks, std::move(identity)));
  } catch (const std::exception& error) {
    return Error{fmt::format("card: XRT does not load {} or open its {}: {}", file, control_kernel, error.what())};
  }
}

}  // namespace linecrypt::card
