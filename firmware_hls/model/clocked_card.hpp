// ClockedCard: what firmware_hls/model/image.h offers, as a class. The card for each mode is in card.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "firmware_hls/base/emulation/card_memory.hpp"
#include "firmware_hls/dma/memory.hpp"

namespace linecrypt {
namespace firmware {

class ClockedCard {
 public:
  virtual ~ClockedCard() = default;
  // A card's processes hold keys of packets on their way: its memory is in no core dump, whoever makes one.
  static void* operator new(std::size_t bytes) { return card_allocate(bytes); }  // NOLINT: delete has the size, too
  static void operator delete(void* memory, std::size_t bytes) { card_release(memory, bytes); }

  virtual std::uint32_t read_register(std::uint32_t offset) = 0;
  virtual void write_register(std::uint32_t offset, std::uint32_t value) = 0;
  // As linecrypt_card_image::run.
  virtual std::uint64_t run(std::uint64_t cycles, bool& idle) = 0;
  [[nodiscard]] virtual std::uint64_t now() const = 0;
  virtual bool inject(std::string_view fault, std::uint64_t argument) = 0;
  virtual bool port_receive(std::uint32_t port, const unsigned char* frame, std::uint32_t length) = 0;
  virtual std::uint32_t port_transmit(std::uint32_t port, unsigned char* frame, std::uint32_t room) = 0;
  // The tables on it are what tests of a reset look at.
  [[nodiscard]] virtual const Clock& clock() const = 0;
};

// The card of one mode: which one is chosen by the source file that is linked (mode_esp.cpp, mode_macsec.cpp,
// mode_both.cpp). `host` outlives it.
std::unique_ptr<ClockedCard> make_clocked_card(const MemoryHost& host);

}  // namespace firmware
}  // namespace linecrypt
