// Bodies of host/software/aead/vaes for tests on CPUs without VAES.
#pragma once

#include "host/software/aead/vaes/body.hpp"

namespace linecrypt::test {

// The source of the 256-bit body with each VAES and VPCLMULQDQ instruction made of two on 128 bits. Needs AVX2.
extern const software::vaes::Body body_of_halves;
// The source of the 512-bit body on four blocks held apart, without any instruction of 512 bits: what depends on the
// number of lanes and not on the registers.
extern const software::vaes::Body body_of_four_lanes;
// The 256-bit body as it is shipped, its instructions that this CPU lacks emulated as they trap: slow, some
// microseconds for each run of them.
extern const software::vaes::Body body_256_emulated;

}  // namespace linecrypt::test
