// SAs of the C interface: check, add, enroll, remove, update, read.
#include "host/capi/context.hpp"
#include "host/capi/convert.hpp"

using namespace linecrypt;
using namespace linecrypt::capi;

namespace {

inline constexpr size_t label_most = 127;

keys::KeyLife life_of(uint32_t key_life) {
  return key_life == LC_KEY_PERSISTENT ? keys::KeyLife::persistent : keys::KeyLife::ephemeral;
}

Result<std::string> to_label(const char* label) {
  if (label == nullptr) return std::string();
  const std::string text(label, strnlen(label, label_most + 1));
  if (text.size() > label_most) return Error{"label: longer than 127 bytes"};
  for (const char c : text) {
    // Labels end up in listings, the journal and terminals.
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return Error{"label: holds a control character, allowed is printable text"};
  }
  return text;
}

EspSa convert(const lc_esp_sa& sa, Result<void>& status) {
  Result<EspSa> value = to_esp_sa(sa);
  if (value) return std::move(*value);
  status = value.error();
  return {};
}
MacsecSa convert(const lc_macsec_sa& sa, Result<void>& status) {
  Result<MacsecSa> value = to_macsec_sa(sa);
  if (value) return std::move(*value);
  status = value.error();
  return {};
}

// Converts, then hands (sa, life, label) to `use`, which gives the status. Shared by check, add and enroll of both
// protocols.
template <typename Given, typename Use>
int with_sa(const char* function, const lc_context* context, const Given* given, const char* label, char* text,
            size_t text_size, Use&& use) {
  return guarded(text, text_size, [&] {
    if (context == nullptr || given == nullptr) {
      put_text(text, text_size,
               std::string(function) + (context == nullptr ? ": `context` is NULL" : ": `sa` is NULL"));
      return static_cast<int>(LC_INVALID);
    }
    Result<void> converted;
    auto sa = convert(*given, converted);
    if (!converted) return status_of(converted, LC_INVALID, text, text_size);
    const Result<std::string> name = to_label(label);
    if (!name) return status_of(name.error(), LC_INVALID, text, text_size);
    const keys::KeyLife life = life_of(given->key_life);
    if (life == keys::KeyLife::persistent && !context->persistent_allowed)
      return status_of(Error{"key_life: persistent, and this context has no state directory to keep its numbers in; "
                             "allowed is LC_KEY_EPHEMERAL, or set lc_options.state_directory"},
                       LC_REFUSED, text, text_size);
    return use(sa, life, *name);
  });
}

template <typename Given>
int check_sa(const char* function, const lc_context* context, const Given* given, char* text, size_t text_size) {
  return with_sa(function, context, given, nullptr, text, text_size,
                 [&](const auto& sa, keys::KeyLife, const std::string&) {
                   return status_of(check(context->engine->capabilities(), sa), LC_REFUSED, text, text_size);
                 });
}

template <typename Given>
int add_sa(const char* function, lc_context* context, const Given* given, const char* label, lc_sa* id, char* text,
           size_t text_size) {
  if (id == nullptr) {
    put_text(text, text_size, std::string_view("`id` is NULL"));
    return LC_INVALID;
  }
  *id = lc_sa{0, 0};
  return with_sa(function, context, given, label, text, text_size,
                 [&](const auto& sa, keys::KeyLife life, const std::string& name) {
                   const Result<SaId> added = context->control->add(sa, life, name);
                   if (!added) return status_of(added.error(), LC_REFUSED, text, text_size);
                   *id = lc_sa{added->index, added->generation};
                   return static_cast<int>(LC_OK);
                 });
}

template <typename Given>
int enroll_sa(const char* function, lc_context* context, const Given* given, const char* label, uint64_t egress_next,
              char* text, size_t text_size) {
  return with_sa(function, context, given, label, text, text_size,
                 [&](const auto& sa, keys::KeyLife life, const std::string& name) {
                   if (life != keys::KeyLife::persistent)
                     return status_of(Error{"key_life: ephemeral keys are not enrolled; allowed is LC_KEY_PERSISTENT"},
                                      LC_REFUSED, text, text_size);
                   if (egress_next == 0)
                     return status_of(Error{"egress_next: 0, allowed are 1 and above (number 0 is never sent)"},
                                      LC_INVALID, text, text_size);
                   // A key that the engine would refuse is not worth a record.
                   if (Result<void> fits = check(context->engine->capabilities(), sa); !fits)
                     return status_of(fits, LC_REFUSED, text, text_size);
                   return status_of(context->registry->enroll(sa, name, egress_next), LC_REFUSED, text, text_size);
                 });
}

// The slot of a live SA, or null.
const SaSlot* live_slot(const lc_context& context, lc_sa id) {
  const std::span<const SaSlot> slots = context.control->slots();
  if (id.generation == 0 || id.index >= slots.size()) return nullptr;
  const SaSlot& slot = slots[id.index];
  return slot.generation.load(std::memory_order_acquire) == id.generation ? &slot : nullptr;
}

int update_sa(const char* function, lc_context* context, lc_sa id, SaProtocol protocol, Direction direction,
              const SaUpdate& update, char* text, size_t text_size) {
  const SaSlot* slot = live_slot(*context, id);
  if (slot == nullptr) {
    put_text(text, text_size, std::string(function) + ": no SA has this id");
    return LC_NOT_FOUND;
  }
  if (slot->protocol != protocol || slot->direction != direction) {
    put_text(text, text_size, std::string(function) + ": the SA is of another protocol or direction");
    return LC_REFUSED;
  }
  return status_of(context->engine->update({id.index, id.generation}, update), LC_REFUSED, text, text_size);
}

}  // namespace

extern "C" {

int lc_esp_sa_defaults(lc_esp_sa* sa, size_t size) {
  if (sa == nullptr || size < esp_sa_first_size) return LC_INVALID;
  std::memset(sa, 0, size);
  lc_esp_sa defaults = default_esp_sa();
  defaults.size = static_cast<uint32_t>(size);
  std::memcpy(sa, &defaults, size < sizeof defaults ? size : sizeof defaults);
  return LC_OK;
}

int lc_macsec_sa_defaults(lc_macsec_sa* sa, size_t size) {
  if (sa == nullptr || size < macsec_sa_first_size) return LC_INVALID;
  std::memset(sa, 0, size);
  lc_macsec_sa defaults = default_macsec_sa();
  defaults.size = static_cast<uint32_t>(size);
  std::memcpy(sa, &defaults, size < sizeof defaults ? size : sizeof defaults);
  return LC_OK;
}

int lc_address_parse(const char* text, lc_address* out) {
  if (text == nullptr || out == nullptr) return LC_INVALID;
  return guarded(nullptr, 0, [&] {
    const Result<IpAddress> address = IpAddress::parse(text);
    if (!address) return static_cast<int>(LC_INVALID);
    *out = lc_address{};
    out->family = address->family == Family::ipv4 ? 4 : 6;
    std::memcpy(out->bytes, address->bytes.data(), sizeof out->bytes);
    return static_cast<int>(LC_OK);
  });
}

int lc_esp_sa_check(const lc_context* context, const lc_esp_sa* sa, char* text, size_t text_size) {
  return check_sa("lc_esp_sa_check", context, sa, text, text_size);
}
int lc_macsec_sa_check(const lc_context* context, const lc_macsec_sa* sa, char* text, size_t text_size) {
  return check_sa("lc_macsec_sa_check", context, sa, text, text_size);
}
int lc_esp_sa_add(lc_context* context, const lc_esp_sa* sa, const char* label, lc_sa* id, char* text,
                  size_t text_size) {
  return add_sa("lc_esp_sa_add", context, sa, label, id, text, text_size);
}
int lc_macsec_sa_add(lc_context* context, const lc_macsec_sa* sa, const char* label, lc_sa* id, char* text,
                     size_t text_size) {
  return add_sa("lc_macsec_sa_add", context, sa, label, id, text, text_size);
}
int lc_esp_sa_enroll(lc_context* context, const lc_esp_sa* sa, const char* label, uint64_t egress_next, char* text,
                     size_t text_size) {
  return enroll_sa("lc_esp_sa_enroll", context, sa, label, egress_next, text, text_size);
}
int lc_macsec_sa_enroll(lc_context* context, const lc_macsec_sa* sa, const char* label, uint64_t egress_next,
                        char* text, size_t text_size) {
  return enroll_sa("lc_macsec_sa_enroll", context, sa, label, egress_next, text, text_size);
}

int lc_sa_remove(lc_context* context, lc_sa id, char* text, size_t text_size) {
  return guarded(text, text_size, [&] {
    if (context == nullptr) {
      put_text(text, text_size, "lc_sa_remove: `context` is NULL");
      return static_cast<int>(LC_INVALID);
    }
    if (live_slot(*context, id) == nullptr) {
      put_text(text, text_size, "lc_sa_remove: no SA has this id");
      return static_cast<int>(LC_NOT_FOUND);
    }
    return status_of(context->control->remove({id.index, id.generation}), LC_FAILED, text, text_size);
  });
}

lc_sa lc_find_spi(const lc_context* context, uint32_t spi) {
  if (context == nullptr) return lc_sa{0, 0};
  const SaId id = context->control->spi_table().find(spi);
  return lc_sa{id.index, id.generation};
}

int lc_sa_set_peer(lc_context* context, lc_sa id, const lc_address* address, uint16_t port, char* text,
                   size_t text_size) {
  return guarded(text, text_size, [&] {
    if (context == nullptr || address == nullptr) {
      put_text(text, text_size, "lc_sa_set_peer: `context` or `address` is NULL");
      return static_cast<int>(LC_INVALID);
    }
    const Result<IpAddress> peer = to_address(*address, "address");
    if (!peer) return status_of(peer.error(), LC_INVALID, text, text_size);
    return update_sa("lc_sa_set_peer", context, id, SaProtocol::esp, Direction::egress, SetPeer{*peer, port}, text,
                     text_size);
  });
}

int lc_sa_raise_lowest_pn(lc_context* context, lc_sa id, uint64_t lowest_pn, char* text, size_t text_size) {
  return guarded(text, text_size, [&] {
    if (context == nullptr) {
      put_text(text, text_size, "lc_sa_raise_lowest_pn: `context` is NULL");
      return static_cast<int>(LC_INVALID);
    }
    return update_sa("lc_sa_raise_lowest_pn", context, id, SaProtocol::macsec, Direction::ingress,
                     RaiseLowestPn{lowest_pn}, text, text_size);
  });
}

int lc_sa_read(const lc_context* context, lc_sa id, lc_sa_state* out) {
  if (context == nullptr || out == nullptr) return LC_INVALID;
  return guarded(nullptr, 0, [&] {
    const SaSlot* slot = live_slot(*context, id);
    if (slot == nullptr) return static_cast<int>(LC_NOT_FOUND);
    const Result<SaState> state = context->engine->read({id.index, id.generation});
    if (!state) return static_cast<int>(LC_NOT_FOUND);
    const SaCounters& counted = slot->counters;
    const lc_sa_state value{0,
                            state->expired ? 1U : 0U,
                            state->next_number,
                            state->lease_end,
                            state->window_top,
                            counted.packets.get(),
                            counted.bytes.get(),
                            counted.unchecked.get(),
                            counted.delayed.get(),
                            counted.invalid.get(),
                            counted.late.get(),
                            counted.duplicate.get(),
                            counted.bad_icv.get(),
                            counted.mismatch.get(),
                            counted.malformed.get(),
                            counted.exhausted.get()};
    return static_cast<int>(give_sized(out, value, sa_state_first_size, "lc_sa_state").ok() ? LC_OK : LC_INVALID);
  });
}

size_t lc_sa_list(const lc_context* context, lc_sa* out, size_t capacity) {
  if (context == nullptr) return 0;
  size_t found = 0;
  const std::span<const SaSlot> slots = context->control->slots();
  for (uint32_t index = 0; index < slots.size(); ++index) {
    const uint32_t generation = slots[index].generation.load(std::memory_order_acquire);
    if (generation == 0) continue;
    if (out != nullptr && found < capacity) out[found] = lc_sa{index, generation};
    ++found;
  }
  return found;
}

}  // extern "C"
