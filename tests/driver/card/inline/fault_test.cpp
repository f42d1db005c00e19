// A bump-in-the-wire card that is killed, lost, hung or reset while frames are inside. Nothing can take its place, so
// what matters is what never happens. LINECRYPT_LONG=1: 300 moments.
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <set>

#include "linecrypt/verdict.hpp"
#include "linecrypt/wire/endian.hpp"
#include "tests/driver/card/inline/rig.hpp"
#include "tests/support/long_form.hpp"

namespace linecrypt::inline_test {
namespace {

constexpr std::uint64_t lent = 256;  // numbers of a session, each way
// Sequence number of ESP over IPv4 on an untagged port.
constexpr std::size_t sequence_at = 14 + 20 + 4;

}  // namespace

TEST_CASE(
    "a card that fails at any moment lets nothing clear out, repeats no number, and carries nothing until it is "
    "opened anew") {
  const int moments = test::long_form() ? 300 : 16;
  std::mt19937_64 random(20261124);
  OnCard rig;
  std::set<std::uint32_t> numbers;
  std::size_t delivered_in_all = 0;
  std::uint64_t begin = 1;
  std::uint64_t peer_number = 1;  // next of the other gateway's
  rig.install({begin, begin + lent}, {begin, begin + lent});
  rig.publish();
  Wire site("clear.socket");
  Wire circuit("black.socket");
  for (int moment = 0; moment < moments; ++moment) {
    const std::string kind = std::vector<std::string>{"kill", "reset", "hang", "lost"}[random() % 4];
    CAPTURE(moment, kind);
    // 1. Traffic both ways until the fault has struck.
    const std::uint64_t struck = model_state().faults;
    fault(kind.c_str(), model_state().now + random() % 15'000);
    std::vector<Bytes> sent;
    std::vector<Bytes> offered;
    std::size_t delivered = 0;
    const auto take = [&] {
      for (Bytes& frame : circuit.take_all()) sent.push_back(std::move(frame));
      delivered += site.take_all().size();
    };
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (model_state().faults == struck && std::chrono::steady_clock::now() < until) {
      (void)site.try_send(rig.clear(40 + random() % 1200));
      if (peer_number < begin + lent) {
        offered.push_back(rig.protected_frame(40 + random() % 1200));
        ++peer_number;
        if (!circuit.try_send(offered.back())) offered.pop_back();
      }
      take();
    }
    REQUIRE(model_state().faults > struck);
    const auto after = model_state();
    take();
    // 2. Now nothing moves, whatever comes.
    for (int i = 0; i < 8; ++i) {
      (void)site.try_send(rig.clear());
      if (!offered.empty()) (void)circuit.try_send(offered[0]);
      for (int j = 0; j < 20; ++j) (void)rig.card->link();
    }
    CHECK(model_state().port_out[abi::black_port] == after.port_out[abi::black_port]);
    CHECK(model_state().port_out[abi::clear_port] == after.port_out[abi::clear_port]);
    CHECK(circuit.take_all().empty());
    CHECK(site.take_all().empty());
    if (kind != "hang") CHECK_FALSE(rig.card->check().ok());
    // 3. Back: an operator resets what hangs, or the machine finds it again (then it goes on under its old lease until
    //    the driver resets it). A new session has nothing of the old one.
    if (kind == "hang") fault("reset");
    if (kind == "lost") fault("recover");
    rig.reopen();
    take();
    // 4. All that has left: protected, each number once and of this lease, whole frames that the peer takes.
    for (const Bytes& frame : sent) {
      CHECK_FALSE(has_marker(frame));
      const std::uint32_t number = wire::load32(frame.data() + sequence_at);
      CHECK(number >= begin);
      CHECK(number < begin + lent);
      CHECK(numbers.insert(number).second);
    }
    CHECK(rig.released(sent).size() == sent.size());
    delivered_in_all += delivered;
    // 5. Numbers behind the last lent, and none below the last ceiling is accepted: frames of before are not delivered
    //    again, although their replay window is gone; the next one is.
    begin += lent;
    rig.install({begin, begin + lent}, {begin, begin + lent});
    rig.publish();
    for (const Bytes& frame : offered) circuit.send(frame);
    for (; peer_number < begin; ++peer_number) (void)rig.protected_frame();
    circuit.send(rig.protected_frame());
    ++peer_number;
    site.take(1);
    CHECK(rig.verdicts(abi::ingress_port, Verdict::ok) == 1);
    const std::uint64_t refused = rig.verdicts(abi::ingress_port, Verdict::replay_late) +
                                  rig.verdicts(abi::ingress_port, Verdict::replay_duplicate);
    CHECK(refused >= offered.size());
    CHECK(site.take_all().empty());
  }
  CHECK(numbers.size() > 20);
  CHECK(delivered_in_all > 20);
}

}  // namespace linecrypt::inline_test
