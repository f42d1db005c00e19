// What the movers' processes say to each other and to the control kernel. Host registers are the control kernel's
// alone, so the movers get their rings and doorbells as words.
#pragma once

#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/tables/wire.hpp"
#include "linecrypt/abi/verdicts.hpp"

namespace linecrypt {
namespace firmware {

// Control kernel to mover, in order.
enum class MoverOp : u8 {
  open,      // a session: epoch, ring, size; the ring begins at entry 0
  resume,    // go on after a halt, where it stopped
  doorbell,  // the host has written the entries below `tail`
  halt,      // finish the batches that were taken, take no more; one report says when
};
struct MoverWord {
  MoverOp op;
  u32 epoch;
  u64 ring;
  u32 size;
  u32 tail;
};

// Mover to control kernel: what is true once all data before it is in memory.
struct MoverReport {
  bool halted;  // the answer to a halt
  u32 head;     // batches finished in this session, in order
  u32 bad;      // batches, descriptors and memory accesses refused since the card began
};

// A batch that was taken; a halt keeps its place among them. jobs 0: refused, or a halt.
struct BatchOrder {
  bool halt;
  u32 epoch;
  u64 input;
  u64 output;
  u32 input_bytes;
  u32 output_bytes;
  u32 jobs;
  u32 head;  // the ring's head once this batch is finished
  u32 bad;   // refused so far, this one included
};

// One job, from the descriptors to whoever reads its packet ...
struct Job {
  PacketInfo info;  // length 0: nothing to read, its verdict stands
  u64 address;      // of the packet; a multiple of 64
};

// ... and to whoever writes its result.
struct JobNote {
  bool job;   // false: no packet comes, only what is said below
  bool last;  // the batch ends here: report `head`
  bool halt;
  bool own;  // false: the entry was not of this session: its completion stays zero
  u32 epoch;
  u64 output;      // address of the packet's room
  u64 completion;  // address
  u32 room;        // bytes
  u32 head;
  u32 bad;
};

// PacketInfo::place: the packet could not be read.
constexpr u64 place_unread = 1;

inline u32 words_of(u32 bytes) {
  return (bytes + 63U) / 64U;
}

}  // namespace firmware
}  // namespace linecrypt
