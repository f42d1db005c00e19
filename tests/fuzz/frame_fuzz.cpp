// Frames into a whole gateway: Ethernet, VLAN, SecTAG, ARP, IP, ND, IKE, ICMP and ESP parsers as the pipeline runs
// them.
//
// Input: one byte of choices, then the frame.
//   bits 0-1  port            bit 2  from the companion      bit 3  the gateway with MACsec on its circuit
//   bits 4-5  0: as it stands                1: the MACs, IPv4 length and checksum set right
//             2: the text of an ESP packet, sealed with the tunnel's key: what a peer that has the keys can send
//             3: an Ethernet frame, protected with the MACsec key
//
// After each frame: it was counted under one verdict and is in nobody's hands; no byte outside a buffer was written;
// and nothing passed in clear, for no policy allows it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "host/gateway/pipeline/pipeline.hpp"
#include "host/software/aead/provider.hpp"
#include "host/software/engine.hpp"
#include "host/tables/slot_table.hpp"
#include "linecrypt/wire/checksum.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "tests/host/gateway/pipeline/memory_io.hpp"

namespace {

using namespace linecrypt;
using namespace linecrypt::gateway;

constexpr std::uint8_t esp_key[32] = {1, 2, 3};
constexpr std::uint8_t esp_salt[4] = {4, 5, 6, 7};
constexpr std::uint8_t macsec_key[32] = {8, 9};
constexpr std::uint32_t spi_in = 0x1001;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "frame_fuzz: %s\n", what);
  std::abort();
}
template <typename T>
T must(Result<T> result) {
  if (!result) fail(result.error().message.c_str());
  return std::move(result).value();
}
void must(const Result<void>& result) {
  if (!result) fail(result.error().message.c_str());
}

IpAddress address(std::string_view text) {
  return must(IpAddress::parse(text));
}
MacAddress port_mac(std::size_t port) {
  return {{2, 0, 0, 0, 0, static_cast<std::uint8_t>(port)}};
}
const MacAddress peer_mac = {{2, 0, 0, 0, 0, 0x99}};

std::uint64_t now_ns(void* self) {
  return *static_cast<std::uint64_t*>(self) += 1000;
}

EspSa esp_sa(Direction direction) {
  EspSa sa;
  sa.spi = direction == Direction::ingress ? spi_in : 0x2002;
  sa.direction = direction;
  sa.key = Secret<32>(esp_key);
  sa.salt = Secret<4>(esp_salt);
  sa.esn = false;  // the number is what stands in the packet
  sa.replay_disabled = true;
  sa.replay_window = 0;
  const bool in = direction == Direction::ingress;
  sa.source = address(in ? "192.0.2.2" : "192.0.2.1");
  sa.destination = address(in ? "192.0.2.1" : "192.0.2.2");
  return sa;
}

MacsecSa macsec_sa(const MacsecSecY& secy, Direction direction, const Sci& sci) {
  MacsecSa sa;
  sa.secy = secy;
  sa.direction = direction;
  sa.sci = sci;
  sa.key = Secret<32>(macsec_key);
  return sa;
}

// A gateway of one clear and two black ports, without a policy that lets anything pass in clear.
class Gateway {
 public:
  explicit Gateway(bool macsec) {
    engine_ = must(software::make_software_engine({software::ProviderChoice::openssl}));
    EngineSetup open;
    open.slots = slots_.slots();
    open.reclamation.wait_for_workers = [](void*) {};
    open.clock = {&now_, now_ns};
    must(engine_->open(open));
    // 1. A tunnel with both SAs; the ingress SA takes any inner packet, so that the pipeline has to judge it.
    auto tunnel = std::make_unique<TunnelState>();
    tunnel->source = address("192.0.2.1");
    tunnel->destination = address("192.0.2.2");
    tunnel->carry_with(install(esp_sa(Direction::egress)), 0x2002);
    must(spi_table_.insert(spi_in, install(esp_sa(Direction::ingress))));
    tunnels_.push_back(std::move(tunnel));
    Policy policy;
    policy.name = "all";
    policy.action = PolicyAction::protect;
    policy.tunnel = "t";
    policy.selectors = {{must(Prefix::parse("0.0.0.0/0")), must(Prefix::parse("0.0.0.0/0")), std::nullopt, {}, {}},
                        {must(Prefix::parse("::/0")), must(Prefix::parse("::/0")), std::nullopt, {}, {}}};
    spd_ = must(tables::Spd::build({policy}, {"t"}));
    // 2. Ports.
    PipelineSetup setup;
    for (std::size_t i = 0; i < 3; ++i) {
      PortSettings port;
      port.side = i == 0 ? config::Side::clear : config::Side::black;
      port.mac = port_mac(i);
      setup.ports.push_back(port);
    }
    setup.ports[2].vlan = {{0x8100, 100}};
    if (macsec) {
      MacsecSecY settings;
      settings.suite = CipherSuite::gcm_aes_256;
      settings.replay_protect = false;
      const Sci ours{port_mac(1), 1};
      const Sci theirs{peer_mac, 1};
      secy_ = std::make_unique<tables::Secy>(settings, ours);
      must(secy_->add_receive_sc(theirs));
      must(secy_->set_receive_sa(theirs, 0, install(macsec_sa(settings, Direction::ingress, theirs))));
      must(secy_->set_transmit_sa(0, install(macsec_sa(settings, Direction::egress, ours))));
      must(secy_->transmit_with(0));
      peer_sa_ = install(macsec_sa(settings, Direction::egress, theirs));
      setup.ports[1].secy = secy_.get();
    }
    // 3. The pipeline, and where things are.
    setup.engine = engine_.get();
    setup.spi_table = &spi_table_;
    setup.spd = spd_.get();
    setup.tunnels = tunnels_;
    setup.io = &io;
    setup.clock = {&now_, now_ns};
    pipeline = std::make_unique<Pipeline>(setup);
    FibInput input;
    for (const auto& [port, text, length] : {std::tuple{0, "10.1.0.1", 16},
                                             {1, "192.0.2.1", 24},
                                             {2, "198.51.100.1", 24},
                                             {0, "2001:db8:1::1", 48},
                                             {1, "2001:db8:ff::1", 64},
                                             {1, "fe80::1", 64}})
      input.addresses.push_back({static_cast<PortIndex>(port), address(text), static_cast<std::uint8_t>(length)});
    for (const auto& [port, text] : {std::pair{0, "10.1.0.10"}, {0, "2001:db8:1::10"}, {1, "192.0.2.2"}})
      input.neighbours.push_back({static_cast<PortIndex>(port), address(text), peer_mac});
    fib_ = Fib::build(input);
    pipeline->publish(fib_.get());
    io.quiet = true;
  }

  // What the peer's SecY makes of this frame.
  test::Bytes protect(const test::Bytes& bytes) {
    Frame* frame = io.make(bytes);
    Job job;
    job.source = job.destination = &frame->packet;
    job.stages[0] = {peer_sa_, Operation::macsec_protect};
    Job* jobs[] = {&job};
    engine_->submit(QueueId{}, jobs);
    test::Bytes out;
    if (job.verdict == Verdict::ok) out.assign(frame->packet.data, frame->packet.data + frame->packet.length);
    io.release({&frame, 1});
    return out;
  }

  test::MemoryIo io{3};
  std::unique_ptr<Pipeline> pipeline;

 private:
  template <typename SaType>
  SaId install(SaType sa) {
    const SaId id = must(slots_.allocate());
    const Lease lease = sa.direction == Direction::egress ? Lease{1, std::uint64_t{1} << 31U} : Lease{};
    must(engine_->install(id, Sa{std::move(sa)}, lease, 0));
    return id;
  }

  std::uint64_t now_ = 1;
  tables::SlotTable slots_{16};
  std::unique_ptr<Engine> engine_;
  tables::SpiTable spi_table_{16};
  std::unique_ptr<tables::Spd> spd_;
  std::vector<std::unique_ptr<TunnelState>> tunnels_;
  std::unique_ptr<tables::Secy> secy_;
  SaId peer_sa_{};
  std::unique_ptr<const Fib> fib_;
};

// An ESP packet from the peer whose text, trailer and all, is `text` (RFC 4106).
test::Bytes seal_esp(const test::Bytes& text) {
  static const auto provider = must(software::make_provider(software::ProviderChoice::openssl));
  static void* context = [] {
    void* memory = std::aligned_alloc(64, (provider->context_size() + 63) / 64 * 64);
    must(provider->expand(esp_key, memory));
    return memory;
  }();
  static std::uint32_t number = 0;
  ++number;
  test::Bytes packet(20 + 16 + text.size() + 16);
  std::uint8_t* ip = packet.data();
  ip[0] = 0x45;
  wire::store16(ip + 2, static_cast<std::uint16_t>(packet.size()));
  ip[8] = 64;
  ip[9] = 50;
  std::memcpy(ip + 12, address("192.0.2.2").bytes.data(), 4);
  std::memcpy(ip + 16, address("192.0.2.1").bytes.data(), 4);
  wire::store16(ip + 10, wire::checksum(ip, 20));
  std::uint8_t* esp = ip + 20;
  wire::store32(esp, spi_in);
  wire::store32(esp + 4, number);
  wire::store64(esp + 8, number);
  software::AeadOp op;
  op.key = context;
  std::memcpy(op.iv, esp_salt, 4);
  std::memcpy(op.iv + 4, esp + 8, 8);
  op.aad_head = esp;
  op.aad_head_length = 8;
  op.in = text.data();
  op.out = esp + 16;
  op.length = static_cast<std::uint32_t>(text.size());
  op.tag = esp + 16 + text.size();
  provider->seal({&op, 1});
  return packet;
}

test::Bytes with_header(std::size_t port, const test::Bytes& packet) {
  test::Bytes frame(14);
  std::memcpy(frame.data(), port_mac(port).bytes.data(), 6);
  std::memcpy(frame.data() + 6, peer_mac.bytes.data(), 6);
  wire::store16(&frame[12], wire::ethertype_ipv4);
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

// So that a frame is not turned away at the door.
void set_right(test::Bytes& frame, std::size_t port, bool companion) {
  if (frame.size() < 14) return;
  if (companion) {
    std::memcpy(&frame[6], port_mac(port).bytes.data(), 6);
  } else {
    if ((frame[0] & 1U) == 0) std::memcpy(frame.data(), port_mac(port).bytes.data(), 6);
    frame[6] &= 0xfe;
  }
  if (frame.size() < 34 || wire::load16(&frame[12]) != wire::ethertype_ipv4) return;
  const std::size_t header = std::clamp<std::size_t>((frame[14] & 0x0fU) * 4U, 20, frame.size() - 14);
  wire::store16(&frame[16], static_cast<std::uint16_t>(frame.size() - 14));
  wire::store16(&frame[24], 0);
  wire::store16(&frame[24], wire::checksum(&frame[14], static_cast<std::uint32_t>(header)));
}

std::uint64_t came_in(const Pipeline& pipeline) {
  std::uint64_t sum = 0;
  for (PortIndex port = 0; port < 3; ++port) {
    const PortCounters& counters = pipeline.counters(port);
    sum += counters.received_frames.get() + counters.companion_frames.get() + counters.made_frames.get();
  }
  return sum;
}
std::uint64_t ended(const Pipeline& pipeline) {
  std::uint64_t sum = 0;
  for (PortIndex port = 0; port < 3; ++port)
    for (std::size_t i = 0; i < verdict_count; ++i)
      sum += pipeline.counters(port).verdicts.get(static_cast<Verdict>(i));
  return sum;
}

Gateway& plain() {
  static Gateway gateway(false);
  return gateway;
}
Gateway& with_macsec() {
  static Gateway gateway(true);
  return gateway;
}

// The sealed ways in do reach what lies behind the keys: a right inner packet comes out at the site.
void check_sealed_ways() {
  test::Bytes inner(28);
  inner[0] = 0x45;
  inner[3] = 28;
  inner[8] = 64;
  inner[9] = 17;
  std::memcpy(&inner[12], address("10.2.0.10").bytes.data(), 4);
  std::memcpy(&inner[16], address("10.1.0.10").bytes.data(), 4);
  wire::store16(&inner[10], wire::checksum(inner.data(), 20));
  inner.insert(inner.end(), {1, 2, 2, 4});  // ESP padding, its length, next header
  for (Gateway* gateway : {&plain(), &with_macsec()}) {
    test::Bytes frame = with_header(1, seal_esp(inner));
    if (gateway == &with_macsec()) frame = gateway->protect(frame);
    Frame* made = gateway->io.make(frame);
    gateway->pipeline->process(1, Origin::wire, {&made, 1});
    if (gateway->io.transmitted != 1) fail("a sealed packet does not reach the site");
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  check_sealed_ways();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 4000) return 0;
  const std::uint8_t choice = data[0];
  std::size_t port = (choice & 3U) % 3;
  bool companion = (choice & 4U) != 0;
  Gateway& gateway = (choice & 8U) != 0 ? with_macsec() : plain();
  test::Bytes frame(data + 1, data + size);
  switch (choice >> 4U & 3U) {
    case 0:
      break;
    case 1:
      set_right(frame, port, companion);
      break;
    case 2:
      port = 1;
      companion = false;
      frame = with_header(port, seal_esp(frame));
      if (&gateway == &with_macsec()) frame = gateway.protect(frame);
      break;
    default:
      port = 1;
      companion = false;
      set_right(frame, port, companion);
      frame = with_macsec().protect(frame);
      break;
  }

  Frame* made = gateway.io.make(frame);
  gateway.pipeline->process(static_cast<PortIndex>(port), companion ? Origin::companion : Origin::wire, {&made, 1});
  while (gateway.pipeline->in_flight() != 0) gateway.pipeline->poll();
  gateway.pipeline->tick();

  if (came_in(*gateway.pipeline) != ended(*gateway.pipeline)) fail("a frame was not counted once");
  if (gateway.io.held() != 0) fail("a frame was kept");
  if (gateway.io.mistakes != 0) fail("a frame was given away twice, or written outside its memory");
  for (PortIndex i = 0; i < 3; ++i) {
    const VerdictCounters& verdicts = gateway.pipeline->counters(i).verdicts;
    if (verdicts.get(Verdict::bypassed) + verdicts.get(Verdict::request_clear) != 0) fail("a frame passed in clear");
  }
  return 0;
}
