// Whether more and more operations waited during a run.
#pragma once

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

/// True when the operations that wait became more and more during the measured part: by more than
/// 1 % of all arrivals and more than chance explains (three standard deviations of a Poisson count,
/// over the slope of a least-squares line through the seconds).
[[nodiscard]] bool backlog_grows(const LoadResult& result);

}  // namespace pantryd::loadgen
