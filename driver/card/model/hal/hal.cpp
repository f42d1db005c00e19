// XRT's HAL (xrt.h and experimental/xrt-next.h) over the cards of the model: the functions that XRT's own classes
// `device` and `system` call, no others. Those classes are Debian's (see CMakeLists.txt); the linker is told to accept
// no open end.
#include <xrt.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "driver/card/model/cards.hpp"
#include "experimental/xrt-next.h"

// Of libxrt_coreutil, which exports them; Debian does not install their headers.
namespace xrt_core {
class device {
 public:
  void register_axlf(const axlf* top);
};
std::shared_ptr<device> get_userpf_device(void* handle);
std::shared_ptr<device> get_userpf_device(void* handle, unsigned id);
}  // namespace xrt_core

namespace {

using linecrypt::card_model::Card;
using linecrypt::card_model::Session;
using linecrypt::card_model::Way;

Session& session_of(xclDeviceHandle handle) {
  return *static_cast<Session*>(handle);
}
Card& card_of(xclDeviceHandle handle) {
  return *session_of(handle).card;
}

// Kernel registers are the only bus addresses that are not memory.
template <typename Access>
size_t each_word(xclDeviceHandle handle, std::uint64_t address, size_t size, Access access) {
  std::uint32_t unit = 0;
  std::uint32_t offset = 0;
  if (address % 4 != 0 || size % 4 != 0 || card_of(handle).find_register(address, unit, offset) != 0) return 0;
  for (size_t done = 0; done < size; done += 4)
    if (access(unit, static_cast<std::uint32_t>(offset + done), done) != 0) return 0;
  return size;
}

}  // namespace

extern "C" {

unsigned xclProbe() {
  return static_cast<unsigned>(linecrypt::card_model::cards().size());
}

xclDeviceHandle xclOpen(unsigned index, const char* /*unused1*/, xclVerbosityLevel /*unused2*/) {
  Card* card = linecrypt::card_model::card_at(index);
  if (card == nullptr) return nullptr;
  Session* session = card->open();
  if (session != nullptr) session->core = xrt_core::get_userpf_device(session, index);
  return session;
}

void xclClose(xclDeviceHandle handle) {
  Session& session = session_of(handle);
  // XRT's object goes first: once the session is closed it may be opened again, with an object of its own.
  session.core.reset();
  session.card->close(session);
}

int xclGetDeviceInfo2(xclDeviceHandle handle, xclDeviceInfo2* info) {
  const auto& configuration = card_of(handle).configuration();
  std::memset(info, 0, sizeof *info);
  info->mMagic = 0x586C0C6C;
  configuration.name.copy(info->mName, sizeof info->mName - 1);
  info->mVendorId = configuration.pci.vendor;
  info->mDeviceId = configuration.pci.device;
  info->mSubsystemVendorId = configuration.pci.subsystem_vendor;
  info->mSubsystemId = configuration.pci.subsystem_device;
  info->mDataAlignment = linecrypt::card_model::page_bytes;
  info->mMinTransferSize = 1;
  info->mOCLFrequency[0] = 300;
  info->mNumClocks = 1;
  info->mPCIeLinkWidth = static_cast<unsigned short>(configuration.pci.link_width);
  info->mPCIeLinkSpeed = static_cast<unsigned short>(configuration.pci.link_speed);
  info->mMigCalib = true;
  return 0;
}

int xclLoadXclBin(xclDeviceHandle handle, const xclBin* top) {
  const int result = card_of(handle).load(top);
  if (result != 0) return result;
  linecrypt::card_model::stop_at_exit();
  xrt_core::get_userpf_device(handle)->register_axlf(top);
  return 0;
}

int xclOpenContext(xclDeviceHandle handle, const xuid_t uuid, unsigned unit, bool shared) {
  return card_of(handle).hold_unit(session_of(handle), uuid, unit, !shared);
}
int xclCloseContext(xclDeviceHandle handle, const xuid_t /*uuid*/, unsigned unit) {
  return card_of(handle).let_go_unit(session_of(handle), unit);
}

xclBufferHandle xclAllocBO(xclDeviceHandle handle, size_t size, int /*unused*/, unsigned flags) {
  std::uint32_t buffer = XRT_NULL_BO;
  if (card_of(handle).make_buffer(session_of(handle), nullptr, size, flags, buffer) != 0) return XRT_NULL_BO;
  return buffer;
}
xclBufferHandle xclAllocUserPtrBO(xclDeviceHandle handle, void* memory, size_t size, unsigned flags) {
  std::uint32_t buffer = XRT_NULL_BO;
  if (card_of(handle).make_buffer(session_of(handle), memory, size, flags, buffer) != 0) return XRT_NULL_BO;
  return buffer;
}
void xclFreeBO(xclDeviceHandle handle, xclBufferHandle buffer) {
  card_of(handle).free_buffer(session_of(handle), buffer);
}

void* xclMapBO(xclDeviceHandle handle, xclBufferHandle buffer, bool /*write*/) {
  const auto found = card_of(handle).buffer(session_of(handle), buffer);
  return found ? found->host : nullptr;
}
int xclUnmapBO(xclDeviceHandle /*handle*/, xclBufferHandle /*buffer*/, void* /*address*/) {
  return 0;
}

int xclSyncBO(xclDeviceHandle handle, xclBufferHandle buffer, xclBOSyncDirection direction, size_t size,
              size_t offset) {
  if (direction != XCL_BO_SYNC_BO_TO_DEVICE && direction != XCL_BO_SYNC_BO_FROM_DEVICE) return -ENOTSUP;
  const Way way = direction == XCL_BO_SYNC_BO_TO_DEVICE ? Way::to_card : Way::from_card;
  return card_of(handle).sync(session_of(handle), buffer, way, size, offset);
}
int xclCopyBO(xclDeviceHandle handle, xclBufferHandle to, xclBufferHandle from, size_t size, size_t to_offset,
              size_t from_offset) {
  return card_of(handle).copy(session_of(handle), to, from, size, to_offset, from_offset);
}

int xclGetBOProperties(xclDeviceHandle handle, xclBufferHandle buffer, xclBOProperties* properties) {
  const auto found = card_of(handle).buffer(session_of(handle), buffer);
  if (!found) return -EINVAL;
  *properties = xclBOProperties{buffer, found->flags, found->size, found->address.value_or(~0ULL), 0};
  return 0;
}

// No DMA-BUF: buffers belong to one process.
xclBufferExportHandle xclExportBO(xclDeviceHandle /*handle*/, xclBufferHandle /*buffer*/) {
  return XRT_NULL_BO_EXPORT;
}
xclBufferHandle xclImportBO(xclDeviceHandle /*handle*/, xclBufferExportHandle /*file*/, unsigned /*flags*/) {
  return XRT_NULL_BO;
}

ssize_t xclUnmgdPread(xclDeviceHandle handle, unsigned /*flags*/, void* to, size_t size, uint64_t address) {
  return card_of(handle).move(address, to, size, Way::from_card);
}
ssize_t xclUnmgdPwrite(xclDeviceHandle handle, unsigned /*flags*/, const void* from, size_t size, uint64_t address) {
  return card_of(handle).move(address, const_cast<void*>(from), size, Way::to_card);
}

int xclExecBuf(xclDeviceHandle handle, xclBufferHandle command) {
  return card_of(handle).execute(session_of(handle), command);
}
int xclExecWait(xclDeviceHandle handle, int milliseconds) {
  return card_of(handle).wait(session_of(handle), milliseconds);
}

int xclRegRead(xclDeviceHandle handle, uint32_t unit, uint32_t offset, uint32_t* value) {
  return card_of(handle).read_register(session_of(handle), unit, offset, value);
}
int xclRegWrite(xclDeviceHandle handle, uint32_t unit, uint32_t offset, uint32_t value) {
  return card_of(handle).write_register(session_of(handle), unit, offset, value);
}

size_t xclRead(xclDeviceHandle handle, xclAddressSpace /*space*/, uint64_t address, void* to, size_t size) {
  return each_word(handle, address, size, [&](std::uint32_t unit, std::uint32_t offset, size_t done) {
    std::uint32_t value = 0;
    const int result = xclRegRead(handle, unit, offset, &value);
    std::memcpy(static_cast<char*>(to) + done, &value, sizeof value);
    return result;
  });
}
size_t xclWrite(xclDeviceHandle handle, xclAddressSpace /*space*/, uint64_t address, const void* from, size_t size) {
  return each_word(handle, address, size, [&](std::uint32_t unit, std::uint32_t offset, size_t done) {
    std::uint32_t value = 0;
    std::memcpy(&value, static_cast<const char*>(from) + done, sizeof value);
    return xclRegWrite(handle, unit, offset, value);
  });
}

// The clock is virtual: there is nothing to set.
int xclReClock2(xclDeviceHandle /*handle*/, unsigned short /*region*/, const unsigned short* /*mhz*/) {
  return -ENOTSUP;
}
int xclP2pEnable(xclDeviceHandle /*handle*/, bool /*enable*/, bool /*force*/) {
  return -ENOTSUP;
}

}  // extern "C"

// Functions of XRT without a public header that its classes refer to, as declared in their objects.
int xclCloseExportHandle(int /*file*/) {
  return -ENOTSUP;
}
int xclCmaEnable(xclDeviceHandle /*handle*/, bool /*enable*/, std::uint64_t /*size*/) {
  return -ENOTSUP;
}
int xclUpdateSchedulerStat(xclDeviceHandle /*handle*/) {
  return 0;
}
int xclInternalResetDevice(xclDeviceHandle handle, xclResetKind /*kind*/) {
  return card_of(handle).reset_by_host();
}

// Two members of the class that libxrt_hwemu has where this library has Card. XRT's `device` asks them whether the card
// has a copy engine of its own and whether it lacks DMA: no and no.
extern "C" void* hwemu_handle_check(void*) __asm__("_ZN11xclhwemhal28HwEmShim11handleCheckEPv");
extern "C" void* hwemu_handle_check(void* /*handle*/) {
  return nullptr;
}
extern "C" int hwemu_device_query(int) __asm__("_ZN11xclhwemhal28HwEmShim11deviceQueryEN8xrt_core5query8key_typeE");
extern "C" int hwemu_device_query(int /*key*/) {
  return 0;
}
