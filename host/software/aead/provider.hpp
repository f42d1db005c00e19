// AeadProvider: AES-GCM over bursts. One virtual call per burst.
//
// Providers: vaes (ours: VAES, or AES-NI where there is none), ipsec_mb (fast on any x86), openssl (portable, and the
// oracle). Each passes the same tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "host/software/aead/cpu_features.hpp"
#include "linecrypt/result.hpp"
#include "linecrypt/wire/wide_store.hpp"

namespace linecrypt::software {

inline constexpr std::size_t aead_tag_size = 16;
inline constexpr std::size_t aead_iv_size = 12;

// One message. The associated data is aad_head followed by aad_tail, so that headers that do not lie together on the
// wire (ESN's high half, VLAN tags outside the SecTAG's protection) need no copy of the payload. GMAC is length == 0.
// `in` and `out` are equal or do not overlap.
struct alignas(16) AeadOp {
  const void* key = nullptr;          // a context made by expand()
  std::uint32_t aad_head_length = 0;  // at most 64
  std::uint32_t aad_tail_length = 0;
  std::uint8_t iv[aead_iv_size] = {};
  bool good = false;  // open: the tag matched. On false, `out` is zero over `length`
  const std::uint8_t* aad_head = nullptr;
  const std::uint8_t* aad_tail = nullptr;
  const std::uint8_t* in = nullptr;
  std::uint8_t* out = nullptr;
  std::uint32_t length = 0;
  std::uint8_t* tag = nullptr;  // 16 bytes: written by seal, read by open (compared in constant time)

  // All fields but the IV, for a message in place. tag_place: right behind it, mostly.
  [[gnu::always_inline]] void set(const void* with_key, const std::uint8_t* head, std::uint32_t head_length,
                                  const std::uint8_t* tail, std::uint32_t tail_length, std::uint8_t* text,
                                  std::uint32_t text_length, std::uint8_t* tag_place) noexcept;
  // The IV, four bytes and eight, as wire::bytes4() and wire::bytes8() have them. `good` is false then.
  void set_iv(std::uint32_t first, std::uint64_t then) noexcept { wire::put12(iv, first, then); }
  // The nonce holds a salt: nothing of it stays. `good` goes with it. The optimiser may not remove it.
  void cleanse_nonce() noexcept {
    wire::put16(iv, 0, 0);
    asm volatile("" : : "m"(*this));
  }
};
static_assert(sizeof(AeadOp) == 80);

static_assert(offsetof(AeadOp, iv) == 16 && offsetof(AeadOp, good) == 28, "set_iv() and cleanse_nonce() write both");

inline void AeadOp::set(const void* with_key, const std::uint8_t* head, std::uint32_t head_length,
                        const std::uint8_t* tail, std::uint32_t tail_length, std::uint8_t* text,
                        std::uint32_t text_length, std::uint8_t* tag_place) noexcept {
  const auto word = [](const void* pointer) { return std::uint64_t{reinterpret_cast<std::uintptr_t>(pointer)}; };
  static_assert(offsetof(AeadOp, key) == 0 && offsetof(AeadOp, aad_head_length) == 8 &&
                offsetof(AeadOp, aad_tail_length) == 12);
  wire::put16(&key, word(with_key), wire::join(head_length, tail_length));
  static_assert(offsetof(AeadOp, aad_head) == 32 && offsetof(AeadOp, aad_tail) == 40);
  wire::put16(&aad_head, word(head), word(tail));
  static_assert(offsetof(AeadOp, in) == 48 && offsetof(AeadOp, out) == 56);
  wire::put16(&in, word(text), word(text));
  length = text_length;
  tag = tag_place;
}

class AeadProvider {
 public:
  virtual ~AeadProvider() = default;

  // "vaes (vaes 256)", "vaes (aesni 128)", "ipsec-mb 1.3.0 (avx512)", "openssl 3.0.17".
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  // Bytes and alignment of a key context. Contexts hold round keys and powers of H: keep them in a KeyArena.
  [[nodiscard]] virtual std::size_t context_size() const noexcept = 0;
  [[nodiscard]] virtual std::size_t context_alignment() const noexcept = 0;
  // Bytes of a context that who has many keys should prefetch before seal() and open(); 0: they do it themselves.
  [[nodiscard]] virtual std::size_t prefetch_size() const noexcept { return context_size(); }

  // Expands a key of 16, 24 or 32 bytes into `context`. Control thread.
  virtual Result<void> expand(std::span<const std::uint8_t> key, void* context) = 0;
  // Releases what expand() took beyond the context and cleanses it. Control thread, no user left.
  virtual void destroy(void* context) noexcept = 0;

  // Any one thread per context at a time. Ops of one burst may use different contexts and key sizes.
  virtual void seal(std::span<AeadOp> ops) noexcept = 0;
  virtual void open(std::span<AeadOp> ops) noexcept = 0;
};

enum class ProviderChoice : std::uint8_t { automatic, vaes, ipsec_mb, openssl };

// automatic: vaes where this CPU has AES-NI, PCLMULQDQ and AVX but no AVX-512, else ipsec_mb where it has AES-NI and
// PCLMULQDQ, else openssl. A forced one that this CPU cannot run is an error.
Result<std::unique_ptr<AeadProvider>> make_provider(ProviderChoice choice);

// What automatic tries first on a CPU.
ProviderChoice automatic_choice(const CpuFeatures& cpu) noexcept;

}  // namespace linecrypt::software
