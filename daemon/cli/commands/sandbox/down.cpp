// The sandbox down command: stops the private PostgreSQL and removes its folder.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/sandbox_options.h"
#include "sandbox/sandbox.h"

namespace pantryd::cli {
namespace {

int run_sandbox_down(const Context&, const Values& values) {
  const auto dir = sandbox_dir(values);
  const bool existed = Sandbox::down(dir);
  fmt::print("{} {}\n", existed ? "Removed the sandbox" : "There is no sandbox in", dir);
  return 0;
}

}  // namespace

Command sandbox_down_command() {
  return {.name = "sandbox down",
          .summary = "stop the private PostgreSQL and remove its folder",
          .usage = "[--dir DIR]",
          .options = sandbox_options(),
          .examples = {"pantryd sandbox down --dir /var/tmp/shop"},
          .exits = {},
          .run = run_sandbox_down};
}

}  // namespace pantryd::cli
