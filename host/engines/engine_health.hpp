// EngineHealth: what a failover must know of an engine that can be lost, and how it asks for it back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "linecrypt/result.hpp"

namespace linecrypt::engines {

enum class EngineState : std::uint8_t {
  ready,
  lost,        // jobs in flight come back as engine_lost, each once; nothing can be installed
  recovering,  // after try_recover(): nobody calls the engine until it is ready or lost again
};

class EngineHealth {
 public:
  virtual ~EngineHealth() = default;
  [[nodiscard]] virtual EngineState state() const noexcept = 0;  // any thread
  [[nodiscard]] virtual std::string reason() const = 0;          // control thread: why it is not ready
  // Control thread. After a loss, or to reset it, once all its jobs have come back. Starts bringing the engine to where
  // open() left it, all slots free, and returns at once; state() tells how it goes.
  virtual void try_recover() = 0;
  // Control thread, while it is ready or lost. A step of the engine's known answers, beside traffic; none waits for a
  // packet. Empty: it goes on, call again. The call behind a result begins anew.
  virtual std::optional<Result<void>> self_test_step() = 0;
};

}  // namespace linecrypt::engines
