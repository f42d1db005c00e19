#include "host/software/aead/vaes/burst.hpp"
#include "host/software/aead/vaes/vector_128.hpp"

namespace linecrypt::software::vaes {

constinit const Body body_128 = make_body<Vector128>("aesni 128");

}  // namespace linecrypt::software::vaes
