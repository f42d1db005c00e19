// A bump-in-the-wire card through XRT, in the place of a gateway of the pipeline's tests; its two ports are sockets
// that the test holds the other ends of. The other gateway of the pair, in software, is at the circuit's far end.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "driver/card/inline/inline_card.hpp"
#include "driver/card/model/control.h"
#include "tests/firmware_hls/ports/gateway_words.hpp"

namespace linecrypt::inline_test {

namespace gt = gateway::test;
using gateway::Origin;
using ports_test::Bytes;
using ports_test::TestGateway;

// The other end of a port's wire.
class Wire {
 public:
  explicit Wire(const std::string& path);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void send(const Bytes& frame);
  // False: the other end takes no more now.
  bool try_send(const Bytes& frame);
  // Waits until so many frames are there; fails the test when they do not come.
  std::vector<Bytes> take(std::size_t count);
  // What is there now.
  std::vector<Bytes> take_all();

 private:
  bool next(Bytes& frame, int milliseconds);
  int file_;
};

// Card 0 of cards.toml has sockets for ports, card 1 capture files.
card::CardOptions options(std::uint32_t device = 0, const std::string& mode = "inline-both");

// The HAL library's own doors for tests.
struct linecrypt_model_state model_state(unsigned device = 0);
void fault(const char* name, std::uint64_t at_cycle = 0, std::uint64_t argument = 0);
void plug_all(unsigned device);  // both cables, between two cycles

struct OnCard {
  static constexpr Lease numbers{1, 1U << 20U};

  // Opens the card; nothing is installed.
  explicit OnCard(const gt::Scenario& settings = {}, std::uint32_t device = 0);

  void install(Lease egress = numbers, Lease ingress = numbers);
  void publish();
  // The card, opened anew after a loss.
  void reopen();

  [[nodiscard]] Bytes clear(std::size_t size = 200) const;  // from the site
  Bytes protected_frame(std::size_t size = 200);            // from the circuit, by the other gateway
  // What the other gateway makes of frames from the circuit: the clear frames that it puts out.
  std::vector<Bytes> released(const std::vector<Bytes>& frames);
  std::uint64_t verdicts(abi::Block direction, Verdict verdict);
  // Waits until the card has counted so many.
  void wait_for(abi::Block direction, Verdict verdict, std::uint64_t count);

  gt::Scenario scenario;
  gt::Pair pair;  // a: whose place the card takes, and its oracle; b: the far end
  std::uint32_t device;
  std::unique_ptr<card::InlineCard> card;
};

bool has_marker(const Bytes& frame);

}  // namespace linecrypt::inline_test
