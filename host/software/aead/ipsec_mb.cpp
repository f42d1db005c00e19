// AES-GCM by IPsec-MB. The direct functions keep no state beside the key and a context on our stack, so queues share
// one manager.
#include "host/software/aead/ipsec_mb.hpp"

#include <fmt/format.h>
#include <intel-ipsec-mb.h>

#include <cstddef>
#include <cstring>

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

// A key context is the library's key data, only as far as the level's functions know it, and behind that the functions
// of the key's size. Below AVX-512 that is 512 bytes and not 1024, which a million SAs notice; guard_test.cpp holds the
// functions to it. The library loads with aligned 64-byte loads and does not align the data itself.
constexpr std::size_t context_unit = 64;
constexpr std::size_t pointer_size = sizeof(void*);  // of one to the functions
constexpr std::size_t data_size_narrow = offsetof(gcm_key_data, ghash_keys) + sizeof(gcm_key_data::ghash_keys.sse_avx);
constexpr std::size_t data_size_wide = offsetof(gcm_key_data, ghash_keys) + sizeof(gcm_key_data::ghash_keys);

constexpr std::size_t context_size_of(std::size_t data_size) {
  return (data_size + pointer_size + context_unit - 1) / context_unit * context_unit;
}
static_assert(data_size_narrow % alignof(const Functions*) == 0 && context_size_of(data_size_narrow) == 512);

const gcm_key_data* data_of(const void* context) noexcept {
  return static_cast<const gcm_key_data*>(context);
}

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
void authenticate(AeadOp& op, const Functions& f, MessageState& state, std::uint8_t* tag) noexcept {
  const gcm_key_data* const key = data_of(op.key);
  f.gmac_init(key, &state.context, iv_of(op), aead_iv_size);
  if (op.aad_head_length != 0) f.gmac_update(key, &state.context, op.aad_head, op.aad_head_length);
  if (op.aad_tail_length != 0) f.gmac_update(key, &state.context, op.aad_tail, op.aad_tail_length);
  f.gmac_finalize(key, &state.context, tag, aead_tag_size);
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
  // `data_size`: how much of gcm_key_data the manager's functions use.
  IpsecMbProvider(Manager manager, std::string_view level, std::size_t data_size)
      : manager_(std::move(manager)),
        data_size_(data_size),
        name_(fmt::format("ipsec-mb {} ({})", imb_get_version_str(), level)) {
    const IMB_MGR& m = *manager_;
    functions_[0] = {m.gcm128_pre, m.gcm128_enc, m.gcm128_dec, m.gmac128_init, m.gmac128_update, m.gmac128_finalize};
    functions_[1] = {m.gcm192_pre, m.gcm192_enc, m.gcm192_dec, m.gmac192_init, m.gmac192_update, m.gmac192_finalize};
    functions_[2] = {m.gcm256_pre, m.gcm256_enc, m.gcm256_dec, m.gmac256_init, m.gmac256_update, m.gmac256_finalize};
  }

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] std::size_t context_size() const noexcept override { return context_size_of(data_size_); }
  [[nodiscard]] std::size_t context_alignment() const noexcept override { return context_unit; }

  Result<void> expand(std::span<const std::uint8_t> key, void* context) override {
    if (key.size() != 16 && key.size() != 24 && key.size() != 32)
      return Error{fmt::format("AES-GCM key of {} bytes; allowed: 16, 24, 32", key.size())};
    const Functions* const functions = &functions_[key.size() / 8 - 2];
    std::memset(context, 0, context_size());
    functions->expand(key.data(), static_cast<gcm_key_data*>(context));
    std::memcpy(static_cast<std::uint8_t*>(context) + data_size_, &functions, pointer_size);
    return {};
  }

  void destroy(void* context) noexcept override { cleanse(context, context_size()); }

  void seal(std::span<AeadOp> ops) noexcept override {
    MessageState state{};
    std::uint8_t gathered[gathered_largest];
    for (AeadOp& op : ops) {
      const Functions& functions = functions_of(op.key);
      if (op.length == 0) {
        authenticate(op, functions, state, op.tag);
      } else {
        functions.encrypt(data_of(op.key), &state.context, op.out, op.in, op.length, iv_of(op), gather(op, gathered),
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
      const Functions& functions = functions_of(op.key);
      if (op.length == 0) {
        authenticate(op, functions, state, state.tag);
      } else {
        functions.decrypt(data_of(op.key), &state.context, op.out, op.in, op.length, iv_of(op), gather(op, gathered),
                          op.aad_head_length + op.aad_tail_length, state.tag, aead_tag_size);
      }
      op.good = equal_constant_time(state.tag, op.tag, aead_tag_size);
      if (!op.good && op.length != 0) cleanse(op.out, op.length);
    }
    // The tag that would have been right is a forgery ready to send.
    cleanse(&state, sizeof state);
  }

 private:
  [[nodiscard]] const Functions& functions_of(const void* context) const noexcept {
    const Functions* functions = nullptr;
    std::memcpy(&functions, static_cast<const std::uint8_t*>(context) + data_size_, pointer_size);
    return *functions;
  }

  Manager manager_;
  std::size_t data_size_;
  Functions functions_[3];
  std::string name_;
};

struct Level {
  std::string_view name;
  std::uint64_t features;
  void (*init)(IMB_MGR*);
  std::size_t data_size;
};

constexpr Level levels[] = {
    {"sse", IMB_CPUFLAGS_SSE, init_mb_mgr_sse, data_size_narrow},
    {"avx", IMB_CPUFLAGS_AVX, init_mb_mgr_avx, data_size_narrow},
    {"avx2", IMB_CPUFLAGS_AVX2, init_mb_mgr_avx2, data_size_narrow},
    {"avx512", IMB_CPUFLAGS_AVX512, init_mb_mgr_avx512, data_size_wide},
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
  return std::unique_ptr<AeadProvider>(
      std::make_unique<IpsecMbProvider>(std::move(manager), chosen->name, chosen->data_size));
}

}  // namespace linecrypt::software
