// The front door: migrates any database, one that another tool made included. The runner itself
// (run/runner.h) does not know of other tools; what adoption needs to know of it is handed in here.
#pragma once

#include "migrate/run/runner.h"

namespace pantryd::migrate {

/// run_up() of a database that is new, or that pantryd migrates already. Throws as run_up() does,
/// and Error(failed) when Knex made the database and it was not adopted.
[[nodiscard]] std::vector<Applied> up(pg::Connection& connection,
                                      const std::vector<Migration>& files,
                                      const RunnerOptions& options,
                                      const std::function<void(const Migration&)>& on_start);

}  // namespace pantryd::migrate
