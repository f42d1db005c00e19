// IPsec-MB as an application that knows it would call it: the direct functions, one call a message.
#include <intel-ipsec-mb.h>

#include "linecrypt/secret.hpp"
#include "tools/linecrypt-bench/peers/aead_messages.hpp"

namespace linecrypt::bench {
namespace {

struct ManagerFree {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};

class IpsecMbSide final : public AeadMessages {
 public:
  IpsecMbSide(std::unique_ptr<IMB_MGR, ManagerFree> manager, const AeadSettings& settings)
      : AeadMessages(settings), manager_(std::move(manager)) {
    const IMB_MGR& m = *manager_;
    const bool short_key = settings.key_bits == 128;
    encrypt_ = short_key ? m.gcm128_enc : m.gcm256_enc;
    decrypt_ = short_key ? m.gcm128_dec : m.gcm256_dec;
    (short_key ? m.gcm128_pre : m.gcm256_pre)(key().data(), &key_);
  }

  Result<void> set_up() { return make_answers(); }

  void run() override {
    const auto size = settings().text_size;
    if (seals()) {
      for (Message& message : messages_)
        encrypt_(&key_, &state_, message.text, message.text, size, message.iv.data(), message.aad.data(),
                 settings().aad_size, message.text + size, software::aead_tag_size);
      return;
    }
    std::uint8_t tag[software::aead_tag_size];
    for (Message& message : messages_) {
      decrypt_(&key_, &state_, message.text, message.text, size, message.iv.data(), message.aad.data(),
               settings().aad_size, tag, sizeof tag);
      message.good = equal_constant_time(tag, message.text + size, sizeof tag);
    }
  }

 private:
  std::unique_ptr<IMB_MGR, ManagerFree> manager_;
  aes_gcm_enc_dec_t encrypt_ = nullptr;
  aes_gcm_enc_dec_t decrypt_ = nullptr;
  alignas(64) gcm_key_data key_;
  alignas(64) gcm_context_data state_;
};

}  // namespace

Result<std::unique_ptr<Side>> make_ipsec_mb_side(const AeadSettings& settings) {
  std::unique_ptr<IMB_MGR, ManagerFree> manager(alloc_mb_mgr(0));
  if (!manager) return Error{"ipsec-mb: no memory for its manager"};
  IMB_ARCH arch = IMB_ARCH_NONE;
  init_mb_mgr_auto(manager.get(), &arch);
  if (const int error = imb_get_errno(manager.get()); error != 0)
    return Error{std::string("ipsec-mb: ") + imb_get_strerror(error)};
  auto side = std::make_unique<IpsecMbSide>(std::move(manager), settings);
  if (auto ready = side->set_up(); !ready) return ready.error();
  return std::unique_ptr<Side>(std::move(side));
}

std::string ipsec_mb_version() {
  const std::unique_ptr<IMB_MGR, ManagerFree> manager(alloc_mb_mgr(0));
  if (!manager) return "IPsec-MB: no memory";
  IMB_ARCH arch = IMB_ARCH_NONE;
  init_mb_mgr_auto(manager.get(), &arch);
  constexpr const char* names[] = {"none", "no AES-NI", "sse", "avx", "avx2", "avx512"};
  const auto index = static_cast<std::size_t>(arch);
  return std::string("IPsec-MB ") + imb_get_version_str() + " (" + (index < std::size(names) ? names[index] : "?") +
         ")";
}

}  // namespace linecrypt::bench
