#include "tests/host/gateway/pipeline/memory_io.hpp"

#include <algorithm>
#include <cstring>

namespace linecrypt::gateway::test {

namespace {

// Around the memory that a frame names: whoever writes there has left it.
constexpr std::uint32_t guard = 32;
constexpr std::uint8_t guard_byte = 0xa5;

}  // namespace

Frame* MemoryIo::take(std::uint32_t headroom_bytes, std::uint32_t length, std::uint32_t tailroom_bytes) {
  if (free_.empty()) {
    buffers_.push_back(std::make_unique<Buffer>());
    free_.push_back(buffers_.back().get());
  }
  Buffer* buffer = free_.back();
  free_.pop_back();
  const std::size_t size = std::size_t{headroom_bytes} + length + tailroom_bytes;
  buffer->memory.resize(size + 2 * guard);
  std::memset(buffer->memory.data(), guard_byte, guard);
  std::memset(buffer->memory.data() + guard + size, guard_byte, guard);
  buffer->frame = Frame{};
  buffer->frame.buffer = buffer;
  buffer->frame.packet = {buffer->memory.data() + guard + headroom_bytes, length, headroom_bytes, tailroom_bytes};
  buffer->held = true;
  ++held_;
  return &buffer->frame;
}

Frame* MemoryIo::make(const Bytes& bytes, std::uint32_t headroom_bytes, std::uint32_t tailroom_bytes) {
  Frame* frame = take(headroom_bytes, static_cast<std::uint32_t>(bytes.size()), tailroom_bytes);
  std::copy(bytes.begin(), bytes.end(), frame->packet.data);
  return frame;
}

Frame* MemoryIo::allocate() {
  if (!may_allocate) return nullptr;
  ++made;
  return take(headroom, 0, room);
}

Bytes MemoryIo::give_back(Frame* frame) {
  auto* buffer = static_cast<Buffer*>(frame->buffer);
  if (!buffer->held) {
    ++mistakes;
    return {};
  }
  const auto is_guard = [](std::uint8_t byte) { return byte == guard_byte; };
  const std::vector<std::uint8_t>& memory = buffer->memory;
  const Packet& packet = frame->packet;
  const bool inside = packet.data - packet.headroom == memory.data() + guard &&
                      packet.data + packet.length + packet.tailroom == memory.data() + memory.size() - guard;
  if (!inside || !std::all_of(memory.begin(), memory.begin() + guard, is_guard) ||
      !std::all_of(memory.end() - guard, memory.end(), is_guard))
    ++mistakes;
  Bytes bytes;
  if (!quiet) bytes.assign(packet.data, packet.data + packet.length);
  // What the pipeline still reads of a frame that it gave away must show.
  frame->in_port = frame->out_port = 0x7fff;
  frame->packet.data = nullptr;
  buffer->held = false;
  free_.push_back(buffer);
  --held_;
  return bytes;
}

std::uint32_t MemoryIo::transmit(PortIndex port, std::span<Frame* const> frames) {
  const auto taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(frames.size(), wire_limit));
  if (wire_limit != ~std::uint64_t{0}) wire_limit -= taken;
  for (std::uint32_t i = 0; i < taken; ++i) {
    Bytes bytes = give_back(frames[i]);
    if (!quiet) wire[port].push_back(std::move(bytes));
  }
  transmitted += taken;
  return taken;
}

std::uint32_t MemoryIo::punt(PortIndex port, std::span<Frame* const> frames) {
  const auto taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(frames.size(), companion_limit));
  if (companion_limit != ~std::uint64_t{0}) companion_limit -= taken;
  for (std::uint32_t i = 0; i < taken; ++i) {
    Bytes bytes = give_back(frames[i]);
    if (!quiet) companion[port].push_back(std::move(bytes));
  }
  punted += taken;
  return taken;
}

void MemoryIo::release(std::span<Frame* const> frames) {
  for (Frame* frame : frames) give_back(frame);
  released += frames.size();
}

}  // namespace linecrypt::gateway::test
