// Puts the runner and the guard of adoption together.
#include "migrate/migrate.h"

#include "migrate/adopt/knex.h"
#include "migrate/run/limits.h"

namespace pantryd::migrate {

std::vector<Applied> up(pg::Connection& connection, const std::vector<Migration>& files,
                        const RunnerOptions& options,
                        const std::function<void(const Migration&)>& on_start) {
  return run_up(connection, files, options, on_start,
                [](pg::Connection& each) { require_adopted(each, soon()); });
}

}  // namespace pantryd::migrate
