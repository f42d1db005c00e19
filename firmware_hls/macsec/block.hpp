// The MACsec blocks: what the protocol gives to the processes of ../tables.
#pragma once

#include "firmware_hls/macsec/protect.hpp"
#include "firmware_hls/macsec/validate.hpp"
#include "firmware_hls/tables/egress.hpp"
#include "firmware_hls/tables/ingress.hpp"

namespace linecrypt {
namespace firmware {

struct MacsecEgress {
  static constexpr abi::Block block = abi::Block::macsec_protect;
  static constexpr abi::Operation operation = abi::Operation::macsec_protect;
  static constexpr bool ingress = false;
  static constexpr abi::VerdictCode unknown = abi::VerdictCode::stale_sa;
  static constexpr u32 record_words = 1;
  using Sa = abi::MacsecRecord;
  using Plan = macsec::ProtectPlan;

  static HashKey hash_key(const Window&, u32, u32) { return HashKey{false, 0, 0}; }
  static void decode(const u8* row, Sa& sa) { sa = decode_macsec(row); }
  static Plan plan(const Sa& sa, const Window& window, u32, u32 length) {
    return macsec::plan_protect(sa, window, length);
  }
  static u32 counted(const Plan& plan) { return plan.data; }
  static bool takes_identification(const Plan&) { return false; }
  static Shape build(const Sa& sa, const Plan& plan, const Window& window, u64 number, u16) {
    return macsec::build_protect(sa, plan, window, number);
  }
};

struct MacsecIngress {
  static constexpr abi::Block block = abi::Block::macsec_validate;
  static constexpr abi::Operation operation = abi::Operation::macsec_validate;
  static constexpr bool ingress = true;
  static constexpr abi::VerdictCode unknown = abi::VerdictCode::macsec_unknown_sci;
  static constexpr u32 record_words = 1;
  using Sa = abi::MacsecRecord;
  using Plan = macsec::ValidatePlan;

  static HashKey hash_key(const Window& window, u32, u32 length) { return macsec::sci_key(window, length); }
  static void decode(const u8* row, Sa& sa) { sa = decode_macsec(row); }
  static Plan plan(const Sa& sa, const Window& window, u32, u32 length) {
    return macsec::plan_validate(sa, window, length);
  }
  static bool resynchronises(const Sa&) { return false; }
  static Inferred infer(const Sa& sa, const Plan& plan, u64 top, u64 lowest) {
    if (!macsec::has(sa, abi::macsec_flag::xpn)) return Inferred{true, plan.tag.number};
    return Inferred{true, recover_pn(lowest_acceptable(top, lowest, sa.replay_window), plan.tag.number)};
  }
  static Shape build(const Sa&, const Plan& plan, const Window& window, u64) {
    return macsec::build_validate(plan, window);
  }
  static u64 iv(const Plan&, const Window&, u64 number) { return number; }
  // The frame's data is what it is; only its length is known to be right.
  static Judgement judge(const Sa&, const Plan& plan, const Window&, const Inspection&, u32, const Cut& out) {
    Judgement judgement = {};
    judgement.verdict = abi::VerdictCode::pending;
    judgement.counted = plan.tag.data;
    judgement.out = out;
    return judgement;
  }
  static Decision decide(const Sa& sa, const Plan& plan, const Judgement& judgement, const Evidence& evidence,
                         const abi::LifetimeEntry& lifetime, IngressNumbers& numbers, WindowWord& word) {
    return macsec::decide_validate(sa, plan, judgement, evidence, lifetime, numbers, word);
  }
};

template <u32 N, u32 D = memory_distance>
using MacsecProtect = EgressBlock<MacsecEgress, N, D>;
template <u32 N, u32 D = memory_distance>
using MacsecValidate = IngressBlock<MacsecIngress, N, D>;

}  // namespace firmware
}  // namespace linecrypt
