// What the migrate commands have in common: their options, and the connection that they work on.
#pragma once

#include <vector>

#include "cli/command.h"
#include "migrate/files/migration.h"
#include "migrate/run/options.h"
#include "pg/connection.h"

namespace pantryd::cli {

/// --dir.
[[nodiscard]] po::options_description folder_option();
/// --dir, and the limits of a run.
[[nodiscard]] po::options_description run_options();

/// Those of --dir, else those in this binary. Throws Error(usage).
[[nodiscard]] std::vector<migrate::Migration> files_of(const po::variables_map& values);
/// Of run_options(), and of --to and --allow-out-of-order where a command has them. Throws
/// Error(usage).
[[nodiscard]] migrate::RunnerOptions runner_options(const Context& context,
                                                    const po::variables_map& values);

[[nodiscard]] pg::Connection connect_to_migrate(const Context& context);

}  // namespace pantryd::cli
