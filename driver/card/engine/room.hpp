// Room: does the result of an egress stage fit the destination packet? The same answers as the software engine gives,
// before the card has taken a number for it.
#pragma once

#include <cstdint>

#include "driver/card/engine/sa_plan.hpp"
#include "linecrypt/packet.hpp"

namespace linecrypt::card {

// A packet's memory, as it changes from stage to stage.
struct Room {
  std::uint32_t headroom = 0;
  std::uint32_t length = 0;
  std::uint32_t tailroom = 0;
};

// True: the stage's result fits, and `room` is what is left for the next stage at least. `data` are the packet's bytes
// before its first stage; ESP reads the IP header behind `l2_length` bytes where the quick answer is no.
[[nodiscard]] bool take_room(const SaPlan& plan, const std::uint8_t* data, std::uint32_t l2_length,
                             Room& room) noexcept;

// Puts `length` bytes of `result` into `destination`, which may have held something else. `front`: bytes that the
// result has before the packet's old beginning; they go into the headroom where it has so many. False: no room.
[[nodiscard]] bool deliver(Packet& destination, const std::uint8_t* result, std::uint32_t length,
                           std::uint32_t front) noexcept;

}  // namespace linecrypt::card
