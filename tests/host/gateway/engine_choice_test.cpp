// Offload mode: which engine the gateway gets, what it says without a card, and where SAs are when the card comes and
// goes.
#include "host/gateway/engine_choice.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "host/engines/fault.hpp"
#include "tests/support/engines.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
using gateway::choose_engine;

namespace {

constexpr std::uint32_t card_room = 8;

// A card as far as the gateway sees it: software inside, lost on demand.
class FakeCard final : public card::CardEngine {
 public:
  explicit FakeCard(std::uint32_t features) : features_(features) {
    engines::FaultOptions options;
    options.limit = [](Capabilities& can) {
      can.engine = "card";
      can.max_sas = card_room;
    };
    inner_ = engines::make_fault_engine(software::make_software_engine().value(), options);
  }
  engines::FaultEngine& inner() { return *inner_; }

  [[nodiscard]] const Capabilities& capabilities() const noexcept override { return inner_->capabilities(); }
  [[nodiscard]] MemoryPlace memory() const noexcept override { return inner_->memory(); }
  Result<void> self_test() override { return inner_->self_test(); }
  Result<void> open(const EngineSetup& setup) override {
    open_ = true;
    return inner_->open(setup);
  }
  void close() override { inner_->close(); }
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) override {
    return inner_->install(id, sa, lease, window_top);
  }
  Result<void> update(SaId id, const SaUpdate& update) override { return inner_->update(id, update); }
  Result<void> remove(SaId id) override { return inner_->remove(id); }
  [[nodiscard]] Result<SaState> read(SaId id) const override { return inner_->read(id); }
  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override { return inner_->submit(queue, jobs); }
  std::uint32_t poll(QueueId queue, std::span<Job*> done) override { return inner_->poll(queue, done); }
  std::uint32_t events(std::span<Event> out) override { return inner_->events(out); }

  [[nodiscard]] card::CardState state() const noexcept override {
    if (!open_) return card::CardState::closed;
    switch (inner_->state()) {
      case engines::EngineState::ready:
        return card::CardState::ready;
      case engines::EngineState::recovering:
        return card::CardState::opening;
      case engines::EngineState::lost:
        break;
    }
    return card::CardState::lost;
  }
  [[nodiscard]] card::CardSnapshot snapshot() const override {
    card::CardSnapshot snapshot;
    snapshot.state = state();
    snapshot.reason = inner_->reason();
    snapshot.features = features_;
    return snapshot;
  }
  card::CardHealth health() override { return {}; }
  std::vector<card::RegisterValue> registers() override { return {}; }
  Result<void> reset() override { return Error{"not here"}; }
  Result<void> reset_and_reopen() override { return Error{"not here"}; }
  void start_recovery() override { inner_->try_recover(); }
  std::optional<Result<void>> self_test_step() override { return inner_->self_test(); }
  [[nodiscard]] Result<SaState> read_back(SaId id) override { return inner_->read(id); }

 private:
  std::uint32_t features_;
  bool open_ = false;
  std::unique_ptr<engines::FaultEngine> inner_;
};

struct Maker {
  gateway::MakeCard make() {
    return [this](const card::CardOptions& options) -> Result<std::unique_ptr<card::CardEngine>> {
      ++asked;
      seen = options;
      if (!refusal.empty()) return Error{refusal};
      auto card = std::make_unique<FakeCard>(features);
      made = card.get();
      return std::unique_ptr<card::CardEngine>(std::move(card));
    };
  }
  int asked = 0;
  card::CardOptions seen;
  std::string refusal;
  std::uint32_t features = abi::feature::look_aside;
  FakeCard* made = nullptr;
};

config::Config config_of(OffloadMode mode, bool with_card = true) {
  config::Config config;
  config.gateway.offload = mode;
  if (!with_card) return config;
  config.card.emplace();
  config.card->address = "0000:65:00.1";
  config.card->bitstream = "/lib/linecrypt/u50.xclbin";
  config.card->mode = abi::CardMode::esp;
  config.card->trusted_keys = "/etc/linecrypt/keys.pem";
  config.card->allow_shared_node = true;
  return config;
}

}  // namespace

TEST_CASE("software asks for no card") {
  Maker maker;
  auto choice = choose_engine(config_of(OffloadMode::software), maker.make());
  REQUIRE(choice.ok());
  CHECK(maker.asked == 0);
  CHECK(choice->engine->capabilities().engine == "software");
  CHECK(choice->failover == nullptr);
  CHECK(choice->fallback.empty());
}

TEST_CASE("auto without a usable card is software, and says why") {
  Maker maker;
  maker.refusal = "no Alveo card found: planted";
  auto choice = choose_engine(config_of(OffloadMode::automatic), maker.make());
  REQUIRE(choice.ok());
  CHECK(choice->engine->capabilities().engine == "software");
  CHECK(choice->fallback == maker.refusal);
  CHECK(choice->failover == nullptr);
  // The file names none.
  Maker unasked;
  auto without = choose_engine(config_of(OffloadMode::automatic, false), unasked.make());
  REQUIRE(without.ok());
  CHECK(unasked.asked == 0);
  CHECK(without->fallback.find("[card]") != std::string::npos);
}

TEST_CASE("card without a usable card is an error that says why") {
  Maker maker;
  maker.refusal = "no Alveo card found: planted";
  const auto choice = choose_engine(config_of(OffloadMode::card), maker.make());
  REQUIRE_FALSE(choice.ok());
  CHECK(choice.error().message.find("offload = \"card\"") != std::string::npos);
  CHECK(choice.error().message.find(maker.refusal) != std::string::npos);
}

TEST_CASE("A bitstream between the card's own ports is refused by name") {
  Maker maker;
  maker.features = abi::feature::inline_ports;
  const auto refused = choose_engine(config_of(OffloadMode::card), maker.make());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("bump-in-the-wire") != std::string::npos);
  CHECK(refused.error().message.find("u50.xclbin") != std::string::npos);
  auto choice = choose_engine(config_of(OffloadMode::automatic), maker.make());
  REQUIRE(choice.ok());
  CHECK(choice->fallback.find("bump-in-the-wire") != std::string::npos);
}

TEST_CASE("The card gets what [card] says") {
  Maker maker;
  REQUIRE(choose_engine(config_of(OffloadMode::automatic), maker.make()).ok());
  CHECK(maker.seen.bdf == "0000:65:00.1");
  CHECK(maker.seen.xclbin == "/lib/linecrypt/u50.xclbin");
  CHECK(maker.seen.mode == abi::CardMode::esp);
  CHECK(maker.seen.trusted_keys == "/etc/linecrypt/keys.pem");
  CHECK(maker.seen.allow_shared_node);
}

TEST_CASE(
    "Unsaid, there are as many SAs as the card has room for; more are refused with card and warned of with auto") {
  const auto mode = GENERATE(OffloadMode::automatic, OffloadMode::card);
  Maker maker;
  config::Config config = config_of(mode);
  CHECK(choose_engine(config, maker.make())->max_sas == card_room);
  CHECK(choose_engine(config, maker.make())->room.empty());
  config.gateway.max_sas = card_room - 1;
  CHECK(choose_engine(config, maker.make())->max_sas == card_room - 1);
  // Said, or named by the file: both are more than it has.
  const bool said = GENERATE(true, false);
  config.gateway.max_sas.reset();
  if (said)
    config.gateway.max_sas = card_room + 1;
  else
    config.tunnels.resize(card_room + 1);
  const std::string what = said ? "max_sas = 9" : "the file has 9 SAs";
  auto choice = choose_engine(config, maker.make());
  if (mode == OffloadMode::card) {
    REQUIRE_FALSE(choice.ok());
    for (const std::string& text : {what, std::string("the card has room for 8"), std::string("offload = \"auto\"")})
      CHECK(choice.error().message.find(text) != std::string::npos);
    return;
  }
  REQUIRE(choice.ok());
  CHECK(choice->max_sas == card_room + 1);
  CHECK(choice->room == what + " and the card has room for 8: SAs beyond that stay in software");
  // Those beyond are installed all the same.
  SaSlot slots[card_room + 1];
  EngineSetup setup;
  setup.slots = slots;
  REQUIRE(choice->engine->open(setup).ok());
  REQUIRE(choice->engine->install({card_room, 1}, Sa(esp_sa(Direction::egress)), {1, 100}, 0).ok());
  REQUIRE(choice->engine->install({0, 1}, Sa(esp_sa(Direction::egress)), {1, 100}, 0).ok());
  CHECK(choice->failover->placement({card_room, 1})->engine == "software");
  CHECK(choice->failover->placement({0, 1})->engine == "card");
}

TEST_CASE("Software has room for what the file names") {
  Maker maker;
  config::Config config = config_of(OffloadMode::software);
  CHECK(choose_engine(config, maker.make())->max_sas == config::max_sas_default);
  config.gateway.max_sas = 5;
  CHECK(choose_engine(config, maker.make())->max_sas == 5);
}

TEST_CASE("auto goes on in software when the card is lost; card stands still; both go back to it") {
  const auto mode = GENERATE(OffloadMode::automatic, OffloadMode::card);
  Maker maker;
  auto choice = choose_engine(config_of(mode), maker.make());
  REQUIRE(choice.ok());
  CHECK(choice->fallback.empty());
  REQUIRE(choice->failover != nullptr);
  CHECK(choice->card == maker.made);
  Engine& engine = *choice->engine;
  CHECK(engine.capabilities().engine == (mode == OffloadMode::card ? "card" : "card + software"));
  REQUIRE(engine.self_test().ok());
  static std::uint64_t now_ns = 1;
  SaSlot slots[2];
  EngineSetup setup;
  setup.slots = slots;
  setup.clock = {nullptr, [](void*) { return now_ns += 1'000'000; }};
  REQUIRE(engine.open(setup).ok());
  const SaId id{0, 1};
  REQUIRE(engine.install(id, Sa(esp_sa(Direction::egress)), {1, 100}, 0).ok());
  CHECK(choice->failover->placement(id)->engine == "card");
  std::uint64_t lent = 100;
  const auto run = [&] {
    Frame frame(clear_frame());
    Job* job = frame.with(id, Operation::esp_encapsulate);
    REQUIRE(engine.submit(QueueId{0}, {&job, 1}) == 1);
    Job* done[1];
    Event taken[4];
    for (int i = 0; i < 100 && job->verdict == Verdict::pending; ++i) {
      engine.events(taken);
      if (engine.read(id)->lease_wanted && engine.update(id, GrantLease{{lent, lent + 100}}).ok()) lent += 100;
      engine.poll(QueueId{0}, done);
    }
    return job->verdict;
  };
  CHECK(run() == Verdict::ok);
  Event some[4];
  maker.made->inner().lose("pulled out");
  for (int i = 0; i < 3; ++i) engine.events(some);
  if (mode == OffloadMode::automatic) {
    CHECK(run() == Verdict::ok);
    CHECK(choice->failover->placement(id)->engine == "software");
    CHECK(choice->failover->placement(id)->reason == "pulled out");
  } else {
    CHECK(run() == Verdict::engine_lost);
    CHECK(choice->failover->placement(id)->engine == "none");
  }
  for (int i = 0; i < 100'000 && choice->failover->placement(id)->engine != "card"; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(10));  // its self-test has a thread
    engine.events(some);
    if (engine.read(id)->lease_wanted && engine.update(id, GrantLease{{lent, lent + 100}}).ok()) lent += 100;
  }
  CHECK(choice->failover->placement(id)->engine == "card");
  CHECK(run() == Verdict::ok);
  CHECK(choice->failover->status().failovers == 1);
  CHECK(choice->failover->status().returns == 1);
  CHECK(choice->failover->take_messages().size() >= 2);
}
