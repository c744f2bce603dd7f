// The version command: which pantryd this is, and which libpq it loaded.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "pg/library.h"

namespace pantryd::cli {
namespace {

int run_version(const Context& context, const Values&) {
  const auto libpq = pg::libpq_version();
  if (context.json) {
    const nlohmann::json json{{"format", "pantryd.version"},
                              {"version", 1},
                              {"pantryd", PANTRYD_VERSION},
                              {"libpq", libpq}};
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("pantryd {} (libpq {})\n", PANTRYD_VERSION, libpq);
  }
  return 0;
}

}  // namespace

Command version_command() {
  return {.name = "version",
          .summary = "print the versions of pantryd and libpq",
          .usage = "[--json]",
          .options = {},
          .examples = {"pantryd version --json"},
          .exits = {},
          .run = run_version};
}

}  // namespace pantryd::cli
