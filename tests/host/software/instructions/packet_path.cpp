// Takes packets through the software engine with a provider that costs next to nothing, so that what callgrind counts
// is the packet path: instructions.py runs this and holds the counts to baseline.json.
//
//   packet_path WORK SAS PACKETS [planted]
//
// WORK: esp_encapsulate, esp_decapsulate, macsec_protect, macsec_validate. SAS: how many SAs the packets of a burst
// take in turn. planted: a loop of 32 turns a packet, to show that the check sees it.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "host/software/software_engine.hpp"
#include "tools/linecrypt-bench/workload/engine_rig.hpp"
#include "tools/linecrypt-bench/workload/packet_block.hpp"

// What callgrind collects in. Its name is as it is written, so that --toggle-collect finds it.
extern "C" __attribute__((noinline)) void linecrypt_counted(linecrypt::Engine& engine,
                                                            std::span<linecrypt::Job* const> jobs) {
  engine.submit(linecrypt::QueueId{0}, jobs);
  asm volatile("" : : : "memory");  // no tail call: the function must be seen to end
}

namespace linecrypt::bench {
namespace {

constexpr std::uint32_t burst = 32;
constexpr std::uint32_t packet_size = 128;

// Leaves the text as it is and takes every tag for right.
class NullProvider final : public software::AeadProvider {
 public:
  explicit NullProvider(bool planted) : planted_(planted) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "none"; }
  [[nodiscard]] std::size_t context_size() const noexcept override { return 64; }
  [[nodiscard]] std::size_t context_alignment() const noexcept override { return 64; }
  Result<void> expand(std::span<const std::uint8_t> /*key*/, void* /*context*/) override { return {}; }
  void destroy(void* /*context*/) noexcept override {}
  void seal(std::span<software::AeadOp> ops) noexcept override { pass(ops); }
  void open(std::span<software::AeadOp> ops) noexcept override { pass(ops); }

 private:
  void pass(std::span<software::AeadOp> ops) const noexcept {
    for (software::AeadOp& op : ops) {
      op.good = true;
      if (!planted_) continue;
      for (int i = 0; i < 32; ++i) asm volatile("nop");
    }
  }

  bool planted_;
};

struct Work {
  std::string_view name;
  Protocol protocol;
  Direction direction;
};
constexpr Work works[] = {
    {"esp_encapsulate", Protocol::esp, Direction::egress},
    {"esp_decapsulate", Protocol::esp, Direction::ingress},
    {"macsec_protect", Protocol::macsec, Direction::egress},
    {"macsec_validate", Protocol::macsec, Direction::ingress},
};

template <typename T>
T must(Result<T> result) {
  if (result) return std::move(result).value();
  std::fprintf(stderr, "packet_path: %s\n", result.error().message.c_str());
  std::exit(1);
}

void must_be_ok(PacketBlock& packets) {
  for (std::uint32_t i = 0; i < packets.count(); ++i) {
    if (packets.job(i).verdict == Verdict::ok) continue;
    std::fprintf(stderr, "packet_path: packet %u: %s\n", i, std::string(name(packets.job(i).verdict)).c_str());
    std::exit(1);
  }
}

void run(const Work& work, std::uint32_t sas, std::uint32_t count, bool planted) {
  auto rig = must(
      EngineRig::make(std::make_unique<software::SoftwareEngine>(std::make_shared<NullProvider>(planted)), 2 * sas));
  std::vector<SaId> egress;
  std::vector<SaId> ingress;
  for (std::uint32_t i = 0; i < sas; ++i) {
    egress.push_back(must(rig->install(make_sa(work.protocol, Direction::egress, 128, i))));
    ingress.push_back(must(rig->install(make_sa(work.protocol, Direction::ingress, 128, i))));
  }
  PacketBlock packets(burst, packet_size);
  const Bytes clear =
      work.protocol == Protocol::esp ? ipv4_packet(packet_size - 14, 1) : ethernet_frame(packet_size, 1);
  for (std::uint32_t done = 0; done < count; done += burst) {
    for (std::uint32_t i = 0; i < burst; ++i) {
      packets.put(i, clear);
      packets.ask(i, {egress[i % sas], operation_of(work.protocol, Direction::egress)});
    }
    if (work.direction == Direction::egress) {
      linecrypt_counted(rig->engine(), packets.pointers());
    } else {
      rig->run(packets.pointers());
      must_be_ok(packets);
      for (std::uint32_t i = 0; i < burst; ++i)
        packets.ask(i, {ingress[i % sas], operation_of(work.protocol, Direction::ingress)});
      linecrypt_counted(rig->engine(), packets.pointers());
    }
    must_be_ok(packets);
  }
}

}  // namespace
}  // namespace linecrypt::bench

int main(int argc, char** argv) {
  using namespace linecrypt::bench;
  const bool planted = argc == 5 && std::strcmp(argv[4], "planted") == 0;
  for (const Work& work : works) {
    if (argc < 4 || work.name != argv[1]) continue;
    const auto sas = static_cast<std::uint32_t>(std::atoi(argv[2]));
    const auto count = static_cast<std::uint32_t>(std::atoi(argv[3]));
    if (sas == 0 || count == 0 || count % burst != 0 || (argc == 5 && !planted)) break;
    run(work, sas, count, planted);
    return 0;
  }
  std::fprintf(stderr, "packet_path: WORK SAS PACKETS [planted]; packets in bursts of 32\n");
  return 2;
}
