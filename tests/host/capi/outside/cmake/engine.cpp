// A program that knows nothing but the installed C++ headers: drives two engines itself, its own slots and leases, with
// an ESP packet and a MACsec frame. Exit 0 only if all of it held.
#include <linecrypt/linecrypt.h>
#include <linecrypt/engine.hpp>
#include <linecrypt/mtu.hpp>
#include <linecrypt/software.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

using namespace linecrypt;

namespace {

constexpr std::uint32_t headroom = 128;
constexpr std::uint32_t length = 14 + 20 + 100;

int fail(const std::string& what) {
  std::fprintf(stderr, "engine: %s\n", what.c_str());
  return 1;
}

std::uint64_t now_ns(void*) {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

std::vector<std::uint8_t> make_frame() {
  std::vector<std::uint8_t> frame = {2,   0, 0, 0,    0, 2,  2,  0, 0, 0,  0, 1, 8, 0,  0x45, 0, 0,
                                     120, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 2,    0, 1};
  std::uint32_t sum = 0;
  for (std::size_t i = 14; i < 34; i += 2) sum += static_cast<std::uint32_t>(frame[i] << 8 | frame[i + 1]);
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  frame[24] = static_cast<std::uint8_t>(~sum >> 8);
  frame[25] = static_cast<std::uint8_t>(~sum);
  for (std::uint32_t i = 34; i < length; ++i) frame.push_back(static_cast<std::uint8_t>(i));
  return frame;
}

struct Side {
  std::vector<SaSlot> slots = std::vector<SaSlot>(4);
  std::unique_ptr<Engine> engine;

  bool open(SoftwareProvider provider) {
    auto made = create_software_engine(provider);
    if (!made) return false;
    engine = std::move(*made);
    EngineSetup setup;
    setup.slots = slots;
    setup.reclamation = {nullptr, [](void*) {}};
    setup.clock = {nullptr, now_ns};
    return engine->open(setup).ok();
  }
  Verdict run(Packet& packet, SaId sa, Operation operation) {
    Job job;
    job.source = job.destination = &packet;
    job.stages[0] = {sa, operation};
    Job* list = &job;
    if (engine->submit(QueueId{0}, std::span<Job* const>(&list, 1)) != 1) return Verdict::engine_busy;
    for (int i = 0; job.verdict == Verdict::pending && i < 1000000; ++i)
      engine->poll(QueueId{0}, std::span<Job*>(&list, 1));
    return job.verdict;
  }
};

int round_trip(Side& a, Side& b, SaId sa, Operation there, Operation back) {
  const std::vector<std::uint8_t> frame = make_frame();
  std::array<std::uint8_t, 512> memory{};
  Packet packet;
  packet.data = memory.data() + headroom;
  packet.headroom = headroom;
  packet.tailroom = static_cast<std::uint32_t>(memory.size()) - headroom;
  packet.set_length(length);
  std::memcpy(packet.data, frame.data(), length);
  if (const Verdict verdict = a.run(packet, sa, there); verdict != Verdict::ok) return fail(std::string(name(verdict)));
  if (there == Operation::esp_encapsulate && packet.length != 14 + mtu::esp_packet_size({}, 120))
    return fail("ESP packet of another size than mtu.hpp says");
  if (const Verdict verdict = b.run(packet, sa, back); verdict != Verdict::ok) return fail(std::string(name(verdict)));
  if (packet.length != length || std::memcmp(packet.data, frame.data(), length) != 0) return fail("differs");
  return 0;
}

Sa esp(Direction direction) {
  std::array<std::uint8_t, 36> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 3 + 1);
  EspSa sa;
  sa.spi = 0x2002;
  sa.direction = direction;
  sa.key = Secret<32>(std::span(bytes).first(32));
  sa.salt = Secret<4>(std::span(bytes).subspan(32));
  sa.source = *IpAddress::parse("192.0.2.1");
  sa.destination = *IpAddress::parse("192.0.2.2");
  return sa;
}

Sa macsec(Direction direction) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 11 + 5);
  MacsecSa sa;
  sa.secy.suite = CipherSuite::gcm_aes_128;
  sa.direction = direction;
  sa.sci = {*MacAddress::parse("02:00:00:00:00:01"), 1};
  sa.key = Secret<32>(bytes);
  return sa;
}

}  // namespace

int main() {
  if (lc_version() != LC_VERSION) return fail("another library than the header's");
  for (const SoftwareProvider provider : {SoftwareProvider::automatic, SoftwareProvider::openssl}) {
    Side a;
    Side b;
    if (!a.open(provider) || !b.open(provider)) return fail("open");
    const SaId first{0, 1};
    const SaId second{1, 1};
    if (!check(a.engine->capabilities(), std::get<EspSa>(esp(Direction::egress)))) return fail("check");
    if (!a.engine->install(first, esp(Direction::egress), {1, 1000}, 0)) return fail("install esp out");
    if (!b.engine->install(first, esp(Direction::ingress), {}, 0)) return fail("install esp in");
    if (!a.engine->install(second, macsec(Direction::egress), {1, 1000}, 0)) return fail("install macsec tx");
    if (!b.engine->install(second, macsec(Direction::ingress), {}, 0)) return fail("install macsec rx");
    if (round_trip(a, b, first, Operation::esp_encapsulate, Operation::esp_decapsulate) != 0) return 1;
    if (round_trip(a, b, second, Operation::macsec_protect, Operation::macsec_validate) != 0) return 1;
    a.engine->close();
    b.engine->close();
  }
  std::puts("engine: ESP and MACsec through the C++ interface came back equal");
  return 0;
}
