// OpenSSL's heap as locked memory that no core dump contains: key schedules inside EVP contexts are key material.
#pragma once

namespace linecrypt::software {

// Makes OpenSSL allocate from memory with MADV_DONTDUMP and, where the limit allows, mlock; freed blocks are cleansed.
// Programs call it first in main(): false when OpenSSL has allocated from another heap already, and then nothing
// changed.
bool protect_openssl_memory();

}  // namespace linecrypt::software
