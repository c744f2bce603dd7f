// Reads the invariants of a workload from the server.
#pragma once

#include <vector>

#include "base/stop.h"
#include "loadgen/result/invariants.h"
#include "loadgen/workload/invariant.h"
#include "pool/pool.h"

namespace pantryd::loadgen {

/// One reading for each, in order; each in a read-only transaction of its own and within its
/// limit. What cannot be read is a reading with an error: throws nothing that the server causes.
[[nodiscard]] std::vector<InvariantReading> read_invariants(
    Pool& pool, const std::vector<Invariant>& invariants, const StopFlag* stop);

/// The row as a reading; an error where it is not one row, or too long to compare.
[[nodiscard]] InvariantReading reading_of(const pg::Result& rows);

}  // namespace pantryd::loadgen
