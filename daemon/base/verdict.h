// The words of every judgement: what a load run, a claim, a comparison or a drill ends in.
#pragma once

#include <optional>
#include <string_view>

#include "base/error.h"

namespace pantryd {

/// PASS: shown to hold. FAIL: shown not to hold. INCONCLUSIVE: the evidence does not decide, see
/// Reason. INVALID: the measurement is no evidence about what it was meant to measure.
enum class Verdict { pass, fail, inconclusive, invalid };

/// Why a verdict is INCONCLUSIVE or INVALID. There are no other reasons.
enum class Reason {
  not_tested,  ///< nobody tried it
  stale,       ///< it was tried, and something that matters has changed since
  scale,       ///< it held at a smaller scale than the claim names
  samples,     ///< too few samples to decide
  unsteady,    ///< the server was still changing while it was measured
  budget,      ///< the time that was given did not suffice
  unreadable,  ///< a number that the judgement needs could not be read
  client,      ///< the load generator limited the run
  control,     ///< the control that must come out bad did not
  load,        ///< the load that the judgement rests on is itself not evidence
};

/// "PASS", "FAIL", "INCONCLUSIVE", "INVALID".
[[nodiscard]] std::string_view to_string(Verdict verdict);
/// "not_tested", "stale" and so on: the values of `reason` in JSON.
[[nodiscard]] std::string_view to_string(Reason reason);
/// None for any other text.
[[nodiscard]] std::optional<Verdict> parse_verdict(std::string_view text);

/// The verdict of several together: FAIL if one failed, else INVALID, else INCONCLUSIVE, else PASS.
[[nodiscard]] Verdict worst(Verdict a, Verdict b);

/// 0 for PASS, 1 for FAIL, 7 for the others.
[[nodiscard]] ExitCode exit_code_of(Verdict verdict);

}  // namespace pantryd
