// LeavingSas: removed SAs whose slots or keys somebody may not have yet.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "host/keys/registry.hpp"
#include "host/tables/slot_table.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::control {

// An ingress mark that the journal has not got yet.
struct PendingMark {
  SaId id;
  keys::KeyRegistry::IngressMark mark;
};

// The engine may leave a worker its last burst with a removed SA. An ingress mark in the journal must cover that, or
// what came in it could come again, so such an SA keeps its slot until the worker is through; all others lose nothing
// by it: numbers were lent, and a window without a record ends here. The claims of all stay until their last numbers
// are recorded: nobody else may begin before that.
class LeavingSas {
 public:
  struct One {
    SaId id;
    std::unique_ptr<keys::Claim> claim;
    std::uint64_t top = 0;            // of the window, at least
    std::uint64_t recorded_mark = 0;  // what the journal has of it
    bool recorded = false;            // its numbers are in the journal
    Direction direction = Direction::egress;

    // Its mark is in the journal, and must cover what a worker may still take.
    [[nodiscard]] bool marked() const noexcept { return recorded && direction == Direction::ingress; }
  };

  LeavingSas(const Reclamation& reclamation, tables::SlotTable& slots, std::vector<PendingMark>& marks)
      : reclamation_(reclamation), slots_(slots), marks_(marks) {}

  void add(One one);
  // Those that no worker has any more.
  void let_go();
  // Waits for the workers where the space is one of theirs: nobody begins with the mark of a space whose last packets
  // may still come in. False: it is none of theirs, and nothing was done.
  bool let_go_of(const NumberSpaceId& space);
  void let_go_of_all();
  [[nodiscard]] bool none_leaving() const noexcept { return leaving_.empty(); }

  // Those that were let go and keep their claims until free_claims().
  [[nodiscard]] bool none_unrecorded() const noexcept { return claims_.empty(); }
  [[nodiscard]] bool need_record() const noexcept { return need_record_; }
  void free_claims() noexcept;

 private:
  void retire(One one);

  struct Leaving {
    std::uint64_t moment = 0;  // Reclamation::begin's
    One one;
  };
  Reclamation reclamation_;
  tables::SlotTable& slots_;
  std::vector<PendingMark>& marks_;
  std::deque<Leaving> leaving_;
  std::vector<std::unique_ptr<keys::Claim>> claims_;
  bool need_record_ = false;  // some of them are in the journal
};

}  // namespace linecrypt::control
