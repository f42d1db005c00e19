// Mover: one direction's look-aside path: host memory -> chain -> host memory. It never writes an input slab.
//
//     work ring -> batches -> descriptors -> packets -> chain -> collect -> output slab, head
//                                       \---- notes ----------/
#pragma once

#include "firmware_hls/dma/batches.hpp"
#include "firmware_hls/dma/collect.hpp"
#include "firmware_hls/dma/descriptors.hpp"
#include "firmware_hls/dma/packets.hpp"

namespace linecrypt {
namespace firmware {

namespace depth {
// One batch in work, one whose descriptors are asked for.
constexpr u32 orders = 2;
// Between a descriptor's arrival and its packet's request.
constexpr u32 jobs = 16;
// Every packet between packets and collect has its note here: those asked for (128) and those in a chain, whose FIFOs
// `body`, `hold` and `sealed` of two blocks hold at most 1400 one-beat packets.
constexpr u32 notes = 2048;
}  // namespace depth

struct MoverPorts {
  ReadPort& ring;
  ReadPort& descriptors;
  ReadPort& packets;
  WritePort& results;
  WritePort& completions;
};

class Mover {
 public:
  Mover(const Clock& clock, const MoverPorts& ports, ChainOperations operations, Stream<MoverWord>& words,
        Stream<PacketInfo>& infos_in, Stream<Beat>& beats_in, Stream<PacketInfo>& infos_out, Stream<Beat>& beats_out,
        Stream<MoverReport>& reports)
      : words_(words),
        infos_out_(infos_out),
        orders_(clock, depth::orders),
        jobs_(clock, depth::jobs),
        notes_(clock, depth::notes),
        batches_(ports.ring, words, orders_),
        descriptors_(ports.descriptors, operations, orders_, jobs_, notes_),
        packets_(ports.packets, jobs_, infos_in, beats_in),
        collect_(ports.results, ports.completions, notes_, infos_out, beats_out, reports) {}

  // One cycle. The order of the calls does not matter.
  void tick() {
    LINECRYPT_DATAFLOW
    batches_.tick();
    descriptors_.tick();
    packets_.tick();
    collect_.tick();
  }
  // For the clocked model: false once nothing inside can move until something comes in.
  bool busy() const {
    return words_.pending() + infos_out_.pending() + orders_.pending() + jobs_.pending() + notes_.pending() != 0 ||
           batches_.busy() || descriptors_.busy() || packets_.busy() || collect_.busy();
  }

 private:
  Stream<MoverWord>& words_;
  Stream<PacketInfo>& infos_out_;
  Stream<BatchOrder> orders_;
  Stream<Job> jobs_;
  Stream<JobNote> notes_;
  Batches batches_;
  Descriptors descriptors_;
  Packets packets_;
  Collect collect_;
};

}  // namespace firmware
}  // namespace linecrypt
