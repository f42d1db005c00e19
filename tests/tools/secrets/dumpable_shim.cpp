// A process that may leave a core although it asked the kernel not to be dumpable: loaded in front of linecryptd, so
// that the kernel's own core can be searched. Pages that are marked MADV_DONTDUMP stay out of it all the same.
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

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
namespace {

unsigned char* planted = nullptr;

__attribute__((constructor)) void plant() {
  const char* const path = getenv("LINECRYPT_PLANT");
  FILE* const file = path == nullptr ? nullptr : fopen(path, "rb");
  if (file == nullptr) return;
  planted = static_cast<unsigned char*>(malloc(64));
  const size_t read = fread(planted, 1, 64, file);
  fclose(file);
  if (read == 0) abort();
}

}  // namespace
