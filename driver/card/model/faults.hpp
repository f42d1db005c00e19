// Faults of the emulated card and the moments planned for them. README.md says what each does.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linecrypt::card_model {

enum class FaultKind : std::uint8_t { hang, slow, wrong_tag, flip, partial, fail, lost, reset, kill, recover };

std::optional<FaultKind> fault_named(std::string_view name);
std::string_view name_of(FaultKind kind);
std::string fault_names();  // all, for messages

struct Fault {
  FaultKind kind = FaultKind::hang;
  std::uint64_t at = 0;  // cycle of the virtual clock
  std::uint64_t argument = 0;
};

// Faults in the order of their moments; those of the same moment in the order in which they were added.
class FaultPlan {
 public:
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

  void add(const Fault& fault);
  void forget() { faults_.clear(); }

  // Moment of the first fault left.
  [[nodiscard]] std::uint64_t next() const { return faults_.empty() ? never : faults_.front().at; }
  // Takes out the first fault if its moment has come.
  std::optional<Fault> take(std::uint64_t now);

 private:
  std::vector<Fault> faults_;
};

}  // namespace linecrypt::card_model
