// A failover engine under traffic, with everything around it that a test must see: whoever lends numbers, peers at the
// other end, and a judge that counts what must never happen.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "host/engines/delaying.hpp"
#include "host/engines/failover.hpp"
#include "host/engines/fault.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/number_ledger.hpp"

namespace linecrypt::test {

inline constexpr std::uint64_t millisecond = 1'000'000;

// What must never happen, counted.
struct Judgement {
  std::uint64_t returned_twice = 0;   // a job that was not out came back
  std::uint64_t out_of_order = 0;     // an SA's egress frames or numbers went back
  std::uint64_t clear_bytes = 0;      // seen in a frame that goes to the circuit
  std::uint64_t wrong_frames = 0;     // the peer could not open it, or opened something else
  std::uint64_t delivered_twice = 0;  // an ingress frame, two copies of it
  std::uint64_t fresh_refused = 0;    // an ingress frame in order, taken for a replay
  std::uint64_t touched = 0;          // engine_lost, and the packet is not as it was
  [[nodiscard]] std::uint64_t sum() const {
    return returned_twice + out_of_order + clear_bytes + wrong_frames + delivered_twice + fresh_refused + touched;
  }
};

// Slots of the failover engine's SAs.
enum : std::uint32_t { out_esp, out_esp_192, out_macsec, in_esp, in_macsec, sa_total };

inline Sa rig_sa(std::uint32_t index, Direction direction) {
  if (index == out_macsec || index == in_macsec) {
    MacsecSa sa = macsec_sa(direction);
    sa.key = Secret<32>(test_key(32, static_cast<std::uint8_t>(0x40 + index)));
    sa.secy.replay_window = 64;
    sa.secy.duplicate_bitmap = 64;
    return sa;
  }
  EspSa sa = esp_sa(direction);
  sa.spi = 0x1000 + index;
  sa.key = Secret<32>(test_key(32, static_cast<std::uint8_t>(0x40 + index)));
  if (index == out_esp_192) {
    sa.algorithm = EspAlgorithm::aes_gcm_192;
    sa.key = Secret<32>(test_key(24, 0x90));
  }
  sa.replay_window = 64;
  return sa;
}

struct RigOptions {
  std::uint64_t seed = 1;
  engines::FaultPlan plan{};
  std::uint32_t primary_late = 4;  // polls until a job comes out of the primary
  bool delaying_secondary = false;
  bool has_secondary = true;
  std::uint64_t lease_size = 64;
  Reclamation reclamation{};
  engines::FailoverOptions failover{};
  // Another primary than the fault engine, such as a card, and its health: `primary` is null then, and the ledger knows
  // what came back only through the order of numbers.
  std::function<std::unique_ptr<Engine>(engines::EngineHealth*& health)> make_primary{};
  // Wraps the secondary: how a fault is planted.
  std::function<std::unique_ptr<Engine>(std::unique_ptr<Engine>)> around_secondary{};
};

inline engines::FailoverOptions short_times() {
  engines::FailoverOptions options;
  options.hold_limit_ns = 60 * millisecond;
  options.recover_every_ns = 3 * millisecond;
  options.rest_ns = 10 * millisecond;
  options.rest_longest_ns = 40 * millisecond;
  options.forget_ns = 500 * millisecond;
  options.jobs_per_queue = 256;
  options.splits_per_queue = 32;
  options.test_after_recovery = false;  // its thread keeps its own time
  return options;
}

class FailoverRig {
 public:
  explicit FailoverRig(RigOptions from)
      : options(std::move(from)), ledger(sa_total, std::size_t{1} << 20U), random(options.seed) {
    engines::FaultOptions faults;
    faults.seed = options.seed;
    faults.plan = options.plan;
    faults.most_polls_late = options.primary_late;
    faults.spent = {this, [](void* self, SaId sa, std::uint64_t number) {
                      static_cast<FailoverRig*>(self)->ledger.use(sa.index, number);
                    }};
    faults.limit = [](Capabilities& can) {
      can.engine = "card";
      can.aes_192 = false;
    };
    std::unique_ptr<Engine> first;
    engines::EngineHealth* health = nullptr;
    if (options.make_primary) {
      first = options.make_primary(health);
    } else {
      auto faulty = engines::make_fault_engine(software::make_software_engine().value(), faults);
      primary = faulty.get();
      health = primary;
      first = std::move(faulty);
    }
    std::unique_ptr<Engine> second;
    if (options.has_secondary) {
      // For its record of numbers only.
      engines::FaultOptions none;
      none.spent = faults.spent;
      none.keeps_window = true;
      second = engines::make_fault_engine(software::make_software_engine().value(), none);
      if (options.delaying_secondary) second = engines::make_delaying_engine(std::move(second), {.seed = options.seed});
      if (options.around_secondary) second = options.around_secondary(std::move(second));
    }
    engine = engines::make_failover_engine(std::move(first), *health, std::move(second), options.failover);
    slots = std::make_unique<SaSlot[]>(sa_total);
    EngineSetup setup;
    setup.slots = {slots.get(), sa_total};
    setup.reclamation = options.reclamation;
    setup.clock = {this, [](void* self) { return static_cast<FailoverRig*>(self)->now_ns.load(); }};
    REQUIRE(engine->open(setup).ok());
    open_peers();
  }
  ~FailoverRig() {
    engine->close();
    peer->close();
  }

  static SaId id(std::uint32_t index) { return {index, 1}; }

  void install_all() {
    for (std::uint32_t i = 0; i < sa_total; ++i) {
      const bool egress = i <= out_macsec;
      const auto installed = engine->install(id(i), rig_sa(i, egress ? Direction::egress : Direction::ingress),
                                             egress ? lend(i) : Lease{}, 0);
      INFO((installed.ok() ? "" : installed.error().message));
      REQUIRE(installed.ok());
    }
  }

  // ---- the control thread's part ----

  Lease lend(std::uint32_t index) {
    const std::uint64_t begin = next_number[index];
    next_number[index] += options.lease_size;
    return {begin, begin + options.lease_size};
  }
  // As SaControl: events to leases; what an engine does not take is offered again.
  void service() {
    Event some[4];
    while (const std::uint32_t n = engine->events(some)) {
      for (std::uint32_t i = 0; i < n; ++i) {
        if (some[i].kind == EventKind::lease_low || some[i].kind == EventKind::lease_exhausted ||
            some[i].kind == EventKind::lease_wanted)
          wanting.insert(some[i].sa.index);
        ++events_seen[some[i].kind];
      }
    }
    // Events may be lost; the state says the same.
    for (std::uint32_t i = out_esp; i <= out_macsec; ++i) {
      const auto state = engine->read(id(i));
      if (state && state->lease_wanted) wanting.insert(i);
      if (state && state->lease_end - std::min(state->lease_end, state->next_number) <= options.lease_size / 2)
        wanting.insert(i);
    }
    if (!lend_nothing) {
      for (auto at = wanting.begin(); at != wanting.end();) {
        const std::uint32_t index = *at;
        if (!ungranted.contains(index)) ungranted[index] = lend(index);
        const bool taken = engine->update(id(index), GrantLease{ungranted[index]}).ok();
        if (taken) ungranted.erase(index);
        at = taken ? wanting.erase(at) : std::next(at);
      }
    }
    for (const std::string& message : engine->take_messages()) messages.push_back(message);
  }

  // ---- the worker's part ----

  struct Parcel {
    std::unique_ptr<Frame> frame;
    Bytes before;                // as submitted
    std::uint64_t sequence = 0;  // of its kind
    bool out = false;            // at the engine
    bool ingress = false;
    bool copy = false;       // of an earlier ingress frame
    std::uint64_t wire = 0;  // ingress: which frame of the peer
  };

  // A clear frame for one or two egress SAs.
  Parcel& make_egress(std::vector<Stage> stages) {
    Parcel& parcel = new_parcel(numbered_frame(++sequence));
    parcel.sequence = sequence;
    set_stages(parcel, stages);
    return parcel;
  }
  // The peer's next frame, in order; or a copy of an earlier one.
  Parcel& make_ingress(std::uint32_t kind, bool copy) {
    auto& sent = wires[kind];
    if (sent.empty()) copy = false;
    std::size_t which = sent.size();
    if (copy) {
      which = sent.size() - 1 - random() % std::min<std::size_t>(sent.size(), 40);
    } else {
      Frame frame(numbered_frame(++sequence));
      frame.job.stages = {Stage{id(kind), kind == in_macsec ? Operation::macsec_protect : Operation::esp_encapsulate},
                          Stage{}};
      run_peer(frame.job);
      REQUIRE(frame.job.verdict == Verdict::ok);
      sent.push_back({frame.bytes(), numbered_frame(sequence)});
    }
    Parcel& parcel = new_parcel(sent[which].black);
    parcel.ingress = true;
    parcel.copy = copy;
    parcel.wire = which;
    set_stages(parcel, {Stage{id(kind), kind == in_macsec ? Operation::macsec_validate : Operation::esp_decapsulate}});
    return parcel;
  }

  // Offers the oldest waiting frames, takes what is finished.
  void work() {
    std::vector<Job*> burst;
    for (std::size_t i = 0; i < to_submit.size() && i < 16; ++i) burst.push_back(&to_submit[i]->frame->job);
    for (std::size_t i = 0; i < burst.size(); ++i) {
      to_submit[i]->out = true;
      burst[i]->verdict = Verdict::pending;
    }
    const std::uint32_t taken = engine->submit(QueueId{0}, burst);
    for (std::size_t i = taken; i < burst.size(); ++i) to_submit[i]->out = false;
    in_engine += taken;
    for (std::uint32_t i = 0; i < taken; ++i)
      if (burst[i]->verdict != Verdict::pending) judge(*to_submit[i]);
    to_submit.erase(to_submit.begin(), to_submit.begin() + taken);
    Job* done[24];
    const std::uint32_t came = engine->poll(QueueId{0}, done);
    for (std::uint32_t i = 0; i < came; ++i) {
      if (done[i]->verdict == Verdict::pending) ++judgement.returned_twice;
      judge(*by_job.at(done[i]));
    }
  }

  void judge(Parcel& parcel) {
    if (!parcel.out) {
      ++judgement.returned_twice;
      return;
    }
    parcel.out = false;
    --in_engine;
    const Job& job = parcel.frame->job;
    ++verdicts[job.verdict];
    if (job.verdict == Verdict::engine_lost && parcel.frame->bytes() != parcel.before) ++judgement.touched;
    if (parcel.ingress)
      judge_ingress(parcel);
    else if (job.verdict == Verdict::ok)
      judge_egress(parcel);
    by_job.erase(&job);
  }

  // Until nothing is out and the engine is settled, or `steps` are over.
  bool settle(int steps = 5000) {
    for (int i = 0; i < steps; ++i) {
      work();
      service();
      now_ns += millisecond;
      if (in_engine == 0 && to_submit.empty() && !engine->moving() &&
          engine->status().use == engines::PrimaryUse::used && i > 50)
        return true;
    }
    return false;
  }

  RigOptions options;
  NumberLedger ledger;
  std::mt19937_64 random;
  std::atomic<std::uint64_t> now_ns{1'000'000'000};
  engines::FaultEngine* primary = nullptr;
  std::unique_ptr<engines::FailoverEngine> engine;
  std::unique_ptr<SaSlot[]> slots;

  Judgement judgement;
  std::map<Verdict, std::uint64_t> verdicts;
  std::map<EventKind, std::uint64_t> events_seen;
  std::vector<std::string> messages;
  std::uint64_t in_engine = 0;
  bool lend_nothing = false;
  std::vector<Parcel*> to_submit;

 private:
  struct Wire {
    Bytes black;
    Bytes clear;
    bool delivered = false;
  };

  static Bytes numbered_frame(std::uint64_t number) {
    Bytes frame = clear_frame();
    for (std::size_t i = 0; i < 8; ++i) frame[frame.size() - 1 - i] = static_cast<std::uint8_t>(number >> (8 * i));
    return frame;
  }

  Parcel& new_parcel(const Bytes& bytes) {
    auto parcel = std::make_unique<Parcel>();
    parcel->frame = std::make_unique<Frame>(bytes);
    parcel->before = bytes;
    Parcel& made = *parcel;
    by_job[&made.frame->job] = std::move(parcel);
    to_submit.push_back(&made);
    return made;
  }
  static void set_stages(Parcel& parcel, const std::vector<Stage>& stages) {
    for (std::size_t i = 0; i < stages.size(); ++i) parcel.frame->job.stages[i] = stages[i];
  }

  // The other end of every SA, in one software engine: it opens what we send and sends what we open.
  void open_peers() {
    peer = software::make_software_engine().value();
    peer_slots = std::make_unique<SaSlot[]>(sa_total);
    EngineSetup setup;
    setup.slots = {peer_slots.get(), sa_total};
    REQUIRE(peer->open(setup).ok());
    for (std::uint32_t i = 0; i < sa_total; ++i) {
      const bool ours_egress = i <= out_macsec;
      REQUIRE(peer->install(id(i), rig_sa(i, ours_egress ? Direction::ingress : Direction::egress),
                            ours_egress ? Lease{} : Lease{1, std::uint64_t{1} << 40U}, 0)
                  .ok());
    }
  }
  void run_peer(Job& job) {
    Job* one = &job;
    REQUIRE(peer->submit(QueueId{0}, {&one, 1}) == 1);
  }

  // 1. Order of frames and of numbers, for each SA. 2. Nothing clear. 3. What the peer makes of it.
  void judge_egress(Parcel& parcel) {
    const Job& job = parcel.frame->job;
    const bool two = job.stages[1].operation != Operation::none;
    // 1.
    for (const Stage& stage : job.stages) {
      if (stage.operation == Operation::none) continue;
      if (parcel.sequence <= last_sequence[stage.sa.index]) ++judgement.out_of_order;
      last_sequence[stage.sa.index] = parcel.sequence;
    }
    const std::uint32_t last_sa = job.stages[two ? 1 : 0].sa.index;
    if (job.number <= last_number[last_sa]) ++judgement.out_of_order;
    last_number[last_sa] = job.number;
    // 2.
    if (shows_payload(parcel.frame->bytes())) ++judgement.clear_bytes;
    // 3.
    Job back = job;
    back.verdict = Verdict::pending;
    const auto reverse = [](Operation operation) {
      return operation == Operation::esp_encapsulate ? Operation::esp_decapsulate : Operation::macsec_validate;
    };
    back.stages = {Stage{job.stages[0].sa, reverse(job.stages[0].operation)}, Stage{}};
    if (two) back.stages = {Stage{job.stages[1].sa, Operation::macsec_validate}, back.stages[0]};
    run_peer(back);
    if (back.verdict != Verdict::ok || parcel.frame->bytes() != parcel.before) ++judgement.wrong_frames;
  }

  void judge_ingress(Parcel& parcel) {
    const Job& job = parcel.frame->job;
    Wire& wire = wires[job.stages[0].sa.index][parcel.wire];
    if (job.verdict == Verdict::ok) {
      if (wire.delivered) ++judgement.delivered_twice;
      wire.delivered = true;
      if (parcel.frame->bytes() != wire.clear) ++judgement.wrong_frames;
      return;
    }
    const bool replay = job.verdict == Verdict::replay_late || job.verdict == Verdict::replay_duplicate;
    if (replay && !parcel.copy && !wire.delivered) ++judgement.fresh_refused;
    // Nothing of a refused frame may be seen.
    if (shows_payload(parcel.frame->bytes())) ++judgement.clear_bytes;
  }

  std::unique_ptr<Engine> peer;
  std::unique_ptr<SaSlot[]> peer_slots;
  std::map<const Job*, std::unique_ptr<Parcel>> by_job;
  std::map<std::uint32_t, std::vector<Wire>> wires;
  std::uint64_t sequence = 0;
  std::map<std::uint32_t, std::uint64_t> last_sequence, last_number;
  std::uint64_t next_number[sa_total] = {1, 1, 1, 1, 1};
  std::set<std::uint32_t> wanting;
  std::map<std::uint32_t, Lease> ungranted;
};

// Random traffic over all SAs, one and two stages, copies of ingress frames among it.
inline void random_traffic(FailoverRig& rig, std::size_t most_waiting = 32) {
  for (std::uint64_t left = rig.random() % 6; left != 0 && rig.to_submit.size() < most_waiting; --left) {
    const Stage esp{FailoverRig::id(out_esp), Operation::esp_encapsulate};
    const Stage esp_192{FailoverRig::id(out_esp_192), Operation::esp_encapsulate};
    const Stage macsec{FailoverRig::id(out_macsec), Operation::macsec_protect};
    switch (rig.random() % 9) {
      case 0:
        rig.make_egress({esp});
        break;
      case 1:
        rig.make_egress({macsec});
        break;
      case 2:
        rig.make_egress({esp, macsec});
        break;
      case 3:
        rig.make_egress({esp_192, macsec});
        break;
      case 4:
        rig.make_egress({esp_192});
        break;
      case 5:
      case 6:
        rig.make_ingress(in_esp, rig.random() % 4 == 0);
        break;
      default:
        rig.make_ingress(in_macsec, rig.random() % 4 == 0);
        break;
    }
  }
}

}  // namespace linecrypt::test
