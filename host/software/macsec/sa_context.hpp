// Context: one MACsec SA as protect and validate need it, laid out for the data path.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "host/software/macsec/context.hpp"
#include "host/software/train.hpp"
#include "host/values/packet_number.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/sa_slot.hpp"
#include "linecrypt/wire/sectag.hpp"
#include "linecrypt/wire/wide_store.hpp"

namespace linecrypt::software::macsec {

struct Context : ContextHead {
  std::array<std::uint8_t, aead_iv_size> iv_base{};           // SCI | 0, or salt xor (SSCI | 0)
  std::uint32_t tag_size = 0;                                 // egress: of our SecTAG
  std::array<std::uint8_t, wire::sectag_size_largest> tag{};  // egress: our SecTAG without SL and PN
  wire::ClearTags clear_tags;
  std::uint64_t sci = 0;
  std::uint32_t confidentiality_offset = 0;
  std::uint32_t replay_window = 0;
  std::uint8_t an = 0;
  bool xpn = false;
  bool encrypt = false;
  bool source_is_sci = false;  // egress: the peer takes the SCI from the source address (ES, SCB)
  bool replay_protect = false;
  ValidateFrames validate = ValidateFrames::strict;
  bool threshold_reported = false;          // egress, worker's
  bool plain = false;                       // Shape::plain
  std::uint64_t pn_soft_limit = 0;          // egress
  std::atomic<std::uint64_t> lowest_pn{1};  // ingress; raised by the control thread only

  [[nodiscard]] ReceiveNumbers receive_numbers(const SaSlot& slot) const noexcept {
    return {slot.window.top(), lowest_pn.load(std::memory_order_relaxed), replay_window};
  }
};

static_assert(sizeof(Context) <= context_size_largest && std::is_trivially_destructible_v<Context>);

[[nodiscard]] inline Context& context_of(const Train& train) noexcept {
  return *static_cast<Context*>(train.context);
}

// Most SAs have an explicit SCI, no VLAN tags in clear, and encrypt all of the user data. Their frames go through
// functions that know it, and do not ask for each frame what never changes.
enum class Shape : std::uint8_t { any, plain };

// Settings as functions for one shape ask for them.
template <Shape shape>
struct Of {
  static constexpr bool plain = shape == Shape::plain;
  static std::uint32_t tag_size(const Context& context) noexcept {
    return plain ? wire::sectag_size_with_sci : context.tag_size;
  }
  static std::uint32_t sectag_offset(const Context& context) noexcept {
    return plain ? wire::macsec_addresses_size : context.clear_tags.sectag_offset();
  }
  static Verdict match_clear_tags(const Context& context, const std::uint8_t* frame, std::uint32_t length) noexcept {
    return wire::match_clear_tags(plain ? wire::ClearTags() : context.clear_tags, frame, length);
  }
  static bool source_is_sci(const Context& context) noexcept { return !plain && context.source_is_sci; }
  static bool encrypt(const Context& context) noexcept { return plain || context.encrypt; }
  static std::uint32_t confidentiality_offset(const Context& context) noexcept {
    return plain ? 0 : context.confidentiality_offset;
  }
};

// What the cipher is given of a frame that has its SecTAG at `offset` and `data_length` octets of user data behind it
// (14.5): associated data is DA, SA, SecTAG, and all of the user data with integrity only, or what stands before the
// confidentiality offset. VLAN tags in clear are not protected, so with them the head is gathered in the work.
template <Shape shape>
[[gnu::always_inline]] inline void fill_op(const Context& context, std::uint8_t* frame, std::uint64_t pn,
                                           std::uint32_t offset, std::uint32_t tag_size, std::uint32_t data_length,
                                           bool encrypted, Work& work, AeadOp& op) noexcept {
  std::uint8_t* const data = frame + offset + tag_size;
  const std::uint8_t* head = frame;
  if (offset != wire::macsec_addresses_size) {
    std::memcpy(work.aad.data(), frame, wire::macsec_addresses_size);
    std::memcpy(work.aad.data() + wire::macsec_addresses_size, frame + offset, tag_size);
    head = work.aad.data();
  }
  const std::uint32_t clear =
      encrypted ? std::min(Of<shape>::confidentiality_offset(context), data_length) : data_length;
  // The IV (14.5, 14.7): SCI | PN, or salt xor (SSCI | 64-bit PN). The base holds everything but the PN, so one xor
  // serves both: without XPN the PN has 32 bits and the base ends in zeros.
  op.set_iv(wire::bytes4(context.iv_base.data()), wire::bytes8(context.iv_base.data() + 4) ^ wire::bytes_of(pn));
  op.set(context.key, head, wire::macsec_addresses_size + tag_size, data, clear, data + clear, data_length - clear,
         data + data_length);
}

}  // namespace linecrypt::software::macsec
