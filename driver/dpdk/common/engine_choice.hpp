// Which engine does the work (DESIGN 2, offload mode): software, a card with software behind it, or a card alone.
#pragma once

#include <memory>
#include <string>

#include "driver/card/engine/card_engine.hpp"
#include "driver/dpdk/common/devargs.hpp"
#include "host/engines/failover.hpp"

namespace linecrypt::dpdk {

struct EngineChoice {
  std::unique_ptr<engines::EngineHealth> health;  // outlives the engine
  std::unique_ptr<Engine> engine;                 // closed, its self-test passed
  engines::FailoverEngine* failover = nullptr;    // the engine, where a card is in it
  card::CardEngine* card = nullptr;               // inside it
  std::string fallback;                           // why engine=auto works without its card; empty: it does not
};

Result<EngineChoice> choose_engine(const DriverOptions& options);

}  // namespace linecrypt::dpdk
