// A card engine over the fake card, with slots of its own.
#pragma once

#include <catch2/catch.hpp>

#include "tests/driver/card/engine/fake_card.hpp"
#include "tests/support/engines.hpp"

namespace linecrypt::card_test {

using test::Frame;

inline card::CardOptions quick_options() {
  card::CardOptions options;
  options.slab_bytes = 128U << 10U;
  options.slabs = 4;
  options.progress_timeout_ms = 1000;
  return options;
}

class CardRig {
 public:
  explicit CardRig(const card::CardOptions& options = quick_options(), std::uint32_t count = 8,
                   std::uint32_t queues = 1)
      : slots_(std::make_unique<SaSlot[]>(count)), count_(count) {
    auto made = card::make_look_aside_engine(options, card_.opener());
    INFO((made.ok() ? "" : made.error().message));
    REQUIRE(made.ok());
    engine_ = std::move(*made);
    setup_.slots = {slots_.get(), count};
    setup_.queues = queues;
    const auto opened = engine_->open(setup_);
    INFO((opened.ok() ? "" : opened.error().message));
    REQUIRE(opened.ok());
  }
  ~CardRig() {
    engine_->close();
    card_.faults.hang_to_card = card_.faults.hang_from_card = false;
    engine_.reset();
    // A thread that was left behind lets go of the card's memory when it is back.
    for (int i = 0; i < 2000 && card_.ports_open != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  card::CardEngine& engine() { return *engine_; }
  FakeCard& card() { return card_; }
  SaSlot& slot(SaId id) { return slots_[id.index]; }
  const EngineSetup& setup() const { return setup_; }

  SaId install(const Sa& sa, Lease lease = {1, 1'000'000}, std::uint64_t window_top = 0) {
    const SaId id{next_++ % count_, next_};
    const auto installed = engine_->install(id, sa, lease, window_top);
    INFO((installed.ok() ? "" : installed.error().message));
    REQUIRE(installed.ok());
    return id;
  }

  // Polls until `count` jobs came back. Each comes once: the caller counts.
  std::vector<Job*> poll(std::size_t count, QueueId queue = QueueId{0}) {
    std::vector<Job*> all;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    Job* some[32];
    while (all.size() < count) {
      const std::uint32_t n = engine_->poll(queue, some);
      all.insert(all.end(), some, some + n);
      if (n != 0) continue;
      REQUIRE(std::chrono::steady_clock::now() < end);
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return all;
  }
  Verdict run(Job* job) {
    Job* jobs[] = {job};
    REQUIRE(engine_->submit(QueueId{0}, jobs) == 1);
    if (job->verdict == Verdict::pending) poll(1);
    if (job->verdict == Verdict::engine_lost) UNSCOPED_INFO(engine_->snapshot().reason);
    return job->verdict;
  }
  bool wait_lost() {
    Event some[4];
    for (int i = 0; i < 5000 && engine_->state() != card::CardState::lost; ++i) {
      engine_->events(some);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return engine_->state() == card::CardState::lost;
  }

 private:
  FakeCard card_;
  std::unique_ptr<SaSlot[]> slots_;
  std::uint32_t count_;
  std::uint32_t next_ = 0;
  EngineSetup setup_;
  std::unique_ptr<card::CardEngine> engine_;
};

}  // namespace linecrypt::card_test
