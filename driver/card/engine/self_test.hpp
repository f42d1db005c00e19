// SelfTest: known answers through the rings, slabs and kernels that packets take (DESIGN 3.8), a step at a time. The
// SAs and the queue are the engine's own, so it runs beside traffic, and whoever drives it can serve leases between
// steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "driver/card/engine/loss.hpp"
#include "driver/card/engine/sa_table.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::card {

// Control thread. The engine that made it outlives it.
class SelfTest {
 public:
  struct Setup {
    Engine* engine = nullptr;  // submit() and poll() of `queue`
    QueueId queue{};
    SaTable* table = nullptr;
    const Loss* loss = nullptr;
    SaId out, in;  // free slots
  };
  explicit SelfTest(const Setup& setup);
  // Waits for its packet: behind a loss that is back at once, for the watchdog gives it back. Before the lanes end.
  ~SelfTest();
  SelfTest(const SelfTest&) = delete;
  SelfTest& operator=(const SelfTest&) = delete;

  // Empty: it goes on. It installs or removes two SAs, or looks for its packet; it never waits for one.
  std::optional<Result<void>> step();

 private:
  struct Question;
  struct Trial;
  enum class Phase : std::uint8_t { install, seal, forge, open, remove };

  void send(const std::vector<std::uint8_t>& bytes, SaId sa, Operation operation, Phase phase);
  [[nodiscard]] bool away() noexcept;  // the packet is on its way
  std::optional<Result<void>> install();
  void wrong(const char* what);
  std::optional<Result<void>> remove();

  Setup setup_;
  std::vector<Question> questions_;
  std::size_t at_ = 0;
  Phase phase_ = Phase::install;
  std::unique_ptr<Trial> trial_;  // what was sent last
  std::vector<std::uint8_t> sealed_;
  const char* wrong_ = nullptr;  // what was not answered right
};

}  // namespace linecrypt::card
