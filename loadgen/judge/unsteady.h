// Whether the server was still changing while it was measured, so that the window is evidence
// neither for a promise nor against it. Pure.
#pragma once

#include <string>

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

/// One sentence, or empty for a steady window. Unsteady is
///   - a constant rate, or a closed loop, in which the service times of an operation fall
///     (falling_services() of trend.h);
///   - an open loop that begins with a backlog of the warm-up, of more than 10 operations and 1 %
///     of the arrivals, which does not grow: the server was slower before than it is now. A backlog
///     that goes on growing is a rate above what the server carries, and not the warm-up's.
/// Where connections were lost in the window, or a person ended it, that is what moved the times,
/// and nothing is said here.
[[nodiscard]] std::string unsteady_reason(const LoadResult& result);

}  // namespace pantryd::loadgen
