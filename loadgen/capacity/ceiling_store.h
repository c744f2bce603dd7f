// Where a confirmed ceiling is kept: table pantryd.load_ceiling of the database it was measured on,
// which the probe load_ceiling reads, so that dashboards show the demand against it.
#pragma once

#include <string>

#include "loadgen/capacity/ceiling.h"
#include "pg/connection.h"

namespace pantryd::loadgen {

/// Writes the ceiling down and forgets all but the newest thousand. Creates schema and table where
/// they are absent, readable by pg_monitor. Returns why it was not stored, as a sentence; empty
/// when it was: only a PASS is stored, and a server that takes no writes is no error. Never throws
/// PgError.
[[nodiscard]] std::string store_ceiling(const pg::Conninfo& where, const Ceiling& ceiling);

/// The name of a ceiling: "grocery", or "grocery/sale" of one operation alone.
[[nodiscard]] std::string workload_label(const Ceiling& ceiling);

}  // namespace pantryd::loadgen
