// The migrate new command: writes an empty migration with the next number.
#include "migrate/files/new.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace pantryd::cli {
namespace {

int run_migrate_new(const Context& context, const Values& values) {
  const auto path = migrate::write_new(
      values.text("dir"),
      {.name = values.text("name"), .transaction = !values.flag("no-transaction")});
  if (context.json) {
    const nlohmann::json json{
        {"format", "pantryd.migrate-new"}, {"version", 1}, {"path", path.string()}};
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("{}\n", path.string());
  }
  return 0;
}

}  // namespace

Command migrate_new_command() {
  return {.name = "migrate new",
          .summary = "write an empty migration with the next number",
          .usage = "NAME [--dir DIR] [--no-transaction]",
          .options = {required(argument("name", "NAME", "what it does, such as add_stock_level")),
                      text("dir", "DIR", "migrations", "folder of the migrations"),
                      flag("no-transaction",
                           "run the statements one by one, as CONCURRENTLY needs it")},
          .examples = {"pantryd migrate new add_stock_level"},
          .exits = {},
          .run = run_migrate_new};
}

}  // namespace pantryd::cli
