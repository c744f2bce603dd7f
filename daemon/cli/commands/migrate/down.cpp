// The migrate down command: undoes the newest migrations.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/migrate_options.h"
#include "cli/migrate_rows.h"

namespace pantryd::cli {
namespace {

int run_migrate_down(const Context& context, const Values& values) {
  const auto files = files_of(values);
  auto run = runner_options(context, values);
  if (values.given("to")) run.to = values.count("to");
  auto connection = connect_to_migrate(context);
  const auto undone = migrate::down(connection, files, run, [&](const migrate::Migration& each) {
    if (context.progress) fmt::print(stderr, "undoing {}\n", each.name);
  });
  return print_applied(context, undone, "pantryd.migrate-down", "undone", "Nothing is applied.");
}

}  // namespace

Command migrate_down_command() {
  return {.name = "migrate down",
          .summary = "undo the newest migration, or all above --to",
          .usage = "[--dir DIR] [--to VERSION]",
          .options = concat({run_options(),
                             {count("to", "VERSION", "", {},
                                    "undo all above this version; default: the newest alone")}}),
          .examples = {"pantryd migrate down --dsn postgresql://127.0.0.1/shop --to 6"},
          .exits = {{4, "drift: files and history contradict each other"},
                    {5, "another run, or a lock on a table, was in the way for too long"},
                    kUnreachable},
          .run = run_migrate_down};
}

}  // namespace pantryd::cli
