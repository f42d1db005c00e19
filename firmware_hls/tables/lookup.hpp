// lookup: finds the SA of a packet (by index, or by hash on ingress) and reads its record.
#pragma once

#include "firmware_hls/tables/decode.hpp"
#include "firmware_hls/tables/loaded.hpp"
#include "firmware_hls/tables/meta.hpp"

namespace linecrypt {
namespace firmware {

// What a protocol says of a packet whose SA is to be found.
struct HashKey {
  bool exists;
  u64 key;
  u32 an;
};

// The hash buckets, which only ingress has.
template <bool Exists, u32 N, u32 D>
class Buckets {
 public:
  explicit Buckets(const Clock& clock) : ram_(clock) {}
  const Row<1>& read(u32 index) {
    LINECRYPT_INLINE
    return ram_.read(index);
  }
  void write(u32 index, const Row<1>& bucket) {
    LINECRYPT_INLINE
    ram_.write(index, bucket);
  }

 private:
  Ram<Row<1>, N, D> ram_;
};
template <u32 N, u32 D>
class Buckets<false, N, D> {
 public:
  explicit Buckets(const Clock&) {}
  Row<1> read(u32) const { return Row<1>(); }
  void write(u32, const Row<1>&) {}
};

// Protocol gives: block, record_words, ingress, unknown (verdict), hash_key(window, l2, length), decode(row bytes, sa).
template <class Meta, class Protocol, u32 N, u32 D>
class Lookup {
 public:
  Lookup(const Clock& clock, Stream<Meta>& in, Stream<Meta>& out)
      : in_(in), out_(out), records_(clock, abi::Table::record), buckets_(clock), held_(false), meta_(), closed_(0) {}

  // 1. Commands for this table.
  // 2. The SA by hash: every entry that may hold the key is read, in parallel; no entry waits for an insert.
  // 3. The record, if its generation is the packet's.
  void tick() {
    LINECRYPT_PIPELINE
    records_.tick();
    if (closed_ != 0) --closed_;
    if (!held_ && !in_.empty()) {
      meta_ = in_.read();
      held_ = true;
    }
    if (!held_ || out_.full() || closed_ != 0 || !records_.allows(meta_.info)) return;
    held_ = false;
    // 1.
    if (is_command(meta_.info) && meta_.info.config.block == Protocol::block) {
      ConfigWord& config = meta_.info.config;
      if (!records_.configure(config) || !configure_hash(config)) config.refused = true;
    } else if (meta_.mine) {
      find();
    }
    out_.write(meta_);
    meta_ = Meta();  // a key word that went by leaves no copy
  }
  bool busy() const { return held_; }

 private:
  void find() {
    // 2.
    if (Protocol::ingress && meta_.index == abi::find_by_hash) {
      const HashKey key = Protocol::hash_key(meta_.window, meta_.info.l2_length, meta_.info.length);
      bool found = false;
      for (u32 way = 0; way < abi::hash_ways; ++way) {
        LINECRYPT_UNROLL
        const Row<1> bucket = buckets_.read(abi::hash_bucket(key.key, key.an, way, N));
        for (u32 slot = 0; slot < abi::hash_slots; ++slot) {
          LINECRYPT_UNROLL
          const abi::HashEntry entry = decode_hash(bucket.byte + 32 * slot);
          if (key.exists && entry.generation != 0 && entry.key == key.key && entry.an == key.an) {
            found = true;
            meta_.index = entry.index;
            meta_.generation = entry.generation;
          }
        }
      }
      if (!found) {
        drop(meta_, Protocol::unknown);
        return;
      }
      meta_.info.stage[meta_.info.at & 1U].index = meta_.index;
      meta_.info.stage[meta_.info.at & 1U].generation = meta_.generation;
    }
    // 3.
    if (meta_.generation == 0 || records_.generation(meta_.index) != meta_.generation) {
      drop(meta_, abi::VerdictCode::stale_sa);
      return;
    }
    Protocol::decode(records_.row(meta_.index).byte, meta_.sa);
  }
  // What follows waits until the bucket is visible.
  bool configure_hash(const ConfigWord& config) {
    if (config.op != abi::CommandOp::load || config.table != abi::Table::hash) return true;
    if (!Protocol::ingress || config.index >= N || config.word != 0) return false;
    Row<1> bucket;
    to_bytes(config.payload, bucket.byte);
    buckets_.write(config.index, bucket);
    closed_ = D;
    return true;
  }

  Stream<Meta>& in_;
  Stream<Meta>& out_;
  Loaded<Protocol::record_words, N, D> records_;
  Buckets<Protocol::ingress, N, D> buckets_;
  bool held_;
  Meta meta_;
  u32 closed_;
};

// plan: what the headers say, under the SA's record. No state.
template <class Meta, class Protocol>
class Plan {
 public:
  Plan(Stream<Meta>& in, Stream<Meta>& out) : in_(in), out_(out) {}

  void tick() {
    LINECRYPT_PIPELINE
    if (in_.empty() || out_.full()) return;
    Meta meta = in_.read();
    if (meta.mine) {
      meta.plan = Protocol::plan(meta.sa, meta.window, meta.info.l2_length, meta.info.length);
      if (meta.plan.verdict != abi::VerdictCode::pending) drop(meta, meta.plan.verdict);
    }
    out_.write(meta);
  }

 private:
  Stream<Meta>& in_;
  Stream<Meta>& out_;
};

}  // namespace firmware
}  // namespace linecrypt
