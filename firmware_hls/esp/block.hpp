// The ESP blocks: what the protocol gives to the processes of ../tables.
#pragma once

#include "firmware_hls/esp/decapsulate.hpp"
#include "firmware_hls/esp/encapsulate.hpp"
#include "firmware_hls/tables/egress.hpp"
#include "firmware_hls/tables/ingress.hpp"

namespace linecrypt {
namespace firmware {

struct EspEgress {
  static constexpr abi::Block block = abi::Block::esp_encapsulate;
  static constexpr abi::Operation operation = abi::Operation::esp_encapsulate;
  static constexpr bool ingress = false;
  static constexpr abi::VerdictCode unknown = abi::VerdictCode::stale_sa;
  static constexpr u32 record_words = 1;
  using Sa = abi::EspRecord;
  using Plan = esp::EncapsulatePlan;

  static HashKey hash_key(const Window&, u32, u32) { return HashKey{false, 0, 0}; }
  static void decode(const u8* row, Sa& sa) { sa = decode_esp(row); }
  static Plan plan(const Sa& sa, const Window& window, u32 l2, u32 length) {
    return esp::plan_encapsulate(sa, window, l2, length);
  }
  static u32 counted(const Plan& plan) { return plan.counted; }
  static bool takes_identification(const Plan& plan) { return plan.takes_identification; }
  static Shape build(const Sa& sa, const Plan& plan, const Window& window, u64 number, u16 identification) {
    return esp::build_encapsulate(sa, plan, window, number, identification);
  }
};

struct EspIngress {
  static constexpr abi::Block block = abi::Block::esp_decapsulate;
  static constexpr abi::Operation operation = abi::Operation::esp_decapsulate;
  static constexpr bool ingress = true;
  static constexpr abi::VerdictCode unknown = abi::VerdictCode::esp_unknown_spi;
  static constexpr u32 record_words = abi::record_words;
  struct Sa {
    abi::EspRecord record;
    esp::Selectors selectors;
  };
  using Plan = esp::DecapsulatePlan;

  static HashKey hash_key(const Window& window, u32 l2, u32 length) { return esp::spi_of(window, l2, length); }
  static void decode(const u8* row, Sa& sa) {
    sa.record = decode_esp(row);
    for (u32 i = 0; i < abi::selectors_per_sa; ++i) {
      LINECRYPT_UNROLL
      sa.selectors.entry[i] = decode_selector(row + abi::word_bytes * (1 + i));
    }
  }
  static Plan plan(const Sa& sa, const Window& window, u32 l2, u32 length) {
    return esp::plan_decapsulate(sa.record, window, l2, length);
  }
  static bool resynchronises(const Sa& sa) { return esp::has(sa.record, abi::esp_flag::esn); }
  static Inferred infer(const Sa& sa, const Plan& plan, u64 top, u64) {
    if (!esp::has(sa.record, abi::esp_flag::esn)) return Inferred{true, plan.low};
    return infer_number(plan.low, top, sa.record.replay_window);
  }
  static Shape build(const Sa& sa, const Plan& plan, const Window& window, u64 number) {
    return esp::build_decapsulate(sa.record, plan, window, number);
  }
  // The nonce is salt and the IV that the packet carries (RFC 4106 4), whatever its sender made it of.
  static u64 iv(const Plan& plan, const Window& window, u64) {
    const Window esp = shifted(window, plan.esp + 8U);
    return get64(esp.byte);
  }
  static Judgement judge(const Sa& sa, const Plan& plan, const Window& window, const Inspection& text, u32 before_text,
                         const Cut&) {
    return esp::judge_decapsulate(sa.record, sa.selectors, plan, window, text, before_text);
  }
  static Decision decide(const Sa& sa, const Plan&, const Judgement& judgement, const Evidence& evidence,
                         const abi::LifetimeEntry& lifetime, IngressNumbers& numbers, WindowWord& word) {
    return esp::decide_decapsulate(sa.record, judgement, evidence, lifetime, numbers, word);
  }
};

template <u32 N, u32 D = memory_distance>
using EspEncapsulate = EgressBlock<EspEgress, N, D>;
template <u32 N, u32 D = memory_distance>
using EspDecapsulate = IngressBlock<EspIngress, N, D>;

}  // namespace firmware
}  // namespace linecrypt
