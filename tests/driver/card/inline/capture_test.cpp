// Capture files as the ports of a bump-in-the-wire card: what two files hold is protected and released into two others.
#include <pcap/pcap.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/driver/card/inline/rig.hpp"

namespace linecrypt::inline_test {
namespace {

constexpr std::uint32_t capture_card = 1;  // of cards.toml

void write_capture(const char* name, const std::vector<Bytes>& frames) {
  pcap_t* const dead = pcap_open_dead(DLT_EN10MB, 65535);
  pcap_dumper_t* const file = pcap_dump_open(dead, name);
  REQUIRE(file != nullptr);
  for (const Bytes& frame : frames) {
    pcap_pkthdr header{};
    header.caplen = header.len = static_cast<bpf_u_int32>(frame.size());
    pcap_dump(reinterpret_cast<u_char*>(file), &header, frame.data());
  }
  pcap_dump_close(file);
  pcap_close(dead);
}

std::vector<Bytes> read_capture(const char* name) {
  std::string reason(PCAP_ERRBUF_SIZE, '\0');
  pcap_t* const file = pcap_open_offline(name, reason.data());
  INFO(name << ": " << reason.c_str());
  REQUIRE(file != nullptr);
  std::vector<Bytes> frames;
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (pcap_next_ex(file, &header, &data) == 1) frames.emplace_back(data, data + header->caplen);
  pcap_close(file);
  return frames;
}

}  // namespace

TEST_CASE("a capture of clear traffic becomes one of ESP on the circuit, and the circuit's capture clear traffic") {
  // 1. Files first: the card opens them when its bitstream is loaded.
  std::vector<Bytes> clear;
  std::vector<Bytes> circuit;
  {
    gt::Pair pair(gt::Scenario{});
    for (std::size_t i = 0; i < 100; ++i) {
      clear.push_back(pair.a.from_host(pair.a.site_packet(Family::ipv4, 20 + 13 * i)));
      pair.b.send(gt::clear_port, Origin::wire, pair.b.from_host(pair.b.site_packet(Family::ipv4, 20 + 13 * i)));
      circuit.push_back(pair.b.take_wire(gt::black_port).at(0));
    }
    // No policy names it.
    clear.push_back(pair.a.from_host(gt::udp_packet(pair.a.host(), gt::address("203.0.113.7"), 1, 2, gt::payload())));
  }
  write_capture("clear_in.pcap", clear);
  write_capture("black_in.pcap", circuit);
  // 2. The cables go in once the card has what it needs.
  OnCard rig({}, capture_card);
  rig.install();
  rig.publish();
  CHECK(model_state(capture_card).port_in[0] == 0);
  plug_all(capture_card);
  rig.wait_for(abi::egress_port, Verdict::policy_default, 1);
  rig.wait_for(abi::egress_port, Verdict::ok, 100);
  rig.wait_for(abi::ingress_port, Verdict::ok, 100);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const auto left = [] { return model_state(capture_card); };
  while ((left().port_out[0] < 100 || left().port_out[1] < 100) && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  // 3. As the software gateway does it.
  const std::vector<Bytes> sent = read_capture("black_out.pcap");
  const std::vector<Bytes> released = read_capture("clear_out.pcap");
  clear.pop_back();
  for (const Bytes& frame : clear) rig.pair.a.send(gt::clear_port, Origin::wire, frame);
  for (const Bytes& frame : circuit) rig.pair.a.send(gt::black_port, Origin::wire, frame);
  CHECK(sent == rig.pair.a.take_wire(gt::black_port));
  CHECK(released == rig.pair.a.take_wire(gt::clear_port));
  for (const Bytes& frame : sent) CHECK_FALSE(has_marker(frame));
  CHECK(rig.released(sent).size() == clear.size());
  CHECK(model_state(capture_card).port_lost[0] == 0);
  CHECK(model_state(capture_card).port_out_lost[1] == 0);
}

}  // namespace linecrypt::inline_test
