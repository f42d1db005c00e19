#include "host/capi/context.hpp"

#include <chrono>

#include "host/capi/convert.hpp"
#include "host/keys/ephemeral_registry.hpp"
#include "linecrypt/software.hpp"

using namespace linecrypt;
using namespace linecrypt::capi;

namespace {

inline constexpr uint32_t max_sas_most = 65536;
inline constexpr uint32_t queues_most = 64;

uint64_t system_now_ns(void*) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void no_workers(void*) {}

Result<lc_options> checked_options(const lc_options* given) {
  if (given == nullptr) return default_options();
  Result<lc_options> options = take_sized(*given, default_options(), options_first_size, "lc_options");
  if (!options) return options;
  if (options->provider > LC_PROVIDER_VAES)
    return Error{"lc_options.provider: " + std::to_string(options->provider) +
                 ", allowed are 0 to 3 (LC_PROVIDER_AUTOMATIC, _IPSEC_MB, _OPENSSL, _VAES)"};
  if (options->max_sas == 0 || options->max_sas > max_sas_most)
    return Error{"lc_options.max_sas: " + std::to_string(options->max_sas) + ", allowed are 1 to 65536"};
  if (options->queues == 0 || options->queues > queues_most)
    return Error{"lc_options.queues: " + std::to_string(options->queues) + ", allowed are 1 to 64"};
  if (options->state_directory != nullptr && options->state_directory[0] == '\0')
    return Error{"lc_options.state_directory: empty, allowed are a path or NULL (ephemeral keys only)"};
  return options;
}

int open_context(const lc_options& options, lc_context** out, char* text, size_t text_size) {
  auto context = std::make_unique<lc_context>();
  context->user = options.user;
  context->now_ns = options.now_ns != nullptr ? options.now_ns : system_now_ns;
  context->wait_for_workers = options.wait_for_workers != nullptr ? options.wait_for_workers : no_workers;
  context->max_sas = options.max_sas;
  context->persistent_allowed = options.state_directory != nullptr;
  context->queues = std::vector<QueueState>(options.queues);

  // 1. The engine; its self-test runs in its making.
  Result<std::unique_ptr<Engine>> engine = create_software_engine(static_cast<SoftwareProvider>(options.provider));
  if (!engine) return status_of(engine.error(), LC_REFUSED, text, text_size);
  context->engine = std::move(*engine);

  // 2. Where numbers are kept.
  if (context->persistent_allowed) {
    auto registry = keys::KeyRegistry::open(options.state_directory);
    if (!registry) return status_of(registry.error(), LC_REFUSED, text, text_size);
    context->registry = std::move(*registry);
  } else {
    auto registry = keys::open_ephemeral_registry();
    if (!registry) return status_of(registry.error(), LC_FAILED, text, text_size);
    context->registry = std::move(*registry);
  }

  // 3. What holds them together.
  control::SaControlOptions control;
  control.engine = context->engine.get();
  control.registry = context->registry.get();
  control.max_sas = options.max_sas;
  control.queues = options.queues;
  control.reclamation = {context->user, context->wait_for_workers};
  control.clock = {context->user, context->now_ns};
  Result<std::unique_ptr<control::SaControl>> opened = control::SaControl::open(control);
  if (!opened) return status_of(opened.error(), LC_REFUSED, text, text_size);
  context->control = std::move(*opened);
  *out = context.release();
  return LC_OK;
}

}  // namespace

extern "C" {

int lc_options_defaults(lc_options* options, size_t size) {
  if (options == nullptr || size < options_first_size) return LC_INVALID;
  std::memset(options, 0, size);
  lc_options defaults = default_options();
  defaults.size = static_cast<uint32_t>(size);
  std::memcpy(options, &defaults, size < sizeof defaults ? size : sizeof defaults);
  return LC_OK;
}

int lc_context_open(const lc_options* options, lc_context** context, char* text, size_t text_size) {
  return guarded(text, text_size, [&] {
    if (context == nullptr) {
      put_text(text, text_size, "lc_context_open: `context` is NULL");
      return static_cast<int>(LC_INVALID);
    }
    *context = nullptr;
    const Result<lc_options> checked = checked_options(options);
    if (!checked) return status_of(checked.error(), LC_INVALID, text, text_size);
    return open_context(*checked, context, text, text_size);
  });
}

int lc_context_close(lc_context* context) {
  if (context == nullptr) return LC_OK;
  for (const QueueState& queue : context->queues) {
    if (queue.submitted.get() != queue.finished.get()) return LC_AGAIN;
  }
  delete context;
  return LC_OK;
}

int lc_context_self_test(lc_context* context, char* text, size_t text_size) {
  return guarded(text, text_size, [&] {
    if (context == nullptr) {
      put_text(text, text_size, "lc_context_self_test: `context` is NULL");
      return static_cast<int>(LC_INVALID);
    }
    return status_of(context->engine->self_test(), LC_REFUSED, text, text_size);
  });
}

int lc_self_test(uint32_t provider, char* text, size_t text_size) {
  return guarded(text, text_size, [&] {
    if (provider > LC_PROVIDER_VAES) {
      put_text(text, text_size, "lc_self_test: `provider` is " + std::to_string(provider) + ", allowed are 0 to 3");
      return static_cast<int>(LC_INVALID);
    }
    Result<std::unique_ptr<Engine>> engine = create_software_engine(static_cast<SoftwareProvider>(provider));
    if (!engine) return status_of(engine.error(), LC_REFUSED, text, text_size);
    return status_of((*engine)->self_test(), LC_REFUSED, text, text_size);
  });
}

int lc_capabilities_get(const lc_context* context, lc_capabilities* out) {
  if (context == nullptr || out == nullptr) return LC_INVALID;
  const Capabilities& has = context->engine->capabilities();
  lc_capabilities value{};
  value.max_sas = context->max_sas < has.max_sas ? context->max_sas : has.max_sas;
  value.max_queues = has.max_queues;
  value.max_burst = has.max_burst;
  value.max_packet = has.max_packet;
  value.max_stages = has.max_stages;
  value.replay_window_max = has.replay_window_max;
  value.max_selectors = has.max_selectors;
  value.macsec_clear_tags = has.macsec_clear_tags;
  value.duplicate_bitmap_max = has.duplicate_bitmap_max;
  value.esp = has.esp;
  value.esp_tunnel = has.esp_tunnel;
  value.esp_transport = has.esp_transport;
  value.esp_inter_family = has.esp_inter_family;
  value.esp_udp = has.esp_udp;
  value.esp_esn = has.esp_esn;
  value.esp_tfc = has.esp_tfc;
  value.aes_128 = has.aes_128;
  value.aes_192 = has.aes_192;
  value.aes_256 = has.aes_256;
  value.gmac = has.gmac;
  value.macsec = has.macsec;
  value.macsec_xpn = has.macsec_xpn;
  value.macsec_integrity_only = has.macsec_integrity_only;
  value.macsec_confidentiality_offset = has.macsec_confidentiality_offset;
  put_text(value.engine, sizeof value.engine, has.engine);
  put_text(value.provider, sizeof value.provider, has.provider);
  return give_sized(out, value, capabilities_first_size, "lc_capabilities").ok() ? LC_OK : LC_INVALID;
}

int lc_service(lc_context* context) {
  if (context == nullptr) return LC_INVALID;
  return guarded(nullptr, 0, [&] {
    context->control->service();
    // Messages wait here for lc_take_message; a program that never asks must not grow without end.
    constexpr std::size_t messages_most = 256;
    for (std::string& message : context->control->take_messages()) {
      if (context->messages.size() == messages_most) context->messages.pop_front();
      context->messages.push_back(std::move(message));
    }
    return static_cast<int>(LC_OK);
  });
}

int lc_take_message(lc_context* context, char* text, size_t text_size) {
  if (context == nullptr) return LC_INVALID;
  put_text(text, text_size, "");
  if (context->messages.empty()) return LC_NOT_FOUND;
  put_text(text, text_size, context->messages.front());
  context->messages.pop_front();
  return LC_OK;
}

uint64_t lc_verdict_total(const lc_context* context, uint32_t verdict) {
  if (context == nullptr || verdict >= verdict_count) return 0;
  uint64_t total = 0;
  for (const QueueState& queue : context->queues) total += queue.verdicts.get(static_cast<Verdict>(verdict));
  return total;
}

}  // extern "C"
