// EnginePair: the engine under test and the software engine, with the same SAs in the same slots, so that one frame can
// be put through both and the results compared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "linecrypt/engine.hpp"

namespace linecrypt::ctl {

using Frame = std::vector<std::uint8_t>;

// A frame after an engine had it.
struct Outcome {
  Frame frame;
  Verdict verdict = Verdict::pending;
  std::uint64_t number = 0;
};

// One open engine with slots of its own.
class OpenEngine {
 public:
  static Result<std::unique_ptr<OpenEngine>> open(Engine& engine, std::uint32_t slots);
  ~OpenEngine();
  OpenEngine(const OpenEngine&) = delete;
  OpenEngine& operator=(const OpenEngine&) = delete;

  Result<SaId> install(const Sa& sa, Lease lease = {1, 1'000'000});
  Result<void> remove(SaId id) { return engine_.remove(id); }
  // All frames to their end, in order; an error when one does not come back within ten seconds.
  Result<std::vector<Outcome>> run(const std::vector<Frame>& frames, SaId sa, Operation operation);

 private:
  OpenEngine(Engine& engine, std::uint32_t slots);
  Engine& engine_;
  std::unique_ptr<SaSlot[]> slots_;
  std::uint32_t count_;
  std::uint32_t next_ = 0;
};

// The first byte or verdict in which the two differ, in words; empty: none.
std::string difference(const std::vector<Outcome>& tested, const std::vector<Outcome>& expected);

}  // namespace linecrypt::ctl
