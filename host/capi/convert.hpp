// From the C structs to the values of the C++ interface. Whatever a C program may get wrong is found here, by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "linecrypt/esp_sa.hpp"
#include "linecrypt/linecrypt.h"
#include "linecrypt/macsec.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::capi {

// A struct's size in the first version that had it; a smaller size field is no version at all.
inline constexpr std::size_t options_first_size = sizeof(lc_options);
inline constexpr std::size_t esp_sa_first_size = sizeof(lc_esp_sa);
inline constexpr std::size_t macsec_sa_first_size = sizeof(lc_macsec_sa);
inline constexpr std::size_t capabilities_first_size = sizeof(lc_capabilities);
inline constexpr std::size_t sa_state_first_size = sizeof(lc_sa_state);

// An error unless `size` is that of a version from the first to ours, or larger with nothing but zeros in what we do
// not know.
Result<void> check_size(const void* given, std::uint32_t size, std::size_t first, std::size_t ours, const char* type);

// The caller's struct over our defaults: what an older program does not know keeps its default.
template <typename T>
Result<T> take_sized(const T& given, T defaults, std::size_t first, const char* type) {
  if (Result<void> fits = check_size(&given, given.size, first, sizeof(T), type); !fits) return fits.error();
  std::memcpy(static_cast<void*>(&defaults), &given, given.size < sizeof(T) ? given.size : sizeof(T));
  return defaults;
}

// Writes as much of `value` as the program's struct holds; its size field stays.
template <typename T>
Result<void> give_sized(T* out, const T& value, std::size_t first, const char* type) {
  const std::uint32_t size = out->size;
  if (size < first)
    return Error{std::string(type) + ".size: " + std::to_string(size) + ", allowed are " + std::to_string(first) +
                 " and above (sizeof the struct)"};
  std::memcpy(static_cast<void*>(out), &value, size < sizeof(T) ? size : sizeof(T));
  out->size = size;
  return {};
}

lc_options default_options();
lc_esp_sa default_esp_sa();
lc_macsec_sa default_macsec_sa();

Result<EspSa> to_esp_sa(const lc_esp_sa& given);
Result<MacsecSa> to_macsec_sa(const lc_macsec_sa& given);
Result<IpAddress> to_address(const lc_address& given, const char* field);

}  // namespace linecrypt::capi
