#include "tools/linecrypt-bench/workload/engine_rig.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "host/software/engine.hpp"
#include "tools/linecrypt-bench/workload/enumerators.hpp"

namespace linecrypt::bench {
namespace {

constexpr std::uint64_t lease_end = std::uint64_t{1} << 48U;

std::uint64_t now_ns(void* /*self*/) {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

std::array<std::uint8_t, 12> salt_of(std::uint32_t number) {
  std::array<std::uint8_t, 12> salt{};
  for (std::size_t i = 0; i < salt.size(); ++i) salt[i] = static_cast<std::uint8_t>(number * 13 + i + 1);
  return salt;
}

IpAddress ipv4(std::uint8_t last) {
  return {Family::ipv4, {192, 0, 2, last}};
}

}  // namespace

std::vector<std::uint8_t> key_of(std::uint32_t key_bits, std::uint32_t number) {
  std::vector<std::uint8_t> key(key_bits / 8);
  std::uint64_t state = number + 1;
  for (std::uint8_t& byte : key) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<std::uint8_t>(state >> 56U);
  }
  return key;
}

EspSa make_esp_sa(Direction direction, std::uint32_t key_bits, std::uint32_t number) {
  EspSa sa;
  sa.spi = 0x10000 + number;
  sa.direction = direction;
  sa.algorithm = key_bits == 128 ? EspAlgorithm::aes_gcm_128 : EspAlgorithm::aes_gcm_256;
  sa.key = Secret<32>(key_of(key_bits, number));
  const auto salt = salt_of(number);
  sa.salt = Secret<4>(std::span<const std::uint8_t>(salt.data(), 4));
  sa.source = ipv4(1);
  sa.destination = ipv4(2);
  sa.replay_window = 1024;
  return sa;
}

MacsecSa make_macsec_sa(Direction direction, std::uint32_t key_bits, std::uint32_t number) {
  MacsecSa sa;
  sa.secy.suite = key_bits == 128 ? CipherSuite::gcm_aes_xpn_128 : CipherSuite::gcm_aes_xpn_256;
  sa.secy.duplicate_bitmap = 1024;
  sa.secy.replay_window = 1024;
  sa.direction = direction;
  for (std::size_t i = 0; i < 4; ++i) sa.sci.address.bytes[i + 2] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
  sa.sci.address.bytes[0] = 2;
  sa.key = Secret<32>(key_of(key_bits, number));
  sa.salt = Secret<12>(salt_of(number));
  sa.ssci = 1;
  return sa;
}

Sa make_sa(Protocol protocol, Direction direction, std::uint32_t key_bits, std::uint32_t number) {
  if (protocol == Protocol::esp) return make_esp_sa(direction, key_bits, number);
  return make_macsec_sa(direction, key_bits, number);
}

std::vector<std::string> provider_names() {
  return enumerator_names<software::ProviderChoice>();
}

software::ProviderChoice provider_of(std::string_view name) {
  const auto names = provider_names();
  return static_cast<software::ProviderChoice>(std::find(names.begin(), names.end(), name) - names.begin());
}

Result<std::unique_ptr<EngineRig>> EngineRig::make(std::unique_ptr<Engine> engine, std::uint32_t sas,
                                                   std::uint32_t queues) {
  std::unique_ptr<EngineRig> rig(new EngineRig(std::move(engine), sas));
  EngineSetup setup;
  setup.slots = rig->slots_.slots();
  setup.queues = queues;
  setup.reclamation.wait_for_workers = [](void*) {};  // nothing is removed while workers run
  setup.clock.now_ns = now_ns;
  if (auto opened = rig->engine_->open(setup); !opened) return opened.error();
  return rig;
}

Result<std::unique_ptr<EngineRig>> EngineRig::software(software::ProviderChoice provider, std::uint32_t sas) {
  auto engine = software::make_software_engine({provider});
  if (!engine) return engine.error();
  return make(std::move(engine).value(), sas);
}

EngineRig::~EngineRig() {
  engine_->close();
}

Result<SaId> EngineRig::install(const Sa& sa) {
  auto id = slots_.allocate();
  if (!id) return id;
  const Direction direction = std::visit([](const auto& one) { return one.direction; }, sa);
  const Lease lease = direction == Direction::egress ? Lease{1, lease_end} : Lease{};
  if (auto installed = engine_->install(*id, sa, lease, 0); !installed) {
    slots_.release(*id);
    return installed.error();
  }
  return id;
}

Result<void> EngineRig::remove(SaId id) {
  auto removed = engine_->remove(id);
  if (removed) slots_.release(id);
  return removed;
}

// 1. Submit what is left; an engine may take a part. 2. Collect what it did not finish at once.
void EngineRig::run(std::span<Job* const> jobs, QueueId queue) noexcept {
  std::array<Job*, 64> done;
  std::size_t submitted = 0;
  while (submitted < jobs.size()) {
    submitted += engine_->submit(queue, jobs.subspan(submitted));
    if (submitted < jobs.size()) (void)engine_->poll(queue, done);
  }
  // In order per SA, but not over SAs: each one is looked at.
  for (Job* job : jobs)
    while (job->verdict == Verdict::pending) (void)engine_->poll(queue, done);
}

}  // namespace linecrypt::bench
