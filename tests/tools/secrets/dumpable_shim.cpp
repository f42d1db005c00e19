// A process that may leave a core although it asked the kernel not to be dumpable: loaded in front of linecryptd, so
// that the kernel's own core can be searched. Pages that are marked MADV_DONTDUMP stay out of it all the same.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {

int prctl(int option, ...) {
  va_list arguments;
  va_start(arguments, option);
  unsigned long a[4];
  for (unsigned long& one : a) one = va_arg(arguments, unsigned long);
  va_end(arguments);
  if (option == PR_SET_DUMPABLE) return 0;
  using Prctl = int (*)(int, ...);
  static const auto next = reinterpret_cast<Prctl>(dlsym(RTLD_NEXT, "prctl"));
  return next(option, a[0], a[1], a[2], a[3]);
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit* limit) {
  if (resource == RLIMIT_CORE) return 0;
  using SetLimit = int (*)(__rlimit_resource_t, const struct rlimit*);
  static const auto next = reinterpret_cast<SetLimit>(dlsym(RTLD_NEXT, "setrlimit"));
  return next(resource, limit);
}

}  // extern "C"

// LINECRYPT_PLANT names a file: its bytes stand in ordinary memory from then on, as a key must never do.
// LINECRYPT_PLANT_REGISTER names another: its first 16 bytes stand in a vector register of a thread `lc-plant`, and
// nowhere else.
namespace {

unsigned char* planted = nullptr;

// The thread waits in pause() for ever, without a return to code that might use the register.
void* hold_in_register(void* bytes) {
  pthread_setname_np(pthread_self(), "lc-plant");
  asm volatile(
      "movdqu (%0), %%xmm9\n\t"
      "pxor %%xmm0, %%xmm0\n\t"
      "movdqu %%xmm0, (%0)\n"
      "1: mov %1, %%eax\n\t"
      "syscall\n\t"
      "jmp 1b"
      :
      : "r"(bytes), "i"(SYS_pause)
      : "rax", "rcx", "r11", "xmm0", "xmm9", "memory");
  return nullptr;
}

unsigned char for_register[16];

__attribute__((constructor)) void plant() {
  const char* const path = getenv("LINECRYPT_PLANT");
  if (path != nullptr) {
    FILE* const file = fopen(path, "rb");
    planted = static_cast<unsigned char*>(malloc(64));
    if (file == nullptr || fread(planted, 1, 64, file) == 0) abort();
    fclose(file);
  }
  const char* const second = getenv("LINECRYPT_PLANT_REGISTER");
  if (second == nullptr) return;
  // No stream: it would leave a copy in its buffer.
  const int file = open(second, O_RDONLY | O_CLOEXEC);
  // It takes no signal: those of the process are for its own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  if (file < 0 || read(file, for_register, sizeof for_register) != static_cast<ssize_t>(sizeof for_register) ||
      pthread_create(&thread, nullptr, hold_in_register, for_register) != 0)
    abort();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  close(file);
}

}  // namespace
