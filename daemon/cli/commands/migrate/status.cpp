// The migrate status command: which migrations are applied, and which are pending.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/migrate_options.h"
#include "cli/migrate_rows.h"

namespace pantryd::cli {
namespace {

int run_migrate_status(const Context& context, const Values& values) {
  const auto files = files_of(values);
  auto connection = connect_to_migrate(context);
  const auto rows = migrate::status(connection, files, Deadline::in(kStatusLimit));
  bool pending = false;
  bool drift = false;
  for (const auto& row : rows) {
    pending = pending || is_pending(row.state);
    drift = drift || is_drift(row.state);
    if (!context.json) print_row(row);
  }
  if (context.json) {
    const nlohmann::json json{
        {"format", "pantryd.migrate-status"}, {"version", 1}, {"migrations", json_of(rows)}};
    fmt::print("{}\n", json.dump(2));
  }
  if (!values.flag("check")) return 0;
  if (drift) return static_cast<int>(ExitCode::drift);
  return static_cast<int>(pending ? ExitCode::pending : ExitCode::ok);
}

}  // namespace

Command migrate_status_command() {
  return {.name = "migrate status",
          .summary = "list the applied and the pending migrations",
          .usage = "[--check] [--dir DIR]",
          .options =
              concat({folder_options(),
                      {flag("check", "exit with 3 if a migration is pending, with 4 on drift")}}),
          .examples = {"pantryd migrate status --dsn postgresql://127.0.0.1/shop --check"},
          .exits = {{3, "--check: a migration is pending"},
                    {4, "--check: files and history contradict each other"},
                    kUnreachable},
          .run = run_migrate_status};
}

}  // namespace pantryd::cli
