#include "driver/card/model/image.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace linecrypt::card_model {
namespace {

// The dynamic loader believes what it maps; a file that was cut must not get that far. The section table is the last
// thing in an object, so a whole one has it inside, and so everything it and the program headers point to.
Result<void> check_elf(std::span<const std::uint8_t> bytes) {
  Elf64_Ehdr header{};
  if (bytes.size() < sizeof header) return Error{"section BITSTREAM is too short for a shared object"};
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_type != ET_DYN || header.e_machine != EM_X86_64)
    return Error{
        "section BITSTREAM is not a shared object for x86-64: the emulated card's kernels are compiled by g++"};
  const auto inside = [&](std::uint64_t offset, std::uint64_t size) {
    return offset <= bytes.size() && size <= bytes.size() - offset;
  };
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum == 0 ||
      !inside(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr)) ||
      !inside(header.e_shoff, std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr)))
    return Error{"section BITSTREAM: the shared object was cut short"};
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (!inside(segment.p_offset, segment.p_filesz))
      return Error{"section BITSTREAM: a segment of the shared object was cut"};
  }
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section{};
    std::memcpy(&section, bytes.data() + header.e_shoff + i * sizeof section, sizeof section);
    if (section.sh_type >= SHT_LOUSER || (section.sh_type != SHT_NOBITS && !inside(section.sh_offset, section.sh_size)))
      return Error{"section BITSTREAM: the shared object's section table is damaged"};
  }
  return {};
}

std::string path_of(int file) {
  return fmt::format("/proc/self/fd/{}", file);
}

}  // namespace

Result<std::unique_ptr<Image>> Image::load(std::span<const std::uint8_t> bytes) {
  if (auto whole = check_elf(bytes); !whole) return whole.error();
  const int file = memfd_create("linecrypt-card-image", MFD_CLOEXEC);
  if (file < 0) return Error{fmt::format("memfd_create: {}", std::strerror(errno))};
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = write(file, bytes.data() + done, bytes.size() - done);
    if (wrote <= 0) {
      const int reason = errno;
      close(file);
      return Error{fmt::format("writing the kernels to memory: {}", std::strerror(reason))};
    }
    done += static_cast<std::size_t>(wrote);
  }
  void* handle = dlopen(path_of(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    close(file);
    return Error{fmt::format("section BITSTREAM: {}", reason == nullptr ? "cannot be loaded" : reason)};
  }
  return std::unique_ptr<Image>(new Image(handle, file));
}

Image::~Image() {
  dlclose(handle_);
  // An object with unique symbols (STB_GNU_UNIQUE) stays loaded, and the loader knows it by its name alone: that number
  // must not come to mean another file.
  if (void* still = dlopen(path_of(file_).c_str(), RTLD_NOW | RTLD_NOLOAD); still != nullptr) {
    dlclose(still);
    return;
  }
  close(file_);
}

const CardImage* Image::card() const {
  return static_cast<const CardImage*>(dlsym(handle_, "linecrypt_card_image"));
}

PlainKernel Image::plain(const std::string& kernel) const {
  return reinterpret_cast<PlainKernel>(dlsym(handle_, ("linecrypt_plain_" + kernel).c_str()));
}

}  // namespace linecrypt::card_model
