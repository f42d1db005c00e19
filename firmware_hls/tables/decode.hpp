// Table words (bytes, little endian) to the structures of linecrypt/abi/sa_record.hpp. Field by field: a kernel has no
// memory to cast.
#pragma once

#include "firmware_hls/tables/wire.hpp"
#include "linecrypt/abi/sa_record.hpp"

namespace linecrypt {
namespace firmware {

inline u16 little16(const u8* p) {
  return static_cast<u16>(p[0] | (p[1] << 8U));
}
inline u32 little32(const u8* p) {
  return little16(p) | (static_cast<u32>(little16(p + 2)) << 16U);
}
inline u64 little64(const u8* p) {
  return little32(p) | (static_cast<u64>(little32(p + 4)) << 32U);
}
inline void put_little64(u8* p, u64 value) {
  for (u32 i = 0; i < 8; ++i) p[i] = static_cast<u8>(value >> (8 * i));
}

inline abi::EspRecord decode_esp(const u8* p) {
  abi::EspRecord record = {};
  record.spi = little32(p);
  record.flow_label = little32(p + 4);
  for (u32 i = 0; i < 16; ++i) {
    record.source[i] = p[8 + i];
    record.destination[i] = p[24 + i];
  }
  record.source_port = little16(p + 40);
  record.destination_port = little16(p + 42);
  record.tfc_pad_to = little16(p + 44);
  record.flags = little16(p + 46);
  record.df = p[48];
  record.dscp = p[49];
  record.hop_limit = p[50];
  record.selectors = p[51];
  record.replay_window = little16(p + 52);
  return record;
}

inline abi::SelectorRecord decode_selector(const u8* p) {
  abi::SelectorRecord selector = {};
  for (u32 i = 0; i < 16; ++i) {
    selector.local[i] = p[i];
    selector.remote[i] = p[16 + i];
  }
  selector.local_length = p[32];
  selector.remote_length = p[33];
  selector.protocol = p[34];
  selector.flags = p[35];
  selector.local_first = little16(p + 36);
  selector.local_last = little16(p + 38);
  selector.remote_first = little16(p + 40);
  selector.remote_last = little16(p + 42);
  return selector;
}

inline abi::MacsecRecord decode_macsec(const u8* p) {
  abi::MacsecRecord record = {};
  record.sci = little64(p);
  record.clear_tag[0] = little32(p + 8);
  record.clear_tag[1] = little32(p + 12);
  record.replay_window = little32(p + 16);
  record.bitmap = little32(p + 20);
  record.flags = little16(p + 24);
  record.clear_tags = p[26];
  record.an = p[27];
  record.validate = p[28];
  record.tci_an = p[29];
  record.tag_size = p[30];
  return record;
}

inline abi::NumberEntry decode_number(const u8* p) {
  abi::NumberEntry entry = {};
  entry.begin = little64(p);
  entry.end = little64(p + 8);
  entry.window_top = little64(p + 16);
  entry.lowest = little64(p + 24);
  entry.soft_limit = little64(p + 32);
  entry.identification = little16(p + 40);
  entry.flags = little16(p + 42);
  return entry;
}

inline abi::LifetimeEntry decode_lifetime(const u8* p) {
  abi::LifetimeEntry entry = {};
  entry.soft_packets = little64(p);
  entry.soft_bytes = little64(p + 8);
  entry.hard_packets = little64(p + 16);
  entry.hard_bytes = little64(p + 24);
  return entry;
}

inline abi::HashEntry decode_hash(const u8* p) {
  abi::HashEntry entry = {};
  entry.key = little64(p);
  entry.an = little32(p + 8);
  entry.index = little32(p + 12);
  entry.generation = little32(p + 16);
  return entry;
}

}  // namespace firmware
}  // namespace linecrypt
