// From a sheet to the evidence that it wants: the loads one after another, then one look at every
// server, then the statements. What cannot be gathered is missing from the evidence, with the
// reason, and stops nothing else.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/stop.h"
#include "loadgen/result/result.h"
#include "validate/claim.h"
#include "validate/evidence.h"

namespace pantryd::validate {

struct StageOptions {
  std::chrono::milliseconds budget{60'000};  ///< for all loads together, without their warm-ups
  std::string workload = "grocery";          ///< of loads that name none
  /// A load without a warm-up of its own warms up until it is steady, at most for this long.
  std::chrono::milliseconds warmup_limit{120'000};
};

/// What the stages do to the world. Each may throw Error.
struct Hands {
  std::function<loadgen::LoadResult(const loadgen::LoadOptions&)> drive;
  std::function<std::vector<ServerEvidence>()> look;
  std::function<Answer(const std::string& query)> ask;
  /// One line before each load; may be empty.
  std::function<void(const std::string& line)> announce;
};

/// The time of each load that does not name its own: a third of the budget for the closed loops
/// together, at least 5 s each; the rest for the others, at least 20 s each. So a small budget is
/// exceeded.
[[nodiscard]] std::vector<std::chrono::milliseconds> split_budget(
    std::chrono::milliseconds budget, const std::vector<LoadNeed>& loads);

/// The options of this load. Operations of weight 0 are left out. Throws Error(usage) for a
/// workload that cannot be read.
[[nodiscard]] loadgen::LoadOptions options_of(const LoadNeed& need, const StageOptions& options,
                                              std::chrono::milliseconds duration);

/// Runs every load that the claims want, looks at the servers and asks the statements. A load with
/// raised rare operations is run again, for 2 minutes at most, where one of them ran less than 300
/// times. After a stop no further load begins; the rest is gathered all the same.
[[nodiscard]] Evidence gather(const std::vector<Claim>& claims, const StageOptions& options,
                              const Hands& hands, const StopFlag* stop);

}  // namespace pantryd::validate
