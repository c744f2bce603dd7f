// Percentiles of a claim against the operations of a run. "p99: 80ms" is a share: at most 1 % of
// the operations may be later, fail, or never begin. Whether that share holds is decided by the
// exact bounds of loadgen/judge/shares.h, never by the measured percentile, which is chance where
// there are few samples.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "loadgen/result/result.h"
#include "validate/claim.h"

namespace pantryd::validate {

/// "p99: 80ms": so many of the operations are answered within this.
struct Percentile {
  std::string key;  ///< "p99"
  double share = 0.99;
  std::chrono::milliseconds limit{0};
};

/// Every operation for itself. FAIL: one misses a limit for certain. PASS: each holds every limit
/// for certain. Otherwise INCONCLUSIVE, and each operation with too few samples is named with the
/// samples that it still needs. Sets `measured` to the worst of each percentile.
void judge_each_operation(const loadgen::LoadResult& load,
                          const std::vector<Percentile>& percentiles, Judgement& out);

/// All operations of the run together: FAIL where a limit is missed for certain; a PASS becomes
/// INCONCLUSIVE where it is not certain that the limit holds.
void judge_all_operations(const loadgen::LoadResult& load,
                          const std::vector<Percentile>& percentiles, Judgement& out);

}  // namespace pantryd::validate
