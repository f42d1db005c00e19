#include "tools/linecrypt-bench/workload/path_side.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <new>
#include <numeric>

#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ipv4.hpp"
#include "tools/linecrypt-bench/measure/machine.hpp"

namespace linecrypt::bench {
namespace {

constexpr std::size_t at(Direction direction) {
  return static_cast<std::size_t>(direction);
}

bool has_esp(Protocols protocols) {
  return protocols != Protocols::macsec;
}
bool has_macsec(Protocols protocols) {
  return protocols != Protocols::esp;
}

std::uint64_t available_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::uint64_t kib = 0;
  for (std::string unit; file >> name >> kib;) {
    if (name == "MemAvailable:") return kib << 10U;
    std::getline(file, unit);
  }
  return 0;
}

// Far from one SA to the next, so that no prefetcher guesses it, and each SA comes once in `sas` packets.
std::uint32_t step_of(std::uint32_t sas) {
  auto step = static_cast<std::uint32_t>(static_cast<double>(sas) * 0.618) | 1U;
  while (std::gcd(step, sas) != 1) step += 2;
  return step % sas;
}

}  // namespace

PathSide::PathSide(const PathSettings& settings, QueueId queue)
    : settings_(settings),
      queue_(queue),
      packets_(settings.burst, *std::max_element(settings.sizes.begin(), settings.sizes.end()) + 128),
      opened_(settings.burst, *std::max_element(settings.sizes.begin(), settings.sizes.end()) + 128),
      sa_of_packet_(settings.burst),
      sa_step_(step_of(settings.sas)) {
  set_sizes(settings.sizes);
}

void PathSide::set_sizes(const std::vector<std::uint32_t>& sizes) {
  clear_.clear();
  clear_bytes_ = 0;
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    const std::uint32_t size = sizes[i % sizes.size()];
    clear_.push_back(has_esp(settings_.protocols) ? ipv4_packet(size, i) : ethernet_frame(size, i));
    clear_bytes_ += size;
  }
}

Result<std::unique_ptr<PathSide>> PathSide::make(std::unique_ptr<Engine> engine, std::unique_ptr<Engine> helper,
                                                 const PathSettings& settings) {
  for (const Engine* one : {engine.get(), helper.get()}) {
    const Capabilities& can = one->capabilities();
    if (slots_of(settings) > can.max_sas)
      return Error{fmt::format("{} SAs of each protocol, {} in all: engine {} has room for {}", settings.sas,
                               slots_of(settings), can.engine, can.max_sas)};
  }
  try {
    std::shared_ptr<EngineRig> rigs[2];
    for (const Direction direction : {Direction::egress, Direction::ingress}) {
      auto rig = EngineRig::make(std::move(direction == settings.direction ? engine : helper), slots_of(settings));
      if (!rig) return rig.error();
      rigs[at(direction)] = std::move(rig).value();
    }
    return make_on(rigs[at(Direction::egress)], rigs[at(Direction::ingress)], settings);
  } catch (const std::bad_alloc&) {
    return Error{fmt::format("{} SAs: no memory for them", settings.sas)};
  }
}

Result<std::unique_ptr<PathSide>> PathSide::make_on(std::shared_ptr<EngineRig> egress,
                                                    std::shared_ptr<EngineRig> ingress, const PathSettings& settings,
                                                    QueueId queue) {
  std::unique_ptr<PathSide> side(new PathSide(settings, queue));
  side->rigs_[at(Direction::egress)] = std::move(egress);
  side->rigs_[at(Direction::ingress)] = std::move(ingress);
  if (auto installed = side->install(); !installed) return installed.error();
  return side;
}

// The first thousand SAs tell how much memory all of them will take: better a refusal than a machine that is killed.
Result<void> PathSide::install() {
  constexpr std::uint32_t sample = 1024;
  const std::uint64_t before = resident_bytes();
  for (std::uint32_t i = 0; i < settings_.sas; ++i) {
    if (i == sample) {
      // Of a row before, memory may have been given back meanwhile.
      const std::uint64_t now = std::max(resident_bytes(), before);
      const std::uint64_t needed = (now - before) / sample * (settings_.sas - sample);
      const std::uint64_t there = available_bytes();
      if (needed > there / 10 * 9)
        return Error{fmt::format("{} SAs: about {} MiB more are needed, {} MiB are available", settings_.sas,
                                 needed >> 20U, there >> 20U)};
    }
    for (const Direction direction : {Direction::egress, Direction::ingress}) {
      for (const Protocol protocol : {Protocol::esp, Protocol::macsec}) {
        const bool esp = protocol == Protocol::esp;
        if (!(esp ? has_esp(settings_.protocols) : has_macsec(settings_.protocols))) continue;
        auto id = rig(direction).install(make_sa(protocol, direction, settings_.key_bits, settings_.first_sa + i));
        if (!id) return Error{fmt::format("SA {} of {}: {}", i + 1, settings_.sas, id.error().message)};
        (esp ? esp_ : macsec_)[at(direction)].push_back(*id);
      }
    }
  }
  return {};
}

void PathSide::ask(PacketBlock& block, std::uint32_t i, Direction direction, std::uint32_t sa) {
  Stage esp;
  Stage macsec;
  if (has_esp(settings_.protocols)) esp = {esp_[at(direction)][sa], operation_of(Protocol::esp, direction)};
  if (has_macsec(settings_.protocols)) macsec = {macsec_[at(direction)][sa], operation_of(Protocol::macsec, direction)};
  switch (settings_.protocols) {
    case Protocols::esp:
      block.ask(i, esp);
      break;
    case Protocols::macsec:
      block.ask(i, macsec);
      break;
    case Protocols::both:
      direction == Direction::egress ? block.ask(i, esp, macsec) : block.ask(i, macsec, esp);
      break;
  }
}

// Ingress needs packets that no window has seen: the egress SAs make them.
void PathSide::prepare() {
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    packets_.put(i, clear_[i]);
    sa_of_packet_[i] = sa_at_;
    sa_at_ = static_cast<std::uint32_t>((std::uint64_t{sa_at_} + sa_step_) % settings_.sas);
    ask(packets_, i, Direction::egress, sa_of_packet_[i]);
  }
  if (settings_.direction == Direction::egress) return;
  rig(Direction::egress).run(packets_.pointers(), queue_);
  for (std::uint32_t i = 0; i < settings_.burst; ++i) ask(packets_, i, Direction::ingress, sa_of_packet_[i]);
}

std::string PathSide::wrong_verdict(PacketBlock& block) const {
  for (std::uint32_t i = 0; i < settings_.burst; ++i)
    if (block.job(i).verdict != Verdict::ok) return fmt::format("packet {} ended as {}", i, name(block.job(i).verdict));
  return {};
}

std::string PathSide::compare_with_clear(PacketBlock& block) const {
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    const auto bytes = block.bytes(i);
    if (!std::equal(bytes.begin(), bytes.end(), clear_[i].begin(), clear_[i].end()))
      return fmt::format("packet {} is not the clear one", i);
  }
  return {};
}

std::string PathSide::check() {
  if (settings_.spoil_result && checks_++ > 0) packets_.packet(0).data[packets_.packet(0).length - 1] ^= 1U;
  if (std::string wrong = wrong_verdict(packets_); !wrong.empty()) return wrong;
  if (settings_.direction == Direction::ingress) return compare_with_clear(packets_);
  for (std::uint32_t i = 0; i < settings_.burst; ++i) {
    opened_.put(i, packets_.bytes(i));
    ask(opened_, i, Direction::ingress, sa_of_packet_[i]);
  }
  rig(Direction::ingress).run(opened_.pointers(), queue_);
  if (std::string wrong = wrong_verdict(opened_); !wrong.empty()) return fmt::format("opened again, {}", wrong);
  return compare_with_clear(opened_);
}

std::span<const std::uint8_t> PathSide::result(std::uint32_t i) const {
  const auto bytes = packets_.bytes(i);
  if (settings_.protocols != Protocols::esp) return bytes;
  const std::size_t skip =
      wire::ethernet_size + (settings_.direction == Direction::egress ? std::size_t{wire::ipv4_size} : 0U);
  return bytes.subspan(skip);
}

}  // namespace linecrypt::bench
