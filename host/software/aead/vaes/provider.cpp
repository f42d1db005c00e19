// The provider around a body, compiled for any x86-64: keys, what is cleared, and which body this CPU runs.
#include "host/software/aead/vaes/provider.hpp"

#include <fmt/format.h>

#include <new>

#include "host/software/aead/vaes.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::software {
namespace vaes {
namespace {

// What a body and its calls use of the stack, at most: the compiler keeps key stream there when registers are short.
constexpr std::size_t stack_of_body = 2048;

// Overwrites the stack that a body called from the same function has used.
[[gnu::noinline]] void clear_stack() noexcept {
  std::uint8_t used[stack_of_body];
  cleanse(used, sizeof used);
}

class VaesProvider final : public AeadProvider {
 public:
  explicit VaesProvider(const Body& body) : body_(body), name_(fmt::format("vaes ({})", body.name)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] std::size_t context_size() const noexcept override { return sizeof(KeyContext); }
  [[nodiscard]] std::size_t context_alignment() const noexcept override { return alignof(KeyContext); }
  [[nodiscard]] std::size_t prefetch_size() const noexcept override { return 0; }

  Result<void> expand(std::span<const std::uint8_t> key, void* context) override {
    if (key.size() != 16 && key.size() != 24 && key.size() != 32)
      return Error{fmt::format("AES-GCM key of {} bytes; allowed: 16, 24, 32", key.size())};
    body_.expand(key.data(), key.size(), *new (context) KeyContext{});
    clear_stack();
    return {};
  }

  void destroy(void* context) noexcept override { cleanse(context, sizeof(KeyContext)); }

  void seal(std::span<AeadOp> ops) noexcept override {
    body_.seal(ops.data(), ops.size());
    clear_stack();
  }

  void open(std::span<AeadOp> ops) noexcept override {
    body_.open(ops.data(), ops.size());
    clear_stack();
    for (const AeadOp& op : ops)
      if (!op.good && op.length != 0) cleanse(op.out, op.length);
  }

 private:
  Body body_;
  std::string name_;
};

}  // namespace

std::unique_ptr<AeadProvider> make_provider_of(const Body& body) {
  return std::make_unique<VaesProvider>(body);
}

}  // namespace vaes

Result<std::unique_ptr<AeadProvider>> make_vaes_provider(VaesLevel level, const CpuFeatures& cpu) {
  const bool wide = cpu.vaes_256 && cpu.avx_512;
  if (level == VaesLevel::best) {
    const VaesLevel narrow = cpu.vaes_256 ? VaesLevel::vaes_256 : VaesLevel::aesni_128;
    level = wide ? VaesLevel::vaes_512 : narrow;
  }
  switch (level) {
    case VaesLevel::aesni_128:
      if (cpu.aesni_avx) return vaes::make_provider_of(vaes::body_128);
      return Error{"vaes: this CPU lacks AES-NI, PCLMULQDQ or AVX"};
    case VaesLevel::vaes_512:
      if (wide) return vaes::make_provider_of(vaes::body_512);
      return Error{"vaes: this CPU lacks VAES, VPCLMULQDQ or AVX-512 (F, BW, VL)"};
    case VaesLevel::vaes_256:
    case VaesLevel::best:
      break;
  }
  if (cpu.vaes_256) return vaes::make_provider_of(vaes::body_256);
  return Error{"vaes: this CPU lacks VAES, VPCLMULQDQ or AVX2"};
}

}  // namespace linecrypt::software
