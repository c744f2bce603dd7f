// The sandbox backup command: makes a base backup and dumps of a running sandbox.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/sandbox_options.h"
#include "sandbox/sandbox.h"

namespace pantryd::cli {
namespace {

int run_sandbox_backup(const Context& context, const Values& values) {
  auto sandbox = Sandbox::open(sandbox_dir(values));
  sandbox.back_up(context.stop);
  fmt::print("Backups are in {}\n", (sandbox.dir() / "backups").string());
  return 0;
}

}  // namespace

Command sandbox_backup_command() {
  return {.name = "sandbox backup",
          .summary = "make a base backup and dumps of the sandbox",
          .usage = "[--dir DIR]",
          .options = sandbox_options(),
          .examples = {"pantryd sandbox backup --dir /var/tmp/shop"},
          .exits = {},
          .run = run_sandbox_backup};
}

}  // namespace pantryd::cli
