// A given IV, for the known answers of third-party test suites (devarg test_iv=1), and for nothing else: who chooses
// IVs may repeat one, and then both packets are readable.
//
// No engine takes an IV: its IV is the number. So the packet that an engine made is opened here, and sealed again under
// the IV asked for. The ESP framing is the engine's own, the last encryption is the host's.
#pragma once

#include <cstdint>
#include <memory>

#include "host/software/aead/provider.hpp"
#include "host/values/key_arena.hpp"
#include "linecrypt/esp_sa.hpp"

namespace linecrypt::dpdk {

class GivenIv {
 public:
  // What one session needs. Control thread.
  struct Key;

  explicit GivenIv(std::unique_ptr<software::AeadProvider> provider);
  ~GivenIv();

  Result<Key*> add(const EspSa& sa);
  void remove(Key* key) noexcept;

  // `packet`: `length` bytes from the IP header on, as an engine made them with `number`. False: it could not be
  // opened; it is zero behind its headers then.
  bool reseal(const Key& key, std::uint8_t* packet, std::uint32_t length, std::uint64_t number,
              const std::uint8_t* iv) noexcept;

 private:
  std::unique_ptr<software::AeadProvider> provider_;
  KeyArena keys_;
  KeyArena contexts_;
};

}  // namespace linecrypt::dpdk
