// A body: AES-GCM over bursts for one vector width. Each is compiled by itself for the instructions it uses, and is
// only called where the CPU has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "host/software/aead/provider.hpp"
#include "host/software/aead/vaes/key_context.hpp"

namespace linecrypt::software::vaes {

struct Body {
  std::string_view name;
  // 16, 24 or 32 bytes.
  void (*expand)(const std::uint8_t* key, std::size_t size, KeyContext& context) noexcept;
  // The stack and, on failure, `out` are cleared by the caller; the registers are clear on return.
  void (*seal)(AeadOp* ops, std::size_t count) noexcept;
  void (*open)(AeadOp* ops, std::size_t count) noexcept;
};

extern const Body body_128;
extern const Body body_256;
extern const Body body_512;

}  // namespace linecrypt::software::vaes
