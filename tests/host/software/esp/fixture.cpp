#include "tests/host/software/esp/fixture.hpp"

#include <algorithm>
#include <cstring>
#include <deque>

#include "host/engines/delaying.hpp"
#include "host/software/engine.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "tests/support/waiting.hpp"

namespace linecrypt::test {

std::vector<EngineChoice> engines(bool quick) {
  static const bool fast = software::make_provider(software::ProviderChoice::ipsec_mb).ok();
  static const bool ours = software::make_provider(software::ProviderChoice::vaes).ok();
  std::vector<EngineChoice> out;
  if (emulated_card_here()) out.push_back({"card (emulated)", software::ProviderChoice::automatic, false, true});
  if (emulated_card_here() && only_card()) return out;
  for (const bool delaying : {false, true}) {
    if (delaying && quick) break;
    out.push_back({delaying ? "openssl, delaying" : "openssl", software::ProviderChoice::openssl, delaying});
    if (fast)
      out.push_back({delaying ? "ipsec-mb, delaying" : "ipsec-mb", software::ProviderChoice::ipsec_mb, delaying});
    if (ours) out.push_back({delaying ? "vaes, delaying" : "vaes", software::ProviderChoice::vaes, delaying});
  }
  return out;
}

EspBench::EspBench(const EngineChoice& choice, std::uint32_t slots)
    : count_(slots), slots_(std::make_unique<SaSlot[]>(slots)), framed_(!choice.card && GENERATE(false, true)) {
  if (choice.card) {
    engine_ = make_emulated_card();
  } else {
    auto engine = software::make_software_engine({.provider = choice.provider});
    REQUIRE(engine.ok());
    engine_ = std::move(engine).value();
    if (choice.delaying) engine_ = engines::make_delaying_engine(std::move(engine_));
  }
  EngineSetup setup;
  setup.slots = {slots_.get(), count_};
  setup.reclamation.wait_for_workers = [](void*) {};
  setup.clock.now_ns = [](void*) { return std::uint64_t{0}; };
  REQUIRE(engine_->open(setup).ok());
}

EspBench::~EspBench() {
  engine_->close();
}

SaId EspBench::install(const EspSa& sa, std::uint64_t first, std::uint64_t window_top, std::uint64_t end) {
  REQUIRE(next_ < count_);
  skip_unless_able(*engine_, Sa(sa.duplicate()));
  const SaId id{next_++, 1};
  const bool egress = sa.direction == Direction::egress;
  if (!sa.esn) end = std::min<std::uint64_t>(end, std::uint64_t{1} << 32U);
  const auto done =
      engine_->install(id, Sa(sa.duplicate()), egress ? Lease{first, end} : Lease{}, egress ? 0 : window_top);
  INFO((done.ok() ? std::string() : done.error().message));
  REQUIRE(done.ok());
  return id;
}

void EspBench::remove(SaId id) {
  REQUIRE(engine_->remove(id).ok());
}

Outcome EspBench::run(Operation operation, SaId id, const Bytes& bytes, std::uint16_t l2_length, Room room) {
  return burst(operation, id, {bytes}, l2_length, room).front();
}

namespace {

Bytes framed(const Bytes& packet) {
  return ethernet(!packet.empty() && packet[0] >> 4U == 6 ? wire::ethertype_ipv6 : wire::ethertype_ipv4, packet);
}

// The frame's packet, behind the header that it must have now.
Bytes unframed(const Bytes& frame) {
  REQUIRE(frame.size() >= wire::ethernet_size);
  Bytes packet(frame.begin() + wire::ethernet_size, frame.end());
  if (!packet.empty()) CHECK(frame == framed(packet));
  return packet;
}

}  // namespace

std::vector<Outcome> EspBench::burst(Operation operation, SaId id, const std::vector<Bytes>& packets,
                                     std::uint16_t l2_length, Room room) {
  if (l2_length != 0 || !framed_) return burst_of_frames(operation, id, packets, l2_length, room);
  std::vector<Bytes> frames;
  for (const Bytes& packet : packets) frames.push_back(framed(packet));
  std::vector<Outcome> out = burst_of_frames(operation, id, frames, wire::ethernet_size, room);
  for (Outcome& one : out) {
    // A refused packet may have any version, and its header is as it came.
    one.packet =
        is_drop(one.verdict) ? Bytes(one.packet.begin() + wire::ethernet_size, one.packet.end()) : unframed(one.packet);
    one.memory.erase(one.memory.begin(), one.memory.begin() + wire::ethernet_size);
  }
  return out;
}

std::vector<Outcome> EspBench::burst_of_frames(Operation operation, SaId id, const std::vector<Bytes>& packets,
                                               std::uint16_t l2_length, Room room) {
  // Each packet in memory of exactly its size, so that a sanitizer sees the first byte too far.
  struct Held {
    std::unique_ptr<std::uint8_t[]> memory;
    Packet packet;
    Job job;
  };
  std::deque<Held> held;
  std::vector<Job*> waiting;
  for (const Bytes& bytes : packets) {
    Held& one = held.emplace_back();
    const std::size_t size = room.head + bytes.size() + room.tail;
    one.memory = std::make_unique<std::uint8_t[]>(size);
    std::memset(one.memory.get(), 0xA5, size);
    if (!bytes.empty()) std::memcpy(one.memory.get() + room.head, bytes.data(), bytes.size());
    one.packet = {.data = one.memory.get() + room.head,
                  .length = static_cast<std::uint32_t>(bytes.size()),
                  .headroom = room.head,
                  .tailroom = room.tail};
    one.job.source = &one.packet;
    one.job.destination = &one.packet;
    one.job.stages[0] = {.sa = id, .operation = operation};
    one.job.l2_length = l2_length;
    waiting.push_back(&one.job);
  }
  // Submit all, poll until none is pending. A synchronous engine finishes in submit().
  std::size_t submitted = 0;
  Waiting patience;
  const auto unfinished = [&] {
    return submitted < waiting.size() ||
           std::any_of(waiting.begin(), waiting.end(), [](const Job* job) { return job->verdict == Verdict::pending; });
  };
  std::vector<Job*> done(waiting.size());
  while (unfinished()) {
    const std::uint32_t accepted = engine_->submit(QueueId{0}, std::span<Job* const>(waiting).subspan(submitted));
    submitted += accepted;
    const std::uint32_t finished = engine_->poll(QueueId{0}, done);
    if (patience.turn(accepted != 0 || finished != 0)) continue;
    // The jobs go away with the test, so nobody may work on them any more.
    engine_->close();
    FAIL("the engine finishes no more jobs");
  }
  std::vector<Outcome> out;
  for (std::size_t i = 0; i < held.size(); ++i) {
    Held& one = held[i];
    const std::uint8_t* came = one.memory.get() + room.head;
    // The view stays inside its memory.
    REQUIRE(one.packet.data - one.packet.headroom == one.memory.get());
    REQUIRE(std::size_t{one.packet.headroom} + one.packet.length + one.packet.tailroom ==
            room.head + packets[i].size() + room.tail);
    out.push_back({.verdict = one.job.verdict,
                   .packet = Bytes(one.packet.data, one.packet.data + one.packet.length),
                   .memory = Bytes(came, came + packets[i].size()),
                   .number = one.job.number});
  }
  return out;
}

EspSa make_sa(const Shape& shape, Direction direction) {
  EspSa sa;
  sa.spi = 0x1000 + static_cast<std::uint32_t>(shape.algorithm);
  sa.direction = direction;
  sa.mode = shape.mode;
  sa.algorithm = shape.algorithm;
  sa.key = Secret<32>(noise(key_size(shape.algorithm), 77));
  sa.salt = Secret<4>(noise(4, 78));
  sa.esn = shape.esn;
  const bool ipv4 = (shape.mode == EspMode::tunnel ? shape.outer : shape.inner) == Family::ipv4;
  if (shape.mode == EspMode::tunnel) {
    sa.source = address(ipv4 ? "192.0.2.1" : "2001:db8::1");
    sa.destination = address(ipv4 ? "192.0.2.2" : "2001:db8::2");
  } else {
    sa.source = address(ipv4 ? "10.1.0.7" : "2001:db8:1::7");
    sa.destination = address(ipv4 ? "10.2.0.9" : "2001:db8:2::9");
  }
  if (shape.udp) sa.udp = UdpEncapsulation{};
  return sa;
}

std::string describe(const Shape& shape) {
  std::string text = shape.mode == EspMode::tunnel ? "tunnel" : "transport";
  text += shape.inner == Family::ipv4 ? " IPv4" : " IPv6";
  if (shape.mode == EspMode::tunnel) text += shape.outer == Family::ipv4 ? " in IPv4" : " in IPv6";
  static const char* algorithms[] = {"gcm-128", "gcm-192", "gcm-256", "gmac-128", "gmac-192", "gmac-256"};
  text += std::string(", ") + algorithms[static_cast<std::size_t>(shape.algorithm)];
  if (shape.esn) text += ", ESN";
  if (shape.udp) text += ", UDP";
  return text;
}

std::vector<Shape> shapes() {
  std::vector<Shape> out;
  for (const EspMode mode : {EspMode::tunnel, EspMode::transport})
    for (const Family outer : {Family::ipv4, Family::ipv6})
      for (const Family inner : {Family::ipv4, Family::ipv6})
        for (int algorithm = 0; algorithm < 6; ++algorithm)
          for (const bool esn : {false, true})
            for (const bool with_udp : {false, true}) {
              if (mode == EspMode::transport && outer != inner) continue;
              out.push_back({mode, outer, inner, static_cast<EspAlgorithm>(algorithm), esn, with_udp});
            }
  return out;
}

bool zero_from(const Bytes& memory, std::size_t offset) {
  return offset < memory.size() &&
         std::all_of(memory.begin() + static_cast<std::ptrdiff_t>(offset), memory.end(), [](auto b) { return b == 0; });
}

std::size_t text_offset(const EspSa& sa, std::size_t l2_length) {
  return l2_length + (sa.source.family == Family::ipv4 ? 20U : 40U) + (sa.udp ? 8U : 0U) + 16U;
}

}  // namespace linecrypt::test
