#include "host/software/aead/vaes/burst.hpp"
#include "host/software/aead/vaes/vector_256.hpp"

namespace linecrypt::software::vaes {

constinit const Body body_256 = make_body<Vector256>("vaes 256");

}  // namespace linecrypt::software::vaes
