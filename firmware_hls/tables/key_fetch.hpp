// key_fetch: the key table. One wide read gives round keys, powers of H and the IV's constant part; keys travel with
// their packet, so they may change with each.
#pragma once

#include "firmware_hls/tables/loaded.hpp"
#include "firmware_hls/tables/meta.hpp"
#include "linecrypt/abi/key_entry.hpp"

namespace linecrypt {
namespace firmware {

using KeyRow = Row<abi::key_entry_words>;

template <class Meta>
struct Keyed {
  Meta meta;
  KeyRow key;  // zeros for what is not encrypted here
};

template <class Meta, class Protocol, u32 N, u32 D>
class KeyFetch {
 public:
  KeyFetch(const Clock& clock, Stream<Meta>& in, Stream<Keyed<Meta>>& out)
      : in_(in), out_(out), keys_(clock, abi::Table::key), held_(false), meta_() {}

  // A packet whose generation is not the key's gets no key: it is dropped, and the number it took stays unused.
  void tick() {
    LINECRYPT_PIPELINE
    keys_.tick();
    if (!held_ && !in_.empty()) {
      meta_ = in_.read();
      held_ = true;
    }
    if (!held_ || out_.full() || !keys_.allows(meta_.info)) return;
    held_ = false;
    Keyed<Meta> keyed = {};
    if (is_command(meta_.info) && meta_.info.config.block == Protocol::block) {
      ConfigWord& config = meta_.info.config;
      if (!keys_.configure(config)) config.refused = true;
      // A key goes no further than this table.
      if (config.op == abi::CommandOp::load && config.table == abi::Table::key) config.payload = ap_uint<512>(0);
    } else if (meta_.mine) {
      if (keys_.generation(meta_.index) != meta_.generation) {
        drop(meta_, abi::VerdictCode::stale_sa);
      } else {
        keyed.key = keys_.row(meta_.index);
      }
    }
    keyed.meta = meta_;
    out_.write(keyed);
    meta_ = Meta();
  }
  bool busy() const { return held_; }

 private:
  Stream<Meta>& in_;
  Stream<Keyed<Meta>>& out_;
  Loaded<abi::key_entry_words, N, D> keys_;
  bool held_;
  Meta meta_;
};

}  // namespace firmware
}  // namespace linecrypt
