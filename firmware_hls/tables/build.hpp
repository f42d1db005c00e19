// build: a packet's shape to what splice and cipher are told.
#pragma once

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/gcm/splice.hpp"
#include "firmware_hls/tables/commit.hpp"
#include "firmware_hls/tables/key_fetch.hpp"
#include "firmware_hls/tables/shape.hpp"
#include "firmware_hls/tables/tap.hpp"

namespace linecrypt {
namespace firmware {

// IV: the constant part xor the number (RFC 4106 4 with the number as IV; IEEE 802.1AE-2018 14.5, 14.7). On ESP ingress
// the IV is what the packet carries, whatever its sender made it of.
inline GcmCommand gcm_command(const Shape& shape, const KeyRow& key, u64 iv) {
  GcmCommand command = {};
  ap_uint<512> word[abi::key_entry_words];
  for (u32 i = 0; i < abi::key_entry_words; ++i) {
    LINECRYPT_UNROLL
    word[i] = from_bytes<512>(key.byte + abi::word_bytes * i);
  }
  command.key = key_from_words(word);
  u8 nonce[16] = {};
  for (u32 i = 0; i < 12; ++i) nonce[i] = key.byte[offsetof(abi::KeyEntry, salt) + i];
  put64(nonce + 4, get64(nonce + 4) ^ iv);
  command.iv = slice<96>(from_bytes<128>(nonce), 0);
  command.aad[0] = from_bytes<128>(shape.aad);
  command.aad[1] = from_bytes<128>(shape.aad + 16);
  command.aad_bytes = shape.aad_bytes;
  command.text_bytes = shape.text_bytes;
  command.mode = shape.cipher;
  return command;
}

// What is not this block's goes through unchanged: as text that is only authenticated, under no key, its tag unused.
inline Shape unchanged(u32 bytes) {
  Shape shape = {};
  shape.in.keep = static_cast<u16>(bytes);
  shape.text_bytes = static_cast<u16>(bytes);
  shape.cipher = GcmMode::authenticate;
  shape.out.keep = static_cast<u16>(bytes);
  return shape;
}

// A packet that was dropped before: its beats are drained.
template <class Meta>
bool passes(const Meta& meta) {
  return !meta.mine && meta.info.kind == Kind::packet && meta.info.length != 0;
}

template <class Meta, class Protocol>
class BuildEgress {
 public:
  BuildEgress(Stream<Keyed<Meta>>& in, Stream<SpliceCommand>& cut_in, Stream<GcmCommand>& gcm,
              Stream<SpliceCommand>& cut_out, Stream<Done>& out)
      : in_(in), cut_in_(cut_in), gcm_(gcm), cut_out_(cut_out), out_(out) {}

  void tick() {
    LINECRYPT_PIPELINE
    if (in_.empty() || cut_in_.full() || gcm_.full() || cut_out_.full() || out_.full()) return;
    Keyed<Meta> keyed = in_.read();
    Meta& meta = keyed.meta;
    Shape shape = {};
    Done done = {};
    done.counted = meta.counted;
    if (meta.mine) {
      shape = Protocol::build(meta.sa, meta.plan, meta.window, meta.number, meta.identification);
      meta.info.length = static_cast<u16>(bytes_of(shape.out) + (shape.seal ? wire::icv_size : 0U));
      finish_stage(meta.info, abi::VerdictCode::ok);
      done.verdict = abi::VerdictCode::ok;
    } else {
      if (passes(meta)) shape = unchanged(meta.body);
      done.verdict = static_cast<abi::VerdictCode>(meta.info.verdict);
    }
    if (meta.body != 0) cut_in_.write(splice_command(shape.in));
    if (shape.text_bytes != 0) {
      gcm_.write(gcm_command(shape, keyed.key, meta.number));
      cut_out_.write(sealing_command(shape.out, shape.seal));
    }
    done.info = meta.info;
    out_.write(done);
  }

 private:
  Stream<Keyed<Meta>>& in_;
  Stream<SpliceCommand>& cut_in_;
  Stream<GcmCommand>& gcm_;
  Stream<SpliceCommand>& cut_out_;
  Stream<Done>& out_;
};

template <class Meta, class Protocol>
class BuildIngress {
 public:
  BuildIngress(Stream<Keyed<Meta>>& in, Stream<TapCommand>& tap, Stream<SpliceCommand>& cut_in, Stream<GcmCommand>& gcm,
               Stream<InspectCommand>& inspect, Stream<Waiting<Meta>>& out)
      : in_(in), tap_(tap), cut_in_(cut_in), gcm_(gcm), inspect_(inspect), out_(out) {}

  void tick() {
    LINECRYPT_PIPELINE
    if (in_.empty() || tap_.full() || cut_in_.full() || gcm_.full() || inspect_.full() || out_.full()) return;
    Keyed<Meta> keyed = in_.read();
    Meta& meta = keyed.meta;
    Shape shape = {};
    if (meta.mine) {
      shape = Protocol::build(meta.sa, meta.plan, meta.window, meta.number);
    } else if (passes(meta)) {
      shape = unchanged(meta.body);
    }
    const bool text = shape.text_bytes != 0;
    if (meta.body != 0) {
      // The tag stands right behind the text.
      tap_.write(TapCommand{static_cast<u16>(shape.in.strip + shape.in.keep), text});
      cut_in_.write(splice_command(shape.in));
    }
    if (text) {
      gcm_.write(gcm_command(shape, keyed.key, meta.mine ? Protocol::iv(meta.plan, meta.window, meta.number) : u64{0}));
      inspect_.write(InspectCommand{shape.in.head_bytes, shape.text_bytes});
    }
    Waiting<Meta> waiting = {};
    waiting.meta = meta;
    waiting.text = text;
    waiting.before_text = shape.in.head_bytes;
    waiting.out = shape.out;
    out_.write(waiting);
  }

 private:
  Stream<Keyed<Meta>>& in_;
  Stream<TapCommand>& tap_;
  Stream<SpliceCommand>& cut_in_;
  Stream<GcmCommand>& gcm_;
  Stream<InspectCommand>& inspect_;
  Stream<Waiting<Meta>>& out_;
};

}  // namespace firmware
}  // namespace linecrypt
