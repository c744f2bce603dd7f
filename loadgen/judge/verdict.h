// From counts to a verdict. The thresholds, and why they are where they are:
//
// FAIL      an operation's share of misses (late, failed or never started) is above 1 % with 95 %
//           confidence over all operations together (shares.h), or with the same confidence more
//           than 0.1 % of all operations failed or never started, or an invariant of the workload
//           is broken.
// PASS      every operation has an SLO that holds with 95 % confidence, or none and is measured
//           only; at least one has an SLO, each one ran, and at most 0.1 % failed.
// INVALID   the self-check found the client at its limit, or surroundings that are not those which
//           the result names: see self_check.h for each limit.
//           Start lag counts only arrivals for which a connection was free, so a server that is
//           slow, or shares the cores and starves the connections, does not make a run INVALID.
//           Where the server alone explains a failed SLO (the service time misses it even
//           after ten times the lag, and the longest stall, are taken off), the verdict stays FAIL,
//           unless the surroundings were at fault.
//           So does that of a run whose server went away and was not back at its end, or that broke
//           an invariant.
// INCONCLUSIVE  the server still changed while it was measured (unsteady.h), which is no FAIL
//           either; or too few samples, an operation that never ran, no SLO at all, more and more
//           operations that waited (backlog.h), an invariant that could not be read, or ended early
//           by a person.
#pragma once

#include <cstdint>

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

inline constexpr double kMissesMax = 0.01;  ///< what "p99" allows
inline constexpr double kErrorsMax = 0.001;
inline constexpr std::int64_t kStartLagMaxUs = 5'000;
inline constexpr double kClientCpuMax = 0.85;

/// Fills verdict and reason of every operation and of the whole.
void judge(LoadResult& result);

}  // namespace pantryd::loadgen
