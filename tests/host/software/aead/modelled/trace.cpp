// Prints the address of every instruction that a burst of AES-GCM executes, ours or IPsec-MB's: what model.py puts
// through a model of a CPU that is not at hand. The burst runs in a child that is stepped by ptrace. Exit status 77:
// this cannot be done here.
//
//   aead_trace <"aesni 128" | "vaes 256" | avx | avx2> <seal | open> <key bytes> <size> <messages>
#include <fmt/format.h>
#include <intel-ipsec-mb.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "host/software/aead/vaes/body.hpp"
#include "tests/support/vaes/bodies.hpp"

namespace {

using linecrypt::software::AeadOp;
using linecrypt::software::vaes::Body;
using linecrypt::software::vaes::KeyContext;

constexpr std::uint32_t messages_most = 32;
constexpr std::uint32_t size_most = 9216;
constexpr std::uint32_t aad_size = 12;  // of ESP with ESN

struct Asked {
  std::string code;
  bool sealing = true;
  std::size_t key_size = 16;
  std::uint32_t size = 0;
  std::uint32_t messages = 0;
};

struct Message {
  std::array<std::uint8_t, size_most> text{};
  std::array<std::uint8_t, 16> tag{};
  std::array<std::uint8_t, 12> iv{};
  std::array<std::uint8_t, 16> aad{};
};

const Body* body_of(const std::string& code) {
  if (code == "aesni 128") return &linecrypt::software::vaes::body_128;
  // Where the CPU has no VAES; the instructions of the emulation are left out by model.py.
  if (code == "vaes 256")
    return __builtin_cpu_supports("vaes") != 0 ? &linecrypt::software::vaes::body_256
                                               : &linecrypt::test::body_256_emulated;
  return nullptr;
}

class Burst {
 public:
  explicit Burst(const Asked& asked) : asked_(asked), body_(body_of(asked.code)), messages_(asked.messages) {
    const std::array<std::uint8_t, 32> key{1, 2, 3};
    if (body_ != nullptr) {
      body_->expand(key.data(), asked.key_size, context_);
      for (Message& message : messages_) {
        AeadOp& op = ops_.emplace_back();
        op.key = &context_;
        op.aad_head = message.aad.data();
        op.aad_head_length = aad_size;
        op.in = message.text.data();
        op.out = message.text.data();
        op.length = asked.size;
        op.tag = message.tag.data();
      }
      return;
    }
    manager_ = alloc_mb_mgr(0);
    if (asked.code == "avx2")
      init_mb_mgr_avx2(manager_);
    else
      init_mb_mgr_avx(manager_);
    if (asked.key_size == 16)
      IMB_AES128_GCM_PRE(manager_, key.data(), &peer_key_);
    else
      IMB_AES256_GCM_PRE(manager_, key.data(), &peer_key_);
  }

  [[gnu::noinline]] void run() {
    if (body_ != nullptr) {
      (asked_.sealing ? body_->seal : body_->open)(ops_.data(), ops_.size());
      return;
    }
    const bool small = asked_.key_size == 16;
    const auto call = asked_.sealing ? (small ? manager_->gcm128_enc : manager_->gcm256_enc)
                                     : (small ? manager_->gcm128_dec : manager_->gcm256_dec);
    for (Message& message : messages_)
      call(&peer_key_, &peer_state_, message.text.data(), message.text.data(), asked_.size, message.iv.data(),
           message.aad.data(), aad_size, message.tag.data(), message.tag.size());
  }

 private:
  Asked asked_;
  const Body* body_;
  std::vector<Message> messages_;
  std::vector<AeadOp> ops_;
  KeyContext context_{};
  IMB_MGR* manager_ = nullptr;
  alignas(64) gcm_key_data peer_key_{};
  gcm_context_data peer_state_{};
};

constexpr int skipped = 77;

// Between two SIGSTOPs: each stop of a step is one address, each other signal goes to the child.
int trace(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == skipped) return skipped;
  if (!WIFSTOPPED(status)) return 1;
  long deliver = 0;
  for (;;) {
    if (::ptrace(PTRACE_SINGLESTEP, child, nullptr, deliver) != 0) return 1;
    deliver = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) return 1;
    const int signal = WSTOPSIG(status);
    if (signal == SIGSTOP) break;
    if (signal == SIGTRAP)
      fmt::print("{:x}\n", ::ptrace(PTRACE_PEEKUSER, child, offsetof(user_regs_struct, rip), nullptr));
    else
      deliver = signal;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> given(arguments + 1, arguments + count);
  Asked asked;
  if (given.size() == 5) {
    asked = {given[0], given[1] == "seal", std::strtoul(given[2].c_str(), nullptr, 10),
             static_cast<std::uint32_t>(std::strtoul(given[3].c_str(), nullptr, 10)),
             static_cast<std::uint32_t>(std::strtoul(given[4].c_str(), nullptr, 10))};
  }
  const bool known = body_of(asked.code) != nullptr || asked.code == "avx" || asked.code == "avx2";
  if (!known || (given[1] != "seal" && given[1] != "open") || (asked.key_size != 16 && asked.key_size != 32) ||
      asked.size == 0 || asked.size > size_most || asked.messages == 0 || asked.messages > messages_most) {
    fmt::print(
        stderr,
        "usage: aead_trace <\"aesni 128\" | \"vaes 256\" | avx | avx2> <seal | open> <16 | 32> <1..{}> <1..{}>\n",
        size_most, messages_most);
    return 2;
  }
  if (__builtin_cpu_supports("avx2") == 0 || __builtin_cpu_supports("aes") == 0 ||
      __builtin_cpu_supports("pclmul") == 0) {
    fmt::print(stderr, "aead_trace: this CPU lacks AES-NI, PCLMULQDQ or AVX2\n");
    return skipped;
  }
  const pid_t child = ::fork();
  if (child < 0) return 1;
  if (child == 0) {
    Burst burst(asked);
    burst.run();
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
      fmt::print(stderr, "aead_trace: ptrace is not allowed here\n");
      ::_exit(skipped);
    }
    ::raise(SIGSTOP);
    burst.run();
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  return trace(child);
}
