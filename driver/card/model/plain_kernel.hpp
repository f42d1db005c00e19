// For authors of plain kernels: C++ functions such as XRT's own samples have, started through xrt::kernel and xrt::run.
// The shared object in the xclbin then has no linecrypt_card_image but, for each kernel of the xclbin, what one of
// these makes:
//
//   extern "C" void vadd(const int* a, const int* b, int* c, unsigned n) { ... }
//   LINECRYPT_PLAIN_KERNEL(vadd)
//
// A pointer argument must lie in a live buffer, else the run ends in ERT_CMD_STATE_ERROR and the function is not
// called.
#pragma once

#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

namespace linecrypt::card_model {

struct PlainArgument {
  std::uint32_t offset;  // in the register file
  std::uint32_t size;
};

struct PlainCall {
  const unsigned char* registers;
  const PlainArgument* arguments;
  std::uint32_t count;
  void* self;
  // Host address of card memory; null where no buffer is alive.
  unsigned char* (*memory)(void* self, std::uint64_t address);
};

// 0, or the place (from 1) of the argument that is not in the register file or points to no live buffer.
using PlainKernel = int (*)(const PlainCall&);

// The value of argument `index`.
template <typename T>
bool fetch(const PlainCall& call, std::size_t index, T& value) {
  if (index >= call.count) return false;
  const PlainArgument& argument = call.arguments[index];
  if constexpr (std::is_pointer_v<T>) {
    std::uint64_t address = 0;
    std::memcpy(&address, call.registers + argument.offset, sizeof address);
    value = reinterpret_cast<T>(call.memory(call.self, address));
    return value != nullptr;
  } else {
    std::memcpy(&value, call.registers + argument.offset, argument.size < sizeof value ? argument.size : sizeof value);
    return true;
  }
}

template <typename... A, std::size_t... I>
int call_plain(void (*function)(A...), const PlainCall& call, std::index_sequence<I...> /*places*/) {
  std::tuple<std::remove_cv_t<A>...> values{};
  int bad = 0;
  (void)((fetch(call, I, std::get<I>(values)) || (bad = static_cast<int>(I) + 1, false)) && ...);
  if (bad == 0) function(std::get<I>(values)...);
  return bad;
}

template <typename... A>
int call_plain(void (*function)(A...), const PlainCall& call) {
  return call_plain(function, call, std::index_sequence_for<A...>{});
}

}  // namespace linecrypt::card_model

#define LINECRYPT_PLAIN_KERNEL(function)                                                    \
  extern "C" int linecrypt_plain_##function(const linecrypt::card_model::PlainCall& call) { \
    return linecrypt::card_model::call_plain(function, call);                               \
  }
