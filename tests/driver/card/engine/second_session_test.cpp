// The driver's half of "a second process finds none of the first one's SAs": a card whose driver is gone as behind a
// kill -9, nothing closed, nothing reset; and a new engine over the same card. On the fake card, whose tables can be
// looked into; in the tests named *_card also on the emulated one, whose tables live as long as this process.
#include <atomic>
#include <thread>

#include "driver/card/engine/registers.hpp"
#include "driver/card/engine/xrt_module.hpp"
#include "tests/driver/card/engine/rig.hpp"
#include "tests/support/emulated_card.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
using namespace linecrypt::card_test;

namespace {

// A card's memory as its driver sees it until the driver is no more.
class CutMemory final : public card::CardMemory {
 public:
  CutMemory(std::unique_ptr<card::CardMemory> inner, const std::atomic<bool>& cut)
      : inner_(std::move(inner)), cut_(cut) {}
  [[nodiscard]] std::uint8_t* host() const noexcept override { return inner_->host(); }
  [[nodiscard]] std::uint64_t address() const noexcept override { return inner_->address(); }
  [[nodiscard]] std::size_t size() const noexcept override { return inner_->size(); }
  bool to_card(std::size_t offset, std::size_t bytes) noexcept override {
    return !cut_ && inner_->to_card(offset, bytes);
  }
  bool from_card(std::size_t offset, std::size_t bytes) noexcept override {
    return !cut_ && inner_->from_card(offset, bytes);
  }

 private:
  std::unique_ptr<card::CardMemory> inner_;
  const std::atomic<bool>& cut_;
};

// Once `cut`, not one access reaches the card any more: it does not see its driver end.
class CutPort final : public card::CardPort {
 public:
  CutPort(std::shared_ptr<card::CardPort> inner, const std::atomic<bool>& cut) : inner_(std::move(inner)), cut_(cut) {}
  [[nodiscard]] const card::PortIdentity& identity() const noexcept override { return inner_->identity(); }
  std::uint32_t read_register(std::uint32_t offset) noexcept override {
    return cut_ ? abi::lost_value : inner_->read_register(offset);
  }
  void write_register(std::uint32_t offset, std::uint32_t value) noexcept override {
    if (!cut_) inner_->write_register(offset, value);
  }
  Result<std::unique_ptr<card::CardMemory>> allocate(card::MemoryUse use, std::size_t bytes) override {
    auto memory = inner_->allocate(use, bytes);
    if (!memory) return memory.error();
    return std::unique_ptr<card::CardMemory>(std::make_unique<CutMemory>(std::move(*memory), cut_));
  }
  card::CardHealth health() override { return inner_->health(); }
  void release() noexcept override { inner_->release(); }

 private:
  std::shared_ptr<card::CardPort> inner_;
  const std::atomic<bool>& cut_;
};

std::uint32_t register_of(card::CardEngine& engine, const std::string& name) {
  for (const card::RegisterValue& one : engine.registers())
    if (one.name == name) return one.value;
  FAIL("no register " << name);
  return 0;
}

Verdict run(Engine& engine, Job* job) {
  Job* jobs[] = {job};
  REQUIRE(engine.submit(QueueId{0}, jobs) == 1);
  Job* done[1];
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (job->verdict == Verdict::pending) {
    if (engine.poll(QueueId{0}, done) == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
    REQUIRE(std::chrono::steady_clock::now() < end);
  }
  return job->verdict;
}

}  // namespace

TEST_CASE("A new engine over a card whose driver was killed finds none of its SAs usable") {
  const bool emulated = only_card() && emulated_card_here();
  FakeCard fake;
  const card::CardOptions options = emulated ? emulated_card_options() : quick_options();
  const card::OpenPort open = emulated ? card::OpenPort(card::open_xrt_port) : fake.opener();
  std::atomic<bool> killed{false};
  SaSlot slots[2][4];
  EngineSetup setup;
  const SaId out{1, 7};
  const SaId in{2, 8};
  std::uint32_t epoch = 0;
  {
    auto first = card::make_look_aside_engine(
        options, [&](const card::CardOptions& asked) -> Result<std::shared_ptr<card::CardPort>> {
          auto port = open(asked);
          if (!port) return port.error();
          return std::shared_ptr<card::CardPort>(std::make_shared<CutPort>(std::move(*port), killed));
        });
    REQUIRE(first.ok());
    setup.slots = slots[0];
    REQUIRE((*first)->open(setup).ok());
    REQUIRE((*first)->install(out, Sa(esp_sa(Direction::egress)), {1, 1000}, 0).ok());
    REQUIRE((*first)->install(in, Sa(esp_sa(Direction::ingress)), {}, 0).ok());
    Frame frame(clear_frame());
    REQUIRE(run(**first, frame.with(out, Operation::esp_encapsulate)) == Verdict::ok);
    epoch = register_of(**first, "epoch");
    REQUIRE(epoch != 0);
    killed = true;
    (*first)->close();  // finds a card that does not answer
  }
  // The card goes on as if nothing were: tables, epoch, enabled.
  if (!emulated) {
    REQUIRE(fake.installed() == 2);
    REQUIRE(fake.epoch() == epoch);
  } else {
    const auto port = open(options);
    INFO((port.ok() ? "" : port.error().message));
    REQUIRE(port.ok());
    REQUIRE((*port)->read_register(abi::reg::epoch) == epoch);
    REQUIRE(((*port)->read_register(abi::reg::status) & abi::status::enabled) != 0);
  }

  auto second = card::make_look_aside_engine(options, open);
  INFO((second.ok() ? "" : second.error().message));
  REQUIRE(second.ok());
  setup.slots = slots[1];
  REQUIRE((*second)->open(setup).ok());
  if (!emulated) CHECK(fake.installed() == 0);
  CHECK(register_of(**second, "epoch") != epoch);
  CHECK_FALSE((*second)->read_back(out).ok());
  Frame frame(clear_frame());
  CHECK(run(**second, frame.with(out, Operation::esp_encapsulate)) == Verdict::stale_sa);
  // The same ids, given anew, are other SAs: with the next lease, and a window of their own.
  REQUIRE((*second)->install(out, Sa(esp_sa(Direction::egress)), {1000, 2000}, 0).ok());
  Frame again(clear_frame());
  Job* job = again.with(out, Operation::esp_encapsulate);
  CHECK(run(**second, job) == Verdict::ok);
  CHECK(job->number == 1000);
  CHECK((*second)->read_back(out)->next_number == 1001);
  (*second)->close();
}
