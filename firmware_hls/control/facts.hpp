// What a card is: constants of its link file, which the control kernel publishes in registers.
#pragma once

#include "firmware_hls/dma/descriptors.hpp"
#include "firmware_hls/tables/wire.hpp"
#include "linecrypt/abi/registers.hpp"
#include "linecrypt/abi/rings.hpp"

namespace linecrypt {
namespace firmware {

struct CardFacts {
  abi::CardMode mode;
  u32 features;
  u32 sa_count;
  u32 classify_count;
};

inline bool is_egress(abi::Block block) {
  return block == abi::Block::esp_encapsulate || block == abi::Block::macsec_protect || block == abi::egress_port;
}

inline bool has_block(const CardFacts& facts, abi::Block block) {
  const bool esp = facts.mode == abi::CardMode::esp || facts.mode == abi::CardMode::both;
  const bool macsec = facts.mode == abi::CardMode::macsec || facts.mode == abi::CardMode::both;
  if (block == abi::Block::esp_encapsulate || block == abi::Block::esp_decapsulate) return esp;
  if (block == abi::Block::macsec_protect || block == abi::Block::macsec_validate) return macsec;
  const bool ports = (facts.features & abi::feature::inline_ports) != 0;
  return ports && (block == abi::egress_port || block == abi::ingress_port);
}

// What a direction's movers accept.
inline ChainOperations operations_of(abi::CardMode mode, abi::Direction direction) {
  const bool esp = mode == abi::CardMode::esp || mode == abi::CardMode::both;
  const bool macsec = mode == abi::CardMode::macsec || mode == abi::CardMode::both;
  ChainOperations operations = {abi::Operation::none, abi::Operation::none};
  if (direction == abi::Direction::egress) {
    if (esp) operations.first = abi::Operation::esp_encapsulate;
    if (macsec) operations.second = abi::Operation::macsec_protect;
  } else {
    if (macsec) operations.first = abi::Operation::macsec_validate;
    if (esp) operations.second = abi::Operation::esp_decapsulate;
  }
  return operations;
}

}  // namespace firmware
}  // namespace linecrypt
