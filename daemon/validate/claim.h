// A claim, and what judging it ends in.
#pragma once

#include <any>
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

/// What a check concludes from the evidence. It begins as INCONCLUSIVE: a check that finds nothing
/// to look at never passes.
struct Judgement {
  Verdict verdict = Verdict::inconclusive;
  std::optional<Reason> reason = Reason::not_tested;  ///< of INCONCLUSIVE and INVALID; else none
  std::string measured;                               ///< the number, short; empty: not measured
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
};

}  // namespace pantryd::validate
