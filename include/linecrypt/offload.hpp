// Offload mode: which engine the operator asks for.
#pragma once

#include <cstdint>

namespace linecrypt {

enum class OffloadMode : std::uint8_t {
  software,   // never a card
  automatic,  // a card if there is one, else software, said once
  card,       // refuses to start without one
};

}  // namespace linecrypt
