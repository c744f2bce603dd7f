// What the migrate commands have in common: their options, the connection that they use, and the
// rows of `status` and `verify`.
#pragma once

#include <vector>

#include "cli/context.h"
#include "cli/options.h"
#include "migrate/files/migration.h"
#include "migrate/run/options.h"
#include "pg/connection.h"

namespace pantryd::cli {

/// --dir.
[[nodiscard]] std::vector<Option> folder_options();
/// --dir, and the time limits of a run.
[[nodiscard]] std::vector<Option> run_options();

/// The migrations of --dir, else those in this binary. Throws Error(usage).
[[nodiscard]] std::vector<migrate::Migration> files_of(const Values& values);
/// From run_options().
[[nodiscard]] migrate::RunnerOptions runner_options(const Context& context, const Values& values);

[[nodiscard]] pg::Connection connect_to_migrate(const Context& context);

}  // namespace pantryd::cli
