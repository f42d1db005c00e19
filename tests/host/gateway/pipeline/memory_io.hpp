// MemoryIo: ports and companions in plain memory. It owns every frame and knows at any time who holds it, so that a
// frame given away twice, or never, is found.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host/gateway/pipeline/pipeline.hpp"
#include "tests/host/gateway/pipeline/packets.hpp"

namespace linecrypt::gateway::test {

class MemoryIo final : public FrameIo {
 public:
  static constexpr std::uint32_t headroom = 128;
  static constexpr std::uint32_t room = 2048 + 9216;

  explicit MemoryIo(std::size_t ports) : wire(ports), companion(ports) {}

  // A frame that the pipeline holds from now on. `headroom_bytes` and `tailroom_bytes` may be made small.
  Frame* make(const Bytes& bytes, std::uint32_t headroom_bytes = headroom, std::uint32_t tailroom_bytes = room);

  std::uint32_t transmit(PortIndex port, std::span<Frame* const> frames) override;
  std::uint32_t punt(PortIndex port, std::span<Frame* const> frames) override;
  void release(std::span<Frame* const> frames) override;
  Frame* allocate() override;

  std::vector<std::vector<Bytes>> wire;               // what left each port, in order
  std::vector<std::vector<Bytes>> companion;          // what each companion got
  std::uint64_t wire_limit = ~std::uint64_t{0};       // frames that transmit() still takes, of all ports
  std::uint64_t companion_limit = ~std::uint64_t{0};  // likewise
  bool may_allocate = true;
  bool quiet = false;  // keep no copies (for counting allocations)

  std::uint64_t transmitted = 0;
  std::uint64_t punted = 0;
  std::uint64_t released = 0;
  std::uint64_t made = 0;      // by allocate()
  std::uint64_t mistakes = 0;  // frames given away by who did not hold them, and writes outside a frame's memory
  [[nodiscard]] std::uint64_t held() const noexcept { return held_; }

 private:
  struct Buffer {
    std::vector<std::uint8_t> memory;
    Frame frame;
    bool held = false;  // by the pipeline
  };
  Frame* take(std::uint32_t headroom_bytes, std::uint32_t length, std::uint32_t tailroom_bytes);
  Bytes give_back(Frame* frame);

  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<Buffer*> free_;
  std::uint64_t held_ = 0;
};

}  // namespace linecrypt::gateway::test
