// What `compare` shows of its rows: as they come, as text and plots, as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/linecrypt-bench/common.hpp"
#include "tools/linecrypt-bench/compare_works.hpp"

namespace linecrypt::bench {

struct CompareRow {
  const Work* work = nullptr;
  std::string name;  // of the work, with the key's size
  std::string peer;
  std::uint32_t size = 0;
  Comparison figures;
  std::string no_claim;  // empty: it is one
};

struct Refused {
  std::string peer;
  std::string reason;
};

struct CompareResult {
  std::uint32_t burst = 32;
  std::vector<CompareRow> rows;
  std::vector<Refused> refused;
};

void show_head();
void show(const CompareRow& row);
[[nodiscard]] Report compare_report(const CompareResult& result, const CommonOptions& options, const Facts& facts);
// {"rows": [{"work", "peer", "size", "ratio", "ours_gbps", "peer_gbps", "spread"}], ...}; a row that is no claim also
// has "no_claim", the reason.
[[nodiscard]] nlohmann::json compare_json(const CompareResult& result, const CommonOptions& options,
                                          const Facts& facts);

}  // namespace linecrypt::bench
