// The symbol that a loader of the image looks up.
#include "firmware_hls/model/image.h"

#include "firmware_hls/model/clocked_card.hpp"

namespace {

using linecrypt::firmware::ClockedCard;
using linecrypt::firmware::MemoryHost;

// A card, and the host's memory as its ports take it.
struct Loaded {
  MemoryHost host;
  std::unique_ptr<ClockedCard> card;
};

ClockedCard& card_of(void* loaded) {
  return *static_cast<Loaded*>(loaded)->card;
}

const char* const kernel_names[] = {"linecrypt_control:control_0", "linecrypt_dma:dma_0", "linecrypt_egress:egress_0",
                                    "linecrypt_ingress:ingress_0"};

// The text has no random choices, so the seed is not used.
void* create(const linecrypt_card_host* host, std::uint64_t) {
  auto loaded = std::make_unique<Loaded>();
  loaded->host = {host->self, host->memory};
  loaded->card = linecrypt::firmware::make_clocked_card(loaded->host);
  return loaded.release();
}
void destroy(void* loaded) {
  delete static_cast<Loaded*>(loaded);
}
std::uint32_t read_register(void* loaded, std::uint32_t kernel, std::uint32_t offset) {
  return kernel == 0 ? card_of(loaded).read_register(offset) : 0;
}
void write_register(void* loaded, std::uint32_t kernel, std::uint32_t offset, std::uint32_t value) {
  if (kernel == 0) card_of(loaded).write_register(offset, value);
}
std::uint64_t run(void* loaded, std::uint64_t cycles, int* idle) {
  bool rests = false;
  const std::uint64_t passed = card_of(loaded).run(cycles, rests);
  *idle = rests ? 1 : 0;
  return passed;
}
std::uint64_t now(void* loaded) {
  return card_of(loaded).now();
}
int inject(void* loaded, const char* fault, std::uint64_t argument) {
  return card_of(loaded).inject(fault, argument) ? 0 : -1;
}
int port_receive(void* loaded, std::uint32_t port, const unsigned char* frame, std::uint32_t length) {
  return card_of(loaded).port_receive(port, frame, length) ? 1 : 0;
}
std::uint32_t port_transmit(void* loaded, std::uint32_t port, unsigned char* frame, std::uint32_t room) {
  return card_of(loaded).port_transmit(port, frame, room);
}

}  // namespace

extern "C" const struct linecrypt_card_image linecrypt_card_image = {
    LINECRYPT_CARD_IMAGE_API, 4,   kernel_names, create, destroy,      read_register,
    write_register,           run, now,          inject, port_receive, port_transmit};
