// FramePipeline: the frames of one queue, in the order in which they came, on their way through up to two trips of the
// engine: out, ESP and then MACsec; in, MACsec and then ESP.
//
// Frames stand in a ring. Two cursors go over it, one a trip: a frame begins its second trip when the first is over and
// all frames before it have begun theirs, so packet numbers are in the order of the wire. Jobs go to the engine in
// bursts for one of its queues; whoever finds one finished ends that trip, under that engine queue's lock. What the
// engine does not take stays where it is, and is asked for again.
//
// Threads: all but end_trip() is for one at a time, the owner of the queue.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "driver/dpdk/common/bounce.hpp"
#include "driver/dpdk/common/esp_job.hpp"
#include "driver/dpdk/net/macsec_job.hpp"

namespace linecrypt::dpdk {

struct FrameRecord;

// A job's record is found by the job: it is the first in here.
struct EspTrip {
  EspJob esp;
  FrameRecord* record = nullptr;
};
struct MacsecTrip {
  MacsecJob macsec;
  FrameRecord* record = nullptr;
};

// What becomes of a frame.
enum class Fate : std::uint8_t {
  forward,
  flagged,  // ingress: delivered, and said to be bad
  drop,
};

// Where a frame is with one of its trips.
enum class TripState : std::uint8_t {
  ahead,  // not looked at
  ready,  // its job waits for the engine to take it, or is taken
  none,   // it needs none, or was refused
};

struct FrameRecord {
  EspTrip esp;
  MacsecTrip macsec;
  rte_mbuf* mbuf = nullptr;
  Job* job = nullptr;                // of the trip that is under way
  std::uint32_t engine_queue = 0;    // that has it
  std::atomic<bool> rests{false};    // no trip is under way
  std::array<TripState, 2> trips{};  //
  std::array<bool, 2> bounced{};     // a bounce buffer is taken for that trip
  Fate fate = Fate::forward;
  bool protects = false;  // an ESP session had a hand in it
  Verdict verdict = Verdict::ok;
  std::uint64_t userdata = 0;  // of that session, ingress
};

// A limit of an IPsec session was reached; of a session each is told once.
struct LimitNote {
  std::uint64_t userdata = 0;
  rte_eth_event_ipsec_subtype limit = RTE_ETH_EVENT_IPSEC_UNKNOWN;
};
// The few that one call finds. What has no room is told with the session's next packet.
struct LimitNotes {
  std::uint32_t count = 0;
  std::array<LimitNote, 4> notes{};
};

enum class TripBegin : std::uint8_t {
  ready,  // record.job and record.engine_queue say what to submit
  none,   // this frame needs no such trip; or it was refused: record.fate and record.verdict say so
  wait,   // come again when frames have left the ring
};

class FramePipeline {
 public:
  FramePipeline(EspSessions& sessions, std::uint32_t frames);
  // False: no memory.
  bool allocate(int socket) noexcept;

  [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }
  [[nodiscard]] std::uint32_t room() const noexcept { return mask_ + 1 - (tail_ - head_); }
  // Precondition: room() > 0.
  void push(rte_mbuf* mbuf) noexcept;

  // Moves all frames on as far as they go. `first` and `second` begin a trip: TripBegin(FrameRecord&, BounceRing&).
  template <typename First, typename Second>
  void advance(First&& first, Second&& second) noexcept {
    begin_trips<0>(first, first_, tail_);
    begin_trips<1>(second, second_, first_);
  }
  // The oldest frame if it has come through. None: there is no such frame.
  [[nodiscard]] FrameRecord* front() noexcept;
  // Limits that sessions have reached since the last call: the owner tells of them when it holds no lock.
  [[nodiscard]] LimitNotes take_limits() noexcept { return std::exchange(limits_, {}); }
  void pop() noexcept;
  // Nobody sends or receives any more: calls `drop` with every frame's mbuf, each once, when the engine has given it
  // back. False: it did not give all of them back in time; those stay.
  template <typename Drop>
  [[nodiscard]] bool settle(Drop&& drop) noexcept {
    give_up();
    while (head_ != tail_) {
      if (!wait_for(records_[head_ & mask_])) return false;
      drop(records_[head_ & mask_]);
      pop();
    }
    return true;
  }

 private:
  static constexpr std::uint32_t batch_most = 64;

  struct Batch {
    std::uint32_t engine_queue = 0;
    std::uint32_t count = 0;
    std::array<Job*, batch_most> jobs;
    std::array<std::uint32_t, batch_most> position;
  };

  template <std::size_t trip, typename Begin>
  void begin_trips(Begin&& begin, std::uint32_t& cursor, std::uint32_t end) noexcept;
  [[nodiscard]] bool first_is_over(const FrameRecord& record) noexcept;
  [[nodiscard]] bool fits(const FrameRecord& record) const noexcept {
    return batch_.count == 0 || (batch_.count < batch_most && batch_.engine_queue == record.engine_queue);
  }
  // Puts it into the batch.
  void add(FrameRecord& record, std::uint32_t position) noexcept;
  // False: not all was taken; `cursor` is where to go on.
  bool flush(std::uint32_t& cursor) noexcept;
  std::uint32_t poll(std::uint32_t engine_queue) noexcept;
  void end_trip(Job& job) noexcept;
  void end_esp_trip(EspTrip& trip) noexcept;
  void end_macsec_trip(MacsecTrip& trip) noexcept;
  void note_limits(EspSession& session, const EspTrip& trip) noexcept;
  // What a job that the engine has taken used of its SA's lease; `renewals` grows where that is to be renewed.
  void count_lease(Job& job) noexcept;
  void renew_leases(EngineQueue& queue) noexcept;
  static void take_back(FrameRecord& record, std::size_t trip) noexcept;
  void give_up() noexcept;
  [[nodiscard]] bool wait_for(const FrameRecord& record) noexcept;

  DeviceContext& device_;
  GivenIv* const given_iv_;
  const std::uint32_t mask_;
  std::unique_ptr<FrameRecord[]> records_;
  std::array<BounceRing, 2> bounces_;
  // Running numbers: head_ <= second_ <= first_ <= tail_.
  std::uint32_t head_ = 0;
  std::uint32_t second_ = 0;
  std::uint32_t first_ = 0;
  std::uint32_t tail_ = 0;
  std::uint32_t idle_ = 0;  // calls in vain
  LimitNotes limits_;
  Batch batch_;
  std::array<EspSession*, batch_most> esp_renewals_{};
  std::uint32_t esp_renewals_count_ = 0;
  std::array<MacsecRenewal, batch_most> macsec_renewals_{};
  std::uint32_t macsec_renewals_count_ = 0;
};

// 1. A frame that was not looked at begins, if it is still to go on; in the second trip not before the first is over.
// 2. Its job joins the batch; the batch goes off where the job does not belong to it.
template <std::size_t trip, typename Begin>
void FramePipeline::begin_trips(Begin&& begin, std::uint32_t& cursor, std::uint32_t end) noexcept {
  std::uint32_t at = cursor;
  for (; at != end; ++at) {
    FrameRecord& record = records_[at & mask_];
    // 1.
    if (record.trips[trip] == TripState::ahead) {
      if (trip == 1 && !first_is_over(record)) break;
      const TripBegin begun = record.fate == Fate::forward ? begin(record, bounces_[trip]) : TripBegin::none;
      if (begun == TripBegin::wait) break;
      record.trips[trip] = begun == TripBegin::ready ? TripState::ready : TripState::none;
    }
    if (record.trips[trip] == TripState::none) continue;
    // 2.
    if (!fits(record) && !flush(cursor)) return;
    add(record, at);
  }
  if (batch_.count == 0 || flush(cursor)) cursor = at;
}

}  // namespace linecrypt::dpdk
