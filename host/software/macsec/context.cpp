#include "host/software/macsec/context.hpp"

#include <fmt/format.h>

#include <new>

#include "host/software/macsec/sa_context.hpp"
#include "host/values/packet_number.hpp"

namespace linecrypt::software::macsec {
namespace {

void fill_iv_base(const MacsecSa& sa, Context& context) noexcept {
  std::uint8_t* const base = context.iv_base.data();
  if (!context.xpn) {
    wire::store64(base, sa.sci.value());
    wire::store32(base + 8, 0);
    return;
  }
  std::memcpy(base, sa.salt.bytes().data(), aead_iv_size);
  wire::store32(base, wire::load32(base) ^ sa.ssci);
}

Context* from(void* context) noexcept {
  return static_cast<Context*>(static_cast<ContextHead*>(context));
}

}  // namespace

// check() has passed. What is refused here is what only frames of this engine would break.
Result<void*> make_context(const MacsecSa& sa, void* memory) {
  const MacsecSecY& secy = sa.secy;
  const bool egress = sa.direction == Direction::egress;
  // A receiver takes port 0 from the SCB bit (9.5); another port would give it another IV.
  if (egress && secy.sci_encoding == SciEncoding::scb && sa.sci.port != wire::sci_port_scb)
    return Error{fmt::format("sci: port {} with scb, allowed: port 0 with scb (IEEE 802.1AE-2018 9.5)", sa.sci.port)};
  if (sa.sci.value() == wire::sci_unspecified)
    return Error{"sci: ff:ff:ff:ff:ff:ff/65535 is reserved, allowed: any other (IEEE 802.1AE-2018 9.9)"};

  auto* context = new (memory) Context;
  context->xpn = is_xpn(secy.suite);
  fill_iv_base(sa, *context);
  context->tag_size = wire::sectag_size_of(secy.sci_encoding);
  wire::build_sectag(context->tag.data(), secy.sci_encoding, secy.encrypt, sa.an, 0, 0, sa.sci.value());
  context->clear_tags = wire::ClearTags(secy.clear_tags);
  context->sci = sa.sci.value();
  context->confidentiality_offset = secy.confidentiality_offset;
  context->replay_window = secy.replay_window;
  context->an = sa.an;
  context->encrypt = secy.encrypt;
  context->source_is_sci = secy.sci_encoding == SciEncoding::end_station || secy.sci_encoding == SciEncoding::scb;
  context->replay_protect = secy.replay_protect;
  context->validate = secy.validate;
  context->plain = secy.sci_encoding == SciEncoding::explicit_sci && secy.clear_tags.empty() && secy.encrypt &&
                   secy.confidentiality_offset == 0;
  context->pn_soft_limit = pn_threshold_of(secy);
  context->lowest_pn.store(sa.lowest_pn, std::memory_order_relaxed);
  return static_cast<void*>(static_cast<ContextHead*>(context));
}

void raise_lowest_pn(void* context, std::uint64_t lowest_pn) noexcept {
  std::atomic<std::uint64_t>& lowest = from(context)->lowest_pn;
  // One writer: load and store do.
  if (lowest_pn > lowest.load(std::memory_order_relaxed)) lowest.store(lowest_pn, std::memory_order_relaxed);
}

void restore_lowest_pn(void* context, std::uint64_t lowest_pn) noexcept {
  from(context)->lowest_pn.store(lowest_pn, std::memory_order_relaxed);
}

}  // namespace linecrypt::software::macsec
