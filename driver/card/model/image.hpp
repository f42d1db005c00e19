// The shared object of an xclbin, loaded from memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "driver/card/model/plain_kernel.hpp"
#include "firmware_hls/model/image.h"
#include "linecrypt/result.hpp"

namespace linecrypt::card_model {

// The C header gives a struct and an object one name; C++ then takes the object.
using CardImage = struct linecrypt_card_image;

class Image {
 public:
  // Refuses what is not a whole ELF shared object. Runs the object's own constructors.
  static Result<std::unique_ptr<Image>> load(std::span<const std::uint8_t> bytes);
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image();

  // The clocked card inside, or null: then its kernels are plain ones.
  [[nodiscard]] const CardImage* card() const;
  [[nodiscard]] PlainKernel plain(const std::string& kernel) const;

 private:
  Image(void* handle, int file) : handle_(handle), file_(file) {}
  void* handle_;
  int file_;  // stays open, so that debuggers find the object
};

}  // namespace linecrypt::card_model
