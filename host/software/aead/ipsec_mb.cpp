// AES-GCM by IPsec-MB. The direct functions keep no state beside the key and a context on our stack, so queues share
// one manager.
#include "host/software/aead/ipsec_mb.hpp"

#include <fmt/format.h>
#include <intel-ipsec-mb.h>

#include <cstring>
#include <new>

#include "linecrypt/secret.hpp"

namespace linecrypt::software {
namespace {

// The functions of one key size.
struct Functions {
  aes_gcm_pre_t expand = nullptr;
  aes_gcm_enc_dec_t encrypt = nullptr;
  aes_gcm_enc_dec_t decrypt = nullptr;
  aes_gmac_init_t gmac_init = nullptr;
  aes_gmac_update_t gmac_update = nullptr;
  aes_gmac_finalize_t gmac_finalize = nullptr;
};

// The library loads from gcm_key_data with aligned 64-byte loads and does not align it itself.
struct alignas(64) KeyContext {
  gcm_key_data data;
  const Functions* functions;
};

// The state of one message. It holds key stream and is cleansed after each burst.
struct alignas(64) MessageState {
  gcm_context_data context;
  std::uint8_t tag[aead_tag_size];
};

constexpr std::uint32_t gathered_largest = 128;  // aad_head and aad_tail of a message with payload, 64 each

// The library's functions are not declared const about the IV.
std::uint8_t* iv_of(AeadOp& op) {
  return op.iv;
}

// GMAC: all is associated data, in two pieces, of any size.
void authenticate(AeadOp& op, const KeyContext& key, MessageState& state, std::uint8_t* tag) noexcept {
  const Functions& f = *key.functions;
  f.gmac_init(&key.data, &state.context, iv_of(op), aead_iv_size);
  if (op.aad_head_length != 0) f.gmac_update(&key.data, &state.context, op.aad_head, op.aad_head_length);
  if (op.aad_tail_length != 0) f.gmac_update(&key.data, &state.context, op.aad_tail, op.aad_tail_length);
  f.gmac_finalize(&key.data, &state.context, tag, aead_tag_size);
}

// With a payload the library wants the associated data in one piece: it is a header, so the copy is small.
const std::uint8_t* gather(const AeadOp& op, std::uint8_t* buffer) noexcept {
  if (op.aad_tail_length == 0) return op.aad_head;
  if (op.aad_head_length == 0) return op.aad_tail;
  std::memcpy(buffer, op.aad_head, op.aad_head_length);
  std::memcpy(buffer + op.aad_head_length, op.aad_tail, op.aad_tail_length);
  return buffer;
}

struct ManagerFree {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using Manager = std::unique_ptr<IMB_MGR, ManagerFree>;

class IpsecMbProvider final : public AeadProvider {
 public:
  IpsecMbProvider(Manager manager, std::string_view level)
      : manager_(std::move(manager)), name_(fmt::format("ipsec-mb {} ({})", imb_get_version_str(), level)) {
    const IMB_MGR& m = *manager_;
    functions_[0] = {m.gcm128_pre, m.gcm128_enc, m.gcm128_dec, m.gmac128_init, m.gmac128_update, m.gmac128_finalize};
    functions_[1] = {m.gcm192_pre, m.gcm192_enc, m.gcm192_dec, m.gmac192_init, m.gmac192_update, m.gmac192_finalize};
    functions_[2] = {m.gcm256_pre, m.gcm256_enc, m.gcm256_dec, m.gmac256_init, m.gmac256_update, m.gmac256_finalize};
  }

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] std::size_t context_size() const noexcept override { return sizeof(KeyContext); }
  [[nodiscard]] std::size_t context_alignment() const noexcept override { return alignof(KeyContext); }

  Result<void> expand(std::span<const std::uint8_t> key, void* context) override {
    if (key.size() != 16 && key.size() != 24 && key.size() != 32)
      return Error{fmt::format("AES-GCM key of {} bytes; allowed: 16, 24, 32", key.size())};
    auto* expanded = new (context) KeyContext;
    expanded->functions = &functions_[key.size() / 8 - 2];
    expanded->functions->expand(key.data(), &expanded->data);
    return {};
  }

  void destroy(void* context) noexcept override { cleanse(context, sizeof(KeyContext)); }

  void seal(std::span<AeadOp> ops) noexcept override {
    MessageState state{};
    std::uint8_t gathered[gathered_largest];
    for (AeadOp& op : ops) {
      const KeyContext& key = *static_cast<const KeyContext*>(op.key);
      if (op.length == 0) {
        authenticate(op, key, state, op.tag);
      } else {
        key.functions->encrypt(&key.data, &state.context, op.out, op.in, op.length, iv_of(op), gather(op, gathered),
                               op.aad_head_length + op.aad_tail_length, op.tag, aead_tag_size);
      }
      op.good = true;
    }
    cleanse(&state, sizeof state);
  }

  void open(std::span<AeadOp> ops) noexcept override {
    MessageState state{};
    std::uint8_t gathered[gathered_largest];
    for (AeadOp& op : ops) {
      const KeyContext& key = *static_cast<const KeyContext*>(op.key);
      if (op.length == 0) {
        authenticate(op, key, state, state.tag);
      } else {
        key.functions->decrypt(&key.data, &state.context, op.out, op.in, op.length, iv_of(op), gather(op, gathered),
                               op.aad_head_length + op.aad_tail_length, state.tag, aead_tag_size);
      }
      op.good = equal_constant_time(state.tag, op.tag, aead_tag_size);
      if (!op.good && op.length != 0) cleanse(op.out, op.length);
    }
    // The tag that would have been right is a forgery ready to send.
    cleanse(&state, sizeof state);
  }

 private:
  Manager manager_;
  Functions functions_[3];
  std::string name_;
};

struct Level {
  std::string_view name;
  std::uint64_t features;
  void (*init)(IMB_MGR*);
};

constexpr Level levels[] = {
    {"sse", IMB_CPUFLAGS_SSE, init_mb_mgr_sse},
    {"avx", IMB_CPUFLAGS_AVX, init_mb_mgr_avx},
    {"avx2", IMB_CPUFLAGS_AVX2, init_mb_mgr_avx2},
    {"avx512", IMB_CPUFLAGS_AVX512, init_mb_mgr_avx512},
};

}  // namespace

Result<std::unique_ptr<AeadProvider>> make_ipsec_mb_provider(IpsecMbLevel level) {
  Manager manager(alloc_mb_mgr(0));
  if (!manager) return Error{"ipsec-mb: no memory for its manager"};
  // 1. The level: its emulation without AES-NI is slow and its time depends on the key, so it is never taken.
  const std::uint64_t has = manager->features;
  const Level* chosen = nullptr;
  for (const Level& candidate : levels) {
    const bool asked = level == IpsecMbLevel::best || &candidate == &levels[static_cast<std::size_t>(level) - 1];
    if (asked && (has & candidate.features) == candidate.features) chosen = &candidate;
  }
  if (chosen == nullptr) {
    return Error{fmt::format("ipsec-mb: this CPU lacks {}", level == IpsecMbLevel::best
                                                                ? "AES-NI or PCLMULQDQ"
                                                                : levels[static_cast<std::size_t>(level) - 1].name)};
  }
  // 2. Its own self-test runs at init.
  chosen->init(manager.get());
  if (const int error = imb_get_errno(manager.get()); error != 0)
    return Error{fmt::format("ipsec-mb ({}): {}", chosen->name, imb_get_strerror(error))};
  if ((manager->features & IMB_FEATURE_SELF_TEST) != 0 && (manager->features & IMB_FEATURE_SELF_TEST_PASS) == 0)
    return Error{fmt::format("ipsec-mb ({}): its self-test failed", chosen->name)};
  // 3. A build without SAFE_DATA leaves key stream in registers and on the stack.
  if ((manager->features & IMB_FEATURE_SAFE_DATA) == 0)
    return Error{"ipsec-mb: built without SAFE_DATA, which clears registers and stack of key material"};
  return std::unique_ptr<AeadProvider>(std::make_unique<IpsecMbProvider>(std::move(manager), chosen->name));
}

}  // namespace linecrypt::software
