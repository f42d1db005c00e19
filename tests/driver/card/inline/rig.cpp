#include "tests/driver/card/inline/rig.hpp"

#include <dlfcn.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace linecrypt::inline_test {
namespace {

// A frame that is expected and does not come: no measure of speed, for the machine may be busy.
constexpr int patience_ms = 30'000;

template <typename Function>
Function model(const char* name) {
  void* const found = dlsym(RTLD_DEFAULT, name);
  if (found == nullptr) FAIL(name << ": not there; is this the emulated card?");
  return reinterpret_cast<Function>(found);
}

}  // namespace

// ---- wire ----

Wire::Wire(const std::string& path) : file_(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  INFO(path);
  REQUIRE(connect(file_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}
Wire::~Wire() {
  close(file_);
}

void Wire::send(const Bytes& frame) {
  REQUIRE(::send(file_, frame.data(), frame.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(frame.size()));
}

bool Wire::try_send(const Bytes& frame) {
  return ::send(file_, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(frame.size());
}

bool Wire::next(Bytes& frame, int milliseconds) {
  pollfd wait{file_, POLLIN, 0};
  if (poll(&wait, 1, milliseconds) <= 0) return false;
  frame.resize(abi::frame_largest + 64);
  const ssize_t got = recv(file_, frame.data(), frame.size(), MSG_DONTWAIT);
  if (got <= 0) return false;
  frame.resize(static_cast<std::size_t>(got));
  return true;
}

std::vector<Bytes> Wire::take(std::size_t count) {
  std::vector<Bytes> frames(count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool came = next(frames[i], patience_ms);
    INFO("frame " << i << " of " << count << ": " << std::strerror(errno));
    REQUIRE(came);
  }
  return frames;
}

std::vector<Bytes> Wire::take_all() {
  std::vector<Bytes> frames;
  for (Bytes frame; next(frame, 0);) frames.push_back(frame);
  return frames;
}

// ---- card ----

card::CardOptions options(std::uint32_t device, const std::string& mode) {
  const char* const folder = std::getenv("LINECRYPT_BITSTREAMS");
  INFO("LINECRYPT_BITSTREAMS names the folder with the emulated card's bitstreams; CTest sets it");
  REQUIRE(folder != nullptr);
  card::CardOptions made;
  made.device = device;
  made.xclbin = std::string(folder) + "/linecrypt-emulated-" + mode + ".xclbin";
  return made;
}

struct linecrypt_model_state model_state(unsigned device) {
  struct linecrypt_model_state state {};
  REQUIRE(model<decltype(&::linecrypt_model_report)>("linecrypt_model_report")(device, &state) == 0);
  return state;
}
void fault(const char* name, std::uint64_t at_cycle, std::uint64_t argument) {
  REQUIRE(model<decltype(&::linecrypt_model_fault)>("linecrypt_model_fault")(0, name, at_cycle, argument) == 0);
}
// A frame that crosses before the other cable is in would be lost.
void plug_all(unsigned device) {
  REQUIRE(model<decltype(&::linecrypt_model_hold)>("linecrypt_model_hold")(device) == 0);
  for (const unsigned port : {abi::clear_port, abi::black_port})
    REQUIRE(model<decltype(&::linecrypt_model_cable)>("linecrypt_model_cable")(device, port, 1) == 0);
  REQUIRE(model<decltype(&::linecrypt_model_release)>("linecrypt_model_release")(device) == 0);
}

OnCard::OnCard(const gt::Scenario& settings, std::uint32_t which) : scenario(settings), pair(settings), device(which) {
  ports_test::take_third_port(pair.a);
  reopen();
}

void OnCard::reopen() {
  card.reset();
  auto opened = card::InlineCard::open(options(device));
  if (!opened) FAIL(opened.error().message);
  card = std::move(*opened);
}

void OnCard::install(Lease egress, Lease ingress) {
  for (const ports_test::GatewaySa& one : ports_test::gateway_sas(pair.a)) {
    const bool in = std::visit([](const auto& sa) { return sa.direction == Direction::ingress; }, one.sa);
    const auto done = card->install(one.id, one.sa, in ? ingress : egress);
    if (!done) FAIL(done.error().message);
  }
}

void OnCard::publish() {
  const auto done = card->publish(ports_test::inline_gateway(pair.a, scenario));
  if (!done) FAIL(done.error().message);
}

Bytes OnCard::clear(std::size_t size) const {
  return pair.a.from_host(pair.a.site_packet(Family::ipv4, size));
}

Bytes OnCard::protected_frame(std::size_t size) {
  pair.b.send(gt::clear_port, Origin::wire, pair.b.from_host(pair.b.site_packet(Family::ipv4, size)));
  return pair.b.take_wire(gt::black_port).at(0);
}

std::vector<Bytes> OnCard::released(const std::vector<Bytes>& frames) {
  for (const Bytes& frame : frames) pair.b.send(gt::black_port, Origin::wire, frame);
  return pair.b.take_wire(gt::clear_port);
}

std::uint64_t OnCard::verdicts(abi::Block direction, Verdict verdict) {
  const auto count = card->verdicts(direction, verdict);
  if (!count) FAIL(count.error().message);
  return *count;
}

void OnCard::wait_for(abi::Block direction, Verdict verdict, std::uint64_t count) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (verdicts(direction, verdict) < count && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  REQUIRE(verdicts(direction, verdict) == count);
}

bool has_marker(const Bytes& frame) {
  return gt::contains(frame, gt::marker);
}

}  // namespace linecrypt::inline_test
