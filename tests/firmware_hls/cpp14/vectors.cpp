// Each process on fixed inputs, in C++14: known answers are checked, and a digest of everything that came out is
// printed, so that compilers and ap_uint types can be compared. Arguments: how many packet sizes to take.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "firmware_hls/gcm/gcm.hpp"
#include "firmware_hls/gcm/splice.hpp"
#include "tests/firmware_hls/cpp14/vectors.hpp"

namespace {

using namespace linecrypt::firmware;
using namespace vectors;

bool same(const char* what, const ap_uint<128>& value, const char* hex) {
  std::uint8_t bytes[16];
  to_bytes(value, bytes);
  std::string text;
  for (const std::uint8_t byte : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned>(byte));
    text += two;
  }
  if (text == hex) return true;
  std::printf("%s: %s; expected %s\n", what, text.c_str(), hex);
  return false;
}

ap_uint<128> block_of(const char* hex) {
  std::uint8_t bytes[16];
  for (unsigned i = 0; i < 16; ++i)
    bytes[i] = static_cast<std::uint8_t>(std::strtoul(std::string(hex + 2 * i, 2).c_str(), nullptr, 16));
  return from_bytes<128>(bytes);
}

// FIPS 197 appendix B, round 1, and the McGrew-Viega GCM paper's test case 2.
bool known_answers() {
  bool good =
      same("aes_round",
           aes_round(block_of("193de3bea0f4e22b9ac68d2ae9f84808"), block_of("a0fafe1788542cb123a339392a6c7605"), false),
           "a49c7ff2689f352b6b5bea43026a5049");
  good =
      same("aes_round, last",
           aes_round(block_of("eb40f21e592e38848ba113e71bc342d2"), block_of("d014f9a8c9ee2589e13f0cc8b6630ca6"), true),
           "3925841d02dc09fbdc118597196a0b32") &&
      good;
  return same("gf128_mul",
              gf128_mul<KernelArithmetic>(block_of("0388dace60b6a392f328c2b971b2fe78"),
                                          block_of("66e94bd4ef8a2c3b884cfa59ca342b2e")),
              "5e2ec746917062882c85b0685353deb7") &&
         good;
}

std::uint64_t gcm_digest(std::size_t sizes) {
  Digest digest;
  Clock clock;
  Stream<GcmCommand> commands(clock);
  Stream<Beat> text(clock);
  Stream<Beat> out(clock, 2, Gcm::text_latency());
  Stream<ap_uint<128>> tags(clock, 2, Gcm::tag_latency());
  Gcm gcm(clock, commands, text, out, tags);
  for (std::size_t i = 0; i < sizes; ++i) {
    const std::vector<std::uint8_t> bytes = random_bytes(i * 23);
    GcmCommand command = GcmCommand();
    for (auto& round_key : command.key.round_key) round_key = random_block();
    for (auto& power : command.key.power) power = random_block();
    command.key.rounds = i % 2 == 0 ? 10 : 14;
    command.iv = ap_uint<96>(random_block());
    command.mode = static_cast<GcmMode>(i % 3);
    command.aad_bytes = static_cast<std::uint8_t>(command.mode == GcmMode::authenticate ? 0 : 8 + i % 25);
    command.aad[0] = first_bytes(random_block(), command.aad_bytes < 16 ? command.aad_bytes : 16U);
    command.aad[1] = first_bytes(random_block(), command.aad_bytes < 16 ? 0U : command.aad_bytes - 16U);
    command.text_bytes = static_cast<std::uint16_t>(bytes.size());
    commands.write(command);
    std::size_t at = 0;
    for (bool done = false; !done; clock.tick()) {
      feed(text, bytes, at);
      gcm.tick();
      if (!out.empty()) digest.add(out.read());
      if (!tags.empty()) {
        digest.add(tags.read());
        done = true;
      }
    }
  }
  return digest.value();
}

std::uint64_t splice_digest(std::size_t sizes) {
  Digest digest;
  Clock clock;
  Stream<SpliceCommand> commands(clock);
  Stream<Beat> in(clock);
  Stream<ap_uint<128>> tags(clock);
  Stream<Beat> out(clock, 2, Splice::latency());
  SealingSplice splice(commands, in, tags, out);
  for (std::size_t i = 0; i < sizes; ++i) {
    SpliceCommand command = SpliceCommand();
    command.strip = static_cast<std::uint16_t>(next_random() % 130);
    command.keep = static_cast<std::uint16_t>(i * 17);
    command.fill = static_cast<std::uint16_t>(next_random() % 4);
    command.head_bytes = static_cast<std::uint8_t>(next_random() % 129);
    command.tail_bytes = static_cast<std::uint8_t>(next_random() % 33);
    command.seal = true;
    for (int word = 0; word < 16; ++word) set_word_of(command.head, word, next_random());
    for (int word = 0; word < 4; ++word) set_word_of(command.tail, word, next_random());
    const std::vector<std::uint8_t> bytes = random_bytes(command.strip + command.keep + 1 + next_random() % 100);
    commands.write(command);
    tags.write(random_block());
    std::size_t at = 0;
    for (bool done = false; !done; clock.tick()) {
      feed(in, bytes, at);
      splice.tick();
      if (!out.empty()) {
        const Beat beat = out.read();
        digest.add(beat);
        done = beat.last;
      }
    }
    // The rest of the packet, which is drained.
    for (int drain = 0; drain < 8; ++drain, clock.tick()) {
      feed(in, bytes, at);
      splice.tick();
    }
  }
  return digest.value();
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t sizes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 64;
  if (!known_answers()) return 1;
  std::printf("gcm %016llx\n", static_cast<unsigned long long>(gcm_digest(sizes)));
  const std::uint64_t blocks = blocks_digest(sizes);
  std::printf("splice %016llx\n", static_cast<unsigned long long>(splice_digest(sizes)));
  if (blocks == 0) return 1;
  std::printf("blocks %016llx\n", static_cast<unsigned long long>(blocks));
  return 0;
}
