// Version, status and verdict names, memory: what needs no context.
#include <string_view>

#include "host/software/aead/openssl_memory.hpp"
#include "linecrypt/linecrypt.h"
#include "linecrypt/secret.hpp"
#include "linecrypt/verdict.hpp"

using linecrypt::Verdict;

static_assert(static_cast<int>(Verdict::pending) == LC_VERDICT_PENDING);
static_assert(static_cast<int>(Verdict::ok) == LC_VERDICT_OK);
static_assert(linecrypt::verdict_count < LC_VERDICT_NONE);

extern "C" {

uint32_t lc_version(void) {
  return LC_VERSION;
}

const char* lc_version_text(void) {
  return LINECRYPT_VERSION_TEXT;
}

const char* lc_status_name(int status) {
  switch (status) {
    case LC_OK:
      return "ok";
    case LC_INVALID:
      return "invalid";
    case LC_REFUSED:
      return "refused";
    case LC_NOT_FOUND:
      return "not found";
    case LC_AGAIN:
      return "again";
    case LC_FAILED:
      return "failed";
    default:
      return "unknown";
  }
}

void lc_cleanse(void* memory, size_t size) {
  if (memory != nullptr && size != 0) linecrypt::cleanse(memory, size);
}

int lc_protect_openssl_memory(void) {
  return linecrypt::software::protect_openssl_memory() ? LC_OK : LC_REFUSED;
}

uint32_t lc_verdict_count(void) {
  return static_cast<uint32_t>(linecrypt::verdict_count);
}

// The names are string literals, so their views end with a zero.
const char* lc_verdict_name(uint32_t verdict) {
  return verdict < linecrypt::verdict_count ? linecrypt::name(static_cast<Verdict>(verdict)).data() : "unknown";
}

const char* lc_verdict_text(uint32_t verdict) {
  return verdict < linecrypt::verdict_count ? linecrypt::describe(static_cast<Verdict>(verdict)).data() : "unknown";
}

int lc_verdict_is_drop(uint32_t verdict) {
  return verdict >= linecrypt::verdict_count || linecrypt::is_drop(static_cast<Verdict>(verdict)) ? 1 : 0;
}

uint32_t lc_verdict_find(const char* name) {
  if (name == nullptr) return LC_VERDICT_NONE;
  const std::string_view wanted = name;
  for (uint32_t v = 0; v < linecrypt::verdict_count; ++v) {
    if (linecrypt::name(static_cast<Verdict>(v)) == wanted) return v;
  }
  return LC_VERDICT_NONE;
}

}  // extern "C"
