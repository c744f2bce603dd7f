// Brings a database to the newest version, or back. One runner works at a time, the others poll for
// their turn. A file is one transaction, its row of history included; a file that says
// no-transaction runs statement by statement and is resumed at the right one.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "migrate/files/migration.h"
#include "migrate/run/history.h"
#include "migrate/run/options.h"
#include "migrate/run/status.h"
#include "pg/connection.h"

namespace pantryd::migrate {

struct Applied {
  std::string name;
  std::chrono::milliseconds took;
  int attempts = 1;  ///< more than 1: locks were waited for
};

/// Throws when this database may not be migrated. Called with the advisory lock held, before
/// anything is written.
using Precondition = std::function<void(pg::Connection&)>;

/// Runs the pending files and returns them; `on_start` is called with each before it runs. Every
/// pending file is read and checked before the first one runs. For callers that know the database;
/// up() of migrate/migrate.h has the precondition that any other needs.
/// Throws Error(drift): an applied file was edited or is missing, or a pending one is out of order;
/// Error(usage): a file cannot be run, no such version; Error(lock): another runner did not finish,
/// or a lock was not granted within the budget; PgError that names file and line; what
/// `precondition` throws.
[[nodiscard]] std::vector<Applied> run_up(pg::Connection& connection,
                                          const std::vector<Migration>& files,
                                          const RunnerOptions& options,
                                          const std::function<void(const Migration&)>& on_start,
                                          const Precondition& precondition);

/// Undoes the newest applied migration, or all above `options.to`, newest first. Refuses before it
/// changes anything when one of them has no down section. Throws as up() does.
[[nodiscard]] std::vector<Applied> down(pg::Connection& connection,
                                        const std::vector<Migration>& files,
                                        const RunnerOptions& options,
                                        const std::function<void(const Migration&)>& on_start);

/// Takes the catalogue as it is for right, under the runner's lock. Throws Error(failed) while a
/// run that was cut off has not been completed.
void accept_drift(pg::Connection& connection, const RunnerOptions& options);

}  // namespace pantryd::migrate
