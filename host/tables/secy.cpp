#include "host/tables/secy.hpp"

#include <fmt/format.h>

#include <deque>
#include <mutex>

#include "linecrypt/wire/sectag.hpp"

namespace linecrypt::tables {
namespace {

constexpr std::uint32_t an_count = 4;
constexpr std::uint64_t no_sci = 0;  // an SCI that no SC can have: marks an unused place

// An SaId in one word, so that it is published by one atomic write.
constexpr std::uint64_t pack(SaId id) noexcept {
  return (std::uint64_t{id.generation} << 32U) | id.index;
}
constexpr SaId unpack(std::uint64_t word) noexcept {
  return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32U)};
}

std::string text(Sci sci) {
  return fmt::format("{}/{}", sci.address.text(), sci.port);
}

// An SC's share of SaCounters, summed.
struct Totals {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t unchecked = 0;
  std::uint64_t delayed = 0;
  std::uint64_t invalid = 0;
  std::uint64_t late = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t not_valid = 0;
  std::uint64_t validated_bytes = 0;
  std::uint64_t decrypted_bytes = 0;

  void add(const SaCounters& from) noexcept {
    // `delayed` is a part of `packets` and is counted after it: read it before, so that the difference is never
    // negative.
    delayed += from.delayed.get();
    packets += from.packets.get();
    bytes += from.bytes.get();
    unchecked += from.unchecked.get();
    invalid += from.invalid.get();
    late += from.late.get();
    duplicate += from.duplicate.get();
    not_valid += from.bad_icv.get();
    validated_bytes += from.validated_bytes.get();
    decrypted_bytes += from.decrypted_bytes.get();
  }
};

// One SC, either way: four SAs, and what its earlier SAs have counted.
struct Channel {
  std::array<std::atomic<std::uint64_t>, an_count> sas{};
  // Control and counter readers, under the mutex.
  Totals retired;
  std::deque<SaId> retiring;  // replaced, not absorbed yet

  [[nodiscard]] SaId sa(std::uint32_t an) const noexcept { return unpack(sas[an].load(std::memory_order_acquire)); }
  SaId replace(std::uint32_t an, SaId id) {
    const SaId old = unpack(sas[an].exchange(pack(id), std::memory_order_acq_rel));
    if (old.valid()) retiring.push_back(old);
    return old;
  }
  void absorb(const SaCounters& counters) {
    retired.add(counters);
    if (!retiring.empty()) retiring.pop_front();
  }
  [[nodiscard]] Totals totals(std::span<const SaSlot> slots) const {
    Totals sum = retired;
    const auto add = [&](SaId id) {
      if (id.valid() && id.index < slots.size()) sum.add(slots[id.index].counters);
    };
    for (const SaId id : retiring) add(id);
    for (std::uint32_t an = 0; an < an_count; ++an) add(sa(an));
    return sum;
  }
};

struct ReceiveChannel : Channel {
  std::atomic<std::uint64_t> sci{no_sci};
  Sci name;  // under the mutex
  // Worker's. They only grow, also when the place goes to another SC: `base` is where this SC began.
  std::array<Counter, an_count> not_using_sa{};
  std::array<Counter, an_count> unused_sa{};
  std::array<std::uint64_t, an_count> not_using_sa_base{};
  std::array<std::uint64_t, an_count> unused_sa_base{};
};

}  // namespace

struct Secy::Impl {
  explicit Impl(const MacsecSecY& settings)
      : clear_tags(settings.clear_tags),
        strict(settings.validate == ValidateFrames::strict),
        xpn(is_xpn(settings.suite)) {}

  const wire::ClearTags clear_tags;
  const bool strict;
  const bool xpn;

  Channel transmit;
  std::atomic<std::uint32_t> encoding_an{0};
  std::array<ReceiveChannel, receive_scs_largest> receive;
  std::atomic<std::uint32_t> receive_used{0};  // places below this may be in use

  // Worker's.
  struct {
    Counter untagged, no_tag, bad_tag, unknown_sci, no_sci, overrun;
    Counter out_untagged, out_too_long, out_no_sa;
  } count;

  mutable std::mutex mutex;  // control thread and counter readers; never a worker
  Totals removed;            // octets of SCs that are gone: those counters are the SecY's

  // A place that goes to another SC between this and the look at its SA gives an SA of another SCI: the engine compares
  // the tag's SCI with the SA's, and the ICV depends on it.
  [[nodiscard]] ReceiveChannel* find(std::uint64_t sci) noexcept {
    if (sci == no_sci) return nullptr;
    const std::uint32_t used = receive_used.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < used; ++i)
      if (receive[i].sci.load(std::memory_order_acquire) == sci) return &receive[i];
    return nullptr;
  }
  // The one SC there is (10.6.1: a tag without SCI). `several`: more than one.
  [[nodiscard]] ReceiveChannel* only(bool& several) noexcept {
    ReceiveChannel* found = nullptr;
    const std::uint32_t used = receive_used.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < used; ++i) {
      if (receive[i].sci.load(std::memory_order_acquire) == no_sci) continue;
      several = found != nullptr;
      if (several) return nullptr;
      found = &receive[i];
    }
    return found;
  }
};

Secy::Secy(const MacsecSecY& settings, Sci transmit_sci)
    : settings_(settings), transmit_sci_(transmit_sci), impl_(std::make_unique<Impl>(settings)) {}
Secy::~Secy() = default;

// ---- control thread ----

Result<void> Secy::add_receive_sc(Sci sci) {
  const std::lock_guard lock(impl_->mutex);
  const std::uint64_t value = sci.value();
  if (value == no_sci || value == wire::sci_unspecified)
    return Error{fmt::format("receive SC {}: reserved, allowed: any other SCI", text(sci))};
  if (sci == transmit_sci_)
    return Error{fmt::format("receive SC {}: is the transmit SC's SCI, allowed: the peer's", text(sci))};
  if (impl_->find(value) != nullptr) return Error{fmt::format("receive SC {}: exists already", text(sci))};
  for (std::uint32_t i = 0; i < receive_scs_largest; ++i) {
    ReceiveChannel& place = impl_->receive[i];
    if (place.sci.load(std::memory_order_relaxed) != no_sci) continue;
    place.name = sci;
    place.retired = {};
    for (std::uint32_t an = 0; an < an_count; ++an) {
      place.not_using_sa_base[an] = place.not_using_sa[an].get();
      place.unused_sa_base[an] = place.unused_sa[an].get();
    }
    place.sci.store(value, std::memory_order_release);
    if (i >= impl_->receive_used.load(std::memory_order_relaxed))
      impl_->receive_used.store(i + 1, std::memory_order_release);
    return {};
  }
  return Error{
      fmt::format("receive SC {}: {} exist, allowed: at most {}", text(sci), receive_scs_largest, receive_scs_largest)};
}

Result<void> Secy::remove_receive_sc(Sci sci) {
  const std::lock_guard lock(impl_->mutex);
  ReceiveChannel* const place = impl_->find(sci.value());
  if (place == nullptr) return Error{fmt::format("receive SC {}: unknown", text(sci))};
  for (std::uint32_t an = 0; an < an_count; ++an)
    if (place->sa(an).valid())
      return Error{fmt::format("receive SC {}: has an SA under AN {}, allowed: none", text(sci), an)};
  if (!place->retiring.empty())
    return Error{fmt::format("receive SC {}: has retired SAs whose counters were not absorbed", text(sci))};
  impl_->removed.validated_bytes += place->retired.validated_bytes;
  impl_->removed.decrypted_bytes += place->retired.decrypted_bytes;
  place->sci.store(no_sci, std::memory_order_release);
  return {};
}

Result<SaId> Secy::set_transmit_sa(std::uint8_t an, SaId id) {
  if (an >= an_count) return Error{fmt::format("transmit SA: AN {}, allowed: 0 to 3", an)};
  const std::lock_guard lock(impl_->mutex);
  return impl_->transmit.replace(an, id);
}

Result<SaId> Secy::set_receive_sa(Sci sci, std::uint8_t an, SaId id) {
  if (an >= an_count) return Error{fmt::format("receive SA of {}: AN {}, allowed: 0 to 3", text(sci), an)};
  const std::lock_guard lock(impl_->mutex);
  ReceiveChannel* const place = impl_->find(sci.value());
  if (place == nullptr) return Error{fmt::format("receive SA of {}: no such SC", text(sci))};
  return place->replace(an, id);
}

Result<void> Secy::transmit_with(std::uint8_t an) {
  if (an >= an_count) return Error{fmt::format("encodingSA: AN {}, allowed: 0 to 3", an)};
  if (!impl_->transmit.sa(an).valid())
    return Error{fmt::format("encodingSA: AN {} has no SA, allowed: an AN with an SA", an)};
  impl_->encoding_an.store(an, std::memory_order_release);
  return {};
}

void Secy::absorb(Sci sci, const SaCounters& counters) {
  const std::lock_guard lock(impl_->mutex);
  if (sci == transmit_sci_) {
    impl_->transmit.absorb(counters);
  } else if (ReceiveChannel* const place = impl_->find(sci.value()); place != nullptr) {
    place->absorb(counters);
  }
}

// ---- worker ----

SaId Secy::transmit_sa() const noexcept {
  return impl_->transmit.sa(impl_->encoding_an.load(std::memory_order_acquire));
}

// IEEE 802.1AE-2018 10.6, before a key is used.
//
// 1. No longer than a frame may be.
// 2. The VLAN tags in clear are the configured ones, whatever validateFrames says: tags are not authenticated, so
//    nothing of another VLAN may enter. A SecTAG behind further tags is another VLAN too.
// 3. No SecTAG: dropped if strict (InPktsNoTag), else delivered (InPktsUntagged).
// 4. A tag that breaks a rule is dropped (InPktsBadTag; 9.12), PN 0 too, which is never sent. E without C: for the KaY.
// 5. The SC by its SCI (10.6.1); a tag without one belongs to the only SC. None: dropped if strict or if the text is
//    changed (InPktsNoSCI), else delivered (InPktsUnknownSCI).
// 6. The SA by its AN. None: dropped if strict or changed (InPktsNotUsingSA), else delivered (InPktsUnusedSA).
ReceiveDecision Secy::classify(const std::uint8_t* frame, std::uint32_t length) noexcept {
  Impl& impl = *impl_;
  const auto decide = [](Counter& counter, Verdict verdict) {
    counter.add();
    return ReceiveDecision{{}, verdict, false};
  };
  // 1.
  if (length > wire::macsec_frame_largest) return {{}, Verdict::oversize, false};
  // 2.
  wire::SecTag tag;
  const Verdict found = wire::find_sectag(impl.clear_tags, frame, length, tag);
  switch (found) {
    case Verdict::pending:
      break;
    case Verdict::malformed_ethernet:
    case Verdict::macsec_vlan_missing:
    case Verdict::macsec_vlan_mismatch:
      return {{}, found, false};
    // 3.
    case Verdict::macsec_untagged:
      return impl.strict ? decide(impl.count.no_tag, found) : decide(impl.count.untagged, Verdict::unchecked);
    // 4.
    case Verdict::macsec_e_without_c:
      return {{}, Verdict::macsec_kay_frame, false};
    default:
      return decide(impl.count.bad_tag, found);
  }
  if (!impl.xpn && tag.packet_number == 0) return decide(impl.count.bad_tag, Verdict::number_zero);
  const bool must_drop = impl.strict || tag.changed();
  // Not strict, but changed text is no user data until it is decrypted.
  const auto drop_as = [&](Verdict verdict) { return impl.strict ? verdict : Verdict::macsec_c_without_key; };
  // 5.
  std::uint64_t sci = 0;
  bool several = false;
  ReceiveChannel* const channel = wire::sci_of(tag, frame, sci) ? impl.find(sci) : impl.only(several);
  if (channel == nullptr) {
    if (must_drop)
      return decide(impl.count.no_sci, drop_as(several ? Verdict::macsec_no_sci : Verdict::macsec_unknown_sci));
    impl.count.unknown_sci.add();
    return {{}, Verdict::unchecked, true};
  }
  // 6.
  const SaId id = channel->sa(tag.an());
  if (id.valid()) return {id, Verdict::pending, false};
  if (must_drop) return decide(channel->not_using_sa[tag.an()], drop_as(Verdict::macsec_unused_sa));
  channel->unused_sa[tag.an()].add();
  return {{}, Verdict::unchecked, true};
}

void Secy::strip(Packet& packet) const noexcept {
  wire::SecTag tag;
  if (wire::find_sectag(impl_->clear_tags, packet.data, packet.length, tag) != Verdict::pending) return;
  wire::strip_sectag(packet, impl_->clear_tags.sectag_offset(), tag);
}

void Secy::count_received(Verdict verdict, std::uint32_t /*length*/) noexcept {
  switch (verdict) {
    // No resources to validate it (10.7.9 InPktsOverrun).
    case Verdict::engine_busy:
    case Verdict::engine_lost:
    case Verdict::no_buffer:
      impl_->count.overrun.add();
      break;
    // Without XPN classify() has seen and counted it; with XPN only the engine knows the whole number.
    case Verdict::number_zero:
      if (impl_->xpn) impl_->count.bad_tag.add();
      break;
    default:
      break;
  }
}

void Secy::count_transmitted(Verdict verdict, std::uint32_t /*length*/) noexcept {
  switch (verdict) {
    case Verdict::exempt:  // through the uncontrolled port: EAPOL
      impl_->count.out_untagged.add();
      break;
    case Verdict::oversize:
    case Verdict::too_big:
      impl_->count.out_too_long.add();
      break;
    case Verdict::no_sa:
      impl_->count.out_no_sa.add();
      break;
    default:
      break;
  }
}

// ---- any thread but the worker's ----

std::vector<Secy::Named> Secy::counters(std::span<const SaSlot> slots) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Named> out;
  const auto put = [&](const std::string& scope, const char* name, std::uint64_t value) {
    out.push_back({name, scope, value});
  };
  const auto& count = impl_->count;

  // 1. The channels, and what they add up to for the SecY.
  std::uint64_t validated = impl_->removed.validated_bytes;
  std::uint64_t decrypted = impl_->removed.decrypted_bytes;
  for (const ReceiveChannel& channel : impl_->receive) {
    if (channel.sci.load(std::memory_order_acquire) == no_sci) continue;
    const Totals sum = channel.totals(slots);
    validated += sum.validated_bytes;
    decrypted += sum.decrypted_bytes;
    const std::string scope = "rx " + text(channel.name);
    std::uint64_t not_using = 0;
    std::uint64_t unused = 0;
    for (std::uint32_t an = 0; an < an_count; ++an) {
      not_using += channel.not_using_sa[an].get() - channel.not_using_sa_base[an];
      unused += channel.unused_sa[an].get() - channel.unused_sa_base[an];
    }
    put(scope, "InPktsOK", sum.packets - sum.delayed);
    put(scope, "InPktsUnchecked", sum.unchecked);
    put(scope, "InPktsDelayed", sum.delayed);
    put(scope, "InPktsLate", sum.late);
    put(scope, "InPktsDuplicate", sum.duplicate);  // ours: the standard has no bitmap
    put(scope, "InPktsInvalid", sum.invalid);
    put(scope, "InPktsNotValid", sum.not_valid);
    put(scope, "InPktsNotUsingSA", not_using);
    put(scope, "InPktsUnusedSA", unused);
    for (std::uint32_t an = 0; an < an_count; ++an) {
      const SaId id = channel.sa(an);
      const std::string sa_scope = fmt::format("{} an {}", scope, an);
      if (id.valid() && id.index < slots.size()) {
        Totals live;
        live.add(slots[id.index].counters);
        put(sa_scope, "InPktsOK", live.packets - live.delayed);
        put(sa_scope, "InPktsInvalid", live.invalid);
        put(sa_scope, "InPktsNotValid", live.not_valid);
      }
      const std::uint64_t an_not_using = channel.not_using_sa[an].get() - channel.not_using_sa_base[an];
      const std::uint64_t an_unused = channel.unused_sa[an].get() - channel.unused_sa_base[an];
      if (id.valid() || an_not_using != 0) put(sa_scope, "InPktsNotUsingSA", an_not_using);
      if (id.valid() || an_unused != 0) put(sa_scope, "InPktsUnusedSA", an_unused);
    }
  }

  // 2. The transmit SC. A SecY either encrypts or not.
  const Totals sent = impl_->transmit.totals(slots);
  const bool encrypt = settings_.encrypt;
  const std::string tx_scope = "tx " + text(transmit_sci_);
  put(tx_scope, "OutPktsProtected", encrypt ? 0 : sent.packets);
  put(tx_scope, "OutPktsEncrypted", encrypt ? sent.packets : 0);
  for (std::uint32_t an = 0; an < an_count; ++an) {
    const SaId id = impl_->transmit.sa(an);
    if (!id.valid() || id.index >= slots.size()) continue;
    const std::uint64_t packets = slots[id.index].counters.packets.get();
    const std::string sa_scope = fmt::format("{} an {}", tx_scope, an);
    put(sa_scope, "OutPktsProtected", encrypt ? 0 : packets);
    put(sa_scope, "OutPktsEncrypted", encrypt ? packets : 0);
  }

  // 3. The SecY.
  put("secy", "InPktsUntagged", count.untagged.get());
  put("secy", "InPktsNoTag", count.no_tag.get());
  put("secy", "InPktsBadTag", count.bad_tag.get());
  put("secy", "InPktsUnknownSCI", count.unknown_sci.get());
  put("secy", "InPktsNoSCI", count.no_sci.get());
  put("secy", "InPktsOverrun", count.overrun.get());
  put("secy", "InOctetsValidated", validated);
  put("secy", "InOctetsDecrypted", decrypted);
  put("secy", "OutPktsUntagged", count.out_untagged.get());
  put("secy", "OutPktsTooLong", count.out_too_long.get());
  put("secy", "OutPktsNoSA", count.out_no_sa.get());
  put("secy", "OutOctetsProtected", encrypt ? 0 : sent.bytes);
  put("secy", "OutOctetsEncrypted", encrypt ? sent.bytes : 0);
  return out;
}

}  // namespace linecrypt::tables
