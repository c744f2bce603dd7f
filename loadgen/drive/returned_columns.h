// Whether the statements of a workload return what its steps take from them. Asked once a session,
// when all of them are prepared, so that a slip is refused and does not become NULL.
#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "loadgen/workload/plan.h"
#include "pg/connection.h"

namespace pantryd::loadgen {

/// Throws Error(failed) that begins with FILE:LINE:COLUMN and whose hint lists the columns.
/// `columns` are those that the step's statement returns; none: it returns no rows.
void check_step(const Operation& operation, const Step& step,
                const std::vector<std::string>& columns);

/// check_step() for every step, by what `connection` prepared as statement_name(). Throws PgError
/// as well.
void check_columns(pg::Connection& connection, const Workload& workload, Deadline deadline);

}  // namespace pantryd::loadgen
