// Statistics of a share of misses: exact one-sided bounds, and verdicts over several shares at
// once. Pure.
// Sources: Clopper and Pearson 1934 (the interval); Holm 1979 (several tests at once).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/verdict.h"

namespace pantryd::loadgen {

/// The chance that a bound is wrong, and that any FAIL of a run is.
inline constexpr double kWrongMax = 0.05;

/// Each is a one-sided Clopper-Pearson bound: the true share is below the first with a chance of at
/// most 5 %, and above the second likewise. {0, 1} without samples.
[[nodiscard]] std::pair<double, double> share_bounds(std::int64_t hits, std::int64_t samples);

/// `hits` of `samples` missed, and a true share up to `allowed` is good.
struct Share {
  std::int64_t hits = 0;
  std::int64_t samples = 0;
  double allowed = 0;
};

/// FAIL: the lower bound is above what is allowed, at a level that Holm's method corrects for the
/// number of shares, so that at most 5 % of the runs in which every true share is good have a FAIL.
/// PASS: the upper bound is at or below what is allowed. Otherwise INCONCLUSIVE.
[[nodiscard]] std::vector<Verdict> judge_shares(const std::vector<Share>& shares);

/// How many samples more, none of them a hit, make a PASS. 0: it is one.
[[nodiscard]] std::int64_t samples_missing(const Share& share);

}  // namespace pantryd::loadgen
