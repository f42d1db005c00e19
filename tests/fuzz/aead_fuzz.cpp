// AES-GCM of our own against OpenSSL and IPsec-MB: any burst, sealed and opened. The input is a list of messages of 16
// bytes each: key, sizes, places, what is spoilt.
#include <cstdio>

#include "tests/support/aead.hpp"
#include "tests/support/aead_differential.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linecrypt;
  using namespace linecrypt::test;
  using Spoil = DifferentialCase::Spoil;
  static DifferentialRig rig(all_providers(), 1);
  constexpr std::size_t bytes_each = 16;
  DifferentialCase burst[DifferentialRig::largest_burst];
  std::size_t count = 0;
  for (; size >= bytes_each && count < std::size(burst); data += bytes_each, size -= bytes_each) {
    DifferentialCase& one = burst[count++];
    one.key = data[0];
    one.aad_head = static_cast<std::uint8_t>(data[1] % 65);
    one.aad_tail = data[2] % 65;
    one.size =
        static_cast<std::uint16_t>(static_cast<unsigned>(data[3] | data[4] << 8) % (DifferentialRig::largest_text + 1));
    // Most messages small, where the classes of sizes meet.
    if ((data[5] & 0xf0U) != 0) one.size = static_cast<std::uint16_t>(one.size % 300);
    if (one.size == 0)
      one.aad_tail = static_cast<std::uint16_t>(data[2] * 8U % (DifferentialRig::largest_aad_tail + 1));
    one.in_place = (data[5] & 1U) != 0;
    one.shift = data[6];
    constexpr Spoil spoils[] = {Spoil::nothing, Spoil::tag, Spoil::text, Spoil::aad, Spoil::iv, Spoil::nothing};
    one.spoil = spoils[data[7] % std::size(spoils)];
    one.spoiled_bit = static_cast<std::uint32_t>(data[8] | data[9] << 8 | data[10] << 16);
    one.noise = static_cast<std::uint32_t>(data[11] | data[12] << 8 | data[13] << 16);
    if (one.spoil == Spoil::text && one.size == 0) one.spoil = Spoil::tag;
    if (one.spoil == Spoil::aad && one.aad_head + one.aad_tail == 0) one.spoil = Spoil::tag;
  }
  if (count == 0) return 0;
  if (const std::string different = rig.check({burst, count}); !different.empty()) {
    std::fprintf(stderr, "%s\n", different.c_str());
    std::abort();
  }
  return 0;
}
