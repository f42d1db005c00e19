#include "host/software/aead/vaes/burst.hpp"
#include "host/software/aead/vaes/vector_512.hpp"

namespace linecrypt::software::vaes {

constinit const Body body_512 = make_body<Vector512>("vaes 512");

}  // namespace linecrypt::software::vaes
