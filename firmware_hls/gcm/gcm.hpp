// AES-GCM of a stream of packets: the cipher and GHASH side by side.
//
// Cut-through: text comes out as it goes in, the tag once it is known. Whoever decrypts holds the text until it has
// compared the tag. Steady state: max(1, ceil((blocks + 1) / 4)) cycles a packet, whatever its key.
#pragma once

#include "firmware_hls/gcm/aes_ctr.hpp"
#include "firmware_hls/gcm/ghash.hpp"

namespace linecrypt {
namespace firmware {

// `out` must be made with text_latency(), `tags` with tag_latency(). A consumer that puts the tag behind its text needs
// a FIFO for the text of the packets that follow meanwhile: tag_lag() beats keep the steady state.
class Gcm {
 public:
  static constexpr unsigned text_latency() { return AesCtr::latency(); }
  static constexpr unsigned tag_latency() { return Ghash::latency(); }
  // Cycles from a packet's last beat at `out` to its tag, and the slack of one cycle for lengths that end a beat.
  static constexpr unsigned tag_lag() { return Ghash::latency() + 1; }

  Gcm(const Clock& clock, Stream<GcmCommand>& commands, Stream<Beat>& text, Stream<Beat>& out,
      Stream<ap_uint<128>>& tags)
      : commands_(commands),
        text_(text),
        out_(out),
        tags_(tags),
        hash_commands_(clock, 2, AesCtr::latency()),
        hash_beats_(clock, 2, AesCtr::latency()),
        ghash_(clock) {}

  void tick() {
    LINECRYPT_DATAFLOW
    aes_ctr_.tick(commands_, text_, out_, hash_commands_, hash_beats_);
    ghash_.tick(hash_commands_, hash_beats_, tags_);
  }

 private:
  Stream<GcmCommand>& commands_;
  Stream<Beat>& text_;
  Stream<Beat>& out_;
  Stream<ap_uint<128>>& tags_;
  Stream<GhashCommand> hash_commands_;
  Stream<GhashBeat> hash_beats_;
  AesCtr aes_ctr_;
  Ghash ghash_;
};

}  // namespace firmware
}  // namespace linecrypt
