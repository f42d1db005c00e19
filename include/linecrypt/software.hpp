// The software engine of the installed library: AES-GCM ESP and MACsec on the CPU.
#pragma once

#include <cstdint>
#include <memory>

#include "linecrypt/engine.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt {

// What computes AES-GCM. vaes is our own, on AES-NI where the CPU has no VAES. automatic: our own where the CPU has
// AES-NI, PCLMULQDQ and AVX but no AVX-512, else IPsec-MB where it has AES-NI and PCLMULQDQ, else OpenSSL.
enum class SoftwareProvider : std::uint8_t { automatic, ipsec_mb, openssl, vaes };

// A closed engine whose self-test has passed; open() it over slots of the caller's. Whoever drives an Engine directly
// is its own LeaseAuthority: no number may be lent twice under one key (lease.hpp). linecrypt.h keeps that promise
// itself. An error when the provider cannot run on this CPU or gives a wrong answer.
Result<std::unique_ptr<Engine>> create_software_engine(SoftwareProvider provider = SoftwareProvider::automatic);

}  // namespace linecrypt
