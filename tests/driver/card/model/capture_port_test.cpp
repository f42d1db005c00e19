// A port attached to capture files: what the first file holds goes in at the wire's speed, what leaves is written.
#include <pcap/pcap.h>

#include <chrono>
#include <cstring>
#include <random>
#include <thread>

#include "tests/driver/card/model/rig.hpp"

namespace linecrypt::test {
namespace {

constexpr std::size_t frames = 500;

using Frame = std::vector<unsigned char>;

const std::vector<Frame>& traffic() {
  static const auto all = [] {
    std::mt19937 random(42);
    std::vector<Frame> made;
    for (std::size_t i = 0; i < frames; ++i) {
      made.emplace_back(60 + random() % 9000);
      for (auto& byte : made.back()) byte = static_cast<unsigned char>(random());
    }
    return made;
  }();
  return all;
}

// The input file must be there before the card is opened: two_cards.toml names it for card 1.
const bool written = [] {
  pcap_t* dead = pcap_open_dead(DLT_EN10MB, 65535);
  pcap_dumper_t* file = pcap_dump_open(dead, LINECRYPT_SCRATCH "/in.pcap");
  for (const Frame& frame : traffic()) {
    pcap_pkthdr header{};
    header.caplen = header.len = static_cast<bpf_u_int32>(frame.size());
    pcap_dump(reinterpret_cast<u_char*>(file), &header, frame.data());
  }
  pcap_dump_close(file);
  pcap_close(dead);
  return true;
}();

}  // namespace

TEST_CASE("a capture file plays through the card into another, in order, and the wire's speed is the virtual clock's") {
  REQUIRE(written);
  const CopierRig rig(1);  // a card image of no linecrypt takes frames at once
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (model_state(1).port_out[1] < frames && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  const auto state = model_state(1);
  REQUIRE(state.port_in[0] == frames);
  CHECK(state.port_lost[0] == 0);
  REQUIRE(state.port_out[1] == frames);
  CHECK(state.port_out_lost[1] == 0);

  std::string reason(PCAP_ERRBUF_SIZE, '\0');
  pcap_t* file = pcap_open_offline(LINECRYPT_SCRATCH "/out1.pcap", reason.data());
  REQUIRE(file != nullptr);
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  for (const Frame& frame : traffic()) {
    REQUIRE(pcap_next_ex(file, &header, &data) == 1);
    REQUIRE(header->caplen == frame.size());
    REQUIRE(std::memcmp(data, frame.data(), frame.size()) == 0);
  }
  CHECK(pcap_next_ex(file, &header, &data) == PCAP_ERROR_BREAK);
  pcap_close(file);
}

}  // namespace linecrypt::test
