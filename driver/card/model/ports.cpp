#include "driver/card/model/ports.hpp"

namespace linecrypt::card_model {
namespace {

constexpr std::uint32_t frame_most = 9728 + 64;
constexpr std::uint32_t frame_least = 60;
constexpr std::uint32_t wire_overhead = 24;  // preamble 8, FCS 4, gap 12

// Cycles of the 300 MHz clock that a frame keeps a 100 Gb/s wire busy, rounded up.
constexpr std::uint64_t wire_cycles(std::uint32_t length) {
  const std::uint64_t bytes = (length < frame_least ? frame_least : length) + wire_overhead;
  return (bytes * 8 * 3 + 999) / 1000;
}

}  // namespace

Result<void> Ports::open(const std::vector<PortConfiguration>& ports) {
  for (const PortConfiguration& port : ports) {
    if (ports_.at(port.index).attachment) continue;
    auto attachment = attach(port);
    if (!attachment) return attachment.error();
    ports_.at(port.index).attachment = std::move(*attachment);
    ports_.at(port.index).plugged = port.plugged;
    any_ = true;
  }
  frame_.resize(frame_most);
  return {};
}

bool Ports::receive(const CardImage& image, void* card, std::uint64_t now, bool idle) {
  bool any = false;
  for (std::uint32_t index = 0; index < ports_most; ++index) {
    Port& port = ports_.at(index);
    if (!port.attachment || !port.plugged || (now < port.due && !idle)) continue;
    const std::uint32_t length = port.attachment->receive(frame_);
    if (length == 0) continue;
    any = true;
    port.due = (now > port.due ? now : port.due) + wire_cycles(length);
    ++counters_.in.at(index);
    if (image.port_receive(card, index, frame_.data(), length) == 0) ++counters_.in_lost.at(index);
  }
  return any;
}

void Ports::transmit(const CardImage& image, void* card, std::uint64_t now) {
  for (std::uint32_t index = 0; index < ports_most; ++index) {
    Port& port = ports_.at(index);
    while (const std::uint32_t length = image.port_transmit(card, index, frame_.data(), frame_most)) {
      ++counters_.out.at(index);
      const bool carried = port.attachment && port.plugged && port.attachment->transmit({frame_.data(), length}, now);
      if (!carried) ++counters_.out_lost.at(index);
    }
  }
}

std::vector<int> Ports::descriptors() const {
  std::vector<int> all;
  for (const Port& port : ports_)
    if (port.attachment && port.plugged && port.attachment->descriptor() >= 0)
      all.push_back(port.attachment->descriptor());
  return all;
}

}  // namespace linecrypt::card_model
