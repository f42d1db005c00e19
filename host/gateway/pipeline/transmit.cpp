// Out of the pipeline: to the wire, to the kernel, or nowhere. Here each frame gets its one count.
#include <cstring>

#include "host/gateway/pipeline/l2_header.hpp"
#include "host/gateway/pipeline/worker.hpp"

namespace linecrypt::gateway {

// 1. No MACsec and no ESP: nothing for the engine to do.
// 2. A port with a Secy sends nothing unprotected: without an SA the frame ends (IEEE 802.1AE-2018 10.5, OutPktsNoSA).
void Worker::send(Frame& frame, Verdict verdict, const Stage& first) noexcept {
  tables::Secy* secy = out_port(frame).settings.secy;
  frame.verdict = verdict;
  // 1.
  if (secy == nullptr) {
    if (first.operation == Operation::none) return transmit(frame);
    return submit(frame, Step::ready, first);
  }
  // 2.
  const Stage macsec{secy->transmit_sa(), Operation::macsec_protect};
  if (!macsec.sa.valid()) {
    secy->count_transmitted(Verdict::no_sa, frame.packet.length);
    return end(frame, Verdict::no_sa);
  }
  if (first.operation == Operation::none) return submit(frame, Step::ready, macsec);
  submit(frame, Step::ready, first, macsec);
}

// The frame is as it will be on the wire, but for padding.
void Worker::transmit(Frame& frame) noexcept {
  WorkerPort& port = out_port(frame);
  if (frame.packet.length > port.longest_frame) return end(frame, Verdict::oversize);
  if (!pad_frame(frame.packet)) return end(frame, Verdict::no_buffer);
  port.to_wire.frames[port.to_wire.count++] = &frame;
  if (port.to_wire.count == burst_largest) flush_wire(port);
}

// The kernel's frame has no VLAN tags.
void Worker::punt(Frame& frame, PortIndex index, const MacAddress& destination, std::uint16_t ethertype,
                  Verdict verdict) noexcept {
  if (!exchange_l2(frame.packet, frame.l2_length, destination, mac_at(frame.packet.data + wire::mac_size), {},
                   ethertype))
    return end(frame, Verdict::no_buffer);
  frame.l2_length = wire::ethernet_size;
  frame.out_port = index;
  frame.verdict = verdict;
  WorkerPort& port = *ports_[index];
  port.to_companion.frames[port.to_companion.count++] = &frame;
  if (port.to_companion.count == burst_largest) flush_companion(port);
}

void Worker::end(Frame& frame, Verdict verdict) noexcept {
  count(frame, verdict);
  released_.frames[released_.count++] = &frame;
  if (released_.count == burst_largest) flush_released();
}

void Worker::count(const Frame& frame, Verdict verdict) noexcept {
  ports_[frame.in_port]->counters.verdicts.add(verdict);
}

// A frame that was taken is no longer ours to look at: what is counted is written down before.
void Worker::flush_wire(WorkerPort& port) noexcept {
  OutBatch& batch = port.to_wire;
  struct Noted {
    Verdict verdict;
    PortIndex in_port;
    std::uint32_t length;
  };
  std::array<Noted, burst_largest> noted{};
  for (std::uint32_t i = 0; i < batch.count; ++i)
    noted[i] = {batch.frames[i]->verdict, batch.frames[i]->in_port, batch.frames[i]->packet.length};
  const std::uint32_t taken = io_.transmit(port.index, {batch.frames.data(), batch.count});
  for (std::uint32_t i = 0; i < taken; ++i) {
    port.counters.transmitted_frames.add();
    port.counters.transmitted_bytes.add(noted[i].length);
    ports_[noted[i].in_port]->counters.verdicts.add(noted[i].verdict);
  }
  for (std::uint32_t i = taken; i < batch.count; ++i) end(*batch.frames[i], Verdict::transmit_full);
  batch.count = 0;
}

void Worker::flush_companion(WorkerPort& port) noexcept {
  OutBatch& batch = port.to_companion;
  struct Noted {
    Verdict verdict;
    PortIndex in_port;
  };
  std::array<Noted, burst_largest> noted{};
  for (std::uint32_t i = 0; i < batch.count; ++i) noted[i] = {batch.frames[i]->verdict, batch.frames[i]->in_port};
  const std::uint32_t taken = io_.punt(port.index, {batch.frames.data(), batch.count});
  for (std::uint32_t i = 0; i < taken; ++i) {
    port.counters.punted_frames.add();
    ports_[noted[i].in_port]->counters.verdicts.add(noted[i].verdict);
  }
  for (std::uint32_t i = taken; i < batch.count; ++i) end(*batch.frames[i], Verdict::tap_full);
  batch.count = 0;
}

void Worker::flush_released() noexcept {
  if (released_.count == 0) return;
  io_.release({released_.frames.data(), released_.count});
  released_.count = 0;
}

void Worker::flush() noexcept {
  for (const auto& port : ports_) {
    if (port->to_wire.count != 0) flush_wire(*port);
    if (port->to_companion.count != 0) flush_companion(*port);
  }
  flush_released();
}

}  // namespace linecrypt::gateway
