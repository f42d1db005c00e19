// In-line ports of the emulated card: what stands in for the QSFP cages.
//
// A frame waits where it is (the interface's queue, the file) until the wire would have brought it: 100 Gb/s of the
// virtual clock, gap and preamble included. The card has no back-pressure on receive, so what its FIFO does not take is
// lost.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "driver/card/model/configuration.hpp"
#include "driver/card/model/image.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::card_model {

// One end of a wire. Neither function waits.
class Attachment {
 public:
  virtual ~Attachment() = default;
  [[nodiscard]] virtual int descriptor() const = 0;  // readable when a frame is there; -1: there is none to wait for
  virtual std::uint32_t receive(std::span<unsigned char> room) = 0;  // bytes; 0: no frame
  // `now`: cycle, for those that note the time. False: the frame was not taken.
  virtual bool transmit(std::span<const unsigned char> frame, std::uint64_t now) = 0;
};

Result<std::unique_ptr<Attachment>> attach(const PortConfiguration& port);

class Ports {
 public:
  struct Counters {
    std::array<std::uint64_t, ports_most> in{}, in_lost{}, out{}, out_lost{};
  };

  // Opens what is not open yet.
  Result<void> open(const std::vector<PortConfiguration>& ports);

  // Gives the image the frames that are due at `now`. `idle`: nothing moves inside, so the next frame is due at once
  // (the clock stands still). True: at least one frame went in.
  bool receive(const CardImage& image, void* card, std::uint64_t now, bool idle);
  void transmit(const CardImage& image, void* card, std::uint64_t now);

  // The cable of a port: without one no frame goes in, and those that leave are lost.
  void plug(std::uint32_t port, bool in) { ports_.at(port).plugged = in; }

  [[nodiscard]] std::vector<int> descriptors() const;
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] bool any() const { return any_; }

 private:
  struct Port {
    std::unique_ptr<Attachment> attachment;
    std::uint64_t due = 0;  // cycle from which the wire is free again
    bool plugged = true;
  };
  std::array<Port, ports_most> ports_;
  std::vector<unsigned char> frame_;
  Counters counters_;
  bool any_ = false;
};

}  // namespace linecrypt::card_model
