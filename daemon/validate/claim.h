// A claim, and what judging it ends in.
#pragma once

#include <any>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/verdict.h"

namespace pantryd::validate {

struct Check;

/// A sentence about the database, with the check that decides it.
struct Claim {
  std::string id;
  std::string text;
  const Check* check = nullptr;  ///< a row of checks(); never null in a sheet that was parsed
  std::any keys;                 ///< the claim's own keys, in the type of its check
};

/// A number that a claim is judged by, for whoever computes with it.
struct Number {
  enum class Bound { at_least, at_most };
  std::string name;  ///< "completed", "users", "p99", "p99 of sale"
  std::optional<double> value;
  std::string unit;  ///< "1/s", "ms", "users"
  double limit = 0;  ///< of the claim, in the same unit
  Bound bound = Bound::at_least;
  std::int64_t samples = 0;  ///< operations, or seconds, that it was measured from
};

/// What a check concludes from the evidence. It begins as INCONCLUSIVE: a check that finds nothing
/// to look at never passes.
struct Judgement {
  Verdict verdict = Verdict::inconclusive;
  std::optional<Reason> reason = Reason::not_tested;  ///< of INCONCLUSIVE and INVALID; else none
  std::string measured;                               ///< the number, short; empty: not measured
  std::vector<Number> numbers;                        ///< of every run, one after the other
  std::vector<std::string> evidence;                  ///< one line each

  void pass();
  void fail();
  void inconclusive(Reason why);
  void invalid(Reason why);
  /// What was read from settings, names or counters alone, and nobody tried: never better than
  /// this.
  void settings_only();
};

struct ClaimVerdict : Judgement {
  Claim claim;
  std::vector<std::string> runs;  ///< files of the loads that decide it, in the report's folder
};

}  // namespace pantryd::validate
