#include "driver/card/model/faults.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace linecrypt::card_model {
namespace {

constexpr std::array<std::pair<FaultKind, std::string_view>, 10> names{{{FaultKind::hang, "hang"},
                                                                        {FaultKind::slow, "slow"},
                                                                        {FaultKind::wrong_tag, "wrong_tag"},
                                                                        {FaultKind::flip, "flip"},
                                                                        {FaultKind::partial, "partial"},
                                                                        {FaultKind::fail, "fail"},
                                                                        {FaultKind::lost, "lost"},
                                                                        {FaultKind::reset, "reset"},
                                                                        {FaultKind::kill, "kill"},
                                                                        {FaultKind::recover, "recover"}}};

}  // namespace

std::optional<FaultKind> fault_named(std::string_view name) {
  for (const auto& [kind, text] : names)
    if (text == name) return kind;
  return std::nullopt;
}

std::string_view name_of(FaultKind kind) {
  return names.at(static_cast<std::size_t>(kind)).second;
}

std::string fault_names() {
  std::string all;
  for (const auto& [kind, text] : names) all.append(all.empty() ? "" : ", ").append(text);
  return all;
}

void FaultPlan::add(const Fault& fault) {
  const auto later = [](const Fault& a, const Fault& b) { return a.at < b.at; };
  faults_.insert(std::upper_bound(faults_.begin(), faults_.end(), fault, later), fault);
}

std::optional<Fault> FaultPlan::take(std::uint64_t now) {
  if (next() == never || next() > now) return std::nullopt;
  const Fault fault = faults_.front();
  faults_.erase(faults_.begin());
  return fault;
}

}  // namespace linecrypt::card_model
