// The migrate up command: applies the pending migrations.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/migrate_options.h"
#include "cli/migrate_rows.h"

namespace pantryd::cli {
namespace {

int run_migrate_up(const Context& context, const Values& values) {
  const auto files = files_of(values);
  auto run = runner_options(context, values);
  if (values.given("to")) run.to = values.count("to");
  run.allow_out_of_order = values.flag("allow-out-of-order");
  auto connection = connect_to_migrate(context);
  const auto applied = migrate::up(connection, files, run, [&](const migrate::Migration& each) {
    if (context.progress) fmt::print(stderr, "applying {}\n", each.name);
  });
  return print_applied(context, applied, "pantryd.migrate-up", "applied", "Nothing is pending.");
}

}  // namespace

Command migrate_up_command() {
  return {.name = "migrate up",
          .summary = "apply the pending migrations",
          .usage = "[--dir DIR] [--to VERSION]",
          .options = concat(
              {run_options(),
               {count("to", "VERSION", "", {},
                      "the last version to apply; repeatable migrations are then left out"),
                flag("allow-out-of-order", "apply files numbered below one that is applied")}}),
          .examples = {"pantryd migrate up --dsn postgresql://127.0.0.1/shop"},
          .exits = {{4, "drift: files and history contradict each other"},
                    {5, "another run, or a lock on a table, was in the way for too long"},
                    kUnreachable},
          .run = run_migrate_up};
}

}  // namespace pantryd::cli
