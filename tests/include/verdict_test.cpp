#include "linecrypt/verdict.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "linecrypt/counters.hpp"

using namespace linecrypt;

TEST_CASE("Every verdict has a name and a sentence of its own") {
  std::set<std::string_view> names;
  std::set<std::string_view> sentences;
  for (std::size_t i = 0; i < verdict_count; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    CHECK_FALSE(name(verdict).empty());
    CHECK_FALSE(describe(verdict).empty());
    names.insert(name(verdict));
    sentences.insert(describe(verdict));
  }
  CHECK(names.size() == verdict_count);
  CHECK(sentences.size() == verdict_count);
}

TEST_CASE("Only the outcomes that forward, hand over or consume a frame on purpose are no drops") {
  const std::set<std::string_view> wanted = {"pending", "ok",       "bypassed", "request_clear", "exempt",
                                             "punted",  "answered", "dummy",    "keepalive",     "unchecked"};
  std::set<std::string_view> found;
  for (std::size_t i = 0; i < verdict_count; ++i)
    if (!is_drop(static_cast<Verdict>(i))) found.insert(name(static_cast<Verdict>(i)));
  CHECK(found == wanted);
}

TEST_CASE("Verdict counters count each verdict apart") {
  VerdictCounters counters;
  counters.add(Verdict::ok);
  counters.add(Verdict::replay_late, 3);
  CHECK(counters.get(Verdict::ok) == 1);
  CHECK(counters.get(Verdict::replay_late) == 3);
  CHECK(counters.get(Verdict::replay_duplicate) == 0);
}
