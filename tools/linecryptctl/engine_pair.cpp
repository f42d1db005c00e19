#include "tools/linecryptctl/engine_pair.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>

#include "host/values/clock.hpp"

namespace linecrypt::ctl {

namespace {

constexpr std::uint32_t room = 128;  // before and behind a frame, for every header there is
constexpr std::chrono::seconds patience{10};

}  // namespace

OpenEngine::OpenEngine(Engine& engine, std::uint32_t slots)
    : engine_(engine), slots_(std::make_unique<SaSlot[]>(slots)), count_(slots) {}

OpenEngine::~OpenEngine() {
  engine_.close();
}

Result<std::unique_ptr<OpenEngine>> OpenEngine::open(Engine& engine, std::uint32_t slots) {
  std::unique_ptr<OpenEngine> opened(new OpenEngine(engine, slots));
  EngineSetup setup;
  setup.slots = {opened->slots_.get(), slots};
  setup.clock = system_clock();
  if (Result<void> done = engine.open(setup); !done) return done.error();
  return opened;
}

Result<SaId> OpenEngine::install(const Sa& sa, Lease lease) {
  const SaId id{next_ % count_, next_ / count_ + 1};
  ++next_;
  if (Result<void> done = engine_.install(id, sa, lease, 0); !done) return done.error();
  return id;
}

Result<std::vector<Outcome>> OpenEngine::run(const std::vector<Frame>& frames, SaId sa, Operation operation) {
  const std::size_t count = frames.size();
  // 1. Each frame in memory of its own, with room around it.
  std::vector<Frame> memory(count);
  std::vector<Packet> packets(count);
  std::vector<Job> jobs(count);
  std::vector<Job*> pointers(count);
  for (std::size_t i = 0; i < count; ++i) {
    memory[i].resize(frames[i].size() + std::size_t{2} * room);
    std::ranges::copy(frames[i], memory[i].begin() + room);
    packets[i] = {memory[i].data() + room, static_cast<std::uint32_t>(frames[i].size()), room, room, nullptr};
    jobs[i].source = jobs[i].destination = &packets[i];
    jobs[i].stages[0] = {sa, operation};
    pointers[i] = &jobs[i];
  }
  // 2. Through the engine.
  std::vector<Job*> done(std::max<std::size_t>(count, 1));
  std::size_t accepted = 0;
  std::size_t pending = 0;
  const auto until = std::chrono::steady_clock::now() + patience;
  while (accepted < count || pending != 0) {
    const std::uint32_t taken = engine_.submit(QueueId{0}, std::span(pointers).subspan(accepted));
    for (std::size_t i = accepted; i < accepted + taken; ++i) pending += jobs[i].verdict == Verdict::pending ? 1 : 0;
    accepted += taken;
    const std::uint32_t back = engine_.poll(QueueId{0}, done);
    for (std::uint32_t i = 0; i < back; ++i)
      if (done[i] < jobs.data() || done[i] >= jobs.data() + count || ++done[i]->user != 1)
        return Error{"a frame came back that was not out"};
    pending -= back;
    if (std::chrono::steady_clock::now() > until) {
      // The engine may still hold them: their memory must outlive it.
      static std::vector<std::vector<Frame>> kept_memory;
      static std::vector<std::vector<Packet>> kept_packets;
      static std::vector<std::vector<Job>> kept_jobs;
      kept_memory.push_back(std::move(memory));
      kept_packets.push_back(std::move(packets));
      kept_jobs.push_back(std::move(jobs));
      return Error{fmt::format("{} of {} frames did not come back within {} s", count - accepted + pending, count,
                               patience.count())};
    }
  }
  // 3. What became of them.
  std::vector<Outcome> outcomes(count);
  for (std::size_t i = 0; i < count; ++i) {
    outcomes[i].verdict = jobs[i].verdict;
    outcomes[i].number = jobs[i].number;
    if (!is_drop(jobs[i].verdict)) outcomes[i].frame.assign(packets[i].data, packets[i].data + packets[i].length);
  }
  return outcomes;
}

std::string difference(const std::vector<Outcome>& tested, const std::vector<Outcome>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Outcome& a = tested[i];
    const Outcome& b = expected[i];
    if (a.verdict != b.verdict)
      return fmt::format("frame {}: verdict {}, the software engine gives {}", i, name(a.verdict), name(b.verdict));
    if (a.frame.size() != b.frame.size())
      return fmt::format("frame {}: {} bytes, the software engine gives {}", i, a.frame.size(), b.frame.size());
    const auto [left, right] = std::ranges::mismatch(a.frame, b.frame);
    if (left != a.frame.end())
      return fmt::format("frame {} of {} bytes: byte {} differs from the software engine's", i, a.frame.size(),
                         left - a.frame.begin());
    if (!is_drop(a.verdict) && a.number != b.number)
      return fmt::format("frame {}: number {}, the software engine gives {}", i, a.number, b.number);
  }
  return "";
}

}  // namespace linecrypt::ctl
